"""The `offhook` command; each file under `cli/commands` is one subcommand."""

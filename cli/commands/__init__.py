"""One file per subcommand, found by name: a module that defines `command` is one."""

"""The subcommands of ``offhook decode``: one module each, with a ``command``."""

#!/usr/bin/python3 -I
"""The ``offhook`` command of the Debian package: its own Python packages go before the system's."""

import sys

sys.path.insert(0, "/usr/lib/offhook/python")

from cli.main import main

main()

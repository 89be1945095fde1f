"""The field test: a technician proves in minutes that this box, on these lines, records.

Pure measurement and verdict at the centre; the box is reached through its socket, its database and its files only.
"""

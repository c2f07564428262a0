"""``python -m barnhand_desktop``."""

from barnhand_desktop.cli import program

program()

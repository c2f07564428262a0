"""The command lines of ``barnhand backup`` and ``barnhand restore``; light, for every door."""

from __future__ import annotations

import argparse
from pathlib import Path

from barnhand_desktop.passphrase import VARIABLE


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand backup``."""
    parser.add_argument(
        "--out", type=Path, metavar="FILE_OR_FOLDER", help="write it there, not to the backups"
    )
    parser.add_argument("--list", action="store_true", help="show the backups of this machine")
    parser.add_argument(
        "--with-keys",
        action="store_true",
        help=f"put the key of camera passwords in, locked with a passphrase ({VARIABLE})",
    )


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand restore``."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the backup")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--check", action="store_true", help="restore on trial only; the database stays as it is"
    )
    parser.add_argument(
        "--with-keys", action="store_true", help="take the key of camera passwords over, too"
    )
    parser.add_argument(
        "--drop-kept", action="store_true", help="remove the database that a restore kept"
    )

"""Is there a backup of the database, and is it a new one?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from barnhand_desktop.backup.keeper import OLD_AFTER, last_made
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.doctor.check import Check, Patient, in_units, ok, warn
from engine.domain.backups import BackupState
from engine.domain.errors import BarnhandError

NAME = "Backup"
_MAKE = "Make one: barnhand backup"


def backups(patient: Patient) -> Check:
    """The newest backup of this machine; on a shared server, of any node."""
    settings = patient.settings
    shelf = Shelf(patient.folders.backups)
    found = shelf.list()
    damaged = [backup for backup in found if backup.state is BackupState.DAMAGED]
    good = next((backup for backup in found if backup.state is not BackupState.DAMAGED), None)
    if good is None:
        return _none(patient, len(damaged))
    age = datetime.now(UTC) - good.created_at
    text = (
        f"{len(found) - len(damaged)} in {shelf.folder}, the newest {_age(age)} old "
        f"({in_units(good.size_bytes)}"
        f"{', restored on trial' if good.state is BackupState.CHECKED else ''})"
    )
    if damaged and damaged[0].created_at > good.created_at:
        return warn(NAME, f"{text}; a newer one is damaged: {damaged[0].reason}", _MAKE)
    if not settings.backup.enabled:
        return warn(NAME, f"{text}; daily ones are switched off", "Set backup.enabled = true.")
    if age > OLD_AFTER and not _another_node_makes_them(patient):
        return warn(NAME, text, f"Leave Barnhand running over night. {_MAKE}")
    return ok(NAME, text)


def _none(patient: Patient, damaged: int) -> Check:
    folder = patient.folders.backups
    if damaged:
        return warn(NAME, f"all {damaged} in {folder} are damaged", f"Check that disk. {_MAKE}")
    if not patient.settings.backup.enabled:
        return warn(NAME, "none, and daily ones are switched off", "Set backup.enabled = true.")
    if patient.settings.database.mode == "shared":
        if _another_node_makes_them(patient):
            return ok(NAME, "made daily by another workstation of this server")
    elif not patient.folders.postgres.exists():
        return ok(NAME, f"will be made daily in {folder}")
    return warn(NAME, f"none in {folder} yet", f"One is made daily while Barnhand runs. {_MAKE}")


def _another_node_makes_them(patient: Patient) -> bool:
    database = patient.settings.database
    if database.mode != "shared":
        return False
    try:
        newest = last_made(database.dsn.get_secret_value())
    except BarnhandError:
        return False  # the check of the database says so
    return bool(newest) and datetime.now(UTC) - newest[0] <= OLD_AFTER


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"

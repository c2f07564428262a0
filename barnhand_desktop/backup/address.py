"""Where the database of an installation answers, running already or started for a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from barnhand_desktop.installation import Installation
from barnhand_desktop.logs import REDACTOR
from barnhand_desktop.servers.folder import FolderLock, make_folder
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from engine.domain.errors import OperatorMistake


@contextmanager
def database(place: Installation, *, alone: bool = False, create: bool = False) -> Iterator[str]:
    """The address of the database. An embedded one that does not run is started meanwhile.

    ``alone`` refuses (OperatorMistake) while a Barnhand runs on this data folder; ``create`` makes
    an embedded database where there is none yet, otherwise that is a mistake too.
    """
    settings = place.settings.database
    if settings.mode == "shared":
        dsn = settings.dsn.get_secret_value()
        REDACTOR.add([dsn])
        yield dsn
        return
    folder = place.folders.postgres
    if not folder.exists() and not create:
        raise OperatorMistake(
            f"There is no database in {folder} yet.",
            "Start Barnhand once, or name the right settings file with --config.",
        )
    make_folder(folder)
    server = EmbeddedPostgres(folder)
    if not alone:
        running = server.dsn_if_running()
        if running is not None:
            REDACTOR.add([running])
            yield running
            return
    else:
        _refuse_running(folder_lock=FolderLock(folder))
    dsn = server.start()
    REDACTOR.add([dsn])
    try:
        yield dsn
    finally:
        server.stop()


def _refuse_running(folder_lock: FolderLock) -> None:
    try:
        folder_lock.acquire()
    except OperatorMistake as error:
        raise OperatorMistake(error.message, "Stop Barnhand first, then restore.") from error
    folder_lock.release()

"""The doors: ``barnhand`` (console) and its commands. Heavy parts are imported by their door."""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from barnhand_desktop import __version__
from barnhand_desktop.installation import Installation
from barnhand_desktop.logs import configure_logging
from engine.domain.errors import BarnhandError
from engine.runtime.allocator import bound_arenas
from engine.runtime.worker import still_running

log = logging.getLogger(__name__)

WRONG = 2
INTERRUPTED = 130
COMMANDS = (
    "console", "headless", "api", "migrate", "doctor", "models", "analyse", "train", "evaluate",
    "user", "backup", "restore", "remote", "key",
)  # fmt: skip


QUIET = ("headless", "analyse", "backup", "restore", "key")
"""Commands that speak to the person themselves; only warnings are logged to the terminal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status. Every foreseen error is one clear message."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    bound_arenas()
    try:
        return _run(arguments)
    except BarnhandError as error:
        print(f"Error: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED


def program() -> NoReturn:
    """Entry point: run the command line and end the process."""
    _leave(main())


def console() -> NoReturn:
    """Entry point without a terminal: the window."""
    _leave(main(["console", *sys.argv[1:]]))


def _leave(status: int) -> NoReturn:
    """End with a status. A thread that is still inside a native library when the interpreter is
    taken down aborts the process; where one is left, nothing is taken down any more."""
    left = still_running()
    if not left:
        sys.exit(status)
    log.warning("ends with threads that did not: %s", ", ".join(left))
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(status)


def _run(arguments: list[str]) -> int:
    if arguments[:2] == ["api", "--child"]:
        from barnhand_desktop.api.__main__ import main as serve_child

        return serve_child()
    if arguments[:1] == ["ptz-guardian"]:
        # How a packaged program starts the process that stops cameras when it dies.
        from engine.ptz.guardian import main as guard

        return guard()
    if arguments[:1] == ["video-resolver"]:
        # How a packaged program starts the process that asks yt-dlp.
        from engine.sources.web_resolver import main as resolve

        return resolve()
    if arguments[:1] == ["model-inspector"]:
        # How a packaged program starts the process that looks at uploaded models.
        from barnhand_desktop.model_inspection.child import main as inspect_model

        return inspect_model()
    if arguments[:1] == ["train"]:
        from engine.training.commands import run_train

        return run_train(arguments[1:])
    if arguments[:1] == ["evaluate"]:
        from engine.training.commands import run_evaluate

        return run_evaluate(arguments[1:])
    wants_help = arguments[:1] in (["-h"], ["--help"], ["--version"])
    if not wants_help and not _names_a_command(arguments):
        arguments = ["console", *arguments]
    wanted = parser().parse_args(arguments)
    place = Installation.read(wanted.config)
    telemetry = place.settings.telemetry
    folder = place.folders.logs if telemetry.log_file else None
    quiet = wanted.command in QUIET and not telemetry.log_json
    terminal_level = "warning" if quiet else telemetry.log_level
    configure_logging(
        telemetry.log_level, folder, telemetry.log_max_mb, json_lines=telemetry.log_json
    )
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(terminal_level.upper())
    door: Callable[[Installation, argparse.Namespace], int] = wanted.door
    # Until a door listens itself: what it has started by then is stopped in order.
    signal.signal(signal.SIGTERM, _end)
    return door(place, wanted)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _names_a_command(arguments: list[str]) -> bool:
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--config":
            skip = True
        elif not argument.startswith("-"):
            return argument in COMMANDS
    return False


def parser() -> argparse.ArgumentParser:
    """The command line, except ``train`` and ``evaluate``, which parse their own."""
    from barnhand_desktop import analyse, headless, models_command, remote_command
    from barnhand_desktop.backup import arguments as backup_line

    root = argparse.ArgumentParser(
        prog="barnhand",
        description="Watch horses. Without a command: the console, with VIDEO files if named.",
    )
    root.add_argument("--version", action="version", version=f"barnhand {__version__}")
    root.add_argument("--config", type=Path, metavar="FILE", help="settings file")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, door: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(door=door)
        return made

    window = add("console", "the window (the default)", _console)
    window.add_argument("files", nargs="*", metavar="VIDEO_OR_ADDRESS")
    headless.add_arguments(add("headless", "the engine without a window", _headless))
    analyse.add_arguments(add("analyse", "analyse recordings into files", _analyse))
    add("api", "the remote API alone, on a shared server", _api)
    add("migrate", "bring the database up to date", _migrate)
    doctor = add("doctor", "check this machine and say what to do", _doctor)
    doctor.add_argument("--json", action="store_true", help="print one JSON document")
    models_command.add_arguments(
        add("models", "list, fetch, import, export and time models", models_command.run_models)
    )
    user = add("user", "add an account", _user)
    user.add_argument("act", choices=("add",))
    user.add_argument("name")
    user.add_argument("--role", choices=("admin", "manager", "viewer"), default="viewer")
    backup_line.add_backup_arguments(add("backup", "back up the database", _backup))
    backup_line.add_restore_arguments(
        add("restore", "put a backup in the database's place", _restore)
    )
    remote_command.add_arguments(
        add("remote", "let other machines reach the API, over TLS", remote_command.run_remote)
    )
    key = add("key", "bring the key of camera passwords to another workstation", _key)
    key.add_argument("act", choices=("export", "import", "show"))
    key.add_argument("file", type=Path, nargs="?", metavar="FILE")
    key.add_argument("--yes", action="store_true", help="import it even if passwords are lost")
    for name in ("train", "evaluate"):
        add(name, f"{name} the project's own models; see barnhand {name} --help", None)
    return root


# --- doors ---------------------------------------------------------------------------------------


def _console(place: Installation, wanted: argparse.Namespace) -> int:
    _need_a_display()
    from barnhand_desktop.desktop import run_desktop

    return run_desktop(place, wanted.files, sys.argv[:1])


def _need_a_display() -> None:
    from engine.domain.errors import EnvironmentFault

    shown = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in shown):
        raise EnvironmentFault(
            "There is no display for the console.",
            "Run `barnhand headless`, or log in to a desktop.",
        )


def _headless(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.headless import run_headless

    return run_headless(place, wanted.source, wanted.for_s, wanted.report)


def _analyse(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.analyse import run_analyse

    return run_analyse(
        wanted.videos,
        wanted.out,
        every=wanted.every,
        render=wanted.render,
        settings=place.settings,
        folders=place.folders,
    )


def _api(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.api.accounts import ensure_admin
    from barnhand_desktop.api.server import serve
    from barnhand_desktop.settings.secrets import SecretStore
    from barnhand_desktop.wiring import Servers, api_config
    from db.pool import open_pool

    servers = Servers.start(place)
    try:
        with open_pool(servers.dsn) as pool:
            password = ensure_admin(pool)
        if password is not None:
            print(f"First start: the account 'admin' has the one-time password {password}")
        serve(api_config(place, servers, SecretStore(place.folders.data)))
    finally:
        servers.stop()
    return 0


def _migrate(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.wiring import Servers

    servers = Servers.start(place)
    servers.stop()
    print(f"The database is up to date ({'TimescaleDB' if servers.timescale else 'PostgreSQL'}).")
    return 0


def _key(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.key_command import run_key

    return run_key(place, wanted)


def _doctor(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.doctor import run_doctor

    return run_doctor(place.settings, folders=place.folders, as_json=wanted.json)


def _backup(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.backup.commands import run_backup

    return run_backup(place, wanted)


def _restore(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.backup.commands import run_restore

    return run_restore(place, wanted)


def _user(place: Installation, wanted: argparse.Namespace) -> int:
    from barnhand_desktop.api.passwords import Passwords, require_good
    from barnhand_desktop.wiring import Servers
    from db.pool import open_pool
    from db.repositories.farms import DEFAULT_FARM
    from db.repositories.users import Role, UserRepository

    password = getpass.getpass(f"Password for {wanted.name}: ")
    require_good(password, wanted.name)
    servers = Servers.start(place)
    try:
        with open_pool(servers.dsn) as pool:
            hashed = Passwords().hash(password)
            UserRepository(pool).add(wanted.name, hashed, Role(wanted.role), DEFAULT_FARM, False)
    finally:
        servers.stop()
    print(f"Added {wanted.name} ({wanted.role}).")
    return 0

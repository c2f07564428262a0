"""An installation on real servers with its API as a supervised child, for the settings' tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg_pool import ConnectionPool

from barnhand_desktop.account_desk import ConsoleAccountDesk
from barnhand_desktop.api.account_acts import AccountActs
from barnhand_desktop.api.accounts import ensure_admin
from barnhand_desktop.api.audit import AuditTrail
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.installation import Installation
from barnhand_desktop.remote_desk import ConsoleRemoteDesk
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.supervisor import ServerStatus, ServerSupervisor
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.settings.secrets import SecretStore
from barnhand_desktop.wiring import Servers, api_config
from db.live.announcer import Announcer
from db.pool import open_pool
from db.repositories.audit import AuditRepository
from db.repositories.farms import FarmRepository
from db.repositories.grants import GrantRepository
from db.repositories.users import UserRepository


@dataclass
class OpenDoors:
    """What the tests look at."""

    place: Installation
    pool: ConnectionPool
    api: ApiProcess
    supervisor: ServerSupervisor
    told: list[ServerStatus]
    remote: ConsoleRemoteDesk
    accounts: ConsoleAccountDesk
    users: UserRepository
    audit: AuditRepository
    first_password: str

    def adopt(self, settings: Settings) -> None:
        """What ``FileSettings`` does with settings stored by the desk."""
        self.place = Installation(
            settings, self.place.settings_path, self.place.folders, self.place.environment
        )


@contextmanager
def open_doors(folder: Path, dsn: str, live_url: str) -> Iterator[OpenDoors]:
    """The first administrator has its one-time password; the API is not started yet."""
    file = folder / "settings.toml"
    file.write_text("[api]\nport = 0\n", encoding="utf-8")
    place = Installation.read(file, {"BARNHAND_DATA_DIR": str(folder / "data")})
    servers = Servers(dsn, live_url)
    secrets = SecretStore(place.folders.data)
    with open_pool(dsn, 4) as pool:
        first = ensure_admin(pool)
        assert first is not None
        api = ApiProcess(api_config(place, servers, secrets))
        told: list[ServerStatus] = []
        supervisor = ServerSupervisor([api], told.append)
        users, audit = UserRepository(pool), AuditRepository(pool)
        announcer = Announcer(live_url)
        acts = AccountActs(users, GrantRepository(pool), Passwords(), AuditTrail(audit), announcer)
        doors = OpenDoors(
            place=place,
            pool=pool,
            api=api,
            supervisor=supervisor,
            told=told,
            remote=ConsoleRemoteDesk(
                lambda: doors.place,
                lambda settings: doors.adopt(settings),
                lambda wanted: api_config(wanted, servers, secrets),
                api,
                supervisor,
                users,
                AuditTrail(audit),
            ),
            accounts=ConsoleAccountDesk(acts, FarmRepository(pool)),
            users=users,
            audit=audit,
            first_password=first,
        )
        try:
            yield doors
        finally:
            supervisor.stop()
            announcer.close()

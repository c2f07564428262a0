"""Remote access as the console shows and switches it: the same acts as ``barnhand remote``."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from barnhand_desktop.api.accounts import FIRST_ADMIN
from barnhand_desktop.api.audit import CONSOLE, AuditTrail, local_operator
from barnhand_desktop.api.certificate import (
    expires_at,
    fingerprint_of,
    fingerprint_of_pem,
    names_of,
)
from barnhand_desktop.api.config import ApiConfig, is_loopback
from barnhand_desktop.installation import Installation
from barnhand_desktop.remote_command import (
    CERTIFICATE_FOLDER,
    EVERYWHERE,
    still_unchanged,
    switch_off,
    switch_on,
)
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.supervisor import ServerState, ServerSupervisor
from barnhand_desktop.settings.schema import ApiSettings, Settings
from db.repositories.users import UserRepository
from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.remote import RemoteAccess, ServerCertificate

_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*")
_ANSWER_WITHIN_S = 2.0


class ConsoleRemoteDesk:
    """Meets ``engine.domain.remote.RemoteDesk``.

    ``place``: the installation with the settings in force; ``stored``: told of those stored here.
    ``configure``: what the API is to be started with. ``api`` None: the program was started
    without one.
    """

    def __init__(
        self,
        place: Callable[[], Installation],
        stored: Callable[[Settings], None],
        configure: Callable[[Installation], ApiConfig],
        api: ApiProcess | None,
        supervisor: ServerSupervisor,
        users: UserRepository,
        audit: AuditTrail,
    ) -> None:
        self._place = place
        self._stored = stored
        self._configure = configure
        self._api = api
        self._supervisor = supervisor
        self._users = users
        self._audit = audit

    def status(self) -> RemoteAccess:
        """What holds now. Raises StoreUnavailable."""
        place = self._place()
        api = place.settings.api
        url = "" if self._api is None else self._api.reached_at
        port = (urlsplit(url).port if url else None) or api.port
        certificate, problem = self._certificate(place)
        suggested = own_names()
        return RemoteAccess(
            on=api.remote_access,
            runs=bool(url),
            open_now=bool(url) and self._api is not None and self._api.config.remote,
            host=api.host,
            port=port,
            addresses=_addresses(api, port, certificate, suggested),
            certificate=certificate,
            tls_ends_upstream=api.tls_ends_upstream,
            unchanged_password=still_unchanged(self._users),
            admin=FIRST_ADMIN,
            restart_needed=self._restart_needed(place, url, certificate),
            suggested=suggested,
            problem=problem or self._away(api),
        )

    def switch_on(
        self, names: Sequence[str], certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """See the port."""
        for name in names:
            _require_name(name)
        place = self._place()
        host = EVERYWHERE if is_loopback(place.settings.api.host) else place.settings.api.host
        unchanged = still_unchanged(self._users)
        self._took(switch_on(place, host, names, certificate, key, unchanged))
        own = certificate is not None
        self._record("remote.on", {"names": list(names), "own_certificate": own})

    def switch_off(self) -> None:
        """See the port."""
        self._took(switch_off(self._place()))
        self._record("remote.off", {})

    def restart(self) -> None:
        """See the port."""
        api = self._api
        if api is None:
            raise OperatorMistake(
                "The API does not run in this program (api.enabled).",
                "Switch it on under Api and start Barnhand anew.",
            )
        config = self._configure(self._place())
        self._supervisor.restart(api.name, lambda: api.configure(config))

    def _took(self, place: Installation) -> None:
        self._stored(place.settings)

    def _record(self, action: str, details: dict[str, object]) -> None:
        self._audit.record(local_operator(), action, "api", None, CONSOLE, details)

    def _certificate(self, place: Installation) -> tuple[ServerCertificate | None, str]:
        """The certificate in the settings, or the generated one of last time; what is wrong."""
        made = place.folders.data / CERTIFICATE_FOLDER / "api.crt"
        path = place.settings.api.tls_certificate or (made if made.exists() else None)
        if path is None:
            return None, ""
        try:
            names = tuple(names_of(path))
            own = path != made
            return ServerCertificate(path, names, expires_at(path), fingerprint_of(path), own), ""
        except OperatorMistake as error:
            return None, str(error)

    def _restart_needed(
        self, place: Installation, url: str, certificate: ServerCertificate | None
    ) -> bool:
        if self._api is None or not place.settings.api.enabled:
            return False
        if self._configure(place) != self._api.config:
            return True
        if not url.startswith("https:") or certificate is None:
            return False
        served = served_fingerprint(url)
        return served is not None and served != certificate.sha256

    def _away(self, api: ApiSettings) -> str:
        if not api.enabled:
            return "The API is switched off (api.enabled)."
        if self._api is None:
            return "The API is switched on from the next start of Barnhand on."
        for status in self._supervisor.status():
            if status.name == self._api.name and status.state is not ServerState.RUNNING:
                return status.reason or "The API does not run."
        return "" if self._api.reached_at else "The API does not answer yet."


def own_names() -> tuple[str, ...]:
    """Addresses of this machine in its networks, the one towards the others first, and its name."""
    found: list[str] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737); nothing is sent
        found.append(str(probe.getsockname()[0]))
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    found += [
        address.address
        for name, addresses in sorted(psutil.net_if_addrs().items())
        for address in addresses
        if name in up and address.family == socket.AF_INET
    ]
    return (*filter(_is_lan, dict.fromkeys(found)), socket.gethostname())


def served_fingerprint(url: str) -> str | None:
    """The fingerprint of the certificate that is shown at an address now; None without answer."""
    parts = urlsplit(url)
    try:
        pem = ssl.get_server_certificate(
            (parts.hostname or "127.0.0.1", parts.port or 443), timeout=_ANSWER_WITHIN_S
        )
        return fingerprint_of_pem(pem)
    except (OSError, BarnhandError):
        return None


def _is_lan(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _addresses(
    api: ApiSettings,
    port: int,
    certificate: ServerCertificate | None,
    suggested: Sequence[str],
) -> tuple[str, ...]:
    """What another machine opens, those that the certificate is for only: networks first."""
    if not api.remote_access or port == 0:
        return ()
    if api.tls_certificate is None:
        return tuple(f"https://{name}" for name in api.public_hosts)
    names = [] if certificate is None else [n for n in certificate.names if not is_loopback(n)]
    everywhere = api.host in (EVERYWHERE, "::")
    *networks, this_machine = suggested
    best = [n for n in (*networks, *names) if n in names and n != this_machine]
    best += [this_machine] if this_machine in names else []
    hosts = dict.fromkeys(best if everywhere else [n for n in best if not _other(n, api.host)])
    return tuple(f"https://[{h}]:{port}" if ":" in h else f"https://{h}:{port}" for h in hosts)


def _other(name: str, host: str) -> bool:
    """True for an address that the API does not listen on."""
    try:
        return ipaddress.ip_address(name) != ipaddress.ip_address(host)
    except ValueError:
        return False


def _require_name(name: str) -> None:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not _NAME.fullmatch(name):
            raise OperatorMistake(
                f"{name!r} is no host name or address.",
                "Write them like barn.example or 192.168.1.20, with commas between them.",
            ) from None

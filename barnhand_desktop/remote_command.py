"""``barnhand remote on|off|status``: the API for other machines, and the certificate they check."""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from barnhand_desktop.api.certificate import ensure_certificate, fingerprint_of, names_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.settings.loader import save_settings
from barnhand_desktop.settings.schema import ApiSettings
from engine.domain.errors import OperatorMistake

if TYPE_CHECKING:
    from db.repositories.users import UserRepository

EVERYWHERE = "0.0.0.0"
HERE = "127.0.0.1"
CERTIFICATE_FOLDER = "tls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand remote``."""
    parser.add_argument("act", choices=("on", "off", "status"))
    parser.add_argument("--host", default=EVERYWHERE, help="address to listen on (all of them)")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="host name or address that clients use, for the generated certificate; may repeat",
    )
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="own certificate (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key (PEM)")


def run_remote(place: Installation, wanted: argparse.Namespace) -> int:
    """Do what the command line says; prints what holds now. Raises OperatorMistake."""
    if wanted.act == "on":
        unchanged = unchanged_password(place)
        place = switch_on(
            place, wanted.host, wanted.name, wanted.certificate, wanted.key, unchanged
        )
        print("Remote access is on from the next start of Barnhand on.")
    elif wanted.act == "off":
        place = switch_off(place)
        print("Remote access is off from the next start of Barnhand on.")
    print("\n".join(status_lines(place.settings.api)))
    return 0


def unchanged_password(place: Installation) -> bool:
    """Whether the first administrator still has the one-time password, or was never made."""
    from barnhand_desktop.backup.address import database
    from db.pool import open_pool
    from db.repositories.users import UserRepository

    with database(place) as dsn, open_pool(dsn, 2) as pool:
        return still_unchanged(UserRepository(pool))


def still_unchanged(users: UserRepository) -> bool:
    """The same for accounts that are at hand."""
    from barnhand_desktop.api.accounts import FIRST_ADMIN

    admin = users.find(FIRST_ADMIN)
    return admin.must_change_password if admin is not None else not users.any()


def switch_on(
    place: Installation,
    host: str,
    names: Sequence[str],
    certificate: Path | None,
    key: Path | None,
    unchanged: bool,
) -> Installation:
    """Let other machines in, with a certificate of one's own or a generated one.

    Raises OperatorMistake while the one-time password is unchanged, for a certificate that does
    not fit its key, and where the environment says otherwise.
    """
    if unchanged:
        raise OperatorMistake(
            "The first administrator still has the one-time password.",
            "Log in on this machine and change it first; then switch remote access on.",
        )
    if (certificate is None) != (key is None):
        raise OperatorMistake("A certificate and its key go together.", "Name both or neither.")
    if certificate is None or key is None:
        certificate, key = ensure_certificate(place.folders.data / CERTIFICATE_FOLDER, names)
    certificate, key = certificate.expanduser().absolute(), key.expanduser().absolute()
    require_pair(certificate, key)
    return _saved(
        place,
        {
            "api.host": host,
            "api.remote_access": True,
            "api.tls_certificate": certificate,
            "api.tls_key": key,
        },
    )


def switch_off(place: Installation) -> Installation:
    """Listen on this machine only; the certificate stays for the next time."""
    return _saved(place, {"api.host": HERE, "api.remote_access": False})


def status_lines(api: ApiSettings) -> list[str]:
    """What holds, for a person."""
    if not api.enabled:
        return ["The API is switched off (api.enabled)."]
    if not api.remote_access:
        return [f"Remote access is off: the API listens on {api.host}:{api.port} only."]
    lines = [f"Remote access is on: the API listens on {api.host}:{api.port}."]
    if api.tls_certificate is None:
        return [*lines, "A proxy in front of it does TLS (api.tls_ends_upstream)."]
    lines.append(f"Certificate: {api.tls_certificate}")
    lines.append(f"  for {', '.join(names_of(api.tls_certificate))}")
    lines.append(f"  SHA-256 {fingerprint_of(api.tls_certificate)}")
    lines.append("Clients that see another fingerprint are not talking to this machine.")
    return lines


def require_pair(certificate: Path, key: Path) -> None:
    """OperatorMistake unless both files are readable, belong together and the key is private."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        shared = os.name == "posix" and key.stat().st_mode & 0o077
    except (OSError, ssl.SSLError) as error:
        raise OperatorMistake(
            f"{certificate.name} and {key.name} are no certificate with its key: "
            f"{type(error).__name__}.",
            "Give both as PEM files that this account may read.",
        ) from error
    if shared:
        raise OperatorMistake(f"The key {key} can be read by others.", "Set its mode to 0600.")


def _saved(place: Installation, changes: Mapping[str, object]) -> Installation:
    settings = save_settings(place.settings_path, changes, place.environment)
    if settings.api.remote_access is not changes["api.remote_access"]:
        raise OperatorMistake(
            "The environment sets api.remote_access otherwise.",
            "Remove the variable BARNHAND_API__REMOTE_ACCESS.",
        )
    return Installation(settings, place.settings_path, place.folders, place.environment)

"""A self-signed certificate for remote access where the farm has none of its own."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.domain.errors import EnvironmentFault, OperatorMistake

_LIFE_DAYS = 825  # the longest that common clients accept
_RENEW_DAYS = 30
_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def ensure_certificate(folder: Path, names: Sequence[str] = ()) -> tuple[Path, Path]:
    """Paths of a certificate and its key in ``folder``, made when absent, near their end or for
    other names.

    ``names`` are further host names or addresses clients use. Raises EnvironmentFault when the
    files cannot be written.
    """
    certificate_path, key_path = folder / "api.crt", folder / "api.key"
    if _is_current(certificate_path, names) and key_path.exists():
        return certificate_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, ["localhost", "127.0.0.1", "::1", socket.gethostname(), *names])
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key_path.unlink(missing_ok=True)
        with os.fdopen(
            os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(private)
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise EnvironmentFault(f"The certificate cannot be stored: {error}.") from error
    return certificate_path, key_path


def fingerprint_of(path: Path) -> str:
    """The SHA-256 of a certificate as people compare it, ``AB:CD:...``. Raises OperatorMistake."""
    return _fingerprint(_read(path))


def fingerprint_of_pem(pem: str) -> str:
    """The same of a certificate as text. Raises OperatorMistake."""
    try:
        return _fingerprint(x509.load_pem_x509_certificate(pem.encode()))
    except ValueError as error:
        raise OperatorMistake("This is no certificate in PEM form.") from error


def expires_at(path: Path) -> datetime:
    """The last instant a certificate is good for (UTC). Raises OperatorMistake."""
    return _read(path).not_valid_after_utc


def names_of(path: Path) -> list[str]:
    """The host names and addresses a certificate is for. Raises OperatorMistake."""
    return _names(_read(path))


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found if isinstance(name, x509.DNSName | x509.IPAddress)]


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OperatorMistake(f"{path} is no certificate in PEM form.") from error


def _is_current(path: Path, names: Sequence[str]) -> bool:
    try:
        certificate = _read(path)
    except OperatorMistake:
        return False
    lasts = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    return lasts and {str(_general_name(name).value) for name in names} <= set(_names(certificate))


def _certificate(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    """Self-signed. People tell their devices to trust it, so it vouches for its own names only:
    who steals its key must not be able to play any other site (RFC 5280, 4.2.1.10)."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Barnhand")])
    own = [_general_name(name) for name in dict.fromkeys(names)]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName(own), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints([_permitted(name) for name in own], None), True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _permitted(name: x509.GeneralName) -> x509.GeneralName:
    """A name as a constraint: addresses become networks of one address."""
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(str(name.value)))
    return name


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

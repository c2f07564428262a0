"""Remote access: never without TLS and a changed password; a certificate that vouches for itself
only; secrets at rest that nobody else reads. The list goes on in ``test_attacks``."""

from __future__ import annotations

import socket
import ssl
import stat
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from barnhand_desktop.api.accounts import ensure_admin
from barnhand_desktop.api.certificate import ensure_certificate, fingerprint_of, names_of
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.cli import main
from barnhand_desktop.installation import Installation
from barnhand_desktop.logs import close_logging
from barnhand_desktop.settings.secrets import SecretStore
from db.pool import open_pool
from tests.attacks.hostile_servers import tls_door
from tests.fixtures_api import run_server


@pytest.fixture
def config_file(
    tmp_path: Path, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An installation on a shared server that was never started."""
    monkeypatch.setenv("BARNHAND_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "settings.toml"
    file.write_text(f'[database]\nmode = "shared"\ndsn = "{postgres_dsn}"\n')
    file.chmod(0o600)
    yield file
    close_logging()


def remote(file: Path, *words: object) -> int:
    return main(["--config", str(file), "remote", *map(str, words)])


def changed_password(dsn: str) -> None:
    with open_pool(dsn, 2) as pool:
        assert ensure_admin(pool) is not None
        with pool.connection() as connection:
            connection.execute("UPDATE users SET must_change_password = false")


def test_remote_access_waits_for_a_changed_password(
    config_file: Path, postgres_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote(config_file, "on") == 2  # no account at all
    with open_pool(postgres_dsn, 2) as pool:
        ensure_admin(pool)
    before = config_file.read_bytes()
    assert remote(config_file, "on") == 2
    assert "one-time password" in capsys.readouterr().err
    assert config_file.read_bytes() == before
    assert remote(config_file, "status") == 0
    assert "Remote access is off" in capsys.readouterr().out


def test_remote_access_is_switched_on_served_over_tls_and_off_again(
    config_file: Path,
    postgres_dsn: str,
    attacked_config: ApiConfig,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed_password(postgres_dsn)
    assert remote(config_file, "on", "--name", "barn.local", "--name", "192.168.1.4") == 0
    told = capsys.readouterr().out
    api = Installation.read(config_file).settings.api
    assert api.remote_access and api.tls_certificate is not None and api.tls_key is not None
    assert fingerprint_of(api.tls_certificate) in told and "barn.local, 192.168.1.4" in told
    assert stat.S_IMODE(api.tls_key.stat().st_mode) == 0o600
    config = attacked_config.model_copy(
        update={
            "host": api.host, "tls_certificate": api.tls_certificate, "tls_key": api.tls_key,
        }
    )  # fmt: skip
    trusting = ssl.create_default_context(cafile=str(api.tls_certificate))
    for url in run_server(config):
        assert httpx.get(f"{url}/healthz", verify=trusting).is_success
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(place, 5) as plain:
            with trusting.wrap_socket(plain, server_hostname="barn.local") as secure:
                assert secure.version() in ("TLSv1.2", "TLSv1.3")
                seen = hashes.Hash(hashes.SHA256())
                seen.update(secure.getpeercert(binary_form=True) or b"")
            assert seen.finalize().hex(":").upper() == fingerprint_of(api.tls_certificate)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{place[1]}/healthz")
        with pytest.raises(ssl.SSLError), socket.create_connection(place, 5) as plain:
            _outdated().wrap_socket(plain, server_hostname="barn.local")
    assert remote(config_file, "off") == 0
    after = Installation.read(config_file).settings.api
    assert not after.remote_access and after.host == "127.0.0.1"
    assert remote(config_file, "on") == 0  # the certificate is the same as before
    assert fingerprint_of(api.tls_certificate) in capsys.readouterr().out


def _outdated() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_a_certificate_needs_its_own_private_key(
    config_file: Path, postgres_dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed_password(postgres_dsn)
    certificate, key = ensure_certificate(tmp_path / "one")
    _, another = ensure_certificate(tmp_path / "two")
    named = ("on", "--certificate", certificate)
    assert remote(config_file, *named) == 2
    assert remote(config_file, *named, "--key", another) == 2
    assert remote(config_file, *named, "--key", tmp_path / "none") == 2
    key.chmod(0o644)
    assert remote(config_file, *named, "--key", key) == 2
    assert "0600" in capsys.readouterr().err
    key.chmod(0o600)
    assert remote(config_file, *named, "--key", key) == 0


def test_a_generated_certificate_vouches_for_no_other_site(tmp_path: Path) -> None:
    """Who trusts the barn's certificate and loses its key has lost the barn, not the bank."""
    certificate, key = ensure_certificate(tmp_path / "tls", ["barn.local"])
    assert {"localhost", "127.0.0.1", "barn.local"} <= set(names_of(certificate))
    trusting = ssl.create_default_context(cafile=str(certificate))
    for name, fits in (("bank.example", False), ("barn.local", True)):
        forged = _issued(tmp_path / name, name, certificate, key)
        # Behind the door is nothing: only the handshake counts.
        with tls_door(9, *forged) as door:
            place = ("127.0.0.1", door.port)
            with socket.create_connection(place, 5) as plain:
                try:
                    trusting.wrap_socket(plain, server_hostname=name).close()
                    trusted = True
                except ssl.SSLCertVerificationError as error:
                    trusted = False
                    assert "permitted subtree violation" in str(error)
            assert trusted is fits


def _issued(folder: Path, name: str, issuer: Path, issuer_key: Path) -> tuple[Path, Path]:
    """A certificate for a name, signed with a stolen key: the chain and the key."""
    folder.mkdir()
    root = x509.load_pem_x509_certificate(issuer.read_bytes())
    signer = serialization.load_pem_private_key(issuer_key.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    chain, file = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM) + issuer.read_bytes())
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, file


def test_secrets_at_rest_are_their_owners_alone(
    config_file: Path, postgres_dsn: str, tmp_path: Path
) -> None:
    changed_password(postgres_dsn)
    assert remote(config_file, "on") == 0
    data = tmp_path / "data"
    SecretStore(data).token_key()
    for file in (data / "secrets.json", data / "tls" / "api.key", config_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    backup = config_file.with_name(config_file.name + ".bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert postgres_dsn in backup.read_text()

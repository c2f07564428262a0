"""The key of camera passwords goes to another workstation, and nothing is lost silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from barnhand_desktop.cli import WRONG, main
from barnhand_desktop.settings.secrets import SecretStore
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.streams import SourceKind, Stream

PASSPHRASE = "nine horses in a row"
Key = Callable[..., int]


@pytest.fixture
def key(postgres_dsn: str, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    """Runs ``barnhand key`` on a workstation of that name."""
    monkeypatch.setenv("BARNHAND_BACKUP_PASSPHRASE", PASSPHRASE)

    def run(workstation: str, *arguments: str) -> int:
        config = tmp_path / f"{workstation}.toml"
        config.write_text(
            f'[database]\nmode = "shared"\ndsn = "{postgres_dsn}"\n'
            f'[live]\nmode = "shared"\nurl = "{valkey_url}"\n'
            "[telemetry]\nlog_file = false\n"
        )
        monkeypatch.setenv("BARNHAND_DATA_DIR", str(tmp_path / workstation))
        (tmp_path / workstation).mkdir(exist_ok=True)
        return main(["--config", str(config), "key", *arguments])

    return run


def streams_of(workstation: Path, dsn: str) -> tuple[PostgresStreamRepository, Callable[[], None]]:
    pool = open_pool(dsn, 2)
    key = SecretStore(workstation).credential_key_text().encode()
    return PostgresStreamRepository(pool, key), pool.close


def store(workstation: Path, dsn: str, name: str) -> StreamId:
    """A camera with a password, stored by that workstation."""
    streams, close = streams_of(workstation, dsn)
    made = streams.add(
        Stream(new_stream_id(), name, SourceKind.RTSP, "rtsp://camera/", "user", "s3cret")
    )
    close()
    return made.id


def readable(workstation: Path, dsn: str) -> set[str]:
    """Names of the cameras whose passwords that workstation can read."""
    streams, close = streams_of(workstation, dsn)
    found = {stream.name for stream in streams.list() if stream.password == "s3cret"}
    close()
    return found


def test_a_second_workstation_reads_the_passwords_of_the_first(
    key: Key, tmp_path: Path, postgres_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "barn.key"
    assert key("north", "export", str(file)) == 0
    store(tmp_path / "north", postgres_dsn, "stall")
    (tmp_path / "south").mkdir()
    assert readable(tmp_path / "south", postgres_dsn) == set()
    assert key("south", "import", str(file)) == 0
    assert readable(tmp_path / "south", postgres_dsn) == {"stall"}
    capsys.readouterr()
    shown = []
    for workstation in ("north", "south"):
        assert key(workstation, "show") == 0
        shown.append(capsys.readouterr().out.split()[0])
    assert shown[0] == shown[1] and len(shown[0]) == 8
    assert key("south", "import", str(file)) == 0
    assert "already" in capsys.readouterr().out


def test_the_file_says_nothing_without_the_passphrase(
    key: Key,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "barn.key"
    assert key("north", "export", str(file)) == 0
    assert file.stat().st_mode & 0o077 == 0
    secret = SecretStore(tmp_path / "north").credential_key_text()
    said = capsys.readouterr().out
    assert secret not in file.read_text() + said and PASSPHRASE not in file.read_text() + said
    monkeypatch.setenv("BARNHAND_BACKUP_PASSPHRASE", "nine horses in a raw")
    assert key("south", "import", str(file)) == WRONG
    assert "does not open" in capsys.readouterr().err


def test_passwords_are_not_lost_silently(
    key: Key, tmp_path: Path, postgres_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "barn.key"
    assert key("north", "export", str(file)) == 0
    assert key("south", "show") == 0
    store(tmp_path / "south", postgres_dsn, "paddock")
    assert key("south", "import", str(file)) == WRONG
    assert "1 cameras can be read now" in capsys.readouterr().err
    assert readable(tmp_path / "south", postgres_dsn) == {"paddock"}
    assert key("south", "import", str(file), "--yes") == 0
    assert readable(tmp_path / "south", postgres_dsn) == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export",), "Name the file"),
        (("import", "nothing.key"), "cannot be read"),
        (("export", "."), "exists already"),
    ],
)
def test_mistakes_are_told(
    key: Key, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key("north", *arguments) == WRONG
    assert said in capsys.readouterr().err

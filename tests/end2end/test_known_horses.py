"""A horse is met, named by a person, and known again after a restart of everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from barnhand_desktop import lifecycle
from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Barn, Servers, build
from db.live.state import LiveStateReader
from engine.domain.horses import HorseStatus
from engine.domain.identity import Rename
from engine.domain.ids import HorseId
from tests.helpers.waiting import wait_until

CAMERAS = ("simulated:stall",)
SLOW_S = 90.0


@pytest.fixture
def place(servers_dir: Path, tmp_path: Path, shared: Path) -> Installation:
    """An installation with an appearance model."""
    config = tmp_path / "settings.toml"
    config.write_text(
        "[api]\nenabled = false\n[engine.analysis]\nmotion_gate = false\nfps = 5\n"
        "[engine.pose]\nenabled = false\n"
    )
    data = servers_dir / f"known-{tmp_path.name}"
    environment = {"BARNHAND_DATA_DIR": str(data), "BARNHAND_MODELS": str(shared / "models")}
    return Installation.read(config, environment)


def start(place: Installation) -> Barn:
    barn = build(place, Servers.start(place))
    if barn.engine.health().models[-1].state == "absent":
        lifecycle.stop(barn)
        barn.servers.stop()
        pytest.skip("no appearance model is in the reference material")
    lifecycle.start(barn, streams_of(CAMERAS))
    return barn


def shown(barn: Barn) -> set[HorseId]:
    """Horses that the cameras show now."""
    latest = [barn.engine.results(stream.id)[-1:] for stream in barn.engine.streams()]
    return {h for results in latest for r in results for h in r.tracks.horse_ids if h is not None}


def ask(barn: Barn, statement: str) -> Any:
    with psycopg.connect(barn.servers.dsn) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.timeout(300)
def test_a_horse_is_known_again_after_a_restart(place: Installation) -> None:
    changes: list[int] = []
    barn = start(place)
    try:
        wait_until(lambda: bool(shown(barn)), SLOW_S)
        wait_until(lambda: any(h.has_avatar for h in barn.horses.list()), SLOW_S)
        (stream,) = barn.engine.streams()
        horse_id = next(iter(shown(barn)))
        horse = barn.horses.get(horse_id)
        assert horse.status is HorseStatus.GUEST and horse.label.startswith("horse_")
        avatar = barn.horses.avatar(next(h.id for h in barn.horses.list() if h.has_avatar))
        assert avatar is not None and avatar.startswith(b"\xff\xd8") and len(avatar) <= 50_000
        assert ask(barn, "SELECT count(*) FROM horse_features WHERE approved") > 0
        reader = LiveStateReader(barn.servers.live_url)
        wait_until(lambda: reader.horse(stream.id, horse_id) is not None, SLOW_S)
        reader.close()
        barn.registry.subscribe(lambda: changes.append(1))
        barn.identity.apply(Rename(horse_id, {"name": "Bella"}), "ann")
        wait_until(lambda: bool(changes), SLOW_S)
        stage = next(s for s in barn.engine.health().stages if s.name == "identify")
        assert stage.p50_ms is not None
    finally:
        assert lifecycle.stop(barn) == ()
    barn = start(place)
    try:
        highest = ask(barn, "SELECT max(number) FROM tracks WHERE ended_at IS NOT NULL")
        wait_until(lambda: bool(shown(barn)), SLOW_S)
        assert barn.horses.get(horse_id).name == "Bella"
        assert horse_id in shown(barn)
        wait_until(lambda: ask(barn, "SELECT max(number) FROM tracks") > highest, SLOW_S)
        newest = ask(barn, "SELECT number FROM tracks ORDER BY started_at DESC LIMIT 1")
        assert newest > highest, "numbering goes on"
    finally:
        assert lifecycle.stop(barn) == ()

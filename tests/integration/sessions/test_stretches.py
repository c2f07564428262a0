"""Sessions of what cameras recorded: from the store, and live from their start to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from barnhand_desktop.api.session_desk import session_desk
from barnhand_desktop.api.whereabouts import Whereabouts
from barnhand_desktop.jobs.session_stretch import StretchStores, stretch_result
from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.motion import PostgresMotionRepository
from db.repositories.stored_past import PostgresStoredPast
from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.motion import BoutKind
from engine.domain.sessions import (
    HeatMapUnit,
    ScaleKind,
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from tests.fixtures_identity import at
from tests.fixtures_motion import MotionBarn, stride


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[MotionBarn]:
    barn = MotionBarn(postgres_dsn)
    yield barn
    barn.close()


def ridden(barn: MotionBarn) -> tuple[StreamId, HorseId]:
    """Bella walks for 20 s and trots for 20 s with twelve strides; Zorro is there for 10 s."""
    camera = barn.camera("arena")
    bella = barn.horse("Bella", "active", height_cm=150)
    zorro = barn.horse("Zorro", "active")
    upright = (BoutKind.POSTURE, "upright")
    barn.seen(camera, 0, 20, bella, upright, (BoutKind.GAIT, "walk"))
    track = barn.seen(camera, 20, 40, bella, upright, (BoutKind.GAIT, "trot"))
    barn.seen(camera, 30, 40, zorro, upright, (BoutKind.GAIT, "standing"))
    barn.tell(*(stride(track, camera, 21 + n) for n in range(12)))
    for second in range(40):
        barn.run(
            "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps)"
            " SELECT %s, id, 2, 0, 2, 1, 1500 FROM tracks WHERE stream_key ="
            " (SELECT key FROM streams WHERE id = %s) AND started_at <= %s AND ended_at > %s"
            " ORDER BY started_at LIMIT 1",
            at(second), camera, at(second), at(second),
        )  # fmt: skip
    return camera, bella


def session(camera: StreamId, horse: HorseId | None, **fields: object) -> Session:
    made = Session(
        SessionId(uuid4()), DEFAULT_FARM, "Lesson", SessionKind.LESSON, SessionSource.STRETCH,
        SessionMode.TRAINING, SessionState.QUEUED, at(0), "Anna", at(100), at(60), horse, (camera,),
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def stores(barn: MotionBarn) -> StretchStores:
    return StretchStores(
        PostgresMotionRepository(barn.pool), PostgresChunkRepository(barn.pool),
        PostgresStoredPast(barn.pool), barn.streams,
    )  # fmt: skip


@pytest.mark.parametrize("said", [True, False])
def test_a_stretch_tells_of_its_horse_or_of_the_one_that_was_seen_most(
    barn: MotionBarn, said: bool
) -> None:
    camera, bella = ridden(barn)
    asked = session(camera, bella if said else None)
    result, _ = stretch_result(asked, stores(barn), lambda _horse: 1.5, 1.6, at(100))
    values, metrics = result.metrics.values, result.metrics
    assert metrics.duration_s == 60.0 and metrics.scale.kind is ScaleKind.BODY
    assert values["share_walk"].value == pytest.approx(0.5, abs=0.01)
    assert values["share_trot"].value == pytest.approx(0.5, abs=0.01)
    assert values["share_standing"].value == 0.0
    assert values["strides"].value == 12.0 and len(result.strides) == 12
    assert values["distance"].value == pytest.approx(1.5 * metrics.seen_s, rel=0.01)
    assert values["body_lengths"].value == pytest.approx(1.0, rel=0.01)
    assert any("seen most" in words for words in metrics.remarks) != said
    assert any("live analysis" in words for words in metrics.remarks)
    (heat,) = result.heat_maps
    assert heat.stream_id == camera and heat.unit is HeatMapUnit.SHARES


def test_a_stretch_without_the_horse_says_so(barn: MotionBarn) -> None:
    camera, bella = ridden(barn)
    later = session(camera, bella, start_at=at(200), end_at=at(300))
    with pytest.raises(OperatorMistake, match="not seen"):
        stretch_result(later, stores(barn), lambda _horse: None, 1.6, at(400))
    with pytest.raises(OperatorMistake, match="No known horse"):
        stretch_result(
            replace(later, horse_id=None), stores(barn), lambda _horse: None, 1.6, at(400)
        )


def test_a_live_session_sums_up_at_its_end_and_is_queued(barn: MotionBarn) -> None:
    camera, bella = ridden(barn)
    nowhere = Whereabouts(PostgresMediaFolders(barn.pool), None)
    desk = session_desk(barn.pool, PostgresJobQueue(barn.pool), nowhere, 1)
    live = session(camera, bella, source=SessionSource.LIVE, state=SessionState.OPEN, end_at=None)
    begun = desk.sessions.add(live)
    so_far = desk.so_far(begun, at(20))
    assert so_far is not None and so_far.provisional
    assert so_far.values["share_walk"].value == pytest.approx(1.0)
    stopped = desk.stop(begun, at(40), "Anna")
    assert stopped.state is SessionState.QUEUED and stopped.end_at == at(40)
    summary = desk.sessions.metrics(stopped.id)
    assert summary is not None and summary.provisional and summary.duration_s == 40.0
    assert summary.values["strides"].value == 12.0
    assert desk.jobs.list(active_only=True)[0].arguments == {"session_id": str(stopped.id)}

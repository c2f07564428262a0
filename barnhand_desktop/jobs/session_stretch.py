"""What is stored of a horse between two instants, read as a session's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.domain.behaviour import MotionRepository
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.ports import StreamRepository
from engine.domain.recording import ChunkRepository
from engine.domain.sessions import HeatMap, Session, SessionMetrics, SessionResult
from engine.reanalysis.stored import StoredPast
from engine.sessions.facts import SessionFacts
from engine.sessions.metrics import measured
from engine.sessions.stored import parts, rate_of, stored_horse
from engine.sessions.stretch import (
    StoredHorse,
    facts_of_stored,
    most_seen,
    provisional,
    scale_of_cameras,
)
from engine.sessions.stretch_map import map_of_camera

_MOST_ROWS = 100_000
_USUAL_SIZE_PX = (1920, 1080)


@dataclass(frozen=True, slots=True)
class StretchStores:
    """Where what cameras saw is kept. ``chunks``: of all workstations."""

    motion: MotionRepository
    chunks: ChunkRepository
    past: StoredPast
    streams: StreamRepository


def stretch_result(
    session: Session, stores: StretchStores, height_m: Callable[[HorseId | None], float | None],
    usual_m: float, at: datetime,
) -> tuple[SessionResult, SessionFacts]:  # fmt: skip
    """Everything about the session's horse, or about the one that was seen most. Raises
    OperatorMistake where no known horse was seen."""
    start, end = session.start_at, session.end_at
    if end is None:
        raise OperatorMistake("That session has no end yet.", "Stop it first.")
    horse_id = session.horse_id or _seen_most(session, stores, start, end)
    found = stored_horse(stores.motion, horse_id, session.stream_ids, start, end)
    if not found.bouts and not len(found.at_us):
        raise OperatorMistake(
            "The horse was not seen in that time.",
            "Look at the timeline where it was, or correct who it is.",
        )
    cameras = _cameras(session, stores, found)
    extras = {camera: _extra(stores, camera) for camera in cameras}
    calibrated = ["ground" in extra for extra in extras.values()]
    scale = scale_of_cameras(calibrated, height_m(horse_id), usual_m)
    facts = facts_of_stored(found, scale, True)
    waiting = provisional(facts.strides)
    remarks = []
    if session.horse_id is None:
        remarks.append("Nobody said which horse: the figures are of the one that was seen most.")
    if waiting:
        remarks.append(f"{waiting} of {len(facts.strides)} strides are from the live analysis.")
    metrics = SessionMetrics(
        session_id=session.id,
        values=measured(facts),
        scale=scale,
        duration_s=facts.duration_s,
        seen_s=facts.seen_s,
        analysed_at=at,
        pictures=len(facts.t_s),
        fps=rate_of(facts),
        tracks=len({owned.bout.track_id for owned in found.bouts}),
        horses=1,
        remarks=tuple(remarks),
    )
    maps = [_map(stores, camera, extra, horse_id, start, end) for camera, extra in extras.items()]
    kept = tuple(one for one in maps if one is not None)
    return SessionResult(metrics, facts.strides, kept), facts


def _extra(stores: StretchStores, stream_id: StreamId) -> Mapping[str, object]:
    """``Stream.extra``; nothing of a camera that was taken away."""
    try:
        return stores.streams.get(stream_id).extra
    except NotFound:
        return {}


def _seen_most(session: Session, stores: StretchStores, start: datetime, end: datetime) -> HorseId:
    bouts = [
        owned
        for stream_id in session.stream_ids
        for owned in stores.motion.bouts(start, end, stream_id=stream_id, limit=_MOST_ROWS)
    ]
    horse_id = most_seen(bouts, start, end)
    if horse_id is None:
        raise OperatorMistake(
            "No known horse was seen in that time.", "Say which horse it is, or correct who it is."
        )
    return horse_id


def _cameras(session: Session, stores: StretchStores, found: StoredHorse) -> tuple[StreamId, ...]:
    """Those that saw it."""
    seen = dict.fromkeys(owned.bout.stream_id for owned in found.bouts)
    return tuple(seen) or session.stream_ids


def _map(
    stores: StretchStores, stream_id: StreamId, extra: Mapping[str, object], horse_id: HorseId,
    start: datetime, end: datetime,
) -> HeatMap | None:  # fmt: skip
    chunks = stores.chunks.list((stream_id,), start, end, limit=1)
    size = (chunks[0].width_px, chunks[0].height_px) if chunks else _USUAL_SIZE_PX
    stretches = (stores.past.stretch(stream_id, *part) for part in parts(start, end))
    return map_of_camera(stream_id, stretches, horse_id, extra, size)

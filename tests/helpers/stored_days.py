"""Generated days put into a real database, as the writer would have left them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

import numpy as np
from psycopg import Connection

from db.repositories.farms import DEFAULT_FARM
from engine.domain.behaviour import LaneKind
from engine.domain.ids import HorseId, StreamId
from tests.helpers.generated_days import WORDS, GeneratedDays, micros

COLOURS = ("#E5484D", "#12A594", "#3E63DD", "#7CE2C1", "#F5D90A", "#E93D82", "#68C5F0", "#8E4EC6")
TOLD = (LaneKind.GAIT, LaneKind.ACTION, LaneKind.POSTURE)
METRIC_STEP_US = 30_000_000


def store_days(connection: Connection, days: GeneratedDays, names: Sequence[str]) -> int:
    """Put cameras, horses, tracks, spans, bouts and metrics in; how many bouts that made."""
    for number, camera in enumerate(days.cameras):
        connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) VALUES (%s, %s, %s, 'rtsp', "
            "%s)",
            (camera, DEFAULT_FARM, f"Camera {number + 1}", f"rtsp://camera/{number}"),
        )
        _outages(connection, days, camera)
    bouts = 0
    for number, horse in enumerate(days.horses):
        _horse(connection, horse, names[number], number, days)
        bouts += _tracks(connection, days, horse, days.cameras[number % len(days.cameras)])
    connection.execute("ANALYZE tracks, identity_spans, bouts, pose_metrics")
    return bouts


def _horse(
    connection: Connection, horse: HorseId, name: str, number: int, days: GeneratedDays
) -> None:
    row = connection.execute("SELECT next_tracking_number(%s)", (DEFAULT_FARM,)).fetchone()
    assert row is not None
    connection.execute(
        "INSERT INTO horses (id, farm_id, name, status, tracking_number, label, colour_hex, "
        "first_seen_at, last_seen_at) VALUES (%s, %s, %s, 'active', %s, %s, %s, "
        "to_timestamp(%s), %s)",
        (
            horse,
            DEFAULT_FARM,
            name,
            row[0],
            f"horse_{row[0]:03d}",
            COLOURS[number % len(COLOURS)],
            days.start_us / 1e6,
            days.end,
        ),
    )


def _outages(connection: Connection, days: GeneratedDays, camera: StreamId) -> None:
    lane = days.lanes_of[camera][LaneKind.NO_DATA]
    for index in np.flatnonzero(lane.value >= 0).tolist():
        connection.execute(
            "INSERT INTO stream_outages (stream_key, from_at, to_at, state) SELECT key, "
            "to_timestamp(%s), to_timestamp(%s), 'offline' FROM streams WHERE id = %s",
            (lane.bounds_us[index] / 1e6, lane.bounds_us[index + 1] / 1e6, camera),
        )


def _tracks(connection: Connection, days: GeneratedDays, horse: HorseId, camera: StreamId) -> int:
    """One track for every stretch in which the horse was seen without a gap."""
    seen = days.lanes_of[horse][LaneKind.SEEN]
    on = seen.value >= 0
    edges = np.flatnonzero(np.diff(np.r_[False, on, False].astype(np.int8)))
    stretches = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    ids = [uuid4() for _ in stretches]
    key = connection.execute("SELECT key FROM streams WHERE id = %s", (camera,)).fetchone()
    top = connection.execute(
        "SELECT coalesce(max(number), 0) FROM tracks WHERE stream_key = %s", key
    ).fetchone()
    assert key is not None and top is not None
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY tracks (id, stream_key, number, class_id, started_at, ended_at, detections, "
            "confidence) FROM STDIN"
        ) as copy:
            for place, (first, last) in enumerate(stretches):
                start_us, end_us = int(seen.bounds_us[first]), int(seen.bounds_us[last])
                many = (end_us - start_us) // 100_000
                number = top[0] + place + 1
                copy.write_row(
                    (ids[place], key[0], number, 0, _text(start_us), _text(end_us), many, 0.9)
                )
        with cursor.copy(
            "COPY identity_spans (track_id, horse_id, confidence, decided_by) FROM STDIN"
        ) as copy:
            for track in ids:
                copy.write_row((track, horse, 0.9, "engine"))
        made = 0
        with cursor.copy(
            "COPY bouts (id, track_id, start_at, end_at, confidence, provisional, open, kind, "
            "value) FROM STDIN"
        ) as copy:
            for row in _bouts(days, horse, stretches, ids):
                copy.write_row(row)
                made += 1
        if horse == days.horses[0]:
            _metrics(connection, days, horse, stretches, ids)
    return made


def _bouts(
    days: GeneratedDays,
    horse: HorseId,
    stretches: Sequence[tuple[int, int]],
    ids: Sequence[UUID],
) -> Iterator[tuple[object, ...]]:
    for kind in TOLD:
        lane = days.lanes_of[horse][kind]
        bounds, value = lane.bounds_us.tolist(), lane.value.tolist()
        for track, (first, last) in zip(ids, stretches, strict=True):
            for index in range(first, last):
                span = (_text(bounds[index]), _text(bounds[index + 1]))
                yield (uuid4(), track, *span, 0.87, False, False, kind.value, WORDS[value[index]])


def _metrics(
    connection: Connection,
    days: GeneratedDays,
    horse: HorseId,
    stretches: Sequence[tuple[int, int]],
    ids: Sequence[UUID],
) -> None:
    """Speeds of the first horse, twice a minute."""
    seen, gait = (days.lanes_of[horse][k] for k in (LaneKind.SEEN, LaneKind.GAIT))
    speeds = {"walk": 1500, "trot": 3300, "canter": 5200}
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY pose_metrics (time, track_id, gait, lead, action, posture, speed_mps, "
            "stride_hz, head_height_m, symmetry) FROM STDIN"
        ) as copy,
    ):
        for track, (first, last) in zip(ids, stretches, strict=True):
            for at in range(int(seen.bounds_us[first]), int(seen.bounds_us[last]), METRIC_STEP_US):
                index = min(int(np.searchsorted(gait.bounds_us, at, "right")) - 1, last - 1)
                word = WORDS[gait.value[index]]
                speed = speeds.get(word, 40) + (at // METRIC_STEP_US * 37) % 300
                copy.write_row(
                    (_text(at), track, 1, 0, 1, 1, speed, speed // 3, 300 - speed // 20, 9400)
                )


def _text(at_us: int) -> str:
    return str(np.datetime64(at_us, "us")) + "+00"


def span_us(days: GeneratedDays) -> tuple[int, int]:
    """From when to when there is anything."""
    return days.start_us, micros(days.end)

"""Corrections and look-ups of identity do on TimescaleDB what they do on native partitions."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from db.migrate import migrate
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from engine.domain.identity import Merge, Reassign, Scope, Split
from engine.domain.ids import HorseId, TrackId
from tests.helpers.frame_results import START

pytestmark = pytest.mark.timeout(300)  # fetching and starting the build takes a while

Rows = list[tuple[object, ...]]


def test_corrections_are_done_and_undone(postgres_dsn: str, timescale_dsn: str) -> None:
    ids = [UUID(int=number) for number in range(1, 6)]
    migrate(timescale_dsn)
    assert outcome(timescale_dsn, ids) == outcome(postgres_dsn, ids)


def outcome(dsn: str, ids: list[UUID]) -> list[object]:
    """What is seen after every step of a small story; one connection at a time."""
    bella, guest = HorseId(ids[0]), HorseId(ids[1])
    first, second, open_track = (TrackId(one) for one in ids[2:])
    pool = open_pool(dsn, max_size=1)
    identity, horses = PostgresIdentityRepository(pool), PostgresHorseRepository(pool)
    seen: list[object] = []

    def run(statement: str, *values: object) -> None:
        with pool.connection() as connection:
            connection.execute(statement.encode(), values)

    def state() -> tuple[Rows, Rows]:
        with pool.connection() as connection:
            spans = connection.execute(
                "SELECT track_id::text, h.label, valid_from::text, valid_to::text, decided_by "
                "FROM identity_spans i JOIN horses h ON h.id = i.horse_id "
                "WHERE superseded_at IS NULL ORDER BY 1, 3"
            ).fetchall()
            figures = connection.execute(
                "SELECT label, status, first_seen_at, last_seen_at, total_detections FROM horses "
                "ORDER BY label"
            ).fetchall()
        return spans, figures

    stream = uuid4()
    run(
        "INSERT INTO streams (id, farm_id, name, kind, address) VALUES (%s, %s, 'n', 'file', 'x')",
        stream,
        DEFAULT_FARM,
    )
    for number, horse in enumerate((bella, guest), 1):
        run(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, %s, %s, '#E5484D')",
            horse,
            DEFAULT_FARM,
            number,
            f"horse_{number:03d}",
        )
    run("INSERT INTO models (name) VALUES ('test@1')")
    for place, track in enumerate((first, second, open_track)):
        start = START + timedelta(hours=20 * place)
        ended = None if track == open_track else start + timedelta(seconds=9)
        run(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
            "detections) SELECT %s, key, %s, 0, %s, %s, 10 FROM streams",
            track,
            place,
            start,
            ended,
        )
        run(
            "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, "
            "model_key, skeleton_key, flags) SELECT %s::timestamptz + n * interval '1 s', %s, key, "
            "0, 0, 9, 9, 1, 0, 0, 0, 0 FROM streams, generate_series(0, 9) n",
            start,
            track,
        )
        owner = guest if track == second else bella
        run("INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", track, owner)
        run(
            "INSERT INTO horse_features (id, track_id, at, model_key, quality, approved, "
            "embedding) SELECT gen_random_uuid(), %s, %s, key, 1, true, %s::vector FROM models",
            track,
            start,
            str([1.0, place]),
        )
    done = []
    middle = START + timedelta(hours=40, seconds=4)
    for correction in (
        Split(bella, middle, Scope.TRACK, open_track),
        Reassign(first, guest, None, START + timedelta(seconds=3)),
        Merge(bella, guest),
    ):
        effect = identity.preview(correction)
        record = identity.apply(correction, "Anna", expected=effect.expected)
        done.append(record)
        seen += [effect.detections, effect.seen_s, effect.forbidden, record.summary, state()]
    strips = horses.strips(bella)
    seen += [[(strip.start, strip.end, strip.detections) for strip in strips]]
    made = done[0].created[0]
    seen += [[(one.horse.id, round(one.similarity, 6)) for one in horses.similar(bella)] == []]
    seen += [horses.get(made).total_detections]
    for record in reversed(done):
        identity.undo(record.id, "Ben")
        seen.append(state())
    pool.close()
    return seen

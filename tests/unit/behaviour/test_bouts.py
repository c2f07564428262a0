"""Labels of single pictures become bouts: when told, how long, and what no bout may contain."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from engine.behaviour.bouts import BoutTracker, Reading
from engine.domain.frames import FrameStamp
from engine.domain.ids import StreamId, new_stream_id, new_track_id
from engine.domain.motion import Bout, BoutKind

STREAM = new_stream_id()
TRACK = new_track_id()
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def stamp(t_s: float, stream: StreamId = STREAM, jump_s: float = 0.0) -> FrameStamp:
    at = NOON + timedelta(seconds=t_s + jump_s)
    return FrameStamp(stream, round(t_s * 10), at, 1000.0 + t_s, t_s)


class Story:
    """Feeds one track's action at 10 pictures a second and keeps what is told."""

    def __init__(self) -> None:
        self.tracker = BoutTracker(STREAM)
        self.told: list[Bout] = []
        self.t_s = 0.0

    def hold(self, value: str, seconds: float, since_s: float = math.nan, **how: float) -> Story:
        since = since_s if math.isnan(since_s) else 1000.0 + since_s
        for _ in range(round(seconds * 10)):
            reading = {BoutKind.ACTION: Reading(value, 0.8, since)}
            self.told += self.tracker.update(TRACK, stamp(self.t_s, **how), reading)
            self.t_s = round(self.t_s + 0.1, 6)
        return self

    @property
    def last(self) -> dict[object, Bout]:
        """The newest word on every bout."""
        return {bout.id: bout for bout in self.told}

    @property
    def spans(self) -> list[tuple[str, float, float]]:
        return [
            (b.value, round((b.start_at - NOON).total_seconds(), 1), round(b.duration_s, 1))
            for b in self.last.values()
        ]


def test_a_bout_is_told_at_its_start_every_ten_seconds_and_at_its_end() -> None:
    story = Story().hold("grazing", 25.0).hold("standing", 2.0)
    grazing = [b for b in story.told if b.value == "grazing"]
    assert [b.open for b in grazing] == [True, True, True, False]
    assert len({b.id for b in grazing}) == 1
    assert grazing[0].start_at == NOON
    assert grazing[1].end_at - grazing[0].end_at == timedelta(seconds=10)
    assert grazing[-1].end_at == next(b for b in story.told if b.value == "standing").start_at


def test_a_short_flicker_is_no_bout_and_does_not_cut_the_other() -> None:
    story = Story().hold("standing", 5.0).hold("walking", 0.5).hold("standing", 5.0)
    assert {b.value for b in story.told} == {"standing"}
    story.tracker.close(TRACK)
    assert len(story.last) == 1


def test_a_change_that_lasts_begins_with_its_first_picture() -> None:
    story = Story().hold("standing", 5.0).hold("walking", 3.0)
    story.told += story.tracker.close(TRACK)
    assert story.spans == [("standing", 0.0, 5.0), ("walking", 5.0, 2.9)]


def test_what_is_known_late_is_told_from_its_beginning() -> None:
    story = Story().hold("grazing", 10.0).hold("standing", 60.0)
    story.hold("resting", 30.0, since_s=12.0)
    story.told += story.tracker.close(TRACK)
    assert story.spans == [("grazing", 0.0, 10.0), ("standing", 10.0, 2.0), ("resting", 12.0, 87.9)]


def test_a_gap_is_no_time() -> None:
    story = Story().hold("grazing", 10.0)
    story.t_s = 60.0
    story.hold("grazing", 10.0, since_s=0.0)
    story.told += story.tracker.close(TRACK)
    assert story.spans == [("grazing", 0.0, 9.9), ("grazing", 60.0, 9.9)]


def test_a_track_that_is_not_seen_is_ended_at_its_last_picture() -> None:
    story = Story().hold("grazing", 10.0)
    assert story.tracker.expire(1012.0) == []
    (ended,) = story.tracker.expire(1014.0)
    assert not ended.open
    assert ended.end_at == NOON + timedelta(seconds=9.9)


def test_a_missed_detection_goes_unnoticed() -> None:
    story = Story().hold("grazing", 10.0)
    story.t_s += 2.0
    story.hold("grazing", 5.0)
    assert len(story.last) == 1


def test_doubt_ends_a_bout_where_it_was_last_known() -> None:
    story = Story().hold("grazing", 10.0).hold("", 5.0).hold("grazing", 5.0)
    story.told += story.tracker.close(TRACK)
    assert story.spans == [("grazing", 0.0, 9.9), ("grazing", 15.0, 4.9)]


def test_a_jump_of_the_wall_clock_neither_stretches_nor_shrinks() -> None:
    story = Story().hold("grazing", 10.0).hold("grazing", 10.0, jump_s=3600.0)
    story.told += story.tracker.close(TRACK)
    assert story.spans == [("grazing", 0.0, 19.9)]
    story = Story().hold("grazing", 10.0).hold("standing", 10.0, jump_s=-3600.0)
    story.told += story.tracker.close(TRACK)
    assert [duration for _, _, duration in story.spans] == [10.0, 9.9]
    assert story.spans[1][1] == 10.0 - 3600.0


def test_confidence_is_the_mean_over_the_bout() -> None:
    tracker = BoutTracker(STREAM)
    told: list[Bout] = []
    for step in range(100):
        reading = Reading("grazing", 1.0 if step < 50 else 0.5)
        told += tracker.update(TRACK, stamp(step / 10), {BoutKind.ACTION: reading})
    (ended,) = tracker.close(TRACK)
    assert abs(ended.confidence - 0.75) < 0.02


def test_kinds_and_tracks_do_not_disturb_each_other() -> None:
    tracker, other = BoutTracker(STREAM), new_track_id()
    for step in range(40):
        tracker.update(
            TRACK,
            stamp(step / 10),
            {BoutKind.ACTION: Reading("resting"), BoutKind.POSTURE: Reading("sternal")},
        )
        tracker.update(other, stamp(step / 10), {BoutKind.ACTION: Reading("alert")})
    assert {(b.kind, b.value) for b in tracker.close(TRACK)} == {
        (BoutKind.ACTION, "resting"),
        (BoutKind.POSTURE, "sternal"),
    }
    assert [b.value for b in tracker.close_all()] == ["alert"]

"""Which tracks of a video are the one horse."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sessions.joining import Tracklet, most_at_once, one_horse

TIMES = np.arange(0.0, 30.0, 0.1)


def track(
    number: int, start_s: float, end_s: float, x: float = 0.0, size: float = 100.0
) -> Tracklet:
    """A track that stands at ``x`` from one second to another."""
    box = np.array([x, 0.0, x + size, size], np.float32)
    seen = np.arange(round(start_s * 10), round(end_s * 10), dtype=np.int64)
    return Tracklet(number, seen, size * size / 1e6, box, box)


def test_nothing_is_no_horse() -> None:
    assert one_horse([], TIMES) == ()


def test_a_horse_that_is_alone_is_joined_over_any_gap() -> None:
    tracks = [track(1, 0, 5), track(2, 18, 24, x=900.0, size=300.0), track(7, 26, 29)]
    assert one_horse(tracks, TIMES) == (1, 2, 7)
    assert most_at_once(tracks, TIMES) == 1


def test_tracks_seen_together_are_two_horses() -> None:
    tracks = [track(1, 0, 20), track(2, 3, 9, x=500.0)]
    assert one_horse(tracks, TIMES) == (1,)
    assert most_at_once(tracks, TIMES) == 2


def test_what_fills_the_video_is_it_and_not_what_is_seen_for_longest_far_away() -> None:
    tracks = [track(1, 0, 20, size=40.0), track(2, 3, 15, x=300.0, size=400.0)]
    assert one_horse(tracks, TIMES) == (2,)


def test_beside_others_it_goes_on_only_where_and_when_it_could() -> None:
    others = [track(9, 0, 30, x=2000.0, size=20.0)]
    for after, joined in (
        (track(2, 11, 20, x=120.0), True),
        (track(2, 11, 20, x=1500.0), False),
        (track(2, 21.5, 29, x=100.0), False),
        (track(2, 11, 20, x=20.0, size=250.0), False),
    ):
        found = one_horse([track(1, 0, 10), after, *others], TIMES)
        assert 9 not in found
        assert (found == (1, 2)) == joined, after


def test_a_hand_over_of_the_tracker_is_no_second_horse() -> None:
    tracks = [track(1, 0, 10), track(2, 9.8, 20)]
    assert one_horse(tracks, TIMES) == (1, 2)
    assert most_at_once(tracks, TIMES) == 1


@pytest.mark.parametrize("together_s", [0.2, 0.6])
def test_the_limit_of_a_hand_over(together_s: float) -> None:
    tracks = [track(1, 0, 10), track(2, 10 - together_s, 19)]
    assert (one_horse(tracks, TIMES) == (1, 2)) == (together_s < 0.3)

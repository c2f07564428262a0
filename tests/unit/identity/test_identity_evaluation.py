"""The judge of live identification, and what it says of a quiet stretch."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.identity import Span, SpanDecided, SpanId, SpanWithdrawn
from engine.domain.ids import HorseId, new_stream_id, new_track_id
from engine.evaluation.identity import (
    BEGIN_AT,
    Sample,
    evaluate_identity,
    identity_figures,
    stored_samples,
)

A, B, C = (HorseId(uuid4()) for _ in range(3))
TRACK, STREAM = new_track_id(), new_stream_id()


def samples(*given: HorseId | None, horse: int = 1, camera: str = "yard") -> list[Sample]:
    return [Sample(float(t), camera, horse, TRACK, one, True) for t, one in enumerate(given)]


def test_figures_of_a_mixed_up_horse() -> None:
    figures = identity_figures([*samples(A, A, B, A, None), *samples(C, C, C, C, C, horse=2)])
    assert figures["horses"] == 2
    assert figures["switches"] == 2
    assert figures["steady_horses"] == 0.5
    assert (figures["identified"], figures["right"], figures["wrong"]) == (0.9, 0.8, 0.1)


def test_one_identity_cannot_be_right_for_two_horses() -> None:
    figures = identity_figures([*samples(A, A, A), *samples(A, A, horse=2)])
    assert (figures["right"], figures["wrong"]) == (0.6, 0.4)
    assert figures["switches"] == 0


def decided(horse: HorseId, from_s: float | None) -> SpanDecided:
    start = None if from_s is None else BEGIN_AT + timedelta(seconds=from_s)
    span = Span(SpanId(uuid4()), TRACK, horse, start, None, 0.9, "engine")
    return SpanDecided(span, STREAM, 0.9)


def test_the_store_knows_afterwards() -> None:
    shown = samples(None, None, A, A, A)
    events = [decided(A, None), decided(B, 3.0)]
    assert [s.given for s in stored_samples(shown, events)] == [A, A, A, B, B]
    back = SpanWithdrawn(TRACK, STREAM, BEGIN_AT, BEGIN_AT + timedelta(seconds=4))
    assert [s.given for s in stored_samples(shown, [*events, back])] == [A, A, A, B, None]
    assert {s.given for s in stored_samples(shown, [decided(A, 2.0), decided(B, None)])} == {B}


def test_a_stretch_of_the_paddock_is_identified_rightly() -> None:
    report = evaluate_identity(horses=6, minutes=0.7, seed=1, fps=5.0, cameras=("paddock",))
    assert report["identified"] > 0.6
    assert report["right_of_identified"] > 0.95
    assert report["identities_made"] <= 7


def test_impossible_numbers_are_mistakes() -> None:
    with pytest.raises(OperatorMistake):
        evaluate_identity(minutes=0.0)
    with pytest.raises(OperatorMistake):
        evaluate_identity(minutes=0.1, faults="terrible")

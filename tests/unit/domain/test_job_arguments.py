"""Jobs are told the same at both ends of the queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.job_arguments import (
    ReprocessRequest,
    export_arguments,
    export_request,
    reprocess_arguments,
    reprocess_request,
)
from engine.domain.recording import ExportKind, ExportRequest

AT = datetime(2026, 11, 19, 13, 51, 7, 240_000, UTC)


def test_an_export_comes_through_the_queue_as_it_was() -> None:
    request = ExportRequest(
        ExportKind.CLIP,
        AT,
        AT + timedelta(seconds=12.5),
        (StreamId(uuid4()), StreamId(uuid4())),
        HorseId(uuid4()),
        overlays=True,
        tables=("bouts", "strides"),
        file_name="juno.mp4",
    )
    assert export_request(json.loads(json.dumps(export_arguments(request)))) == request


def test_instants_of_other_zones_are_the_same_instants() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    request = ReprocessRequest(east, east + timedelta(minutes=1), (StreamId(uuid4()),))
    back = reprocess_request(json.loads(json.dumps(reprocess_arguments(request))))
    assert back == request and back.start_at.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "film"},
        {"start_at": "yesterday"},
        {"start_at": "2026-11-19T13:51:07"},
        {"stream_ids": ["x"]},
        {"stream_ids": "x"},
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, object]) -> None:
    good = export_arguments(ExportRequest(ExportKind.CSV, AT, AT + timedelta(seconds=1)))
    with pytest.raises(OperatorMistake, match="wrongly"):
        export_request(good | wrong if wrong else {})

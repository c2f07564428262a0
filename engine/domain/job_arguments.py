"""What jobs are told, as plain JSON values: both ends of the queue read it from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.recording import ExportKind, ExportRequest


@dataclass(frozen=True, slots=True)
class ReprocessRequest:
    """All chunks of these cameras (none: all of them) between two instants, again."""

    start_at: datetime
    end_at: datetime
    stream_ids: tuple[StreamId, ...] = ()


def export_arguments(request: ExportRequest) -> dict[str, object]:
    """An export as the queue keeps it."""
    return {
        "kind": request.kind.value,
        "start_at": _text(request.start_at),
        "end_at": _text(request.end_at),
        "stream_ids": [str(stream_id) for stream_id in request.stream_ids],
        "horse_id": str(request.horse_id) if request.horse_id is not None else None,
        "overlays": request.overlays,
        "tables": list(request.tables),
        "file_name": request.file_name,
    }


def export_request(arguments: Mapping[str, object]) -> ExportRequest:
    """The export that a job is told of. Raises OperatorMistake naming what is wrong."""
    try:
        horse = arguments.get("horse_id")
        return ExportRequest(
            ExportKind(str(arguments["kind"])),
            _instant(arguments["start_at"]),
            _instant(arguments["end_at"]),
            _streams(arguments.get("stream_ids", ())),
            HorseId(UUID(str(horse))) if horse is not None else None,
            bool(arguments.get("overlays", False)),
            tuple(_words(arguments.get("tables", ("bouts",)))),
            str(arguments.get("file_name", "")),
        )
    except (KeyError, ValueError) as error:
        raise OperatorMistake(f"An export was asked for wrongly: {error}.") from error


def reprocess_arguments(request: ReprocessRequest) -> dict[str, object]:
    """A reprocessing as the queue keeps it."""
    return {
        "start_at": _text(request.start_at),
        "end_at": _text(request.end_at),
        "stream_ids": [str(stream_id) for stream_id in request.stream_ids],
    }


def reprocess_request(arguments: Mapping[str, object]) -> ReprocessRequest:
    """The reprocessing that a job is told of. Raises OperatorMistake naming what is wrong."""
    try:
        return ReprocessRequest(
            _instant(arguments["start_at"]),
            _instant(arguments["end_at"]),
            _streams(arguments.get("stream_ids", ())),
        )
    except (KeyError, ValueError) as error:
        raise OperatorMistake(f"A reprocessing was asked for wrongly: {error}.") from error


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _instant(value: object) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return at.astimezone(UTC)


def _words(value: object) -> Sequence[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{value} is no list")
    return [str(entry) for entry in value]


def _streams(value: object) -> tuple[StreamId, ...]:
    return tuple(StreamId(UUID(text)) for text in _words(value))

"""Corrections of identity: each is one undoable command, the same that the console's log holds."""

from __future__ import annotations

import contextlib
from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import identity_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_command, own_horse, own_stream, own_track
from barnhand_desktop.api.paging import id_position
from barnhand_desktop.api.schemas import Page, encode_cursor
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.stream_states import LiveStateUnavailable
from db.repositories.farms import DEFAULT_FARM
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Merge,
    Reassign,
    Reject,
    Split,
    Swap,
)
from engine.domain.ids import FarmId, HorseId

Limit = Annotated[int, Query(ge=1, le=1000)]


def merge(
    body: bodies.MergeIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """Two records are one horse."""
    chosen = {} if body.fields is None else body.fields.model_dump(exclude_unset=True)
    correction = Merge(
        own_horse(services, caller, body.kept),
        own_horse(services, caller, body.absorbed),
        chosen,
    )
    return carry_out(services, caller, address, body, correction)


def split(
    body: bodies.SplitIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """From an instant on one record is another horse."""
    correction = Split(
        own_horse(services, caller, body.horse_id),
        body.at,
        body.scope,
        None if body.track_id is None else own_track(services, caller, body.track_id),
        own_stream(services, caller, body.stream_id),
        _horse(services, caller, body.into),
    )
    return carry_out(services, caller, address, body, correction)


def swap(
    body: bodies.SwapIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """Two horses were mistaken for each other from an instant on."""
    correction = Swap(
        own_horse(services, caller, body.first),
        own_horse(services, caller, body.second),
        body.at,
        own_stream(services, caller, body.stream_id),
    )
    return carry_out(services, caller, address, body, correction)


def reassign(
    body: bodies.ReassignIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """A track is another horse, or a new one."""
    correction = Reassign(
        own_track(services, caller, body.track_id),
        _horse(services, caller, body.horse_id),
        body.start,
        body.end,
    )
    return carry_out(services, caller, address, body, correction)


def reject(
    body: bodies.RejectIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """A track is not that horse; the pair is remembered."""
    correction = Reject(
        own_track(services, caller, body.track_id), own_horse(services, caller, body.horse_id)
    )
    return carry_out(services, caller, address, body, correction)


def undo(
    body: bodies.CommandRef, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """Put everything back as it was before a correction."""
    own_command(services, caller, body.command_id)
    record = services.identity.undo(CommandId(body.command_id), caller.username)
    return _told(services, caller, address, record, "undone")


def redo(
    body: bodies.CommandRef, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CorrectionOut:
    """Do an undone correction again."""
    own_command(services, caller, body.command_id)
    record = services.identity.redo(CommandId(body.command_id), caller.username)
    return _told(services, caller, address, record, "redone")


def list_commands(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    horse_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[bodies.CommandOut]:
    """The corrections of a farm or of one horse, newest first."""
    if horse_id is not None:
        own_horse(services, caller, horse_id)
    after = id_position(cursor)
    if after is not None:
        own_command(services, caller, after)
    records = services.identity.history(
        own_farm(services, caller, farm_id),
        None if horse_id is None else HorseId(horse_id),
        limit + 1,
        None if after is None else CommandId(after),
    )
    return Page(
        items=[command_out(record) for record in records[:limit]],
        next_cursor=encode_cursor(str(records[limit - 1].id)) if len(records) > limit else None,
    )


def get_threshold(
    caller: CallerHere, services: ServicesHere, farm_id: UUID | None = None
) -> bodies.Threshold:
    """The similarity from which a track is taken for a known horse."""
    farm = own_farm(services, caller, farm_id) or DEFAULT_FARM
    return bodies.Threshold(threshold=services.tracking.threshold(farm))


def set_threshold(
    body: bodies.ThresholdIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
    farm_id: UUID | None = None,
) -> bodies.Threshold:
    """Set it for the farm; every engine takes it over at once."""
    farm = own_farm(services, caller, farm_id) or DEFAULT_FARM
    services.tracking.set_threshold(farm, body.threshold)
    services.audit.record(
        caller, "tracking.threshold", "farm", farm, address, {"threshold": body.threshold}
    )
    return bodies.Threshold(threshold=body.threshold)


def stats(
    caller: CallerHere, services: ServicesHere, farm_id: UUID | None = None
) -> bodies.TrackingStats:
    """How identification is doing, counted from what is stored."""
    farm = own_farm(services, caller, farm_id) or DEFAULT_FARM
    counts = services.tracking.stats(farm)
    decided = counts["reviews_same"] + counts["reviews_different"]
    precision = counts["reviews_same"] / decided if decided else None
    timings = _timings(services, farm)
    return bodies.TrackingStats(**counts, review_precision=precision, timings=timings)


def _timings(services: Services, farm: FarmId) -> bodies.TrackingTimings:
    after = services.tracking.identified_after_s(farm)
    latency_ms: dict[UUID, float] = {}
    with contextlib.suppress(LiveStateUnavailable):
        states = services.states.read(stream.id for stream in services.streams.list(farm))
        for stream_id, state in states.items():
            if state.latency_ms is not None:
                latency_ms[stream_id] = state.latency_ms
    return bodies.TrackingTimings(
        identified_after_s_median=None if after is None else round(after[0], 3),
        identified_after_s_p95=None if after is None else round(after[1], 3),
        latency_ms=latency_ms,
    )


# --- what corrections share ----------------------------------------------------------------------


def carry_out(
    services: Services,
    caller: Caller,
    address: str,
    body: bodies.CorrectionIn,
    correction: Correction,
) -> bodies.CorrectionOut:
    """Preview or apply a correction whose objects were found to be the caller's."""
    if body.dry_run:
        effect = services.identity.preview(correction)
        return bodies.CorrectionOut(
            effect=bodies.EffectOut(
                horses=effect.horses,
                tracks=effect.tracks,
                spans=effect.spans,
                detections=effect.detections,
                seen_s=effect.seen_s,
                overlap_s=effect.overlap_s,
                forbidden=effect.forbidden,
                expected={UUID(str(horse)): v for horse, v in effect.expected.items()},
            )
        )
    expected = None
    if body.expected is not None:
        expected = {HorseId(horse): version for horse, version in body.expected.items()}
    record = services.identity.apply(correction, caller.username, body.reason, expected)
    return _told(services, caller, address, record, "applied")


def _told(
    services: Services, caller: Caller, address: str, record: CommandRecord, act: str
) -> bodies.CorrectionOut:
    services.audit.record(
        caller,
        f"tracking.{record.kind}.{act}",
        "identity_command",
        record.id,
        address,
        {"horses": [str(horse) for horse in record.horse_ids], "spans": record.spans},
    )
    services.announcer.corrected(record, act)
    return bodies.CorrectionOut(command=command_out(record))


def command_out(record: CommandRecord) -> bodies.CommandOut:
    """A correction for an answer."""
    return bodies.CommandOut(
        command_id=record.id,
        farm_id=record.farm_id,
        kind=record.kind,
        summary=record.summary,
        horse_ids=list(record.horse_ids),
        created=list(record.created),
        spans=record.spans,
        detections=record.detections,
        actor=record.actor,
        reason=record.reason,
        at=record.at,
        undone_at=record.undone_at,
        undone_by=record.undone_by,
    )


def _horse(services: Services, caller: Caller, horse_id: UUID | None) -> HorseId | None:
    return None if horse_id is None else own_horse(services, caller, horse_id)

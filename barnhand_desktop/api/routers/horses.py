"""The registry of horses: list, profile, picture, likeness, where they were."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import identity_schemas as bodies
from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse, own_stream
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.routers.motion import bout_out
from barnhand_desktop.api.routers.tracking import carry_out
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.windows import window
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import Accept, Rename, TrackStrip
from engine.domain.ids import HorseId, StreamId

_STRIPS_MOST = 5000
_BOUTS_OF = timedelta(days=1)
_BOUTS_MOST = timedelta(days=36_500)


def list_horses(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    status: HorseStatus | None = None,
    seen_since: schemas.UtcInstant | None = None,
    q: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[schemas.HorseOut]:
    """The horses of the caller's farm by label; ``q`` is part of a name or label."""
    after = text_position(cursor)
    wanted = (q or "").casefold()
    horses = sorted(
        (
            horse
            for horse in services.horses.list(own_farm(services, caller, farm_id))
            if (status is None or horse.status is status)
            and (seen_since is None or _seen(horse, seen_since))
            and (wanted in horse.label.casefold() or wanted in (horse.name or "").casefold())
            and _place(horse) > after
        ),
        key=_place,
    )
    return schemas.Page(
        items=[horse_out(horse) for horse in horses[:limit]],
        next_cursor=(
            schemas.encode_cursor(_place(horses[limit - 1])) if len(horses) > limit else None
        ),
    )


def get_horse(horse_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.HorseDetail:
    """One horse; a merged record tells which horse it became."""
    return _detail(services, caller, services.horses.get(own_horse(services, caller, horse_id)))


def change_horse(
    horse_id: UUID,
    body: bodies.HorseChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.CorrectionOut:
    """Set profile values; one undoable command."""
    changes = body.changes.model_dump(exclude_unset=True)
    correction = Rename(own_horse(services, caller, horse_id), changes)
    return carry_out(services, caller, address, body, correction)


def accept_horse(
    horse_id: UUID,
    body: bodies.AcceptIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.CorrectionOut:
    """Make a guest a resident, or take that back."""
    correction = Accept(own_horse(services, caller, horse_id), body.resident)
    return carry_out(services, caller, address, body, correction)


def similar(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> list[bodies.SimilarOut]:
    """Horses that look like this one, the most similar first."""
    found = services.horses.similar(own_horse(services, caller, horse_id), limit)
    return [
        bodies.SimilarOut(horse=horse_out(one.horse), similarity=one.similarity) for one in found
    ]


def timeline(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    stream_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=_STRIPS_MOST)] = 500,
) -> bodies.Timeline:
    """Where the horse was on the cameras the caller sees, newest first, and what it did there:
    bouts of the day before ``end_time`` (now) where no ``start_time`` is given."""
    horse = own_horse(services, caller, horse_id)
    stream = own_stream(services, caller, stream_id)
    since, until = window(start_time, end_time, services.clock.now(), _BOUTS_OF, _BOUTS_MOST)
    strips = _strips(services, caller, horse, stream_id, start_time, end_time, limit)
    owned = services.motion.bouts(
        since, until, [horse], stream, limit=limit + 1, among=services.cameras_of(caller)
    )
    return bodies.Timeline(
        horse_id=horse_id,
        presence=strips[:limit],
        bouts=[bout_out(one) for one in owned[:limit]],
        complete=max(len(strips), len(owned)) <= limit,
    )


def live_horses(
    caller: CallerHere, services: ServicesHere, stream_id: UUID | None = None
) -> list[bodies.LiveHorse]:
    """Identified horses on the caller's cameras now; ``lost`` ones were seen within 10 s."""
    own_stream(services, caller, stream_id)
    visible = services.visible_to(caller)
    wanted = visible if stream_id is None else frozenset({StreamId(stream_id)})
    return services.horse_states.now(wanted, services.clock.now())


def horse_tracking(
    horse_id: UUID, caller: CallerHere, services: ServicesHere
) -> bodies.HorseTracking:
    """History and appearance of a horse: where it is and was, and how many vectors know it."""
    horse = own_horse(services, caller, horse_id)
    states = services.horse_states.now(services.visible_to(caller), services.clock.now())
    return bodies.HorseTracking(
        horse=_detail(services, caller, services.horses.get(horse)),
        now=[state for state in states if state.horse_id == horse_id],
        strips=_strips(services, caller, horse, None, None, None, 100)[:100],
        vectors=dict(services.tracking.vectors(horse)),
    )


def _strips(
    services: Services,
    caller: Caller,
    horse_id: HorseId,
    stream_id: UUID | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
) -> list[bodies.StripOut]:
    """Up to one more than ``limit`` strips on cameras that the caller sees."""
    stream = None if stream_id is None else StreamId(stream_id)
    visible = services.visible_to(caller)
    found = services.horses.strips(horse_id, stream, start, end, limit + 1)
    return [_strip_out(strip) for strip in found if strip.stream_id in visible]


def _strip_out(strip: TrackStrip) -> bodies.StripOut:
    return bodies.StripOut(
        track_id=strip.track_id,
        stream_id=strip.stream_id,
        number=strip.number,
        horse_id=strip.horse_id,
        start=strip.start,
        end=strip.end,
        detections=strip.detections,
        confidence=strip.confidence,
        decided_by=strip.decided_by,
        has_crop=strip.has_crop,
    )


def _seen(horse: Horse, since: datetime) -> bool:
    return horse.last_seen_at is not None and horse.last_seen_at >= since


def _place(horse: Horse) -> str:
    return f"{horse.label}\x1f{horse.id}"


def horse_out(horse: Horse) -> schemas.HorseOut:
    """A horse for a list."""
    return schemas.HorseOut(
        id=horse.id,
        farm_id=horse.farm_id,
        label=horse.label,
        name=horse.name,
        colour_hex=horse.colour_hex,
        status=horse.status,
        first_seen_at=horse.first_seen_at,
        last_seen_at=horse.last_seen_at,
        version=horse.version,
    )


def _detail(services: Services, caller: Caller, horse: Horse) -> bodies.HorseDetail:
    """A horse with its profile; cameras that the caller does not see are not named."""
    only = services.cameras_of(caller)

    def named(stream_id: StreamId | None) -> StreamId | None:
        return stream_id if only is None or stream_id in only else None

    return bodies.HorseDetail(
        **horse_out(horse).model_dump(),
        profile=bodies.ProfileOut(**asdict(horse.profile)),
        first_stream_id=named(horse.first_stream_id),
        last_stream_id=named(horse.last_stream_id),
        merged_into=horse.merged_into,
        total_detections=horse.total_detections,
        has_avatar=horse.has_avatar,
    )

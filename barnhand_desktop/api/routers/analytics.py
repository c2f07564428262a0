"""What the herd did and when it was seen, hour by hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from barnhand_desktop.api import motion_schemas as bodies
from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.windows import window
from db.repositories.analytics import DayOfHorse, HourOfHorse
from engine.domain.ids import FarmId, HorseId

_DAY = timedelta(days=1)
_HOURS = TypeAdapter(list[bodies.HourOut])
_DAYS = TypeAdapter(list[bodies.PresenceOut])


def hourly_activity(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    horse_id: UUID | None = None,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
) -> list[bodies.HourOut]:
    """What horses did in each hour of the UTC days of a stretch (a day when none is given)."""
    farm, horse, since, until = _asked(
        services, caller, farm_id, horse_id, start_time, end_time, 31 * _DAY
    )

    def make() -> list[bodies.HourOut]:
        found = services.analytics.hours(
            since.date(), until.date(), services.clock.now(), farm, horse
        )
        return [_hour(one) for one in found]

    question = f"hours {farm} {horse} {since.date()} {until.date()}"
    return services.answers.get(question, _HOURS, make)


def presence(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    horse_id: UUID | None = None,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
) -> list[bodies.PresenceOut]:
    """How long horses were seen on the UTC days of a stretch, and in which hours."""
    farm, horse, since, until = _asked(
        services, caller, farm_id, horse_id, start_time, end_time, 366 * _DAY
    )

    def make() -> list[bodies.PresenceOut]:
        found = services.analytics.presence(
            since.date(), until.date(), services.clock.now(), farm, horse
        )
        return [_day(one) for one in found]

    question = f"presence {farm} {horse} {since.date()} {until.date()}"
    return services.answers.get(question, _DAYS, make)


def _asked(
    services: Services,
    caller: Caller,
    farm_id: UUID | None,
    horse_id: UUID | None,
    start: datetime | None,
    end: datetime | None,
    most: timedelta,
) -> tuple[FarmId | None, HorseId | None, datetime, datetime]:
    """Whose and from which day to before which day."""
    farm = own_farm(services, caller, farm_id)
    horse = None if horse_id is None else own_horse(services, caller, horse_id)
    since, until = window(start, end, services.clock.now(), _DAY, most)
    return farm, horse, since, until - timedelta(microseconds=1) + _DAY


def _hour(one: HourOfHorse) -> bodies.HourOut:
    return bodies.HourOut(
        hour=one.hour,
        horse_id=one.horse_id,
        seen_s=round(one.seen_s, 1),
        actions_s={word: round(length_s, 1) for word, length_s in one.actions_s.items()},
        mean_speed_mps=one.mean_speed_mps,
        moving_share=one.moving_share,
    )


def _day(one: DayOfHorse) -> bodies.PresenceOut:
    hours = [round(length_s, 1) for length_s in one.hours_s]
    return bodies.PresenceOut(
        day=one.day, horse_id=one.horse_id, seen_s=round(sum(one.hours_s), 1), hours_s=hours
    )

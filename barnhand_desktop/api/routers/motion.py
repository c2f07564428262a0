"""How a horse moves and what it does: metrics, time budgets, strides, asymmetry."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import motion_schemas as bodies
from barnhand_desktop.api import schemas
from barnhand_desktop.api.guard import CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.windows import window
from engine.domain.behaviour import METRICS, OwnedBout
from engine.domain.motion import Asymmetry, Gait, Stride
from engine.motion.asymmetry import FIGURES, AsymmetryTrend, summarise, trend

_DAY = timedelta(days=1)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_STRIDES_MOST = 100_000
_SAME_INSTANT = 200
"""So many strides of a horse may begin at one instant for pages to go on after each."""


def metrics(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    names: Annotated[str | None, Query(max_length=400)] = None,
    points: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> bodies.MetricsOut:
    """Angles, speed, stride and symmetry of a horse on the cameras the caller sees, thinned;
    ``names`` separated by commas."""
    horse = own_horse(services, caller, horse_id)
    since, until = window(start_time, end_time, services.clock.now(), _DAY, 92 * _DAY)
    asked = METRICS if names is None else tuple(part for part in names.split(",") if part)
    series = services.motion.metrics(
        horse, since, until, asked, points, services.cameras_of(caller)
    )
    return bodies.MetricsOut(
        horse_id=horse_id,
        bucket_s=series.bucket_s,
        at=[_UNIX + timedelta(microseconds=at) for at in series.at_us.tolist()],
        metrics={
            name: bodies.MetricOut(
                mean=_known(values[:, 0].tolist()),
                least=_known(values[:, 1].tolist()),
                greatest=_known(values[:, 2].tolist()),
            )
            for name, values in series.values.items()
        },
    )


def time_budget(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    step_s: Annotated[float, Query(ge=60, le=366 * 86_400, allow_inf_nan=False)] = 86_400.0,
) -> bodies.TimeBudgetOut:
    """Hours lying, standing, eating and moving, with how much was seen, step by step. Viewers are
    told what the cameras granted to them saw."""
    horse = own_horse(services, caller, horse_id)
    since, until = window(start_time, end_time, services.clock.now(), _DAY, 366 * _DAY)
    found = services.motion.budgets([horse], since, until, step_s, services.cameras_of(caller))
    return bodies.TimeBudgetOut(
        horse_id=horse_id,
        budgets=[
            bodies.BudgetOut(
                start=budget.start_at,
                end=budget.end_at,
                seen_s=budget.seen_s,
                coverage=budget.coverage,
                actions_s=dict(budget.actions_s),
                postures_s=dict(budget.postures_s),
                gaits_s=dict(budget.gaits_s),
            )
            for budget in found
        ],
    )


def strides(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    gait: Annotated[list[str] | None, Query(max_length=6)] = None,
    straight: bool = False,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[bodies.StrideOut]:
    """Strides of a horse on the cameras the caller sees, oldest first."""
    horse = own_horse(services, caller, horse_id)
    since, until = window(start_time, end_time, services.clock.now(), _DAY, 366 * _DAY)
    after = _stride_place(cursor)
    since = max(since, after[0])
    found = services.motion.strides(
        since, until, horse, None, _gaits(gait), straight, limit + _SAME_INSTANT,
        services.cameras_of(caller),
    ) if since < until else ()  # fmt: skip
    fresh = [one.stride for one in found if (one.stride.start_at, str(one.stride.id)) > after]
    fresh.sort(key=lambda stride: (stride.start_at, str(stride.id)))
    more = len(fresh) > limit or len(found) == limit + _SAME_INSTANT
    page = fresh[:limit]
    last = page[-1] if page else (found[-1].stride if found else None)
    return schemas.Page(
        items=[_stride_out(stride) for stride in page],
        next_cursor=(
            schemas.encode_cursor(f"{last.start_at.isoformat()} {last.id}")
            if more and last is not None
            else None
        ),
    )


def asymmetry(
    horse_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
) -> bodies.HorseAsymmetryOut:
    """Asymmetry of head and pelvis over a stretch (30 days when none is given), and its trend."""
    horse = own_horse(services, caller, horse_id)
    since, until = window(start_time, end_time, services.clock.now(), 30 * _DAY, 366 * _DAY)
    owned = services.motion.strides(
        since, until, horse, None, [Gait.TROT], True, _STRIDES_MOST, services.cameras_of(caller)
    )
    told = [one.stride for one in owned]
    whole = summarise(told)
    return bodies.HorseAsymmetryOut(
        horse_id=horse_id,
        strides=whole.strides,
        mean=_asymmetry_out(whole.mean),
        spread=_asymmetry_out(whole.spread),
        refusal=whole.refusal,
        trends={figure: _trend_out(trend(told, figure)) for figure in FIGURES},
    )


def bout_out(owned: OwnedBout) -> bodies.BoutOut:
    """A bout for an answer."""
    bout = owned.bout
    return bodies.BoutOut(
        id=bout.id,
        track_id=bout.track_id,
        stream_id=bout.stream_id,
        kind=bout.kind.value,
        value=bout.value,
        start=bout.start_at,
        end=bout.end_at,
        confidence=bout.confidence,
        provisional=bout.provisional,
        open=bout.open,
    )


def _gaits(words: list[str] | None) -> list[Gait] | None:
    if words is None:
        return None
    by_word = {gait.label: gait for gait in Gait}
    if not set(words) <= set(by_word):
        raise Problem(422, "gait_refused", f"Gaits are {', '.join(by_word)}.")
    return [by_word[word] for word in words]


def _stride_place(cursor: str | None) -> tuple[datetime, str]:
    position = text_position(cursor)
    if not position:
        return _UNIX, ""
    at, _, stride_id = position.partition(" ")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.")
    return instant, stride_id


def _known(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


def _stride_out(stride: Stride) -> bodies.StrideOut:
    numbers: dict[str, Any] = {
        name: _number(getattr(stride, name))
        for name in ("stride_hz", "length_m", "speed_mps", "symmetry")
    }
    return bodies.StrideOut(
        id=stride.id,
        track_id=stride.track_id,
        stream_id=stride.stream_id,
        start=stride.start_at,
        end=stride.end_at,
        gait=stride.gait.label,
        lead=stride.lead.label,
        duty=_known(stride.duty),
        phases=_known(stride.phases),
        dissociation=_known(stride.dissociation),
        asymmetry=_asymmetry_out(stride.asymmetry),
        straight=stride.straight,
        quality=stride.quality,
        provisional=stride.provisional,
        **numbers,
    )


def _asymmetry_out(found: Asymmetry) -> bodies.AsymmetryOut:
    return bodies.AsymmetryOut(
        hd_min_mm=_number(found.hd_min_mm),
        hd_max_mm=_number(found.hd_max_mm),
        pd_min_mm=_number(found.pd_min_mm),
        pd_max_mm=_number(found.pd_max_mm),
    )


def _trend_out(found: AsymmetryTrend) -> bodies.TrendOut:
    return bodies.TrendOut(
        days=[date.fromordinal(day) for day in found.days.tolist()],
        mean_mm=found.means_mm.tolist(),
        low_mm=found.low_mm.tolist(),
        high_mm=found.high_mm.tolist(),
        slope_mm_day=_number(found.slope_mm_day),
        slope_low_mm_day=_number(found.slope_low_mm_day),
        slope_high_mm_day=_number(found.slope_high_mm_day),
        refusal=found.refusal,
    )

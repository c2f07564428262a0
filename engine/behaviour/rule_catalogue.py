"""What alert rules there are: their words, parameters with units and limits, and the defaults.

Limits are starting points for a barn to tune, reasoned from how long sound horses do things: they
lie 2.7 to 27 % of the day in spells of minutes to about an hour, mostly after midnight, roll once
or twice and get up, and change what they do a few times an hour. A rule that compares with the
horse's own baseline says nothing until the baseline is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from uuid import uuid5

from engine.domain.behaviour import AlertRule, RuleId, RuleKind
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId
from engine.domain.notices import Severity


class Subject(StrEnum):
    """What a rule is about: each horse, each camera, or the farm as a whole."""

    HORSE = "horse"
    CAMERA = "camera"
    FARM = "farm"


@dataclass(frozen=True, slots=True)
class RuleParameter:
    """One number that people may change. ``unit`` is for people (min, h, s, times)."""

    name: str
    title: str
    unit: str
    default: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One kind of rule. ``needs_horses``: it watches only the horses that it names."""

    kind: RuleKind
    title: str
    text: str
    subject: Subject
    severity: Severity
    parameters: tuple[RuleParameter, ...]
    cooldown_s: float = 1800.0
    enabled: bool = True
    needs_horses: bool = False

    def values(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters, given ones over defaults. Raises OperatorMistake naming the wrong one."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            parameter = known.get(name)
            if parameter is None:
                raise OperatorMistake(
                    f"The rule {self.title!r} has no parameter {name!r}.",
                    f"It has {', '.join(known)}.",
                )
            if not (isfinite(value) and parameter.minimum <= value <= parameter.maximum):
                raise OperatorMistake(
                    f"{parameter.title} must be {parameter.minimum:g} to "
                    f"{parameter.maximum:g} {parameter.unit}, not {value:g}."
                )
        return {name: float(given.get(name, p.default)) for name, p in known.items()}


_NIGHT = (
    RuleParameter("from_hour", "Night begins at", "h", 0.0, 0.0, 23.75),
    RuleParameter("until_hour", "Night ends at", "h", 6.0, 0.0, 23.75),
)

_SPECS = (
    RuleSpec(
        RuleKind.CAST,
        "May be cast",
        "Down without getting up, and struggling again and again.",
        Subject.HORSE,
        Severity.CRITICAL,
        (
            RuleParameter("down_min", "Down for at least", "min", 3.0, 0.5, 60.0),
            RuleParameter("struggle_s", "Struggling, in all, for", "s", 30.0, 5.0, 600.0),
            RuleParameter("spells", "In at least this many spells", "times", 3.0, 2.0, 50.0),
        ),
        cooldown_s=600.0,
    ),
    RuleSpec(
        RuleKind.ROLLING,
        "Rolls again and again",
        "Goes down and rolls more often in an hour than it ever does; a sign of colic.",
        Subject.HORSE,
        Severity.CRITICAL,
        (
            RuleParameter("times", "Goes down and rolls at least", "times", 3.0, 2.0, 20.0),
            RuleParameter("window_min", "Within", "min", 60.0, 10.0, 240.0),
        ),
        cooldown_s=3600.0,
    ),
    RuleSpec(
        RuleKind.RESTLESS,
        "Restless",
        "Changes what it does far more often than this horse does at this time of day.",
        Subject.HORSE,
        Severity.WARNING,
        (
            RuleParameter("window_min", "Over the last", "min", 60.0, 15.0, 240.0),
            RuleParameter("deviations", "Above its usual by", "deviations", 5.0, 2.0, 20.0),
            RuleParameter("extra", "And by at least", "changes an hour", 20.0, 3.0, 200.0),
            RuleParameter("days", "Compared with at least", "days", 3.0, 2.0, 14.0),
        ),
        cooldown_s=7200.0,
    ),
    RuleSpec(
        RuleKind.LONG_RECUMBENCY,
        "Down for long",
        "Has been lying without getting up for longer than sound horses do.",
        Subject.HORSE,
        Severity.CRITICAL,
        (RuleParameter("hours", "Down for at least", "h", 2.0, 0.5, 12.0),),
        cooldown_s=3600.0,
    ),
    RuleSpec(
        RuleKind.NO_RECUMBENCY,
        "Did not lie down at night",
        "A horse that usually lies down at night did not; told when the night is over.",
        Subject.HORSE,
        Severity.INFO,
        (
            *_NIGHT,
            RuleParameter("least_min", "Lay for less than", "min", 5.0, 1.0, 120.0),
            RuleParameter("coverage", "Seen for at least", "% of the night", 70.0, 30.0, 100.0),
            RuleParameter("days", "Compared with at least", "days", 3.0, 2.0, 14.0),
        ),
        cooldown_s=12 * 3600.0,
    ),
    RuleSpec(
        RuleKind.FOALING,
        "Foaling watch",
        "A watched mare goes down and up again and again, with spells flat on the side.",
        Subject.HORSE,
        Severity.CRITICAL,
        (
            RuleParameter("times", "Goes down at least", "times", 4.0, 2.0, 20.0),
            RuleParameter("lateral", "Flat on the side at least", "times", 2.0, 1.0, 20.0),
            RuleParameter("window_min", "Within", "min", 60.0, 10.0, 240.0),
        ),
        cooldown_s=1800.0,
        needs_horses=True,
    ),
    RuleSpec(
        RuleKind.MISSING,
        "Missing",
        "A resident is not seen where and when it always was, while its cameras work.",
        Subject.HORSE,
        Severity.WARNING,
        (
            RuleParameter("usual_hours", "At a time it is always seen, for", "h", 2.0, 0.5, 24.0),
            RuleParameter("hours", "At any time, for", "h", 24.0, 2.0, 168.0),
            RuleParameter("days", "Compared with at least", "days", 3.0, 2.0, 14.0),
        ),
        cooldown_s=6 * 3600.0,
    ),
    RuleSpec(
        RuleKind.TOO_MANY,
        "More horses than live here",
        "More horses are seen at once than the farm says it has residents.",
        Subject.FARM,
        Severity.INFO,
        (RuleParameter("for_s", "For at least", "s", 60.0, 20.0, 600.0),),
        cooldown_s=3600.0,
    ),
    RuleSpec(
        RuleKind.PERSON,
        "Somebody is with a horse at night",
        "A person is near a horse in the hours in which nobody should be there.",
        Subject.HORSE,
        Severity.WARNING,
        (
            RuleParameter("from_hour", "From", "h", 22.0, 0.0, 23.75),
            RuleParameter("until_hour", "Until", "h", 5.0, 0.0, 23.75),
            RuleParameter("for_s", "For at least", "s", 10.0, 2.0, 600.0),
        ),
        enabled=False,
    ),
    RuleSpec(
        RuleKind.CAMERA_DOWN,
        "Camera gives no picture",
        "A camera that should run has been away.",
        Subject.CAMERA,
        Severity.WARNING,
        (RuleParameter("for_s", "For at least", "s", 60.0, 5.0, 3600.0),),
        cooldown_s=600.0,
    ),
    RuleSpec(
        RuleKind.MODEL_DEGRADED,
        "Analysis is reduced",
        "A model is missing, was moved to the CPU or fails; the wall goes on without it.",
        Subject.FARM,
        Severity.WARNING,
        (RuleParameter("for_s", "For at least", "s", 60.0, 5.0, 3600.0),),
        cooldown_s=3600.0,
    ),
)

CATALOGUE: Mapping[RuleKind, RuleSpec] = {spec.kind: spec for spec in _SPECS}
"""Every kind of rule, in the order in which they are shown."""


def default_rules(farm_id: FarmId) -> tuple[AlertRule, ...]:
    """The rules that a farm starts with, the same ids every time."""
    return tuple(
        AlertRule(
            id=RuleId(uuid5(farm_id, f"rule:{spec.kind.value}")),
            farm_id=farm_id,
            kind=spec.kind,
            name=spec.title,
            severity=spec.severity,
            enabled=spec.enabled and not spec.needs_horses,
            cooldown_s=spec.cooldown_s,
        )
        for spec in _SPECS
    )


def check_rule(rule: AlertRule) -> None:
    """Raises OperatorMistake for a rule that cannot work."""
    spec = CATALOGUE[rule.kind]
    spec.values(rule.parameters)
    if not rule.name.strip():
        raise OperatorMistake("A rule needs a name.")
    if spec.needs_horses and rule.enabled and not rule.horse_ids:
        raise OperatorMistake(
            f"The rule {rule.name!r} watches named horses only.", "Choose at least one horse."
        )
    if not (isfinite(rule.cooldown_s) and 0.0 <= rule.cooldown_s <= 7 * 86400.0):
        raise OperatorMistake("The pause after an alert must be 0 s to 7 days.")

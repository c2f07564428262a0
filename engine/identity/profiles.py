"""What people write about a horse: checking values, and choosing between two profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from engine.domain.errors import OperatorMistake
from engine.domain.horses import Horse, HorseStatus, Profile

PROFILE_FIELDS = tuple(field.name for field in fields(Profile))
_TEXT_LIMIT = 200
_LIMITS = {"birth_year": (1950, 2200), "height_cm": (30, 250)}
"""The tallest horse on record stood 219 cm, the smallest 44 cm."""


def checked(changes: Mapping[str, object]) -> dict[str, Any]:
    """Profile values as they are stored: text trimmed, empty text as None.

    Raises OperatorMistake for a field or value that is none.
    """
    unknown = sorted(set(changes) - set(PROFILE_FIELDS))
    if unknown:
        raise OperatorMistake(
            f"A horse's profile has no field {', '.join(unknown)}.",
            f"It has {', '.join(PROFILE_FIELDS)}.",
        )
    return {name: _checked(name, value) for name, value in changes.items()}


def _checked(name: str, value: object) -> str | int | None:
    words = name.replace("_", " ")
    if value is None:
        return None
    if name in _LIMITS:
        low, high = _LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise OperatorMistake(f"The {words} must be a whole number from {low} to {high}.")
        return value
    if not isinstance(value, str):
        raise OperatorMistake(f"The {words} must be text.")
    text = " ".join(value.split())
    if len(text) > _TEXT_LIMIT or "\0" in text:
        raise OperatorMistake(f"The {words} must be text of at most {_TEXT_LIMIT} characters.")
    return text or None


def with_profile(horse: Horse, profile: Profile) -> Horse:
    """The horse with that profile and the name it gives."""
    return replace(horse, profile=profile, name=profile.name)


def changed(horse: Horse, changes: Mapping[str, object]) -> Horse:
    """The horse with changed profile values; OperatorMistake when that changes nothing."""
    after = with_profile(horse, replace(horse.profile, **checked(changes)))
    if after == horse:
        raise OperatorMistake(f"That is what {horse.title}'s profile says already.")
    return after


def merged(kept: Horse, absorbed: Horse, choices: Mapping[str, object]) -> Horse:
    """The kept horse after taking over the absorbed one.

    A value that was chosen wins, then the kept horse's own, then the absorbed one's. A resident
    merged into a guest makes a resident. Raises OperatorMistake for a choice that neither has.
    """
    chosen = checked(choices)
    values: dict[str, Any] = {}
    for name in PROFILE_FIELDS:
        own, other = getattr(kept.profile, name), getattr(absorbed.profile, name)
        if name in chosen and chosen[name] not in (own, other):
            raise OperatorMistake(
                f"Neither {kept.title} nor {absorbed.title} has the {name.replace('_', ' ')} "
                f"{chosen[name]!r}.",
                "Choose one of the two; it can be changed after the merge.",
            )
        values[name] = chosen.get(name, other if own is None else own)
    resident = HorseStatus.ACTIVE in (kept.status, absorbed.status)
    after = replace(kept, status=HorseStatus.ACTIVE) if resident else kept
    return with_profile(after, Profile(**values))

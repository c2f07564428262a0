"""Corrections as pure functions: what is so and what a person says, to what changes.

``change_of`` never touches a store: it takes the spans, tracks and horses that a correction is
about and says which spans end, which begin and how horses' records change.
"""

from __future__ import annotations

from dataclasses import replace

from engine.domain.errors import OperatorMistake
from engine.domain.horses import HorseStatus
from engine.domain.identity import (
    Accept,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Split,
    Swap,
)
from engine.identity.changes import Change, Correcting, HorseChange, IdentityState
from engine.identity.merging import merge_change
from engine.identity.moving import reassign_change, reject_change, split_change, swap_change
from engine.identity.profiles import changed


def change_of(state: IdentityState, correction: Correction, by: Correcting) -> Change:
    """What the correction changes.

    Raises NotFound for horses and tracks that do not exist and OperatorMistake, saying why, for a
    correction that makes no sense.
    """
    match correction:
        case Merge():
            return merge_change(state, correction)
        case Split():
            return split_change(state, correction, by)
        case Swap():
            return swap_change(state, correction, by)
        case Reassign():
            return reassign_change(state, correction, by)
        case Reject():
            return reject_change(state, correction)
        case Rename():
            before = state.horse(correction.horse_id)
            return Change(horses=(HorseChange(before, changed(before, correction.changes)),))
        case Accept():
            return _accept(state, correction)


def _accept(state: IdentityState, accept: Accept) -> Change:
    horse = state.horse(accept.horse_id)
    status = HorseStatus.ACTIVE if accept.resident else HorseStatus.GUEST
    if horse.status is status:
        raise OperatorMistake(
            f"{horse.title} is a {'resident' if accept.resident else 'guest'} already."
        )
    return Change(horses=(HorseChange(horse, replace(horse, status=status)),))

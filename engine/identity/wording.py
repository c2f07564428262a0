"""What a correction did, in words for the history."""

from __future__ import annotations

from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import (
    Accept,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Scope,
    Split,
    Swap,
)
from engine.domain.ids import HorseId, StreamId
from engine.identity.changes import Change, IdentityState
from engine.identity.spans import SeenTrack


def summary(state: IdentityState, correction: Correction, change: Change) -> str:
    """One sentence without its subject, e.g. "merged horse_007 into Bella"; it follows a name."""
    match correction:
        case Merge(kept=kept, absorbed=absorbed):
            return f"merged {_title(state, absorbed)} into {_title(state, kept)}"
        case Split():
            return _split(state, correction, _made(change))
        case Swap():
            where = _camera(state, correction.stream_id)
            names = f"{_title(state, correction.first)} and {_title(state, correction.second)}"
            return f"swapped {names}{where} from {correction.at:%Y-%m-%d %H:%M:%S} UTC on"
        case Reassign():
            made = _made(change)
            part = "" if correction.start is None and correction.end is None else "a part of "
            track = _track(state.track(correction.track_id))
            if correction.horse_id is None:
                return f"made {part}{track} a new horse, {made.title if made else '?'}"
            return f"gave {part}{track} to {_title(state, correction.horse_id)}"
        case Reject():
            track = _track(state.track(correction.track_id))
            return f"said that {track} is not {_title(state, correction.horse_id)}"
        case Rename():
            return _rename(change)
        case Accept(horse_id=horse_id):
            status = change.horses[0].after
            resident = status is not None and status.status is HorseStatus.ACTIVE
            title = _title(state, horse_id)
            return f"accepted {title} as a resident" if resident else f"made {title} a guest again"


def _split(state: IdentityState, split: Split, made: Horse | None) -> str:
    into = made.title if made else _title(state, split.into)
    where = {
        Scope.TRACK: f" on {_track(state.track(split.track_id))}" if split.track_id else "",
        Scope.CAMERA: _camera(state, split.stream_id),
        Scope.EVERYWHERE: "",
    }[split.scope]
    verb = "split" if made else "gave"
    off = f" off {_title(state, split.horse_id)}" if made else ""
    at = f"{split.at:%Y-%m-%d %H:%M:%S} UTC"
    if made:
        return f"{verb} {into}{off}{where} from {at} on"
    return f"{verb} {_title(state, split.horse_id)}'s time{where} from {at} on to {into}"


def _rename(change: Change) -> str:
    before, after = change.horses[0].before, change.horses[0].after
    if before is None or after is None:
        return "changed a horse"
    if before.name != after.name:
        return f"named {before.title} {after.name}" if after.name else f"unnamed {before.title}"
    names = [
        name.replace("_", " ")
        for name in type(after.profile).__dataclass_fields__
        if getattr(before.profile, name) != getattr(after.profile, name)
    ]
    return f"changed the {', '.join(names)} of {after.title}"


def _made(change: Change) -> Horse | None:
    return next((one.after for one in change.horses if one.before is None), None)


def _title(state: IdentityState, horse_id: HorseId | None) -> str:
    horse = None if horse_id is None else state.horses.get(horse_id)
    return "a horse" if horse is None else horse.title


def _track(track: SeenTrack) -> str:
    return f"track {track.number} on {track.camera}"


def _camera(state: IdentityState, stream_id: StreamId | None) -> str:
    if stream_id is None:
        return ""
    names = [track.camera for track in state.tracks.values() if track.stream_id == stream_id]
    return f" on {names[0]}" if names else ""

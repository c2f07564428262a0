"""What parameters mean wherever they occur: one wording for one name."""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    "Range": "Bytes of the file that are wanted, as in RFC 9110, 14.2: bytes=0-1023.",
    "a": "The first of the two.",
    "active_only": "Only what waits or runs.",
    "b": "The second of the two.",
    "cursor": "next_cursor of the page before; opaque, good for the same question only.",
    "end_time": "Before this instant (RFC 3339 with its offset).",
    "farm_id": "The farm; for accounts of all farms, others have only their own.",
    "gait": "Only these gaits; may come more than once: stand, walk, trot, canter, gallop ...",
    "kind": "Only of this kind.",
    "limit": "How many at most.",
    "names": "Metrics by name, separated by commas; their units are in the names.",
    "newest_first": "The newest first, else the oldest.",
    "number": "The camera's preset, 1 to 8.",
    "open_only": "Only those that nobody acknowledged.",
    "overlays": "Draw boxes and skeletons into the picture.",
    "points": "Points in time at most; more rows are put together into buckets.",
    "q": "A part of the name or the label, upper and lower case alike.",
    "seen_since": "Seen at or after this instant (RFC 3339 with its offset).",
    "start_time": "At or after this instant (RFC 3339 with its offset).",
    "state": "Only in this state.",
    "status": "Only of this status.",
    "step_s": "Length of one budget in seconds.",
    "straight": "Only strides on a straight line.",
    "task": "Only models of this task.",
    "token": "The signed part of an address that this server made.",
}
_OBJECTS: dict[str, str] = {
    "entry_id": "calendar entry",
    "key_id": "API key",
    "rule_id": "alert rule",
}


def meaning_of(name: str) -> str:
    """What a parameter of that name is; ids name their kind of object."""
    if name in MEANINGS:
        return MEANINGS[name]
    if name.endswith("_id"):
        return f"The {_OBJECTS.get(name, name.removesuffix('_id').replace('_', ' '))}'s id."
    return ""

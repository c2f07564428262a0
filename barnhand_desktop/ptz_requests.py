"""What remote people ask of camera control: one act a request, JSON values in, JSON out.

The answer is ``{"state": {...}}``, or ``{"error": {"kind", "message", "advice"}}`` with kind
``held`` (somebody of higher priority steers), ``refused``, ``camera`` or ``missing``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import time
from typing import Any
from uuid import UUID

from engine.domain.commands import SteerCamera
from engine.domain.errors import BarnhandError, EnvironmentFault, NotFound, OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.ports import Reply
from engine.domain.ptz import (
    Holder,
    Motion,
    Preset,
    Priority,
    PtzControl,
    PtzState,
    ScanPlan,
    ScanProgress,
    Schedule,
    Tour,
    TourStep,
)

Act = Callable[[PtzControl, SteerCamera, Holder], bool]


def answer_request(control: PtzControl, command: SteerCamera) -> Reply:
    """Do what a command asks; None when this engine does not steer the camera."""
    stream_id = command.stream_id
    if stream_id not in control.cameras():
        return None
    holder = Holder(command.holder_key, command.holder_name, Priority.REMOTE)
    try:
        if command.act == "snapshot":
            return _picture(control.snapshot(stream_id))
        if not _ACTS[command.act](control, command, holder):
            state = control.state(stream_id)
            name = "Somebody" if state.holder is None else state.holder.name
            return _error("held", f"{name} steers this camera.", "Try again when it is free.")
        return _json({"state": state_values(control, stream_id)})
    except KeyError as error:
        return _error("refused", f"The request lacks {error}.", "")
    except (TypeError, ValueError) as error:
        return _error("refused", f"The request has a value that is none: {error}.", "")
    except BarnhandError as error:
        return _error(_kind(error), error.message, error.advice)


def _move(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    values = command.values
    motion = Motion(*(_share(values.get(axis, 0.0)) for axis in ("pan", "tilt", "zoom")))
    return control.move(command.stream_id, holder, motion)


def _stop(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    control.stop(command.stream_id, holder)
    return True


def _release(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    control.release(command.stream_id, holder)
    return True


def _store(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    number, name = int(str(command.values["preset"])), str(command.values.get("name", ""))
    return control.store(command.stream_id, holder, number, name)


def _follow(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    horse = command.values.get("horse_id")
    wanted = None if horse is None else HorseId(UUID(str(horse)))
    return control.follow(command.stream_id, holder, wanted)


def _tour(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    return control.start_tour(tour_of(command.stream_id, command.values), holder)


def _scan(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    control.start_scan(scan_plan_of(command.stream_id, command.values), holder)
    return True


def _end(control: PtzControl, command: SteerCamera, holder: Holder) -> bool:
    control.stop_activity(command.stream_id, holder)
    return True


_ACTS: Mapping[str, Act] = {
    "state": lambda control, command, holder: True,
    "hold": lambda control, command, holder: control.hold(command.stream_id, holder),
    "release": _release,
    "move": _move,
    "stop": _stop,
    "go_to": lambda control, command, holder: control.go_to(
        command.stream_id, holder, int(str(command.values["preset"]))
    ),
    "store": _store,
    "follow": _follow,
    "tour": _tour,
    "scan": _scan,
    "end": _end,
}


# --- values in -----------------------------------------------------------------------------------


def tour_of(stream_id: StreamId, values: Mapping[str, Any]) -> Tour:
    """A tour of plain values; KeyError, TypeError or ValueError for what is none."""
    steps = tuple(TourStep(int(step["preset"]), float(step["dwell_s"])) for step in values["steps"])
    schedule = schedule_of(values.get("schedule"))
    return Tour(UUID(str(values["id"])), stream_id, str(values["name"]), steps, schedule)


def scan_plan_of(stream_id: StreamId, values: Mapping[str, Any]) -> ScanPlan:
    """A scan plan of plain values; raises like ``tour_of``."""
    return ScanPlan(
        stream_id,
        tuple(int(preset) for preset in values["presets"]),
        float(values["settle_s"]),
        float(values["record_s"]),
        schedule_of(values.get("schedule")),
    )


def schedule_of(values: Mapping[str, Any] | None) -> Schedule | None:
    """A schedule of plain values, None for None; raises like ``tour_of``."""
    if values is None:
        return None
    return Schedule(
        frozenset(int(day) for day in values["weekdays"]),
        time.fromisoformat(str(values["start"])),
        time.fromisoformat(str(values["end"])),
        int(values.get("every_min", 0)),
    )


def _share(value: object) -> float:
    share = float(str(value))
    if not -1.0 <= share <= 1.0:
        raise ValueError("a speed is a share from -1 to 1")
    return share


# --- values out ----------------------------------------------------------------------------------


def state_values(control: PtzControl, stream_id: StreamId) -> dict[str, Any]:
    """Everything a remote person may know about a camera's control; no address, no credentials."""
    state: PtzState = control.state(stream_id)
    moving, holder, able = state.moving, state.holder, state.capabilities
    return {
        "holder": None if holder is None else {
            "name": holder.name, "priority": holder.priority.name.lower(),
        },
        "moving": None if moving is None else {
            "pan": moving.pan, "tilt": moving.tilt, "zoom": moving.zoom,
        },
        "preset": state.preset,
        "activity": state.activity,
        "message": state.message,
        "fault": state.fault,
        "suspended": state.suspended,
        "capabilities": None if able is None else {
            "move": able.move, "zoom": able.zoom, "diagonals": able.diagonals,
            "presets": able.presets, "snapshot": able.snapshot, "absolute": able.absolute,
        },
        "presets": [_preset(preset) for preset in control.presets(stream_id)],
        "scan": _progress(control.scan(stream_id)),
    }  # fmt: skip


def _preset(preset: Preset) -> dict[str, Any]:
    return {
        "number": preset.number,
        "name": preset.name,
        "set_at": None if preset.set_at is None else preset.set_at.isoformat(),
        "has_thumbnail": preset.thumbnail is not None,
    }


def _progress(scan: ScanProgress | None) -> dict[str, Any] | None:
    if scan is None:
        return None
    return {
        "scan_id": str(scan.scan_id),
        "phase": scan.phase.value,
        "done": scan.done,
        "total": scan.total,
        "message": scan.message,
        "views": [
            {
                "preset": view.preset,
                "horses": view.horses,
                "recorded": bool(view.recording),
                "at": view.at.isoformat(),
                "fault": view.fault,
            }
            for view in scan.views
        ],
    }


def _picture(coming: Future[bytes]) -> Future[bytes]:
    """The answer that a camera's picture will be."""
    told: Future[bytes] = Future()

    def done(future: Future[bytes]) -> None:
        error = future.exception()
        if isinstance(error, BarnhandError):
            told.set_result(_error(_kind(error), error.message, error.advice))
        elif error is not None:
            told.set_result(_error("camera", "The camera sent no picture.", ""))
        else:
            told.set_result(_json({"jpeg": base64.b64encode(future.result()).decode()}))

    coming.add_done_callback(done)
    return told


def _kind(error: BarnhandError) -> str:
    if isinstance(error, NotFound):
        return "missing"
    if isinstance(error, EnvironmentFault):
        return "camera"
    return "refused" if isinstance(error, OperatorMistake) else "camera"


def _error(kind: str, message: str, advice: str) -> bytes:
    return _json({"error": {"kind": kind, "message": message, "advice": advice}})


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()

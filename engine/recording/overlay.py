"""Overlay files: what the analysis saw, beside each chunk of video, in step with its pictures.

``<chunk>.overlay.json`` is one JSON object (format ``barnhand-overlay``, version 1)::

    {"format": "barnhand-overlay", "version": 1,
     "chunk": id, "stream": id, "start_at": ISO 8601 UTC,
     "width_px": w, "height_px": h,         size of the picture that boxes and keypoints refer to
     "skeletons": {name: {"landmarks": [name, ...], "bones": [[index, index], ...]}},
     "entries": [{
        "pts": s,                           presentation time inside the video file: exactly that of
                                            the picture that was analysed; rising
        "at": ISO 8601 UTC,                 when it was taken: the time of its rows in the store
        "held": bool,                       a still scene: what was seen before is repeated
        "tracks": [{
           "id": track id, "number": n, "horse": horse id or null, "class": 0 horse 1 person 2 dog,
           "state": 0 tentative 1 active 2 lost, "colour": 0..9, "score": s, "confidence": c,
           "box": [x1, y1, x2, y2],         pixels
           "gait", "action", "posture": words of ``engine.domain.motion`` when known, "speed": m/s,
           "skeleton": name, "keypoints": [[x, y, score], ...]    when there is a pose
        }]}]}

While the chunk is written its overlay is ``.overlay.jsonl``: the same object without ``entries`` on
the first line, then one entry a line, so that a crash loses at most the last of them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from engine.domain.errors import SourceUnreadable
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Action, Gait, Posture
from engine.domain.poses import PoseBatch
from engine.domain.recording import ChunkId
from engine.domain.results import FrameResult
from engine.tracking.interpolation import Keyframe, between

FORMAT = "barnhand-overlay"
VERSION = 1


@dataclass(frozen=True, slots=True)
class OverlayTrack:
    """One track in one picture; words are empty and ``speed_mps`` None where not known.
    ``keypoints``: (x_px, y_px, score) by landmark of ``skeleton``."""

    id: TrackId
    number: int
    horse_id: HorseId | None
    class_id: int
    state: int
    colour: int
    score: float
    confidence: float
    box_xyxy_px: tuple[float, float, float, float]
    gait: str = ""
    action: str = ""
    posture: str = ""
    speed_mps: float | None = None
    skeleton: str = ""
    keypoints: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class OverlayEntry:
    """One picture: its time inside the file, when it was taken, and the tracks in it.
    ``analysed`` False: put in between two analysed pictures."""

    pts_s: float
    at: datetime
    tracks: tuple[OverlayTrack, ...]
    held: bool = False
    analysed: bool = True


@dataclass(frozen=True, slots=True)
class OverlaySkeleton:
    """Names of landmarks and the bones between them, index pairs."""

    landmarks: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A chunk's overlay. ``width_px``, ``height_px``: the picture that coordinates refer to, which
    the file may show smaller."""

    chunk_id: ChunkId
    stream_id: StreamId
    start_at: datetime
    width_px: int
    height_px: int
    skeletons: Mapping[str, OverlaySkeleton]
    entries: tuple[OverlayEntry, ...]

    def at(self, pts_s: float) -> OverlayEntry | None:
        """What the picture at this time shows: the analysed entry, or one interpolated linearly
        between two at most half a second apart. None where nothing is known."""
        times = [entry.pts_s for entry in self.entries]
        after = int(np.searchsorted(times, pts_s - 1e-6))
        if after < len(times) and abs(times[after] - pts_s) <= 1e-6:
            return self.entries[after]
        if not 0 < after < len(times):
            return None
        return _between(self.entries[after - 1], self.entries[after], pts_s)


def read_overlay(path: Path) -> Overlay:
    """Read an overlay, finished or still being written.

    Raises SourceUnreadable for what is none, OSError as the file system does.
    """
    try:
        return overlay_of(read_document(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnreadable(f"{path.name} is no overlay that can be read.") from error


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object of an overlay, finished or still being written. Raises ValueError."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        document = json.loads(text)
    else:
        first, *lines = text.split("\n")
        document = json.loads(first)
        document["entries"] = [json.loads(line) for line in lines[:-1]]  # the last may be cut off
    if document["format"] != FORMAT or document["version"] > VERSION:
        raise ValueError("not an overlay of this version")
    return dict(document)


def overlay_of(document: Mapping[str, Any]) -> Overlay:
    """The overlay in a JSON object. Raises KeyError, TypeError, ValueError."""
    return Overlay(
        chunk_id=ChunkId(UUID(document["chunk"])),
        stream_id=StreamId(UUID(document["stream"])),
        start_at=datetime.fromisoformat(document["start_at"]),
        width_px=int(document["width_px"]),
        height_px=int(document["height_px"]),
        skeletons={
            name: OverlaySkeleton(
                tuple(given["landmarks"]), tuple((int(a), int(b)) for a, b in given["bones"])
            )
            for name, given in document["skeletons"].items()
        },
        entries=tuple(_entry_of(entry) for entry in document["entries"]),
    )


def document_of(overlay: Overlay) -> dict[str, Any]:
    """The JSON object of an overlay; the inverse of ``overlay_of``."""
    return {
        **header_of(
            overlay.chunk_id,
            overlay.stream_id,
            overlay.start_at,
            (overlay.width_px, overlay.height_px),
        ),
        "skeletons": {
            name: {"landmarks": list(s.landmarks), "bones": [list(bone) for bone in s.bones]}
            for name, s in overlay.skeletons.items()
        },
        "entries": [_entry_document(entry) for entry in overlay.entries],
    }


def write_overlay(path: Path, document: Mapping[str, Any]) -> None:
    """Write a finished overlay whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"), allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def header_of(
    chunk_id: ChunkId, stream_id: StreamId, start_at: datetime, size_px: tuple[int, int]
) -> dict[str, Any]:
    """An overlay's JSON object before anything was seen."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "chunk": str(chunk_id),
        "stream": str(stream_id),
        "start_at": start_at.isoformat(),
        "width_px": size_px[0],
        "height_px": size_px[1],
        "skeletons": {},
    }


# --- from results ------------------------------------------------------------------------------


def entry_of(result: FrameResult, pts_s: float) -> dict[str, Any]:
    """The JSON entry of one result whose picture has this time inside the file."""
    return {
        "pts": pts_s,
        "at": result.stamp.captured_at.isoformat(),
        "held": result.held,
        "tracks": [_track_entry(result, row) for row in range(len(result.tracks))],
    }


def skeleton_of(result: FrameResult) -> dict[str, Any]:
    """The JSON description of a result's skeleton by its name; empty without poses."""
    poses = _poses(result)
    if poses is None:
        return {}
    given = poses.skeleton
    bones = [list(bone) for bone in given.bones]
    return {given.name: {"landmarks": list(given.landmarks), "bones": bones}}


def _poses(result: FrameResult) -> PoseBatch | None:
    if result.motion is not None and result.motion.poses is not None:
        return result.motion.poses
    return result.poses


def _track_entry(result: FrameResult, row: int) -> dict[str, Any]:
    tracks = result.tracks
    horse_id = tracks.horse_ids[row]
    entry: dict[str, Any] = {
        "id": str(tracks.track_ids[row]),
        "number": int(tracks.numbers[row]),
        "horse": None if horse_id is None else str(horse_id),
        "class": int(tracks.class_ids[row]),
        "state": int(tracks.states[row]),
        "colour": int(tracks.colours[row]),
        "score": round(float(tracks.scores[row]), 3),
        "confidence": round(float(tracks.confidences[row]), 3),
        "box": [round(float(v), 1) for v in tracks.boxes_xyxy_px[row]],
    }
    motion = result.motion
    if motion is not None:
        words = {
            "gait": Gait(motion.gaits[row]),
            "action": Action(motion.actions[row]),
            "posture": Posture(motion.postures[row]),
        }
        entry.update({name: word.label for name, word in words.items() if word})
        speed_mps = float(motion.speeds_mps[row])
        if math.isfinite(speed_mps):
            entry["speed"] = round(speed_mps, 3)
    poses = _poses(result)
    if poses is not None and poses.scores[row].any():
        points = np.concatenate([poses.keypoints_px[row], poses.scores[row][:, None]], axis=1)
        if np.isfinite(points).all():
            entry["skeleton"] = poses.skeleton.name
            entry["keypoints"] = [
                [round(float(x), 1), round(float(y), 1), round(float(s), 2)] for x, y, s in points
            ]
    return entry


# --- to values and back ------------------------------------------------------------------------


def _entry_of(entry: Mapping[str, Any]) -> OverlayEntry:
    return OverlayEntry(
        pts_s=float(entry["pts"]),
        at=datetime.fromisoformat(entry["at"]),
        tracks=tuple(_track_of(track) for track in entry["tracks"]),
        held=bool(entry.get("held", False)),
    )


def _track_of(track: Mapping[str, Any]) -> OverlayTrack:
    left, top, right, bottom = (float(v) for v in track["box"])
    speed = track.get("speed")
    return OverlayTrack(
        id=TrackId(UUID(track["id"])),
        number=int(track["number"]),
        horse_id=None if track["horse"] is None else HorseId(UUID(track["horse"])),
        class_id=int(track["class"]),
        state=int(track["state"]),
        colour=int(track["colour"]),
        score=float(track["score"]),
        confidence=float(track["confidence"]),
        box_xyxy_px=(left, top, right, bottom),
        gait=track.get("gait", ""),
        action=track.get("action", ""),
        posture=track.get("posture", ""),
        speed_mps=None if speed is None else float(speed),
        skeleton=track.get("skeleton", ""),
        keypoints=tuple((float(x), float(y), float(s)) for x, y, s in track.get("keypoints", ())),
    )


def _entry_document(entry: OverlayEntry) -> dict[str, Any]:
    return {
        "pts": entry.pts_s,
        "at": entry.at.isoformat(),
        "held": entry.held,
        "tracks": [_track_document(track) for track in entry.tracks],
    }


def _track_document(track: OverlayTrack) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": str(track.id),
        "number": track.number,
        "horse": None if track.horse_id is None else str(track.horse_id),
        "class": track.class_id,
        "state": track.state,
        "colour": track.colour,
        "score": track.score,
        "confidence": track.confidence,
        "box": list(track.box_xyxy_px),
    }
    words = {"gait": track.gait, "action": track.action, "posture": track.posture}
    document.update({name: word for name, word in words.items() if word})
    if track.speed_mps is not None:
        document["speed"] = track.speed_mps
    if track.keypoints:
        document["skeleton"] = track.skeleton
        document["keypoints"] = [list(point) for point in track.keypoints]
    return document


def _between(before: OverlayEntry, after: OverlayEntry, pts_s: float) -> OverlayEntry | None:
    """Tracks that both entries have, moved linearly; their words are the earlier one's."""
    by_id = {track.id: track for track in after.tracks}
    pairs = [(track, by_id[track.id]) for track in before.tracks if track.id in by_id]
    moved = []
    for one, two in pairs:
        posed = bool(one.keypoints) and one.skeleton == two.skeleton
        mid = between(_keyframe(before, one, posed), _keyframe(after, two, posed), pts_s)
        if not len(mid.ids):
            return None
        moved.append(_moved(one, mid))
    share = (pts_s - before.pts_s) / (after.pts_s - before.pts_s)
    at = before.at + (after.at - before.at) * share
    held = before.held and after.held
    return OverlayEntry(pts_s, at, tuple(moved), held, analysed=False)


def _keyframe(entry: OverlayEntry, track: OverlayTrack, posed: bool) -> Keyframe:
    points = np.array([track.keypoints], np.float32) if posed else None
    return Keyframe(
        entry.pts_s,
        np.array([track.number], np.int64),
        np.array([track.box_xyxy_px], np.float32),
        None if points is None else points[..., :2],
        None if points is None else points[..., 2],
    )


def _moved(track: OverlayTrack, mid: Keyframe) -> OverlayTrack:
    left, top, right, bottom = (float(v) for v in mid.boxes_xyxy_px[0])
    keypoints: Sequence[tuple[float, float, float]] = ()
    if mid.keypoints_px is not None and mid.keypoint_scores is not None:
        keypoints = [
            (float(x), float(y), float(score))
            for (x, y), score in zip(mid.keypoints_px[0], mid.keypoint_scores[0], strict=True)
        ]
    return OverlayTrack(
        track.id, track.number, track.horse_id, track.class_id, track.state, track.colour,
        track.score, track.confidence, (left, top, right, bottom), track.gait, track.action,
        track.posture, track.speed_mps, track.skeleton if keypoints else "", tuple(keypoints),
    )  # fmt: skip

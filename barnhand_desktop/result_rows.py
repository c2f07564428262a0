"""One analysed picture as a row of JSON: what ``analyse`` writes for other programs to read."""

from __future__ import annotations

import math

from barnhand_desktop.overlay_video import horse_rows
from engine.domain.motion import Action, Gait, Posture
from engine.domain.results import FrameResult


def frame_row(result: FrameResult) -> dict[str, object]:
    """One analysed picture as the row of the results file."""
    stamp = result.stamp
    return {
        "frame": stamp.sequence,
        "t_s": round(stamp.pts_s or 0.0, 6),
        "width": result.width_px,
        "height": result.height_px,
        "horses": _horses(result),
    }


def _horses(result: FrameResult) -> list[dict[str, object]]:
    tracks = result.tracks
    horses: list[dict[str, object]] = []
    for row in horse_rows(tracks):
        horse_id = tracks.horse_ids[row]
        horses.append(
            {
                "track_id": str(tracks.track_ids[row]),
                "horse_id": None if horse_id is None else str(horse_id),
                "bbox_xyxy_px": [round(float(v), 2) for v in tracks.boxes_xyxy_px[row]],
                "score": round(float(tracks.scores[row]), 4),
                "keypoints": _keypoints(result, row),
                **_motion(result, row),
            }
        )
    return horses


def _motion(result: FrameResult, row: int) -> dict[str, object]:
    """What the horse does, provisional; null where it is not known (yet)."""
    motion = result.motion
    if motion is None:
        return {"gait": None, "action": None, "posture": None, "speed_mps": None}
    gait, action = Gait(int(motion.gaits[row])), Action(int(motion.actions[row]))
    posture, speed_mps = Posture(int(motion.postures[row])), float(motion.speeds_mps[row])
    return {
        "gait": gait.label if gait is not Gait.UNKNOWN else None,
        "action": action.label if action is not Action.UNKNOWN else None,
        "posture": posture.label if posture is not Posture.UNKNOWN else None,
        "speed_mps": round(speed_mps, 3) if math.isfinite(speed_mps) else None,
    }


def _keypoints(result: FrameResult, row: int) -> dict[str, list[float]]:
    """Name to x and y in px and score; empty when no pose model is loaded."""
    poses = result.poses
    if poses is None:
        return {}
    return {
        name: [round(float(x), 2), round(float(y), 2), round(float(score), 4)]
        for name, (x, y), score in zip(
            poses.skeleton.landmarks, poses.keypoints_px[row], poses.scores[row], strict=True
        )
    }

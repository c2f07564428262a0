"""What is told live of how horses move: data of ``metrics:update`` and of horses' states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.domain.motion import ANGLES, Action, Gait, Lead, MotionBatch, Posture
from engine.domain.results import FrameResult


def metrics_update(result: FrameResult) -> dict[str, Any] | None:
    """Data of ``metrics:update``: what the horses of one picture do and how they move; null where
    it is not known. None when there is nothing to tell."""
    motion, tracks = result.motion, result.tracks
    rows = np.flatnonzero(tracks.confirmed_horses).tolist()
    if motion is None or not rows:
        return None
    columns = {
        "gait_confidence": motion.gait_confidences,
        "action_confidence": motion.action_confidences,
        "speed_mps": motion.speeds_mps,
        "stride_hz": motion.stride_hz,
        "stride_m": motion.stride_m,
        "head_height_m": motion.head_heights_m,
        "symmetry": motion.symmetries,
    }
    horses = [
        {
            "track_id": str(tracks.track_ids[row]),
            "horse_id": None if (horse := tracks.horse_ids[row]) is None else str(horse),
            **motion_words(motion, row),
            "lead": Lead(int(motion.leads[row])).label,
            "person_near": bool(motion.person_near[row]),
            **{name: _finite(values[row], 3) for name, values in columns.items()},
            "angles_deg": {
                name: _finite(motion.angles_deg[row, place], 1) for place, name in enumerate(ANGLES)
            },
        }
        for row in rows
    ]
    return {
        "frame": result.stamp.sequence,
        "captured_at": result.stamp.captured_at.isoformat(),
        "horses": horses,
    }


def motion_words(motion: MotionBatch, row: int) -> dict[str, str]:
    """Gait, action and posture of a row in words."""
    return {
        "gait": Gait(int(motion.gaits[row])).label,
        "action": Action(int(motion.actions[row])).label,
        "posture": Posture(int(motion.postures[row])).label,
    }


def _finite(value: float, decimals: int) -> float | None:
    return round(float(value), decimals) if math.isfinite(value) else None

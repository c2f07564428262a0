"""``barnhand evaluate gait``: the product's gait analysis against labelled sequences.

The analysis has no parameters fitted to data, so judging each sequence by rules that never saw it,
leave-one-out, is what a plain run does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from engine.domain.motion import Gait
from engine.domain.skeletons import LIMBS
from engine.evaluation.gait_sequences import LabelledSequence, read_sequences
from engine.motion.gait import GaitSegment, analyse

FITTED_PARAMETERS = 0
"""Parameters of the gait decision that were fitted to sequences like the judged ones."""


def evaluate_gait(data: Path, fps: float = 30.0) -> dict[str, object]:
    """The report: accuracy, confusion (true to predicted to count) and every sequence.

    Raises OperatorMistake for a folder or file that is none of that kind.
    """
    confusion: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    sequences: list[dict[str, object]] = []
    right = 0
    for sequence in read_sequences(data, fps):
        judged = judge(sequence)
        sequences.append(judged)
        confusion[sequence.gait.label][str(judged["predicted"])] += 1
        right += judged["predicted"] == sequence.gait.label
    return {
        "accuracy": round(right / len(sequences), 4),
        "confusion": {true: dict(found) for true, found in confusion.items()},
        "sequences": sequences,
        "count": len(sequences),
        "right": right,
        "fps": fps,
        "method": "leave one out; nothing is fitted, so each sequence is judged by the same rules",
        "fitted_parameters": FITTED_PARAMETERS,
        "data": data.name,
        "not_shown": "Keypoints are given, not estimated; sequences of one steady gait each.",
    }


def judge(sequence: LabelledSequence) -> dict[str, object]:
    """What the product says about one sequence."""
    best = whole_gait(analyse(sequence.series))
    phases = best.phases if best else (math.nan,) * 4
    return {
        "file": sequence.file,
        "true": sequence.gait.label,
        "predicted": best.gait.label if best else Gait.UNKNOWN.label,
        "confidence": round(best.confidence, 3) if best else 0.0,
        "stride_frequency_hz": _number(best.stride_hz if best else math.nan),
        "phases": {limb: _number(v) for limb, v in zip(LIMBS, phases, strict=True)},
        "lead": best.lead.label if best else "none",
        "duty": _number(best.duty if best else math.nan),
        "evidence": list(best.evidence) if best else [],
        "seconds": round(float(sequence.series.t_s[-1] - sequence.series.t_s[0]), 2),
    }


def whole_gait(segments: Sequence[GaitSegment]) -> GaitSegment | None:
    """The segment that speaks for a whole sequence: of the gait with the most sure time, its
    longest. None when no gait was told."""
    weight: dict[Gait, float] = defaultdict(float)
    told = [segment for segment in segments if segment.gait is not Gait.UNKNOWN]
    for segment in told:
        weight[segment.gait] += segment.confidence * segment.duration_s
    if not weight:
        return None
    gait = max(weight, key=lambda g: weight[g])
    return max((s for s in told if s.gait is gait), key=lambda s: s.duration_s)


def _number(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None

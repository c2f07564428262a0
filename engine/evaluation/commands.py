"""``barnhand evaluate tracking``: its arguments and its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.domain.errors import OperatorMistake


def add_tracking_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand evaluate tracking``."""
    parser.description = (
        "Run the product's tracker over recorded detections (boxes only) and judge the tracks "
        "against ground truth: two files in MOT format, or the simulated barn."
    )
    parser.add_argument("--gt", type=Path, help="ground truth, MOT format")
    parser.add_argument("--det", type=Path, help="detections, MOT format")
    parser.add_argument("--fps", type=float, help="pictures a second; else from seqinfo.ini")
    parser.add_argument("--tracks", type=Path, help="also write the tracks to this MOT file")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")
    barn = parser.add_argument_group("the simulated barn")
    barn.add_argument("--simulated", action="store_true", help="use it instead of files")
    barn.add_argument("--camera", default="paddock", help="stall, aisle, paddock or arena")
    barn.add_argument("--horses", type=int, default=10)
    barn.add_argument("--minutes", type=float, default=10.0)
    barn.add_argument("--seed", type=int, default=1)
    barn.add_argument("--faults", default="mild", help="of the modelled detector: mild or rough")
    barn.add_argument(
        "--with-appearance",
        choices=("modelled", "drawn"),
        help="judge identities over all cameras of the farm: appearance vectors from a model of "
        "appearance, or from drawn pictures through the appearance model on this machine",
    )


def evaluate_tracking(wanted: argparse.Namespace) -> dict[str, object]:
    """Measure as asked; returns the report. Raises OperatorMistake for wrong arguments or files."""
    from engine.evaluation.mot import write_mot
    from engine.evaluation.tracking import evaluate_files

    if wanted.fps is not None and not 0 < wanted.fps <= 1000:
        raise OperatorMistake(f"{wanted.fps:g} pictures a second are impossible.")
    files = wanted.gt is not None or wanted.det is not None
    if wanted.with_appearance is not None:
        if files or not wanted.simulated:
            raise OperatorMistake("Appearance is judged with --simulated only.")
        return _evaluate_identity(wanted)
    if wanted.simulated:
        if files:
            raise OperatorMistake("Give files or --simulated, not both.")
        from engine.evaluation.simulated import evaluate_simulated

        report, tracks = evaluate_simulated(
            wanted.camera, wanted.horses, wanted.minutes, wanted.seed, wanted.faults,
            wanted.fps or 10.0,
        )  # fmt: skip
    elif wanted.gt is None or wanted.det is None:
        raise OperatorMistake("Give --gt and --det, both in MOT format, or --simulated.")
    else:
        report, tracks = evaluate_files(wanted.gt, wanted.det, wanted.fps)
    if wanted.tracks is not None:
        write_mot(wanted.tracks, tracks)
    return report


def _evaluate_identity(wanted: argparse.Namespace) -> dict[str, object]:
    from engine.evaluation.appearance_model import preferred_appearance
    from engine.evaluation.identity import evaluate_identity

    drawn = wanted.with_appearance == "drawn"
    embedder, pose = preferred_appearance() if drawn else (None, None)
    try:
        return evaluate_identity(
            wanted.horses, wanted.minutes, wanted.seed, wanted.fps or 5.0, wanted.faults,
            embedder=embedder, pose=pose,
        )  # fmt: skip
    finally:
        for model in (embedder, pose):
            if model is not None:
                model.close()

"""``barnhand evaluate gait``, ``motion``, ``behaviour``, ``alerts``: arguments and reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.domain.errors import OperatorMistake

RATES_FPS = (10.0, 15.0, 25.0, 50.0)
"""Picture rates at which the simulated barn is judged."""


def add_gait_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand evaluate gait``."""
    parser.description = (
        "Judge the gait analysis on keypoint sequences (COCO JSON) in folders named by gait."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of gait folders")
    parser.add_argument("--fps", type=float, default=30.0, help="pictures a second (default 30)")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")


def evaluate_gait_folder(wanted: argparse.Namespace) -> dict[str, object]:
    """Measure as asked; returns the report. Raises OperatorMistake for wrong data."""
    from engine.evaluation.gait import evaluate_gait

    return evaluate_gait(wanted.data, wanted.fps)


def add_motion_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand evaluate motion``."""
    parser.description = (
        "Judge footfalls, strides, gaits and asymmetry against the simulated barn's truth."
    )
    parser.add_argument("--simulated", action="store_true", help="the simulated barn (needed)")
    parser.add_argument(
        "--fps", type=float, nargs="+", default=list(RATES_FPS), metavar="FPS",
        help="picture rates (default 10 15 25 50)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=4.0, help="of trot in hand, and of gaits")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")


def evaluate_motion(wanted: argparse.Namespace) -> dict[str, object]:
    """Measure as asked; returns the report. Raises OperatorMistake for impossible numbers."""
    from engine.evaluation.motion import evaluate_simulated_motion

    if not wanted.simulated:
        raise OperatorMistake("Only the simulated barn knows the truth.", "Add --simulated.")
    if any(not 2 <= fps <= 200 for fps in wanted.fps):
        raise OperatorMistake("Picture rates lie between 2 and 200.")
    if not 0.5 <= wanted.minutes <= 60:
        raise OperatorMistake("Give half a minute to an hour.")
    return evaluate_simulated_motion(tuple(wanted.fps), wanted.minutes, wanted.seed)


def add_behaviour_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand evaluate behaviour``."""
    parser.description = (
        "Judge postures, actions and bouts of the live engine on simulated days, with a modelled "
        "detector and pose model. Seeds 1 and 2 served for tuning: use others."
    )
    parser.add_argument("--simulated", action="store_true", help="the simulated barn (needed)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22], metavar="SEED")
    parser.add_argument(
        "--fps", type=float, nargs="+", default=[10.0, 3.0], metavar="FPS",
        help="picture rates (default 10 3)",
    )  # fmt: skip
    parser.add_argument("--faults", default="mild", help="of the models: mild or rough")
    parser.add_argument("--skeleton", default="equine26", help="equine26 or ap10k")
    parser.add_argument("--windows", type=int, default=3, help="stretches of each day")
    parser.add_argument("--seconds", type=float, default=300.0, help="of a stretch")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")


def evaluate_simulated_behaviour(wanted: argparse.Namespace) -> dict[str, object]:
    """Measure as asked; returns the report. Raises OperatorMistake for impossible numbers."""
    from engine.evaluation.behaviour import Plan, evaluate_behaviour

    if not wanted.simulated:
        raise OperatorMistake("Only the simulated barn knows the truth.", "Add --simulated.")
    if any(not 1 <= fps <= 60 for fps in wanted.fps):
        raise OperatorMistake("Picture rates lie between 1 and 60.")
    if not 1 <= wanted.windows <= 48 or not 10 <= wanted.seconds <= 3600:
        raise OperatorMistake("Give 1 to 48 stretches of 10 to 3600 seconds.")
    return {
        f"{fps:g} fps": evaluate_behaviour(
            Plan(
                tuple(wanted.seeds),
                fps=fps,
                level=wanted.faults,
                skeleton=wanted.skeleton,
                windows=wanted.windows,
                window_s=wanted.seconds,
            )
        )
        for fps in wanted.fps
    }


def add_alert_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand evaluate alerts``."""
    parser.description = "Judge the alert rules on simulated days with and without events."
    parser.add_argument("--simulated", action="store_true", help="the simulated barn (needed)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12], metavar="SEED")
    parser.add_argument("--horses", type=int, default=10)
    parser.add_argument("--labels", choices=("mild", "rough"), default="mild")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")


def evaluate_alert_rules(wanted: argparse.Namespace) -> dict[str, object]:
    """Measure as asked; returns the report. Raises OperatorMistake for impossible numbers."""
    from engine.evaluation.alerts import alert_report

    if not wanted.simulated:
        raise OperatorMistake("Only the simulated barn knows the truth.", "Add --simulated.")
    if not 4 <= wanted.horses <= 14:
        raise OperatorMistake("A simulated barn with events has 4 to 14 horses.")
    return alert_report(wanted.seeds, wanted.horses, wanted.labels)

"""``barnhand evaluate motion --simulated``: gaits, footfalls, strides and asymmetry against the
simulated barn's exact truth, at several picture rates, with exact and with noisy keypoints.

Each ``Section`` measures one part of the analysis at one rate; whoever adds an analysis adds its
section to ``SECTIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from engine.evaluation.behaviour import action_share
from engine.evaluation.motion_figures import gait_figures, stride_figures
from engine.evaluation.simulated_poses import EXACT, REALISTIC, KeypointNoise

TRUE_ASYMMETRY_MM = (12.0, -8.0, 6.0, 4.0)
"""HDmin, HDmax, PDmin, PDmax of the horse that trots in hand."""

Section = Callable[[float, float, int, KeypointNoise], Mapping[str, object]]
"""(fps, minutes, seed, noise) to figures."""

SECTIONS: dict[str, Section] = {
    "trot_in_hand": lambda fps, minutes, seed, noise: stride_figures(
        fps, minutes, seed, noise, TRUE_ASYMMETRY_MM
    ),
    "gaits_in_the_arena": gait_figures,
    "behaviour": lambda fps, minutes, seed, noise: (
        action_share(fps, minutes, seed) if noise is REALISTIC else {}
    ),
}


def evaluate_simulated_motion(
    rates_fps: tuple[float, ...], minutes: float = 4.0, seed: int = 1
) -> dict[str, object]:
    """The report: for each rate, with exact and with noisy keypoints, every section."""
    rates: dict[str, object] = {}
    for fps in rates_fps:
        rates[f"{fps:g}"] = {
            noise.name: {
                name: dict(section(fps, minutes, seed, noise)) for name, section in SECTIONS.items()
            }
            for noise in (EXACT, REALISTIC)
        }
    return {
        "data": f"simulated:arena?seed={seed}",
        "minutes": minutes,
        "noise": {noise.name: asdict(noise) for noise in (EXACT, REALISTIC)},
        "fps": rates,
        "not_shown": "Simulated horses and modelled keypoint errors: exact, but no measure of real "
        "video. Errors of real poses are of this size only for horses seen from the side.",
    }

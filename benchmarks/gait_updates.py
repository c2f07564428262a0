"""Cost of the gait analysis: live for each pose of a track, and final for each second of a series.

A walking, a trotting and a standing horse of the simulated arena, at 10 and 25 pictures a second,
in CPU time of one thread. A live tracker decides every 0.3 s and only notes the pose in between, so
the mean over all poses is what a camera pays. There is no peer to compare with.

Run: python -m benchmarks.gait_updates [--rounds 15]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from engine.domain.motion import PoseSeries
from engine.evaluation.simulated_poses import REALISTIC, simulated_series
from engine.motion.gait import LiveGait, analyse
from engine.simulation.scenarios import gaits_in_the_arena

PASSES = {"walk": (28.5, 34.5), "trot": (125.8, 132.0), "standing": (90.5, 95.5)}


def live_ms(series: PoseSeries) -> tuple[float, float]:
    """Mean over all poses and the 99th percentile, milliseconds."""
    live = LiveGait(series.poses.skeleton)
    times = []
    for row in range(len(series)):
        began = time.process_time()
        live.update(
            float(series.t_s[row]), series.poses.keypoints_px[row], series.poses.scores[row],
            float(series.scales_px_m[row]),
        )  # fmt: skip
        times.append((time.process_time() - began) * 1e3)
    return float(np.mean(times)), float(np.percentile(times, 99))


def final_ms(series: PoseSeries) -> float:
    """Milliseconds for each second of the series."""
    began = time.process_time()
    analyse(series)
    return (time.process_time() - began) * 1e3 / float(series.t_s[-1] - series.t_s[0])


def main() -> None:
    """Print the figures of every horse and rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    farm = gaits_in_the_arena(1)
    for fps in (10.0, 25.0):
        for name, (start_s, end_s) in PASSES.items():
            one = next(iter(simulated_series(farm, "arena", fps, start_s, end_s, REALISTIC, 1)))
            live = np.median([live_ms(one.series) for _ in range(rounds)], axis=0)
            final = np.median([final_ms(one.series) for _ in range(max(rounds // 5, 1))])
            print(
                f"{name:9} {fps:4.0f} fps: live {live[0]:.2f} ms a pose (99 %: {live[1]:.2f} ms), "
                f"final {final:.0f} ms a second of poses"
            )


if __name__ == "__main__":
    main()

"""Behaviour in the simulated barn: the specification's bar, on seeds that tuned nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.skeletons import EQUINE26
from engine.evaluation.behaviour import Plan, Tally, coarse, evaluate_behaviour
from engine.evaluation.imperfect_pose import MILD, ImperfectPoses
from engine.training.commands import run_evaluate

BAR = 0.95
"""Specification: quality, lying, standing and grazing in the simulated barn."""


@pytest.mark.parametrize(("skeleton", "seed"), [("equine26", 41), ("ap10k", 42)])
def test_lying_standing_and_grazing_are_right_most_of_the_time(skeleton: str, seed: int) -> None:
    plan = Plan(
        (seed,), ("stall", "paddock"), 3.0, skeleton=skeleton, windows=2, window_s=120.0, horses=4,
        events=False,
    )  # fmt: skip
    report = evaluate_behaviour(plan)
    settled, share = report["coarse_settled"], report["lying_standing_grazing"]
    assert isinstance(settled, dict) and isinstance(share, float)
    assert settled["agreement"] >= BAR, settled
    assert share >= BAR - 0.03, "short stretches are mostly beginnings, which nobody can know"


def test_truth_and_labels_meet_in_the_same_words() -> None:
    assert coarse("resting", "sternal") == coarse("rolling", "rolling") == "lying"
    assert coarse("resting", "standing") == coarse("alert", "upright") == "standing"
    assert coarse("running", "upright") == "moving"
    assert coarse("", "") == "unknown"


def test_a_tally_counts_recall_and_precision_by_word() -> None:
    tally = Tally()
    for true, found, seconds in (("a", "a", 6.0), ("a", "b", 2.0), ("b", "b", 2.0)):
        tally.add(true, found, seconds)
    report = tally.report()
    assert report["agreement"] == 0.8
    assert report["by_word"] == {
        "a": {"seconds": 8.0, "recall": 0.75, "precision": 1.0},
        "b": {"seconds": 2.0, "recall": 1.0, "precision": 0.5},
    }


def test_faulty_poses_repeat_with_their_seed_and_miss_hidden_landmarks_more() -> None:
    box = np.array([100, 100, 300, 250], np.float32)
    true = np.random.default_rng(0).uniform(100, 250, (26, 2)).astype(np.float32)
    visible = np.arange(26) % 2 == 0

    def look(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        poses = ImperfectPoses(MILD, seed)
        return [poses.look(1, true, visible, box, False, 0.1) for _ in range(200)]

    first, again, other = look(5), look(5), look(6)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], other[0][0])
    errors = np.linalg.norm(np.stack([points for points, _ in first]) - true, axis=2)
    assert np.median(errors[:, ~visible]) > 2 * np.median(errors[:, visible]) > 0
    scores = np.stack([sure for _, sure in first])
    assert np.median(scores[:, visible]) > 0.7 > np.median(scores[:, ~visible])
    assert len(EQUINE26.landmarks) == 26


def test_the_command_writes_its_report_and_refuses_nonsense(tmp_path: Path) -> None:
    report = tmp_path / "behaviour.json"
    asked = ["behaviour", "--simulated", "--seeds", "43", "--fps", "2", "--windows", "1"]
    assert run_evaluate([*asked, "--seconds", "12", "--report", str(report)]) == 0
    made = json.loads(report.read_text(encoding="utf-8"))
    assert {"actions", "postures", "lying_standing_grazing"} <= set(made["2 fps"])
    with pytest.raises(OperatorMistake, match="truth"):
        run_evaluate(["behaviour"])
    with pytest.raises(OperatorMistake, match="skeleton"):
        evaluate_behaviour(Plan((1,), skeleton="cow"))
    with pytest.raises(OperatorMistake, match="fault level"):
        evaluate_behaviour(Plan((1,), ("stall",), 2.0, "awful", windows=1, window_s=10.0))

"""The figures come from the public package and mean what they are called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.evaluation.metrics import tracking_figures
from engine.evaluation.mot import MotTable, mot_table
from engine.training.commands import run_evaluate

MEASURED_PEERS = {
    "BoT-SORT": (0.534, 0.745),
    "OC-SORT": (0.488, 0.680),
    "ByteTrack": (0.468, 0.603),
}
"""HOTA and IDF1 on TUD-Campus, `trackers` 2.6.1 with its defaults (benchmarks/tracker_peers)."""


def table(*rows: tuple[float, ...]) -> MotTable:
    return mot_table(np.array([(*row, 1.0) for row in rows], np.float64))


WALK = [(f, 1.0, 10.0 * f, 0.0, 50.0, 100.0) for f in range(1, 11)]


def test_perfect_tracks_score_one() -> None:
    figures = tracking_figures(table(*WALK), table(*WALK), 10)
    assert (figures.hota, figures.idf1, figures.mota) == pytest.approx((1, 1, 1))
    assert (figures.id_switches, figures.objects, figures.tracks) == (0, 1, 1)


def test_a_switch_halfway_costs_identity_and_not_detection() -> None:
    halves = [(f, 1.0 if f <= 5 else 2.0, *box) for f, _, *box in WALK]
    figures = tracking_figures(table(*WALK), table(*halves), 10)
    assert figures.id_switches == 1
    assert figures.idf1 == pytest.approx(0.5)
    assert figures.deta == pytest.approx(1.0)
    assert figures.assa == pytest.approx(0.5)


def test_misses_and_ghosts_are_counted() -> None:
    tracks = [*WALK[:8], (3.0, 9.0, 500.0, 500.0, 20.0, 20.0)]
    figures = tracking_figures(table(*WALK), table(*tracks), 10)
    assert (figures.misses, figures.false_positives) == (2, 1)
    assert figures.mota == pytest.approx(0.7)


def test_unasked_and_distractor_boxes_count_for_nothing() -> None:
    rows = [
        (1, 1, 0, 0, 50, 100, 1, 1, 1),
        (1, 2, 200, 0, 50, 100, 0, 1, 1),  # flagged 0: not asked for
        (1, 3, 400, 0, 50, 100, 1, 7, 1),  # a static person: finding it is no mistake
    ]
    truth = mot_table(np.array(rows, np.float64))
    tracks = table((1, 1, 0, 0, 50, 100), (1, 2, 400, 0, 50, 100))
    figures = tracking_figures(truth, tracks, 1)
    assert (figures.object_boxes, figures.track_boxes) == (1, 1)
    assert figures.mota == pytest.approx(1.0)


def test_an_id_twice_in_a_frame_is_refused() -> None:
    with pytest.raises(OperatorMistake, match="id 1 occurs 2 times in frame 1"):
        tracking_figures(table(WALK[0], WALK[0]), table(*WALK), 10)


def test_no_tracks_at_all_is_a_result_too() -> None:
    figures = tracking_figures(table(*WALK), mot_table(np.zeros((0, 7))), 10)
    assert (figures.hota, figures.idf1, figures.misses) == (0, 0, 10)


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(OperatorMistake, match="TrackEval"):
        tracking_figures(table(*WALK), table(*WALK), 10)


def test_the_command_measures_public_detections(shared: Path, tmp_path: Path) -> None:
    """Live output, on equal terms with the peers' defaults: above all but BoT-SORT
    (0.534 / 0.745). The saved tracks have gaps filled, which no peer's figures have."""
    folder, report = shared / "data" / "mot" / "tud" / "TUD-Campus", tmp_path / "report.json"
    arguments = ["--gt", str(folder / "gt.txt"), "--det", str(folder / "det.txt")]
    assert run_evaluate(["tracking", *arguments, "--fps", "25", "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    for name, (hota, idf1) in MEASURED_PEERS.items():
        if name != "BoT-SORT":
            assert figures["online"]["hota"] >= hota
            assert figures["online"]["idf1"] >= idf1
    assert figures["hota"] >= figures["online"]["hota"] >= 0.51
    assert figures["id_switches"] <= 4
    assert figures["mota"] > 0.6


def test_the_simulated_barn_is_measured_and_the_same_again(tmp_path: Path) -> None:
    reports = []
    for run in range(2):
        report, tracks = tmp_path / f"{run}.json", tmp_path / f"{run}.txt"
        arguments = ["--simulated", "--horses", "3", "--minutes", "0.2", "--seed", "5"]
        paths = ["--report", str(report), "--tracks", str(tracks)]
        assert run_evaluate(["tracking", *arguments, *paths]) == 0
        figures = json.loads(report.read_text())
        figures.pop("update_ms")
        reports.append((figures, tracks.read_text()))
    assert reports[0] == reports[1]
    figures, tracks_text = reports[0]
    assert figures["objects"] == 3
    assert figures["hota"] > 0.5
    assert set(figures["tracks_per_horse"]) and tracks_text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give --gt and --det"),
        (["--gt", "a.txt"], "Give --gt and --det"),
        (["--simulated", "--gt", "a.txt"], "not both"),
        (["--simulated", "--fps", "-3"], "impossible"),
        (["--simulated", "--faults", "awful"], "no fault level"),
        (["--simulated", "--camera", "moon"], "no simulated camera"),
        (["--simulated", "--minutes", "0"], "some minutes"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(OperatorMistake, match=said):
        run_evaluate(["tracking", *arguments])


@pytest.mark.parametrize(
    ("truth", "detections", "said"),
    [
        ("1,-1,0,0,5,6,1\n", "1,-1,0,0,5,6,1\n", "wrong way round"),
        ("1,1,0,0,5,6,1\n", "9,-1,0,0,5,6,1\n", "share no frame"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, truth: str, detections: str, said: str
) -> None:
    (tmp_path / "gt.txt").write_text(truth)
    (tmp_path / "det.txt").write_text(detections)
    paths = ["--gt", str(tmp_path / "gt.txt"), "--det", str(tmp_path / "det.txt")]
    with pytest.raises(OperatorMistake, match=said):
        run_evaluate(["tracking", *paths])

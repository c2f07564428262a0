"""``barnhand analyse`` on whole, broken and misnamed recordings, with the models at hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from barnhand_desktop.analyse import add_arguments, run_analyse
from barnhand_desktop.settings.folders import Folders
from barnhand_desktop.settings.schema import Settings
from engine.domain.motion import Action, Gait
from engine.domain.skeletons import SKELETONS
from tests.helpers.movies import colour_card, write_movie

Analyse = Callable[..., int]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def analyse(tmp_path: Path, out: Path) -> Analyse:
    def run(*videos: Path, every: int = 1, render: bool = False, **other: Any) -> int:
        folders = Folders(tmp_path / "data", tmp_path / "media", other.pop("models", ()))
        return run_analyse(
            videos, out, every=every, render=render, settings=Settings(), folders=folders, **other
        )

    return run


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_picture_has_a_row_in_the_recordings_own_time(
    analyse: Analyse, tmp_path: Path, out: Path
) -> None:
    movie = write_movie(tmp_path / "yard.mp4", frames=60, fps=20)
    told: list[str] = []
    assert analyse(movie, progress=told.append) == 0
    rows = rows_of(out / "yard.jsonl")
    assert [row["frame"] for row in rows] == list(range(60))
    assert [row["t_s"] for row in rows] == pytest.approx([n / 20 for n in range(60)], abs=1e-4)
    assert all((row["width"], row["height"]) == (320, 180) for row in rows)
    assert [path.name for path in out.iterdir()] == ["yard.jsonl"]
    assert "60 pictures analysed" in told[-1]


def test_every_nth_picture_and_a_rendered_video_of_even_size(
    analyse: Analyse, tmp_path: Path, out: Path
) -> None:
    movie = write_movie(
        tmp_path / "odd.mkv", size=(321, 181), frames=25, codec="ffv1", pixels="yuv444p"
    )
    assert analyse(movie, every=4, render=True) == 0
    assert [row["frame"] for row in rows_of(out / "odd.jsonl")] == [0, 4, 8, 12, 16, 20, 24]
    with av.open(str(out / "odd.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (322, 182)
        assert stream.codec_context.name in ("h264", "mpeg4")
        times_s = [frame.time for frame in container.decode(stream)]
    assert times_s == pytest.approx([n * 4 / 25 for n in range(7)], abs=0.002)


def test_broken_recordings_are_told_once_and_the_others_are_analysed(
    analyse: Analyse, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.mp4"
    encoded, data = cv2.imencode(".png", colour_card(64, 48, 0))
    assert encoded
    picture.write_bytes(data.tobytes())
    whole = write_movie(tmp_path / "whole.mp4", frames=10)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    missing = tmp_path / "missing.mp4"
    assert analyse(picture, missing, cut, whole) == 1
    faults = capsys.readouterr().err.splitlines()
    for name, words in (
        ("picture.mp4", "is a picture (PNG)"),
        ("missing.mp4", "There is no file"),
        ("cut.mp4", "is cut off"),
    ):
        told = [line for line in faults if name in line]
        assert len(told) == 1
        assert words in told[0]
    assert [path.name for path in out.iterdir()] == ["whole.jsonl"]
    assert len(rows_of(out / "whole.jsonl")) == 10


def test_a_recording_without_its_end_gives_what_it_has_and_says_so(
    analyse: Analyse, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_movie(tmp_path / "whole.mkv", frames=50)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert analyse(whole, cut) == 1
    told = [
        line for line in capsys.readouterr().err.splitlines() if "whole" in line or "cut" in line
    ]
    assert len(told) == 1
    assert told[0].startswith("cut.mkv is incomplete: it ends after")
    assert len(rows_of(out / "whole.jsonl")) == 50
    assert 10 <= len(rows_of(out / "cut.jsonl")) <= 35


def test_an_interruption_leaves_nothing_unfinished(
    analyse: Analyse, tmp_path: Path, out: Path
) -> None:
    first = write_movie(tmp_path / "first.mp4", frames=3)
    second = write_movie(tmp_path / "second.mp4", frames=3)

    def interrupt(line: str) -> None:
        if line.startswith("second"):
            raise KeyboardInterrupt

    assert analyse(first, second, render=True, progress=interrupt) == 130
    assert sorted(path.name for path in out.iterdir()) == ["first.jsonl", "first.mp4"]


def test_equal_names_are_kept_apart(analyse: Analyse, tmp_path: Path, out: Path) -> None:
    (tmp_path / "other").mkdir()
    one = write_movie(tmp_path / "stall.mp4", frames=3)
    two = write_movie(tmp_path / "other" / "stall.mp4", frames=5)
    assert analyse(one, two) == 0
    assert len(rows_of(out / "stall.jsonl")) == 3
    assert len(rows_of(out / "stall-2.jsonl")) == 5


def test_a_recording_is_never_replaced(analyse: Analyse, out: Path) -> None:
    out.mkdir()
    movie = write_movie(out / "stall.mp4", frames=3)
    before = movie.read_bytes()
    assert analyse(movie, render=True) == 2
    assert movie.read_bytes() == before


@pytest.mark.parametrize("every", ["0", "-1", "1.5", "x"])
def test_every_must_be_a_whole_number_from_1(every: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["a.mp4", "--out", "d"]).every == 1
    with pytest.raises(SystemExit) as refused:
        parser.parse_args(["a.mp4", "--out", "d", f"--every={every}"])
    assert refused.value.code == 2


def test_the_jumping_horse_is_found(analyse: Analyse, shared: Path, out: Path) -> None:
    clip = shared / "data" / "video" / "jump_256.mp4"
    assert analyse(clip, every=5, models=(shared / "models",)) == 0
    rows = rows_of(out / "jump_256.jsonl")
    assert [row["frame"] for row in rows] == list(range(0, 58, 5))
    horses = [horse for row in rows for horse in row["horses"]]
    assert len([row for row in rows if row["horses"]]) >= len(rows) / 2
    landmarks = [set(skeleton.landmarks) for skeleton in SKELETONS.values()]
    for horse in horses:
        x1, y1, x2, y2 = horse["bbox_xyxy_px"]
        assert x1 < x2
        assert y1 < y2
        assert horse["horse_id"] is None
        assert horse["gait"] in {None, *(gait.label for gait in Gait)}
        assert horse["action"] in {None, *(action.label for action in Action)}
        assert not horse["keypoints"] or set(horse["keypoints"]) in landmarks

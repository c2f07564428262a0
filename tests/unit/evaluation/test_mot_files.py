"""MOT files: what is read, and what is refused with words that help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.evaluation.mot import find_sequence_info, read_mot, write_mot
from engine.evaluation.tracking import filled, track_detections, unit_scores


def written(folder: Path, text: str) -> Path:
    path = folder / "boxes.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_ordered_by_frame_and_boxes_become_corners(tmp_path: Path) -> None:
    table = read_mot(written(tmp_path, "2,7,10,20,30,40,0.5,-1,-1,-1\n\n1,3,0,0,5,6,0.9,1,1,1\n"))
    assert table.frames.tolist() == [1, 2]
    assert table.ids.tolist() == [3, 7]
    assert table.boxes_xyxy_px.tolist() == [[0, 0, 5, 6], [10, 20, 40, 60]]
    assert table.scores == pytest.approx([0.9, 0.5])
    assert table.classes.tolist() == [1, -1]
    assert [table.rows_of(f) for f in (1, 2, 3)] == [slice(0, 1), slice(1, 2), slice(2, 2)]


def test_short_rows_and_spaces_are_understood(tmp_path: Path) -> None:
    table = read_mot(written(tmp_path, "1 -1 0 0 5 6\n2 -1 0 0 5 6\n"))
    assert table.scores.tolist() == [1, 1]
    assert table.classes.tolist() == [-1, -1]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    table = read_mot(written(tmp_path, "1,3,0.5,0,5,6,0.9\n4,3,2,2,5,6,0.25\n"))
    write_mot(tmp_path / "again.txt", table)
    again = read_mot(tmp_path / "again.txt")
    assert again.boxes_xyxy_px == pytest.approx(table.boxes_xyxy_px)
    assert again.frames.tolist() == [1, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no boxes"),
        ("\n \n", "holds no boxes"),
        ("1,1,0,0,5,6,1\n1,2,0,0,5\n", "line 2 has 5 columns"),
        ("1,1,0,0,5,6,1\n1,2,0,0,5,6\n", "cut off"),
        ("1,1,0,0,5,6,1,1,1,1,1\n", "line 1 has 11 columns"),
        ("1,1,a,0,5,6,1\n", "are no numbers"),
        ("1,1,nan,0,5,6,1\n", "not finite"),
        ("0,1,0,0,5,6,1\n", "no frame number"),
        ("1.5,1,0,0,5,6,1\n", "no frame number"),
        ("99999999,1,0,0,5,6,1\n", "no frame number"),
        ("1,1,0,0,0,6,1\n", "no area"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OperatorMistake, match=said):
        read_mot(written(tmp_path, text))


def test_absent_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="There is no file"):
        read_mot(tmp_path / "none.txt")
    (tmp_path / "boxes.bin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(OperatorMistake, match="cannot be read as text"):
        read_mot(tmp_path / "boxes.bin")


def test_the_sequence_tells_its_rate_from_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / "det").mkdir()
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=Barn\nframeRate=12.5\nseqLength=9\n")
    info = find_sequence_info(tmp_path / "det" / "det.txt")
    assert info is not None
    assert (info.name, info.fps, info.frames) == ("Barn", 12.5, 9)


@pytest.mark.parametrize("text", ["nonsense", "[Sequence]\nframeRate=fast\n", "[Other]\na=1\n"])
def test_a_damaged_sequence_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "seqinfo.ini").write_text(text)
    with pytest.raises(OperatorMistake, match="is damaged"):
        find_sequence_info(tmp_path / "gt.txt")


def test_scores_outside_the_unit_range_are_brought_there() -> None:
    inside = np.array([0.2, 0.9], np.float32)
    assert unit_scores(inside) is inside
    assert unit_scores(np.array([-1, -1], np.float32)).tolist() == [1, 1]
    margins = unit_scores(np.array([-2, 0, 3], np.float32))
    assert margins[1] == pytest.approx(0.5)
    assert 0 < margins[0] < margins[1] < margins[2] < 1


def test_a_missed_picture_is_filled_in_what_is_saved_only(tmp_path: Path) -> None:
    lines = [f"{f},-1,{10 * f},50,80,60,0.9\n" for f in range(1, 12) if f != 7]
    run = track_detections(read_mot(written(tmp_path, "".join(lines))), 11, 25.0)
    assert 7 not in run.online.frames
    assert set(run.saved.ids.tolist()) == {1}
    box = run.saved.boxes_xyxy_px[run.saved.rows_of(7)][0]
    assert box == pytest.approx([70, 50, 150, 110], abs=2.0)
    assert len(filled(run.online, 1.0)) == len(run.online), "at one picture a second 2 s are missed"

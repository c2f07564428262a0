"""Boxes over time in the MOT Challenge's text format.

One line a box: frame (from 1), id (-1 for a detection), left, top, width, height in pixels, score
or flag, then class and visibility in ground truth from 2016 on (-1 elsewhere). Milan et al. 2016,
"MOT16: A benchmark for multi-object tracking".
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, read_only

FEWEST_COLUMNS, MOST_COLUMNS = 6, 10
NO_CLASS = -1
HIGHEST_FRAME = 10_000_000


@dataclass(frozen=True, slots=True)
class MotTable:
    """N boxes ordered by frame.

    frames, ids, classes: int64 (N,); classes are -1 where the file states none.
    boxes_xyxy_px: float32 (N, 4). scores: float32 (N,), the seventh column, 1 where absent.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xyxy_px: FloatArray
    scores: FloatArray
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        for column in (self.frames, self.ids, self.boxes_xyxy_px, self.scores, self.classes):
            read_only(column)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def last_frame(self) -> int:
        """Highest frame number, 0 without boxes."""
        return int(self.frames[-1]) if len(self) else 0

    def rows_of(self, frame: int) -> slice:
        """Where one frame's boxes are."""
        first, end = np.searchsorted(self.frames, (frame, frame + 1))
        return slice(int(first), int(end))

    def select(self, rows: NDArray[np.bool_]) -> MotTable:
        """The rows of a mask."""
        return MotTable(
            self.frames[rows],
            self.ids[rows],
            self.boxes_xyxy_px[rows],
            self.scores[rows],
            self.classes[rows],
        )


def mot_table(values: NDArray[np.float64]) -> MotTable:
    """A table from rows of the format's columns, float64 (N, 6 to 10), in any order of frames."""
    values = values[np.argsort(values[:, 0], kind="stable")]
    count, width = values.shape
    corners = np.concatenate([values[:, 2:4], values[:, 2:4] + values[:, 4:6]], axis=1)
    return MotTable(
        frames=values[:, 0].astype(np.int64),
        ids=values[:, 1].astype(np.int64),
        boxes_xyxy_px=corners.astype(np.float32),
        scores=(values[:, 6] if width > 6 else np.ones(count)).astype(np.float32),
        classes=(values[:, 7] if width > 7 else np.full(count, NO_CLASS)).astype(np.int64),
    )


def read_mot(path: Path) -> MotTable:
    """Read a file. Raises OperatorMistake naming the file and the first wrong line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise OperatorMistake(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorMistake(f"{path} cannot be read as text: {error}") from error
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            rows.append(_row(line, f"{path.name}, line {number}", rows))
    if not rows:
        raise OperatorMistake(f"{path} holds no boxes.", _FORMAT)
    return mot_table(np.array(rows, np.float64))


_FORMAT = "A line is: frame, id, left, top, width, height, score, separated by commas."


def _row(line: str, where: str, earlier: list[list[float]]) -> list[float]:
    parts = line.split(",") if "," in line else line.split()
    while parts and not parts[-1].strip():
        parts.pop()
    try:
        values = [float(part) for part in parts]
    except ValueError as error:
        raise OperatorMistake(f"{where}: {line.strip()[:60]!r} are no numbers.", _FORMAT) from error
    if not FEWEST_COLUMNS <= len(values) <= MOST_COLUMNS:
        raise OperatorMistake(f"{where} has {len(values)} columns.", _FORMAT)
    if earlier and len(values) != len(earlier[0]):
        raise OperatorMistake(
            f"{where} has {len(values)} columns, the lines before have {len(earlier[0])}.",
            "Is the file cut off?",
        )
    if not np.isfinite(values).all():
        raise OperatorMistake(f"{where} holds a value that is not finite.")
    if values[0] != int(values[0]) or not 1 <= values[0] <= HIGHEST_FRAME:
        raise OperatorMistake(f"{where}: {values[0]:g} is no frame number.", "Frames count from 1.")
    if values[4] <= 0 or values[5] <= 0:
        raise OperatorMistake(f"{where}: a box of {values[4]:g} x {values[5]:g} px has no area.")
    return values


def write_mot(path: Path, table: MotTable) -> None:
    """Write a table as tracker results. Raises OperatorMistake when the file cannot be written."""
    corners = table.boxes_xyxy_px
    lines = [
        f"{frame},{number},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1\n"
        for frame, number, (x1, y1, x2, y2), score in zip(
            table.frames.tolist(),
            table.ids.tolist(),
            corners.tolist(),
            table.scores.tolist(),
            strict=True,
        )
    ]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise OperatorMistake(f"The tracks cannot be written: {error}") from error


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What a ``seqinfo.ini`` says; None where it does not."""

    name: str | None
    fps: float | None
    frames: int | None


def find_sequence_info(*files: Path) -> SequenceInfo | None:
    """The ``seqinfo.ini`` beside one of the files or a folder above (the challenge's layout).

    Raises OperatorMistake for a damaged one.
    """
    for file in files:
        for folder in (file.resolve().parent, file.resolve().parent.parent):
            candidate = folder / "seqinfo.ini"
            if candidate.is_file():
                return _read_info(candidate)
    return None


def _read_info(path: Path) -> SequenceInfo:
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8-sig")
        section = parser["Sequence"]
        fps, frames = section.getfloat("frameRate"), section.getint("seqLength")
    except (configparser.Error, KeyError, ValueError, OSError) as error:
        raise OperatorMistake(
            f"{path} is damaged: {error}", "Correct it, or remove it and give --fps."
        ) from error
    if fps is not None and not 0 < fps <= 1000:
        raise OperatorMistake(f"{path}: {fps:g} pictures a second are impossible.")
    return SequenceInfo(section.get("name"), fps, frames)

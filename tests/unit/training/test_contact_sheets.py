"""Contact sheets: what was found, on the pictures or alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.models.detectors import DetectorOptions, grid_detector
from engine.training.contact_sheets import look_at
from tests.helpers.tiny_models import Opener, bright_cell_yolox, entry_of

SIDE_PX = 160


def test_a_bare_sheet_shows_what_was_found_and_nothing_of_the_picture(tmp_path: Path) -> None:
    path = bright_cell_yolox(tmp_path / "cells.onnx", ["batch", 3, SIDE_PX, SIDE_PX])
    entry = entry_of(
        path, task="detector", layout="yolox",
        input={"width_px": SIDE_PX, "height_px": SIDE_PX, "colour": "bgr", "std": (1.0, 1.0, 1.0)},
    )  # fmt: skip
    options = DetectorOptions(minimum_box_px=1.0)
    detector = grid_detector(entry, Opener(entry, path), "cpu", options)
    pictures = []
    for level in (10, 30):
        picture = np.full((SIDE_PX, SIDE_PX, 3), level, np.uint8)
        picture[64:96, 64:96] = 255
        pictures.append(picture)
    full, figures = look_at(pictures, detector, None, 0.3, columns=2)
    bare, again = look_at(pictures, detector, None, 0.3, columns=2, bare=True)
    detector.close()
    assert figures == again and figures["with_horse"] == 1.0
    width = full.shape[1] // 2
    assert (full[:, :width] != full[:, width:]).any()
    np.testing.assert_array_equal(bare[:, :width], bare[:, width:])
    assert (bare != bare[0, 0]).any()

"""Placing pictures on the canvas and bringing boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.errors import Bug
from engine.models.letterbox import Canvas, Letterbox, shifted, within


def test_a_wide_picture_gets_a_rectangular_canvas_of_multiples_of_32() -> None:
    canvas = Letterbox(640, 640, rectangular=True, anchor="centre").canvas(360, 640)
    assert canvas == Canvas(height_px=384, width_px=640, left_px=0, top_px=12)


def test_a_fixed_input_gets_the_whole_canvas() -> None:
    box = Letterbox(640, 640, rectangular=False, anchor="centre")
    assert box.canvas(360, 640) == Canvas(640, 640, 0, 140)


def test_an_odd_padding_puts_the_extra_pixel_right_and_below() -> None:
    canvas = Letterbox(64, 64, rectangular=False, anchor="centre").canvas(61, 59)
    assert (canvas.left_px, canvas.top_px) == (2, 1)


def test_top_left_pads_right_and_below() -> None:
    box = Letterbox(64, 64, rectangular=False, anchor="top left")
    canvas = box.canvas(20, 30)
    filled = box.fill([np.full((20, 30, 3), 9, np.uint8)], canvas)
    assert (filled[0, :20, :30] == 9).all()
    assert (filled[0, 20:] == 114).all()
    assert (filled[0, :, 30:] == 114).all()


def test_a_smaller_picture_leaves_nothing_of_the_one_before() -> None:
    box = Letterbox(64, 64, rectangular=False, anchor="top left")
    box.fill([np.full((64, 64, 3), 9, np.uint8)], box.canvas(64, 64))
    filled = box.fill([np.full((20, 30, 3), 7, np.uint8)], box.canvas(20, 30))
    assert (filled[0, 20:] == 114).all()
    assert (filled[0, :, 30:] == 114).all()


def test_a_picture_that_was_not_scaled_to_fit_is_a_bug() -> None:
    with pytest.raises(Bug, match="65x10"):
        Letterbox(64, 64, rectangular=True, anchor="centre").canvas(10, 65)


def test_boxes_come_back_to_the_picture_and_are_cut() -> None:
    canvas = Canvas(384, 640, left_px=0, top_px=12)
    boxes = np.array([[10, 22, 110, 72], [-5, 0, 700, 390]], np.float32)
    back = within(shifted(boxes, canvas), (360, 640, 3))
    np.testing.assert_allclose(back, [[10, 10, 110, 60], [0, 0, 640, 360]])
    assert back.dtype == np.float32

"""Planes become the same colours and places as a conversion of the whole picture."""

from __future__ import annotations

import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.domain.geometry import crop_affine
from engine.sources.pictures import ArrayPicture, PlanesPicture, picture_of
from tests.helpers.movies import colour_card, write_movie

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


def planes_of(
    bgr: Image, weights: tuple[float, float], full_range: bool
) -> tuple[Image, Image, Image]:
    """Y, Cb, Cr codes at full size by the definition in ITU-T H.273, rounded."""
    red, blue = weights
    b, g, r = (bgr[..., i].astype(np.float64) for i in range(3))
    luma = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    scale, offset, chroma = (1.0, 0.0, 1.0) if full_range else (219 / 255, 16.0, 224 / 255)
    y = luma * scale + offset
    codes = (y, cb * chroma + 128, cr * chroma + 128)
    return tuple(np.clip(np.round(c), 0, 255).astype(np.uint8) for c in codes)  # type: ignore[return-value]


def subsampled(plane: Image) -> Image:
    height, width = plane.shape
    return np.asarray(
        cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8
    )


def picture_from(bgr: Image, weights: tuple[float, float], full_range: bool) -> PlanesPicture:
    y, cb, cr = planes_of(bgr, weights, full_range)
    return PlanesPicture(y, (subsampled(cb), subsampled(cr)), full_range, weights)


def difference(a: Image, b: Image) -> NDArray[np.int64]:
    return np.abs(a.astype(np.int64) - b.astype(np.int64))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("weights", [BT601, BT709, BT2020])
def test_colours_survive_every_coding(weights: tuple[float, float], full_range: bool) -> None:
    card = cv2.GaussianBlur(colour_card(192, 108, 3), (0, 0), 2)
    picture = picture_from(np.asarray(card, np.uint8), weights, full_range)
    whole = difference(picture.scaled_bgr(192, 108), card)
    assert whole.mean() < 1.2
    assert np.percentile(whole, 99.5) <= 9  # chroma has half the resolution
    other = BT709 if weights == BT601 else BT601
    wrong = PlanesPicture(picture._luma, picture._chroma, full_range, other)
    assert difference(wrong.scaled_bgr(192, 108), card).mean() > 2.5
    wrong = PlanesPicture(picture._luma, picture._chroma, not full_range, weights)
    assert difference(wrong.scaled_bgr(192, 108), card).mean() > 4


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "nv12", "yuv420p10le", "gray"])
def test_planes_agree_with_ffmpegs_conversion(pixels: str) -> None:
    card = cv2.GaussianBlur(colour_card(320, 180, 0), (0, 0), 2)
    frame = av.VideoFrame.from_ndarray(np.asarray(card, np.uint8), "bgr24").reformat(format=pixels)
    whole = frame.reformat(format="bgr24").to_ndarray()
    picture = picture_of(frame)
    assert (picture.width_px, picture.height_px) == (320, 180)
    assert difference(picture.scaled_bgr(320, 180), whole).mean() < 1.5
    small = cv2.resize(whole, (107, 60), interpolation=cv2.INTER_AREA)
    assert difference(picture.scaled_bgr(107, 60), small).mean() < 3
    assert difference(picture.scaled_bgra(107, 60)[..., :3], small).mean() < 3


def test_declared_range_and_matrix_are_used() -> None:
    card = np.asarray(cv2.GaussianBlur(colour_card(320, 180, 0), (0, 0), 2), np.uint8)
    for colour_space, weights in ((1, BT709), (6, BT601), (9, BT2020)):
        for colour_range, full in ((1, False), (2, True)):
            y, cb, cr = planes_of(card, weights, full)
            frame = av.VideoFrame.from_ndarray(np.zeros((270, 320), np.uint8), "yuv420p")
            for plane, codes in zip(frame.planes, (y, subsampled(cb), subsampled(cr)), strict=True):
                padded = np.zeros((plane.height, plane.line_size), np.uint8)
                padded[:, : plane.width] = codes
                plane.update(padded.tobytes())
            frame.colorspace, frame.color_range = colour_space, colour_range
            assert difference(picture_of(frame).scaled_bgr(320, 180), card).mean() < 1.5


@pytest.mark.parametrize("scale", [0.1, 0.35, 0.8, 2.0])
def test_crops_agree_with_crops_of_the_whole_picture(scale: float) -> None:
    card = np.asarray(cv2.GaussianBlur(colour_card(640, 360, 5), (0, 0), 3), np.uint8)
    matrix = np.array([[scale, 0.1 * scale, -30.0 * scale], [-0.1 * scale, scale, 12.0]])
    crop = picture_from(card, BT601, False).warped_bgr(matrix, 96, 96, fill=114)
    from_array = ArrayPicture(card.copy()).warped_bgr(matrix, 96, 96, fill=114)
    assert difference(crop, from_array).mean() < 1.5
    plain = cv2.warpAffine(card, matrix, (96, 96), borderValue=(114, 114, 114))
    assert difference(crop, plain).mean() < 3


def test_crops_land_where_the_map_says() -> None:
    """A sharp red square keeps its place in luma and in colour, shrunken or not."""
    bgr = np.full((400, 600, 3), 90, np.uint8)
    bgr[200:280, 300:420] = (20, 20, 230)
    for picture in (ArrayPicture(bgr.copy()), picture_from(bgr, BT709, False)):
        for size in (240, 96, 40, 20):
            matrix = crop_affine(np.array([260, 160, 460, 320], np.float32), size, size, 1.25)
            crop = picture.warped_bgr(matrix, size, size).astype(int)
            red = crop[..., 2] - crop[..., 0] > 105
            rows, columns = np.nonzero(red)
            # Pixel i covers i - 0.5 to i + 0.5 in the map's coordinates.
            found = [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5]
            corners = matrix @ np.array([[299.5, 419.5], [199.5, 279.5], [1, 1]])
            expected = [*corners[:, 0], *corners[:, 1]]
            assert np.abs(np.array(found) - expected).max() <= 1.01


def test_outside_is_the_fill() -> None:
    bgr = np.full((100, 100, 3), 200, np.uint8)
    away = np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 500.0]])
    for fill in (0, 114, 255):
        assert (ArrayPicture(bgr.copy()).warped_bgr(away, 20, 20, fill) == fill).all()
        for full_range in (False, True):
            crop = picture_from(bgr, BT601, full_range).warped_bgr(away, 20, 20, fill)
            assert difference(crop, np.full_like(crop, fill)).max() <= 1


def test_shrinking_does_not_alias() -> None:
    """A fine checkerboard becomes grey, not a pattern."""
    board = (np.indices((720, 1280)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = ArrayPicture(cv2.merge([board] * 3))
    assert picture.scaled_bgr(320, 180).std() < 2
    crop = picture.warped_bgr(np.array([[0.25, 0, 0], [0, 0.25, 0]]), 300, 170)
    assert crop[1:, 1:].std() < 2  # the first row and column are half outside


def test_odd_sizes() -> None:
    bgr = np.asarray(cv2.GaussianBlur(colour_card(327, 181, 0), (0, 0), 2), np.uint8)
    frame = av.VideoFrame.from_ndarray(bgr, "bgr24").reformat(format="yuv420p")
    picture = picture_of(frame)
    assert difference(picture.scaled_bgr(327, 181), bgr).mean() < 3
    assert picture.scaled_bgra(81, 45).shape == (45, 81, 4)


def test_many_threads_get_the_same_pictures() -> None:
    card = np.asarray(cv2.GaussianBlur(colour_card(640, 360, 5), (0, 0), 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(card, "bgr24").reformat(format="yuv420p")
    picture = picture_of(frame)
    matrix = np.array([[0.4, 0.0, 0.0], [0.0, 0.4, 0.0]])
    sizes = [(320, 180), (213, 120), (64, 36), (640, 360)]
    expected = [picture.scaled_bgr(*size) for size in sizes]
    crop = picture.warped_bgr(matrix, 96, 96)
    wrong: list[int] = []

    def work(place: int) -> None:
        for _ in range(40):
            same = np.array_equal(picture.scaled_bgr(*sizes[place]), expected[place])
            if not (same and np.array_equal(picture.warped_bgr(matrix, 96, 96), crop)):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)], ids=["90", "180", "270"]
)
def test_turned_videos_are_shown_upright(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    """A phone's display matrix is obeyed, as OpenCV obeys it."""
    movie = write_movie(tmp_path / "phone.mp4", frames=2)
    content = movie.read_bytes()
    one = 0x10000

    def packed(a: int, b: int, c: int, d: int) -> bytes:
        values = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 0x40000000)
        return b"".join(v.to_bytes(4, "big", signed=True) for v in values)

    track = content.index(b"tkhd")
    place = content.index(packed(1, 0, 0, 1), track)
    turned = content[:place] + packed(*matrix) + content[place + 36 :]
    movie.write_bytes(turned)
    capture = cv2.VideoCapture(str(movie))
    got, expected = capture.read()
    capture.release()
    assert got
    with av.open(str(movie)) as container:
        picture = picture_of(next(container.decode(video=0)))
    height, width = expected.shape[:2]
    assert (picture.width_px, picture.height_px) == (width, height)
    shown = picture.scaled_bgr(width, height)
    assert difference(shown, np.asarray(expected, np.uint8)).mean() < 4

"""The picture of all lanes within a window, drawn once for every change of what is on show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from engine.domain.behaviour import LaneKind
from ui.timeline.lane_tile import LaneTile, Row
from ui.timeline.lanes import LaneRow
from ui.timeline.marks import Mark
from ui.timeline.raster import (
    Codes,
    Columns,
    Paints,
    Part,
    bar_codes,
    codes,
    columns_of,
    segments,
    set_apart,
    shown,
)
from ui.timeline.tile_loader import Piece

STRIPE_PX = 3
WORD_PX = 34
"""Narrower stretches carry no word."""
MARKER_PX = 9
"""Alerts nearer to each other than this share a marker, the gravest of them."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a bar wide enough for a word, in logical pixels of the picture."""

    x: float
    y: int
    width: float
    height: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Marker:
    """An alert over a bar: where it begins, in logical pixels, and how grave it is."""

    x: float
    y: int
    mark: Mark


@dataclass
class LanePicture:
    """``image`` covers the rows from ``top`` on; stretches and markers lie in it. ``canvas`` holds
    the image's pixels."""

    image: QImage
    canvas: NDArray[np.uint32]
    stretches: list[Stretch] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a picture is made of: logical width and height in pixels, first row of pixels, device
    pixels per logical one."""

    start_us: int
    us_per_px: float
    width: int
    height: int
    top: int
    ratio: float = 1.0


def draw(
    frame: Frame, rows: Sequence[LaneRow], pieces: Sequence[Piece[LaneTile]], paints: Paints
) -> LanePicture:
    """Draw every row within the frame."""
    ratio = frame.ratio
    width, height = round(frame.width * ratio), round(frame.height * ratio)
    canvas = np.zeros((max(height, 1), max(width, 1)), np.uint32)
    columns = columns_of(frame.start_us, frame.us_per_px / ratio, canvas.shape[1])
    result = LanePicture(QImage(), canvas)
    shift = int(frame.start_us // max(columns.us_per_px, 1.0))
    for row in rows:
        if row.subject is None or not -row.height < row.y - frame.top < frame.height:
            continue
        _draw_row(frame, row, pieces, paints, columns, canvas, shift, result)
    image = QImage(
        canvas.data,
        canvas.shape[1],
        canvas.shape[0],
        canvas.strides[0],
        QImage.Format.Format_ARGB32_Premultiplied,
    )
    image.setDevicePixelRatio(ratio)
    result.image = image
    return result


def _draw_row(
    frame: Frame,
    row: LaneRow,
    pieces: Sequence[Piece[LaneTile]],
    paints: Paints,
    columns: Columns,
    canvas: NDArray[np.uint32],
    shift: int,
    result: LanePicture,
) -> None:
    assert row.subject is not None
    subject, ratio, y = row.subject.id, frame.ratio, row.bar_y - frame.top
    parts = _parts(pieces, subject, row.row)
    found = shown(parts, columns)
    main = codes(parts, columns, found)
    bar = bar_codes(parts, columns, round(row.bar_px * ratio), found)
    if row.row is LaneKind.SEEN:
        unseen = _parts(pieces, subject, LaneKind.NO_DATA)
        if unseen:
            below, empty = codes(unseen, columns), ~bar.any(axis=0)
            main[empty] = below[empty]
            bar[:, empty] = below[empty]
    set_apart(bar, main)
    _blit(canvas, paints.bar(bar, shift), round(y * ratio))
    if not row.sub:
        for first, wide, mark in segments(main, round(WORD_PX * ratio)):
            place = (first / ratio, y, wide / ratio, row.bar_px)
            result.stretches.append(Stretch(*place, mark))
        if row.subject.camera:
            recorded = _parts(pieces, subject, LaneKind.RECORDED)
            stripe = bar_codes(recorded, columns, round(STRIPE_PX * ratio))
            _blit(canvas, paints.bar(stripe, shift), round((y + row.bar_px + 1) * ratio))
    if not row.sub or row.row is LaneKind.ALERT:
        alerts = _parts(pieces, subject, LaneKind.ALERT)
        raised = shown(alerts, columns)
        if len(raised.columns):
            result.markers += _markers(codes(alerts, columns, raised), y, ratio)


def _parts(pieces: Sequence[Piece[LaneTile]], subject: UUID, row: Row) -> list[Part]:
    parts: list[Part] = []
    for piece in pieces:
        known = piece.value.rows.get((subject, row))
        if known is not None:
            parts.append((known, piece.start_us, piece.end_us))
    return parts


def _blit(canvas: NDArray[np.uint32], bar: NDArray[np.uint32], y: int) -> None:
    """Lay a bar into the picture, cut at its edges; nothing stays see-through."""
    first, last = max(y, 0), min(y + len(bar), len(canvas))
    if first < last:
        canvas[first:last] = bar[first - y : last - y]


def _markers(alerts: Codes, y: int, ratio: float) -> list[Marker]:
    found: list[Marker] = []
    for first, _wide, mark in segments(alerts, 1):
        x = first / ratio
        if found and x - found[-1].x < MARKER_PX:
            if mark > found[-1].mark:
                found[-1] = Marker(found[-1].x, y, mark)
        else:
            found.append(Marker(x, y, mark))
    return found

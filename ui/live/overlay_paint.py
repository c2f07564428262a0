"""Draws an overlay on a tile. Labels are cached as pixmaps, joints as a sprite: a wall of twelve
tiles is painted 25 times a second."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from PySide6.QtCore import QCoreApplication, QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF

from engine.domain.detections import SubjectClass
from engine.domain.ids import HorseId
from engine.domain.tracks import TrackState
from ui.live.motion_words import doing
from ui.live.overlay_match import MatchKind, Overlay, Trail
from ui.theme import Theme, qcolor

LABEL_CACHE = 512
FULL_JOINTS_FROM_PX, SMALL_JOINTS_BELOW_PX = 220.0, 110.0
"""Heights of a box on the wall; between them joints are one pixel smaller."""


class Switch(StrEnum):
    """The overlays that can be switched; the values are stored in saved views."""

    BOXES = "boxes"
    IDS = "ids"
    CONFIDENCE = "confidence"
    SKELETON = "skeleton"
    TRAILS = "trails"
    ACTION = "action"


DEFAULT_SWITCHES = frozenset({Switch.BOXES, Switch.IDS, Switch.SKELETON, Switch.ACTION})


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture lies in the tile: logical pixels per picture pixel, and its corner."""

    scale_x: float
    scale_y: float
    x: float
    y: float

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Picture pixels of a point of the wall."""
        return (x - self.x) / self.scale_x, (y - self.y) / self.scale_y

    def box(self, xyxy_px: Sequence[float]) -> QRectF:
        """The rectangle of a picture box on the wall, on whole pixels."""
        x1, y1, x2, y2 = xyxy_px
        left, top = round(self.x + x1 * self.scale_x), round(self.y + y1 * self.scale_y)
        right, bottom = round(self.x + x2 * self.scale_x), round(self.y + y2 * self.scale_y)
        return QRectF(left, top, max(right - left, 2), max(bottom - top, 2))


def subject_word(class_id: int) -> str:
    """What a box holds, for people to read."""
    words = {
        SubjectClass.HORSE: QCoreApplication.translate("Overlay", "horse"),
        SubjectClass.PERSON: QCoreApplication.translate("Overlay", "person"),
        SubjectClass.DOG: QCoreApplication.translate("Overlay", "dog"),
        SubjectClass.MOTION: QCoreApplication.translate("Overlay", "motion"),
    }
    return words.get(SubjectClass(class_id), "")


NO_NAMES: Mapping[HorseId, str] = MappingProxyType({})


def row_label(
    overlay: Overlay,
    row: int,
    switches: Collection[Switch],
    names: Mapping[HorseId, str] = NO_NAMES,
) -> str:
    """The words on a box: a known horse's name, else class or number, confidence, and what it does
    now (gait and speed, or action), as switched. Motion always says so."""
    class_id = int(overlay.class_ids[row])
    parts: list[str] = []
    if class_id == SubjectClass.MOTION:
        parts.append(subject_word(class_id))
    elif Switch.IDS in switches:
        number = f"#{int(overlay.numbers[row])}"
        is_horse = class_id == SubjectClass.HORSE
        horse_id = overlay.horse_ids[row]
        name = names.get(horse_id, "") if horse_id is not None else ""
        parts.append(name or number if is_horse else f"{subject_word(class_id)} {number}")
    if Switch.CONFIDENCE in switches:
        parts.append(f"{float(overlay.scores[row]):.2f}")
    label = " ".join(parts)
    does = doing(overlay.motion, row) if Switch.ACTION in switches else ""
    return " · ".join(part for part in (label, does) if part)


class OverlayPainter:
    """Draws with one theme at one device pixel ratio; keeps what can be kept between pictures."""

    names: Mapping[HorseId, str] = NO_NAMES
    """What known horses are called."""
    keypoint_confidence = 0.3
    """Keypoints below this score are not drawn; follows the setting of the same name."""

    def __init__(self, theme: Theme, ratio: float = 1.0) -> None:
        self._theme = theme
        self._ratio = ratio
        style = theme.overlay
        self._outline = qcolor(theme.tracks.outline)
        self._default = qcolor(style.default_box)
        self._bone = QPen(qcolor(style.bone), 2.0)
        halo = qcolor(style.bone_halo)
        halo.setAlpha(170)
        self._halo = QPen(halo, 4.0)
        self._halo.setCapStyle(Qt.PenCapStyle.FlatCap)
        self._joints = {r: self._joint_sprite(r) for r in (2.0, 3.0, float(style.joint_radius))}
        self._labels: OrderedDict[tuple[str, int], QPixmap] = OrderedDict()
        self._font = theme.font(theme.measures.font_small, bold=True)

    def paint(
        self,
        painter: QPainter,
        overlay: Overlay,
        trails: Sequence[Trail],
        placement: Placement,
        switches: Collection[Switch],
        selected_number: int | None = None,
        reserved: Sequence[QRectF] = (),
    ) -> None:
        """Draw what is switched on. The caller has set the clip to the picture; labels keep out
        of the ``reserved`` places."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if Switch.TRAILS in switches:
            for trail in trails:
                self._trail(painter, trail, placement)
        if Switch.SKELETON in switches:
            self._skeletons(painter, overlay, placement)
        rects = [placement.box(row) for row in overlay.boxes_xyxy_px.tolist()]
        if Switch.BOXES in switches:
            for row, rect in enumerate(rects):
                self._box(painter, overlay, row, rect, selected_number)
        taken = list(reserved)
        for row, rect in enumerate(rects):
            text = row_label(overlay, row, switches, self.names)
            if text:
                pixmap = self._label_pixmap(text, self.row_colour(overlay, row))
                place = self._label_place(pixmap, rect, placement, taken)
                taken.append(place)
                painter.drawPixmap(place.topLeft(), pixmap)

    def row_colour(self, overlay: Overlay, row: int) -> QColor:
        """A horse's track colour; sky blue for motion; muted for people and dogs."""
        class_id = int(overlay.class_ids[row])
        if class_id == SubjectClass.HORSE:
            return self._theme.track_colour(int(overlay.colours[row]))
        if class_id == SubjectClass.MOTION:
            return self._default
        return self._theme.overlay_colour("subject")

    def _box(
        self,
        painter: QPainter,
        overlay: Overlay,
        row: int,
        rect: QRectF,
        selected_number: int | None,
    ) -> None:
        thin = overlay.kind is MatchKind.PREDICTED
        unsure = int(overlay.states[row]) in (TrackState.TENTATIVE, TrackState.LOST)
        width = 1 if thin else self._theme.overlay.box_width
        if selected_number is not None and int(overlay.numbers[row]) == selected_number:
            width += 1
        colour = self.row_colour(overlay, row)
        for side in _sides(rect, width + 2):
            painter.fillRect(side, self._outline)
        if not unsure:
            for side in _sides(rect, width):
                painter.fillRect(side, colour)
            return
        pen = QPen(colour, width)
        pen.setDashPattern([4.0, 3.0])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect)

    def _skeletons(self, painter: QPainter, overlay: Overlay, placement: Placement) -> None:
        skeleton, keypoints, scores = (
            overlay.skeleton,
            overlay.keypoints_px,
            overlay.keypoint_scores,
        )
        if skeleton is None or keypoints is None or scores is None or not len(overlay):
            return
        points = keypoints * np.array([placement.scale_x, placement.scale_y], np.float32)
        points = points + np.array([placement.x, placement.y], np.float32)
        known = scores >= max(self.keypoint_confidence, 1e-6)
        lines: list[QLineF] = []
        for row in range(len(overlay)):
            if not known[row].any():
                continue
            xy, seen = points[row].tolist(), known[row].tolist()
            lines += [
                QLineF(xy[a][0], xy[a][1], xy[b][0], xy[b][1])
                for a, b in skeleton.bones
                if seen[a] and seen[b]
            ]
        if lines:
            if overlay.kind is not MatchKind.PREDICTED:
                painter.setPen(self._halo)
                painter.drawLines(lines)
            painter.setPen(self._bone)
            painter.drawLines(lines)
        self._paint_joints(painter, overlay, placement, points, known)

    def _paint_joints(
        self,
        painter: QPainter,
        overlay: Overlay,
        placement: Placement,
        points: np.ndarray,
        known: np.ndarray,
    ) -> None:
        heights = (overlay.boxes_xyxy_px[:, 3] - overlay.boxes_xyxy_px[:, 1]) * placement.scale_y
        full = float(self._theme.overlay.joint_radius)
        for row, height in enumerate(heights.tolist()):
            radius = full if height >= FULL_JOINTS_FROM_PX else 3.0
            radius = radius if height >= SMALL_JOINTS_BELOW_PX else 2.0
            sprite = self._joints[radius]
            offset = sprite.width() / self._ratio / 2.0
            # Whole positions: sprites on fractions of a pixel cost three times as much.
            for x, y in np.rint(points[row][known[row]] - offset).astype(int).tolist():
                painter.drawPixmap(x, y, sprite)

    def _joint_sprite(self, radius: float) -> QPixmap:
        side = round((radius * 2 + 2) * self._ratio)
        pixmap = QPixmap(side, side)
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._outline, 1.0))
        painter.setBrush(qcolor(self._theme.overlay.joint))
        centre = QPointF(radius + 1, radius + 1)
        painter.drawEllipse(centre, radius, radius)
        painter.end()
        return pixmap

    def _trail(self, painter: QPainter, trail: Trail, placement: Placement) -> None:
        points = [
            QPointF(placement.x + x * placement.scale_x, placement.y + y * placement.scale_y)
            for x, y in trail.points_px.tolist()
        ]
        painter.setPen(QPen(self._outline, 4.0))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(QPen(self._theme.track_colour(trail.colour), 2.0))
        painter.drawPolyline(QPolygonF(points))

    def _label_place(
        self, pixmap: QPixmap, box: QRectF, placement: Placement, taken: Sequence[QRectF]
    ) -> QRectF:
        """On the box's upper left corner; elsewhere along its edges if another label is there."""
        width, height = pixmap.width() / self._ratio, pixmap.height() / self._ratio
        left = max(box.left() - 1, placement.x)
        above = box.top() - height
        tops = (above, box.top() + 1, box.bottom() - height - 1, above - height)
        lefts = (left, max(box.right() + 1 - width, left))
        places = [
            QRectF(round(x), round(y), width, height)
            for y in tops
            for x in lefts
            if y >= placement.y
        ]
        free = (p for p in places if not any(p.intersects(other) for other in taken))
        return next(free, places[0] if places else QRectF(left, placement.y, width, height))

    def _label_pixmap(self, text: str, colour: QColor) -> QPixmap:
        key = (text, int(colour.rgb()))
        known = self._labels.get(key)
        if known is not None:
            self._labels.move_to_end(key)
            return known
        metrics = QFontMetricsF(self._font)
        width, height = metrics.horizontalAdvance(text) + 10, metrics.height() + 2
        pixmap = QPixmap(round(width * self._ratio), round(height * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(colour)
        painter = QPainter(pixmap)
        painter.setFont(self._font)
        name = "on_light" if is_light(colour) else "on_dark"
        painter.setPen(self._theme.overlay_colour(name))
        painter.drawText(QRectF(0, 0, width, height), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()
        self._labels[key] = pixmap
        if len(self._labels) > LABEL_CACHE:
            self._labels.popitem(last=False)
        return pixmap


def _sides(rect: QRectF, width: int) -> tuple[QRect, QRect, QRect, QRect]:
    """The four sides of a rectangle on whole pixels as strips of a width, centred on its lines:
    far faster to fill than a wide pen is to stroke."""
    half = width // 2
    left, top = int(rect.left()) - half, int(rect.top()) - half
    wide, tall = int(rect.width()) + width, int(rect.height()) + width
    return (
        QRect(left, top, wide, width),
        QRect(left, top + tall - width, wide, width),
        QRect(left, top + width, width, tall - 2 * width),
        QRect(left + wide - width, top + width, width, tall - 2 * width),
    )


def _channel(value: float) -> float:
    return value / 12.92 if value <= 0.03928 else float(((value + 0.055) / 1.055) ** 2.4)


def is_light(colour: QColor) -> bool:
    """True if near-black reads better on a colour than white (WCAG 2 relative luminance)."""
    luminance = (
        0.2126 * _channel(colour.redF())
        + 0.7152 * _channel(colour.greenF())
        + 0.0722 * _channel(colour.blueF())
    )
    dark_contrast, light_contrast = (luminance + 0.05) / 0.055, 1.05 / (luminance + 0.05)
    return dark_contrast >= light_contrast

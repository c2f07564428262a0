"""Pictures of horses and tracks: fetched on workers when first painted, kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPixmap

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from engine.domain.ids import HorseId, TrackId
from engine.domain.ports import HorseRepository
from ui.requests import RequestRunner
from ui.theme import Theme, icon_pixmap, qcolor

AT_ONCE = 2
WAITING_AT_MOST = 256
KEPT_IMAGES = 1500
KEPT_PIXMAPS = 400
LOOK_AGAIN_S = 60.0
"""A horse's avatar improves while it is watched; a card on show looks this often."""

Key = tuple[str, UUID]


@dataclass(slots=True)
class _Shelved:
    image: QImage | None
    stamp: object
    at_mono_s: float


class PictureShelf(QObject):
    """Avatars and crops by id. A picture asked for comes later; ``arrived`` says so."""

    arrived = Signal()

    def __init__(
        self, horses: HorseRepository, requests: RequestRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._horses = horses
        self._requests = requests
        self._images: OrderedDict[Key, _Shelved] = OrderedDict()
        self._pixmaps: OrderedDict[tuple[object, ...], QPixmap] = OrderedDict()
        self._waiting: OrderedDict[Key, object] = OrderedDict()
        self._running: set[Key] = set()

    def avatar(self, horse: Horse) -> QImage | None:
        """A horse's picture, None while there is none or it is on its way."""
        if not horse.has_avatar:
            return None
        return self._get(("avatar", horse.id), (horse.version, horse.last_seen_at))

    def crop(self, track_id: TrackId) -> QImage | None:
        """A track's best picture, None while there is none or it is on its way."""
        return self._get(("crop", track_id), None)

    def avatar_pixmap(self, horse: Horse, w: int, h: int, ratio: float, theme: Theme) -> QPixmap:
        """A horse's picture covering ``w`` x ``h`` logical pixels, or the drawn stand-in."""
        image = self.avatar(horse)
        if image is None:
            return self._stand_in(horse.colour_hex, w, h, ratio, theme)
        return self._cover(("avatar", horse.id), image, w, h, ratio)

    def crop_pixmap(
        self, track_id: TrackId, colour_hex: str, w: int, h: int, ratio: float, theme: Theme
    ) -> QPixmap:
        """A track's picture covering ``w`` x ``h`` logical pixels, or the drawn stand-in."""
        image = self.crop(track_id)
        if image is None:
            return self._stand_in(colour_hex, w, h, ratio, theme)
        return self._cover(("crop", track_id), image, w, h, ratio)

    def blank(self, colour_hex: str, w: int, h: int, ratio: float, theme: Theme) -> QPixmap:
        """The stand-in of a horse that has no record yet."""
        return self._stand_in(colour_hex, w, h, ratio, theme)

    def _get(self, key: Key, stamp: object) -> QImage | None:
        known = self._images.get(key)
        if known is None:
            self._want(key, stamp)
            return None
        self._images.move_to_end(key)
        old = time.monotonic() - known.at_mono_s > LOOK_AGAIN_S
        moved_on = stamp is not None and known.stamp != stamp
        if (moved_on and _edited(known.stamp, stamp)) or (
            old and (moved_on or known.image is None)
        ):
            self._want(key, stamp)
        return known.image

    def _want(self, key: Key, stamp: object) -> None:
        if key in self._running:
            return
        self._waiting[key] = stamp
        self._waiting.move_to_end(key)
        if len(self._waiting) > WAITING_AT_MOST:
            self._waiting.popitem(last=False)  # long scrolled away
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            key, stamp = self._waiting.popitem()
            self._running.add(key)
            self._requests.submit(
                "a picture of a horse",
                partial(self._fetch, key),
                partial(self._on_image, key, stamp),
                partial(self._on_failed, key, stamp),
            )

    def _fetch(self, key: Key) -> QImage | None:
        """Runs on a worker."""
        kind, id_ = key
        data = (
            self._horses.avatar(HorseId(id_))
            if kind == "avatar"
            else self._horses.crop(TrackId(id_))
        )
        image = QImage.fromData(data) if data else QImage()
        return None if image.isNull() else image

    def _on_image(self, key: Key, stamp: object, image: QImage | None) -> None:
        self._running.discard(key)
        self._images[key] = _Shelved(image, stamp, time.monotonic())
        self._images.move_to_end(key)
        if len(self._images) > KEPT_IMAGES:
            self._images.popitem(last=False)
        for known in [k for k in self._pixmaps if k[0] == key]:
            del self._pixmaps[known]
        self._begin()
        self.arrived.emit()

    def _on_failed(self, key: Key, stamp: object, _error: BarnhandError) -> None:
        """The store is away or the horse is gone: the stand-in stays, asked again later."""
        self._running.discard(key)
        self._images.setdefault(key, _Shelved(None, stamp, time.monotonic()))
        self._begin()

    def _cover(self, key: Key, image: QImage, w: int, h: int, ratio: float) -> QPixmap:
        place = (key, w, h, ratio)
        known = self._pixmaps.get(place)
        if known is None:
            known = covering(image, w, h, ratio)
            self._keep(place, known)
        else:
            self._pixmaps.move_to_end(place)
        return known

    def _stand_in(self, colour_hex: str, w: int, h: int, ratio: float, theme: Theme) -> QPixmap:
        place = ("", colour_hex, w, h, ratio, theme.name)
        known = self._pixmaps.get(place)
        if known is None:
            known = stand_in(colour_hex, w, h, ratio, theme)
            self._keep(place, known)
        return known

    def _keep(self, place: tuple[object, ...], pixmap: QPixmap) -> None:
        self._pixmaps[place] = pixmap
        if len(self._pixmaps) > KEPT_PIXMAPS:
            self._pixmaps.popitem(last=False)


def _edited(before: object, after: object) -> bool:
    """True if a person changed the record (a merge may have brought another picture)."""
    return not (isinstance(before, tuple) and isinstance(after, tuple) and before[:1] == after[:1])


def covering(image: QImage, w: int, h: int, ratio: float) -> QPixmap:
    """A picture scaled to cover ``w`` x ``h`` logical pixels; where it is too tall the upper part
    stays, because there the head is."""
    width, height = max(round(w * ratio), 1), max(round(h * ratio), 1)
    scaled = image.scaled(
        width,
        height,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    x, y = (scaled.width() - width) // 2, (scaled.height() - height) // 5
    pixmap = QPixmap.fromImage(scaled.copy(QRect(x, y, width, height)))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def stand_in(colour_hex: str, w: int, h: int, ratio: float, theme: Theme) -> QPixmap:
    """What stands where no picture is yet: a horse in line, in its colour, on a dark ground."""
    pixmap = QPixmap(max(round(w * ratio), 1), max(round(h * ratio), 1))
    pixmap.setDevicePixelRatio(ratio)
    colour = qcolor(colour_hex)
    ground = theme.colour("raised")
    pixmap.fill(ground)
    painter = QPainter(pixmap)
    wash = qcolor(colour_hex)
    wash.setAlpha(28)
    painter.fillRect(QRectF(0, 0, w, h), wash)
    side = round(min(w, h) * 0.42)
    if side >= 8:
        mark = icon_pixmap("registry", colour, side, ratio)
        painter.setOpacity(0.8)
        painter.drawPixmap(QPointF((w - side) / 2, (h - side) / 2), mark)
    painter.end()
    return pixmap


def rounded(pixmap: QPixmap, radius: float) -> QPixmap:
    """A picture with round corners."""
    result = QPixmap(pixmap.size())
    result.setDevicePixelRatio(pixmap.devicePixelRatio())
    result.fill(Qt.GlobalColor.transparent)
    size = pixmap.deviceIndependentSize()
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, size.width(), size.height()), radius, radius)
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipPath(path)
    painter.drawPixmap(0, 0, pixmap)
    painter.end()
    return result

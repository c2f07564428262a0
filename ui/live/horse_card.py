"""The card that opens when a horse on the wall is clicked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.detections import SubjectClass
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Action, Posture
from engine.domain.tracks import TrackState
from ui.live.motion_rows import MotionRows
from ui.live.motion_words import activity_word, gait_line, speed_line
from ui.live.overlay_paint import subject_word
from ui.live.sightings import SightingBook
from ui.live.tile import Tile
from ui.live.wall_pointer import HorseHit
from ui.registry.directory import HorseDirectory
from ui.registry.words import status_word
from ui.theme import Theme
from ui.widgets import button, icon_button, label
from ui.wording import duration

WIDTH, AVATAR_HEIGHT = 264, 132


class HorseCard(QFrame):
    """Number, confidence, class, what it does, first and last seen of one track, kept up to date
    while open.

    ``assign_asked`` and ``reject_asked`` carry the camera and the track (and the horse it is not);
    ``profile_asked`` the horse; ``follow_asked`` the camera and the horse (while ``steered`` says
    that the camera can be moved).
    """

    closed = Signal()
    assign_asked = Signal(object, object)
    reject_asked = Signal(object, object, object)
    profile_asked = Signal(object)
    follow_asked = Signal(object, object)

    def __init__(
        self,
        theme: Theme,
        sightings: SightingBook,
        directory: HorseDirectory,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._directory = directory
        self.steered: Callable[[StreamId], bool] = lambda _camera: False
        self._horse: HorseId | None = None
        self.setObjectName("float")
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._theme = theme
        self._sightings = sightings
        self._track: TrackId | None = None
        self._stream: StreamId | None = None
        self._avatar = label()
        self._avatar.setFixedHeight(AVATAR_HEIGHT)
        self._avatar.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._swatch = label()
        self._swatch.setFixedSize(10, 10)
        self._title = label("", "large")
        self._where = label("", "small")
        self._values = {
            key: label("")
            for key in (
                "class",
                "confidence",
                "track",
                "action",
                "gait",
                "speed",
                "pose",
                "first",
                "last",
                "state",
            )
        }
        self._build()
        self.hide()

    @property
    def track(self) -> TrackId | None:
        """The track on show."""
        return self._track if self.isVisible() else None

    @property
    def stream_id(self) -> StreamId | None:
        """The camera of the track on show."""
        return self._stream if self.isVisible() else None

    def text_of(self, key: str) -> str:
        """A shown value by key, for tests and screen readers."""
        return self._values[key].text()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self._avatar)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._swatch)
        head.addWidget(self._title)
        head.addStretch(1)
        close = icon_button("close", self._theme, self.tr("Close (Esc)"))
        close.clicked.connect(self.dismiss)
        head.addWidget(close)
        column.addLayout(head)
        column.addWidget(self._where)
        column.addLayout(self._grid())
        column.addLayout(self._buttons())

    def _grid(self) -> QGridLayout:
        names = {
            "class": self.tr("Seen as"),
            "confidence": self.tr("Detection"),
            "track": self.tr("Track"),
            "action": self.tr("Does"),
            "gait": self.tr("Gait"),
            "speed": self.tr("Speed"),
            "pose": self.tr("Skeleton"),
            "first": self.tr("First seen"),
            "last": self.tr("Last seen"),
            "state": self.tr("Identity"),
        }
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        for row, (key, name) in enumerate(names.items()):
            grid.addWidget(label(name, "muted"), row, 0)
            grid.addWidget(self._values[key], row, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _buttons(self) -> QGridLayout:
        self.assign = button(self.tr("This is…"))
        self.reject = button(self.tr("Not this horse"))
        self.follow = button(self.tr("Follow"))
        self.profile = button(self.tr("Profile"))
        grid = QGridLayout()
        grid.setSpacing(8)
        for place, act in enumerate((self.assign, self.reject, self.follow, self.profile)):
            grid.addWidget(act, place // 2, place % 2)
        self.assign.clicked.connect(self._on_assign)
        self.reject.clicked.connect(self._on_reject)
        self.profile.clicked.connect(self._on_profile)
        self.follow.clicked.connect(self._on_follow)
        return grid

    def _on_assign(self) -> None:
        if self._track is not None and self._stream is not None:
            self.assign_asked.emit(self._stream, self._track)

    def _on_reject(self) -> None:
        if self._track is not None and self._stream is not None and self._horse is not None:
            self.reject_asked.emit(self._stream, self._track, self._horse)

    def _on_follow(self) -> None:
        if self._stream is not None and self._horse is not None:
            self.follow_asked.emit(self._stream, self._horse)

    def _on_profile(self) -> None:
        if self._horse is not None:
            self.profile_asked.emit(self._horse)

    def _show_identity(self, horse_id: HorseId | None, number: int, word: str) -> None:
        """Name and what is known of the horse; the acts that need one say why they are off."""
        known = self._directory.resolve(horse_id)
        self._horse = horse_id if known is None else known.id
        if known is not None:
            self._title.setText(known.title)
            self._values["state"].setText(
                f"{known.label} · {status_word(known.status)}"
                if known.name
                else status_word(known.status)
            )
        else:
            self._title.setText(f"{word} #{number}")
            self._values["state"].setText(
                self.tr("known horse") if horse_id is not None else self.tr("not identified yet")
            )
        for act in (self.reject, self.profile):
            act.setEnabled(known is not None)
            act.setToolTip("" if known is not None else self.tr("It is not identified yet."))
        steered = self._stream is not None and self.steered(self._stream)
        self.follow.setEnabled(known is not None and steered)
        reason = "" if steered else self.tr("This camera is not set up to be steered.")
        self.follow.setToolTip(self.profile.toolTip() or reason)
        self.follow.setAccessibleDescription(self.follow.toolTip())

    def open_for(self, hit: HorseHit, tile: Tile) -> None:
        """Show the card of a clicked box beside it."""
        self._track = hit.overlay.track_ids[hit.row]
        self._stream = hit.stream.id
        self._avatar.setPixmap(_avatar(tile, hit, self.devicePixelRatioF()))
        self._where.setText(hit.stream.name)
        self.refresh(tile)
        self.adjustSize()
        self._place_beside(hit.box)
        self.show()
        self.raise_()

    def refresh(self, tile: Tile | None) -> None:
        """Follow the newest overlay of the tile; the last values stay while the track is away."""
        overlay = tile.overlay if tile is not None else None
        if self._track is None or overlay is None or self._track not in overlay.track_ids:
            self._show_sighting(away=True)
            return
        row = overlay.track_ids.index(self._track)
        class_id = int(overlay.class_ids[row])
        horse = class_id == SubjectClass.HORSE
        word = subject_word(class_id)
        colour = self._theme.track_colour(int(overlay.colours[row]))
        self._swatch.setStyleSheet(f"background: {colour.name()}; border-radius: 5px;")
        self._values["class"].setText(word)
        self._values["confidence"].setText(f"{float(overlay.scores[row]):.0%}")
        unsure = int(overlay.states[row]) == TrackState.TENTATIVE
        sure = f"{float(overlay.confidences[row]):.0%}"
        self._values["track"].setText(self.tr("{0} · new").format(sure) if unsure else sure)
        points = self.tr("none")
        if overlay.keypoint_scores is not None:
            scores = overlay.keypoint_scores[row]
            points = self.tr("{0} of {1} points").format(int((scores >= 0.3).sum()), len(scores))
        self._values["pose"].setText(points)
        self._show_motion(overlay.motion, row, horse)
        self.assign.setEnabled(horse)
        self._show_identity(
            overlay.horse_ids[row] if horse else None,
            int(overlay.numbers[row]),
            self.tr("Horse") if horse else word.capitalize(),
        )
        self._show_sighting(away=False)

    def _show_motion(self, motion: MotionRows | None, row: int, horse: bool) -> None:
        """Action with its beginning, gait and speed of the live analysis."""
        none = "–" if motion is None or not horse else self.tr("not known yet")
        words = {"action": "", "gait": "", "speed": ""}
        if motion is not None and horse:
            action = Action(int(motion.actions[row]))
            word = activity_word(action, Posture(int(motion.postures[row])))
            words = {
                "action": self._since(word, action),
                "gait": gait_line(motion, row),
                "speed": speed_line(motion, row),
            }
            if bool(motion.person_near[row]):
                words["action"] = self.tr("{0}, with a person").format(words["action"] or "–")
        for key, value in words.items():
            self._values[key].setText(value or none)
            self._values[key].setToolTip(self.tr("Live and provisional."))

    def _since(self, word: str, action: Action) -> str:
        sighting = self._sightings.get(self._track) if self._track is not None else None
        if not word or sighting is None or sighting.action is not action:
            return word
        if sighting.action_since is None:
            return word
        lasted_s = (sighting.last_at - sighting.action_since).total_seconds()
        return self.tr("{0} · for {1}").format(word, duration(lasted_s))

    def dismiss(self) -> None:
        """Close the card."""
        if self.isVisible():
            self.hide()
            self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _show_sighting(self, away: bool) -> None:
        sighting = self._sightings.get(self._track) if self._track is not None else None
        if sighting is None:
            return
        seen_s = (sighting.last_at - sighting.first_at).total_seconds()
        first = sighting.first_at.astimezone().strftime("%H:%M:%S")
        last = sighting.last_at.astimezone().strftime("%H:%M:%S")
        self._values["first"].setText(f"{first} · {duration(seen_s)}")
        self._values["last"].setText(last if away else self.tr("now"))

    def _place_beside(self, box: QRect) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        room = parent.rect().adjusted(8, 8, -8, -8)
        x = box.right() + 8
        if x + self.width() > room.right():
            x = box.left() - 8 - self.width()
        x = min(max(x, room.left()), max(room.right() - self.width(), room.left()))
        y = min(max(box.top(), room.top()), max(room.bottom() - self.height(), room.top()))
        self.move(QPoint(x, y))


def _avatar(tile: Tile, hit: HorseHit, ratio: float) -> QPixmap:
    """The horse cut from the picture on show."""
    size_px = (round((WIDTH - 24) * ratio), round(AVATAR_HEIGHT * ratio))
    result = QPixmap(*size_px)
    result.fill(Qt.GlobalColor.transparent)
    image = tile.image
    if image is None:
        return result
    overlay = hit.overlay
    to_image_x = image.width() / overlay.width_px
    to_image_y = image.height() / overlay.height_px
    x1, y1, x2, y2 = (float(v) for v in overlay.boxes_xyxy_px[hit.row])
    crop = _crop(
        QRectF(x1 * to_image_x, y1 * to_image_y, (x2 - x1) * to_image_x, (y2 - y1) * to_image_y),
        QRectF(image.rect()),
        size_px[0] / size_px[1],
    )
    scaled = image.copy(crop.toRect()).scaled(
        *size_px, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    scaled.setDevicePixelRatio(1.0)
    painter = QPainter(result)
    painter.drawImage(
        (size_px[0] - scaled.width()) // 2, (size_px[1] - scaled.height()) // 2, scaled
    )
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result


def _crop(box: QRectF, picture: QRectF, aspect: float) -> QRectF:
    """The box widened or heightened to an aspect ratio (with a little air), inside the picture."""
    width, height = box.width() * 1.1, box.height() * 1.1
    width, height = max(width, height * aspect), max(height, width / aspect)
    width, height = min(width, picture.width()), min(height, picture.height())
    x = min(max(box.center().x() - width / 2, 0.0), picture.width() - width)
    y = min(max(box.center().y() - height / 2, 0.0), picture.height() - height)
    return QRectF(x, y, max(width, 1.0), max(height, 1.0))

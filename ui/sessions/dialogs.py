"""What is asked before a session is made of a video, of a stretch, or begins now, or is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from PySide6.QtCore import QDateTime, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDateTimeEdit,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.sessions import (
    LONGEST_STRETCH_S,
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.sessions.layout import ENDINGS
from ui.ask_dialog import AskDialog
from ui.ptz.number_field import inset
from ui.sessions.video_intake import checked_ending
from ui.sessions.words import kind_word, mode_word
from ui.timeline.range_dialogs import camera_ticks, ticked
from ui.timeline.range_scope import RangeScope
from ui.widgets import button, label

NOTE_PX = 64

Horses = Mapping[HorseId, str]
Cameras = Mapping[StreamId, str]


def horse_box(horses: Horses, none: str, chosen: HorseId | None = None) -> QComboBox:
    """Horses by name, after a word for none of them."""
    result = QComboBox()
    if none:
        result.addItem(none, None)
    for horse_id, name in horses.items():
        result.addItem(name, str(horse_id))
    if chosen is not None:
        result.setCurrentIndex(max(result.findData(str(chosen)), 0))
    return result


def chosen_horse(box: QComboBox) -> HorseId | None:
    """The horse of a ``horse_box``."""
    data = box.currentData()
    return HorseId(UUID(data)) if data is not None else None


def refill_horses(box: QComboBox, horses: Mapping[HorseId, str]) -> None:
    """The horses of a box after its first entry, which stands for all; the chosen one stays. Tells
    nobody."""
    chosen = box.currentData()
    box.blockSignals(True)
    while box.count() > 1:
        box.removeItem(1)
    for horse_id, name in horses.items():
        box.addItem(name, str(horse_id))
    box.setCurrentIndex(max(box.findData(chosen), 0) if chosen else 0)
    box.blockSignals(False)


def kind_box(chosen: SessionKind) -> QComboBox:
    """What the horse is doing."""
    result = QComboBox()
    for kind in SessionKind:
        result.addItem(kind_word(kind), kind)
    result.setCurrentIndex(list(SessionKind).index(chosen))
    return result


class AboutDialog(AskDialog):
    """Title, kind, horse and note, which are asked of every session."""

    def __init__(
        self,
        subject: str,
        horses: Horses,
        about: Session | None = None,
        horse_id: HorseId | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(subject, parent)
        self.title = QLineEdit(about.title if about is not None else "")
        self.horse = horse_box(horses, self._none(), about.horse_id if about else horse_id)
        self.kind = kind_box(about.kind if about is not None else SessionKind.TRAINING)
        self.note = QPlainTextEdit(about.note if about is not None else "")
        self.note.setFixedHeight(NOTE_PX)
        self.note.setTabChangesFocus(True)

    def _none(self) -> str:
        """What no horse means here; empty: one must be chosen."""
        return self.tr("not named")

    def _add_about(self) -> None:
        self.form.addRow(self.tr("Title"), self.title)
        self.form.addRow(self.tr("Horse"), self.horse)
        self.form.addRow(self.tr("Kind"), self.kind)

    def check(self) -> None:
        if not self.title.text().strip():
            raise OperatorMistake(self.tr("Give the session a title."))

    @property
    def horse_id(self) -> HorseId | None:
        """Whose session it is."""
        return chosen_horse(self.horse)

    def new_session(
        self, farm_id: FarmId, actor: str, source: SessionSource, start: datetime
    ) -> Session:
        """A session of what was filled in."""
        return Session(
            id=SessionId(uuid4()),
            farm_id=farm_id,
            title=self.title.text().strip(),
            kind=SessionKind(self.kind.currentData()),
            source=source,
            mode=SessionMode.TRAINING,
            state=SessionState.QUEUED,
            start_at=start,
            created_by=actor,
            created_at=datetime.now(UTC),
            horse_id=self.horse_id,
            note=self.note.toPlainText().strip(),
        )


@dataclass(frozen=True, slots=True)
class VideoWanted:
    """A session that is to be made, and the video it is made of."""

    session: Session
    source: Path


class VideoDialog(AboutDialog):
    """A video, whose it is, and how closely it is looked at."""

    def __init__(self, horses: Horses, cameras: Cameras, parent: QWidget | None = None) -> None:
        super().__init__("", horses, parent=parent)
        self.name(self.tr("New session from a video"), self.tr("Copy and analyse"))
        self.file = QLineEdit()
        self.file.setAccessibleName(self.tr("Video file"))
        self.browse = button(self.tr("Choose…"))
        self.browse.clicked.connect(self._on_browse)
        self.mode = QComboBox()
        for mode in SessionMode:
            self.mode.addItem(mode_word(mode), mode)
        self.taken = inset(QDateTimeEdit(QDateTime.currentDateTime()))
        self.taken.setDisplayFormat("dd.MM.yyyy HH:mm:ss")
        self.camera = QComboBox()
        self.camera.addItem(self.tr("none of the barn's"), None)
        for stream_id, name in cameras.items():
            self.camera.addItem(name, str(stream_id))
        self._lay_out()
        self.file.editingFinished.connect(lambda: self.show_file(self.file.text()))

    def _none(self) -> str:
        return self.tr("the horse seen most, not named")

    def _lay_out(self) -> None:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.file, 1)
        row.addWidget(self.browse)
        self.form.addRow(self.tr("Video"), line)
        self._add_about()
        self.form.addRow(self.tr("Mode"), self.mode)
        self.form.addRow(self.tr("Taken"), self.taken)
        self.form.addRow(self.tr("Camera"), self.camera)
        self.form.addRow(self.tr("Note"), self.note)
        words = self.tr(
            "Filmed from the side, the whole horse in the picture, 50 pictures a second, camera on "
            "a tripod: the figures are best then. State the horse's height in the registry."
        )
        self.form.addRow("", label(words, "small", wrap=True))

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, self.tr("Choose a video"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        endings = " ".join(f"*{ending}" for ending in ENDINGS)
        dialog.setNameFilter(self.tr("Videos ({0})").format(endings))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.show_file)
        dialog.open()

    def show_file(self, path: str) -> None:
        """Take a file: its name is the title, its date the time, until said otherwise."""
        self.file.setText(path)
        file = Path(path)
        if not path or not file.is_file():
            return
        if not self.title.text().strip():
            self.title.setText(file.stem)
        self.taken.setDateTime(QDateTime.fromSecsSinceEpoch(int(file.stat().st_mtime)))

    def check(self) -> None:
        path = Path(self.file.text().strip())
        if not self.file.text().strip() or not path.is_file():
            raise OperatorMistake(self.tr("Choose the video."))
        checked_ending(path)
        super().check()

    def wanted(self, farm_id: FarmId, actor: str) -> VideoWanted:
        """What was filled in."""
        taken = datetime.fromtimestamp(self.taken.dateTime().toMSecsSinceEpoch() / 1000, UTC)
        path = Path(self.file.text().strip())
        camera = self.camera.currentData()
        session = replace(
            self.new_session(farm_id, actor, SessionSource.UPLOAD, taken),
            mode=SessionMode(self.mode.currentData()),
            stream_ids=(StreamId(UUID(camera)),) if camera is not None else (),
            video_name=path.name,
        )
        return VideoWanted(session, path)


class StretchDialog(AboutDialog):
    """A marked range of recordings becomes a session."""

    def __init__(self, scope: RangeScope, parent: QWidget | None = None) -> None:
        super().__init__(scope.words(), scope.horses, horse_id=scope.horse_id, parent=parent)
        self.scope = scope
        self.name(self.tr("Make a session"), self.tr("Make and analyse"))
        name = scope.horses.get(scope.horse_id, "") if scope.horse_id is not None else ""
        self.title.setText(name or self.tr("Session"))
        self.title.selectAll()
        self.cameras = camera_ticks(scope.cameras, scope.stream_ids)
        self._add_about()
        self.form.addRow(self.tr("Cameras"), self.cameras)
        self.form.addRow(self.tr("Note"), self.note)

    def _none(self) -> str:
        return self.tr("the known horse seen most")

    def check(self) -> None:
        super().check()
        if not ticked(self.cameras):
            raise OperatorMistake(self.tr("Tick at least one camera."))
        marked = self.scope.range
        if (marked.end_at - marked.start_at).total_seconds() > LONGEST_STRETCH_S:
            raise OperatorMistake(self.tr("A session is at most 12 hours long."))

    def session(self, farm_id: FarmId, actor: str) -> Session:
        """What was filled in."""
        marked = self.scope.range
        made = self.new_session(farm_id, actor, SessionSource.STRETCH, marked.start_at)
        return replace(made, end_at=marked.end_at, stream_ids=ticked(self.cameras))


class LiveDialog(AboutDialog):
    """A session that begins now: whose, and which cameras see it."""

    def __init__(self, horses: Horses, cameras: Cameras, parent: QWidget | None = None) -> None:
        words = "" if horses else self.tr("No horse is known yet: name one in the registry first.")
        super().__init__(words, horses, parent=parent)
        self.name(self.tr("Start a live session"), self.tr("Start now"))
        self.title.setText(self.tr("Live session"))
        self.title.selectAll()
        self.cameras = camera_ticks(cameras, tuple(cameras))
        self._add_about()
        self.form.addRow(self.tr("Cameras"), self.cameras)
        self.form.addRow(self.tr("Note"), self.note)
        words = self.tr("Stop it on this page: a summary is told at once, the rest once analysed.")
        self.form.addRow("", label(words, "small", wrap=True))

    def _none(self) -> str:
        return ""

    def check(self) -> None:
        super().check()
        if self.horse_id is None:
            raise OperatorMistake(self.tr("A live session is about one horse: choose it."))
        if not ticked(self.cameras):
            raise OperatorMistake(self.tr("Tick at least one camera."))

    def session(self, farm_id: FarmId, actor: str) -> Session:
        """What was filled in, beginning now."""
        made = self.new_session(farm_id, actor, SessionSource.LIVE, datetime.now(UTC))
        return replace(made, state=SessionState.OPEN, stream_ids=ticked(self.cameras))


class EditDialog(AboutDialog):
    """What is said of a session is changed."""

    def __init__(self, session: Session, horses: Horses, parent: QWidget | None = None) -> None:
        super().__init__("", horses, session, parent=parent)
        self._before = session
        self.name(self.tr("Change the session"), self.tr("Save"))
        self.mode = QComboBox()
        for mode in SessionMode:
            self.mode.addItem(mode_word(mode), mode)
        self.mode.setCurrentIndex(list(SessionMode).index(session.mode))
        self._add_about()
        if session.source is SessionSource.UPLOAD:
            self.form.addRow(self.tr("Mode"), self.mode)
        self.form.addRow(self.tr("Note"), self.note)
        words = self.tr("Horse and mode count from the next analysis on.")
        self.form.addRow("", label(words, "small", wrap=True))

    def check(self) -> None:
        super().check()
        if self._before.state is SessionState.OPEN and self.horse_id is None:
            raise OperatorMistake(self.tr("A live session needs its horse."))

    def session(self) -> Session:
        """The session as it is to be."""
        return replace(
            self._before,
            title=self.title.text().strip(),
            kind=SessionKind(self.kind.currentData()),
            mode=SessionMode(self.mode.currentData()),
            note=self.note.toPlainText().strip(),
            horse_id=self.horse_id,
        )

"""One horse: what people wrote about it, when it was seen, its tracks and who looks like it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import Accept, Similar, TrackStrip
from ui.horse.motion_section import MotionSection
from ui.registry.context import RegistryContext
from ui.registry.corrections import ApplyCorrection
from ui.registry.evidence import CropRow, Picture
from ui.registry.profile_fields import ProfileFields
from ui.registry.similar_list import SimilarList
from ui.registry.strip_view import StripView
from ui.registry.words import ago, count, status_word, when
from ui.requests import RequestId
from ui.theme import qcolor
from ui.widgets import button, icon_button, label, line, restyle, scroll
from ui.wording import duration

STRIPS_READ = 1000
SIMILAR_READ = 5
AVATAR_PX = 96


@dataclass(frozen=True, slots=True)
class _Reading:
    strips: tuple[TrackStrip, ...]
    similar: tuple[Similar, ...]


class ProfilePanel(QWidget):
    """``closed``; ``merge_asked`` carries (kept, absorbed or None); ``split_asked`` (horse,
    instant, strip or None); ``swap_asked`` the same; ``move_asked`` and ``reject_asked`` a strip;
    ``opened`` another horse; ``history_asked`` the horse."""

    closed = Signal()
    merge_asked = Signal(object, object)
    split_asked = Signal(object, object, object)
    swap_asked = Signal(object, object, object)
    move_asked = Signal(object)
    reject_asked = Signal(object)
    opened = Signal(object)
    history_asked = Signal(object)
    strip_lifted = Signal(object, QPixmap, QPoint)
    strip_carried = Signal(QPoint)
    strip_let_go = Signal(QPoint)

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._horse: Horse | None = None
        self._asked: RequestId | None = None
        self._days = 1
        theme = context.theme
        self.picture = Picture(context, 1.0)
        self.picture.setFixedSize(AVATAR_PX, AVATAR_PX)
        self.dot = label()
        self.dot.setFixedSize(10, 10)
        self.title = label("", "title")
        self.about = label("", "small")
        self.seen = label("", "muted", wrap=True)
        self.merged = label("", "problem", wrap=True)
        self.accept = button(self.tr("Accept as resident"), "primary")
        self.merge = button(self.tr("Merge with…"))
        self.history = button(self.tr("History"))
        self.fields = ProfileFields(context)
        self.motion = MotionSection(context.services.motion, context.requests, theme)
        self.strips = StripView(theme)
        self.strip_words = label("", "small", wrap=True)
        self.split = button(self.tr("Split here…"))
        self.swap = button(self.tr("Swap from here…"))
        self.move_strip = button(self.tr("This is…"))
        self.reject_strip = button(self.tr("Not this horse"))
        self.crops = CropRow(context)
        self.similar = SimilarList(context)
        self.no_strips = label("", "muted", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.ranges = QButtonGroup(self)
        self._area: QScrollArea = scroll(QWidget())
        self._build()
        self._connect()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(10)
        column.addLayout(self._head())
        column.addWidget(self.merged)
        column.addWidget(self.problem)
        column.addWidget(self.fields)
        column.addWidget(line())
        column.addWidget(self.motion)
        column.addWidget(line())
        column.addLayout(self._range_row())
        column.addWidget(self.strips)
        column.addWidget(self.no_strips)
        column.addWidget(self.strip_words)
        acts = QGridLayout()
        acts.setSpacing(8)
        for place, act in enumerate((self.split, self.swap, self.move_strip, self.reject_strip)):
            acts.addWidget(act, place // 2, place % 2)
        column.addLayout(acts)
        self._crops_head = label(self.tr("Best pictures"), "section")
        column.addSpacing(6)
        column.addWidget(self._crops_head)
        column.addWidget(self.crops)
        column.addSpacing(6)
        column.addWidget(label(self.tr("Looks like"), "section"))
        column.addWidget(self.similar)
        column.addStretch(1)
        self._area = scroll(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._area)

    def _head(self) -> QVBoxLayout:
        close = icon_button("close", self._context.theme, self.tr("Close (Esc)"))
        close.clicked.connect(self.closed)
        names = QHBoxLayout()
        names.setSpacing(8)
        names.addWidget(self.dot)
        names.addWidget(self.title, 1)
        names.addWidget(close)
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for act in (self.accept, self.merge, self.history):
            acts.addWidget(act)
        acts.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addLayout(names)
        words.addWidget(self.about)
        words.addWidget(self.seen)
        words.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        head = QVBoxLayout()
        head.setSpacing(10)
        head.addLayout(row)
        head.addLayout(acts)
        return head

    def _range_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label(self.tr("Tracks"), "section"))
        row.addStretch(1)
        for days, text in (
            (1, self.tr("Today")),
            (7, self.tr("7 days")),
            (30, self.tr("30 days")),
            (0, self.tr("All")),
        ):
            chip = QToolButton()
            chip.setText(text)
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setChecked(days == self._days)
            self.ranges.addButton(chip, days)
            row.addWidget(chip)
        return row

    def _connect(self) -> None:
        strips = self.strips
        self.ranges.idToggled.connect(self._on_range)
        self.accept.clicked.connect(lambda: self.accept_or_not())
        self.merge.clicked.connect(lambda: self._with_horse(self._ask_merge))
        self.history.clicked.connect(lambda: self.history_asked.emit(self._horse))
        self.split.clicked.connect(self.split_here)
        self.swap.clicked.connect(self.swap_here)
        self.move_strip.clicked.connect(lambda: self._with_strip(self.move_asked.emit))
        self.reject_strip.clicked.connect(lambda: self._with_strip(self.reject_asked.emit))
        strips.selected.connect(lambda _strip: self._show_strip())
        strips.moved.connect(lambda _at: self._show_strip())
        strips.cut.connect(lambda _at: self.split_here())
        strips.assign_asked.connect(self.move_asked)
        strips.reject_asked.connect(self.reject_asked)
        strips.lifted.connect(self.strip_lifted)
        strips.carried.connect(self.strip_carried)
        strips.let_go.connect(self.strip_let_go)
        self.similar.opened.connect(self.opened)
        self.similar.compared.connect(
            lambda other: self._with_horse(lambda horse: self.merge_asked.emit(horse, other))
        )

    # --- what is shown --------------------------------------------------------------------------

    @property
    def horse(self) -> Horse | None:
        """Whose profile it is."""
        return self._horse

    def open_for(self, horse: Horse) -> None:
        """Show a horse from its newest record on."""
        another = self._horse is None or self._horse.id != horse.id
        self._show(horse)
        if another:
            self._area.verticalScrollBar().setValue(0)
            self.strips.forget_zoom()
            self.strips.select(None)
            self.strips.show_strips((), *self._limits(()), horse.colour_hex)
            self.crops.show_strips((), horse.colour_hex)
        self.motion.open_for(horse)
        self.reread()

    def follow(self) -> None:
        """Take over what the directory knows now."""
        fresh = self._context.directory.get(self._horse.id) if self._horse is not None else None
        if fresh is not None:
            self._show(fresh)

    def reread(self) -> None:
        """Read strips, similar horses and motion again."""
        self.motion.reread()
        horse = self._horse
        if horse is None:
            return
        if self._asked is not None:
            self._context.requests.cancel(self._asked)
        horses, start = self._context.services.horses, self._start()
        self._asked = self._context.requests.submit(
            "tracks of a horse",
            lambda: _Reading(
                tuple(horses.strips(horse.id, start=start, limit=STRIPS_READ)),
                tuple(horses.similar(horse.id, SIMILAR_READ)),
            ),
            self._on_read,
            self._on_not_read,
        )

    def _show(self, horse: Horse) -> None:
        self._horse = horse
        gone = horse.status in (HorseStatus.MERGED, HorseStatus.ARCHIVED)
        self.picture.show_horse(horse)
        self.title.setText(horse.title)
        self.dot.setStyleSheet(
            f"background: {qcolor(horse.colour_hex).name()}; border-radius: 5px;"
        )
        named = f"{horse.label} · " if horse.name else ""
        self.about.setText(named + status_word(horse.status))
        camera = self._context.model.camera(horse.last_stream_id)
        last = ", ".join(part for part in (ago(horse.last_seen_at), camera) if part)
        today = self._context.model.day.of(horse.id)
        seen = [self.tr("Last seen {0}").format(last)]
        if today.intervals:
            seen.append(self.tr("{0} today").format(duration(today.seen_s)))
        seen.append(self.tr("known since {0}").format(when(horse.first_seen_at)))
        if horse.total_detections:
            seen.append(self.tr("{0} detections").format(count(horse.total_detections)))
        self.seen.setText(" · ".join(seen))
        into = self._context.directory.resolve(horse.id)
        self.merged.setVisible(gone)
        if horse.status is HorseStatus.MERGED and into is not None:
            self.merged.setText(
                self.tr("This record was merged into {0}; its tracks are there.").format(into.title)
            )
        self.accept.setVisible(not gone)
        resident = horse.status is HorseStatus.ACTIVE
        self.accept.setText(self.tr("Make a guest") if resident else self.tr("Accept as resident"))
        restyle(self.accept, "role", "" if resident else "primary")
        self.merge.setVisible(not gone)
        self.fields.show_horse(horse, not gone)
        self._show_strip()

    def _on_read(self, reading: _Reading) -> None:
        self._asked = None
        horse = self._horse
        if horse is None:
            return
        self.problem.hide()
        start, end = self._limits(reading.strips)
        self.strips.show_strips(reading.strips, start, end, horse.colour_hex)
        self.crops.show_strips(reading.strips, horse.colour_hex)
        self._crops_head.setVisible(bool(self.crops.shown))
        self.similar.show_similar(reading.similar)
        self.no_strips.setVisible(not reading.strips)
        self.strips.setVisible(bool(reading.strips))
        self.no_strips.setText(
            self.tr("Not seen in this time. Choose a longer one above.")
            if self._days
            else self.tr("No track is stored of this horse.")
        )
        self._show_strip()

    def _on_not_read(self, error: BarnhandError) -> None:
        self._asked = None
        self.problem.setText(str(error))
        self.problem.show()

    def _start(self) -> datetime | None:
        day = self._context.model.day
        if not self._days:
            return None
        return day.start if self._days == 1 else day.start - timedelta(days=self._days - 1)

    def _limits(self, strips: Sequence[TrackStrip]) -> tuple[datetime, datetime]:
        """The window of the strips: what was asked for, or what there is with a little air."""
        now = datetime.now(UTC)
        if not strips:
            return self._start() or now - timedelta(days=1), now
        first, last = min(s.start for s in strips), max(s.end for s in strips)
        air = max((last - first) * 0.04, timedelta(seconds=20))
        return first - air, last + air

    def _on_range(self, days: int, on: bool) -> None:
        if on:
            self._days = days
            self.strips.forget_zoom()
            self.reread()

    def _show_strip(self) -> None:
        strip = self.strips.selection
        self.strip_words.setText(
            self.strips.words_of(strip)
            if strip is not None
            else self.tr(
                "Drag a strip onto a card to give it away, or beside the cards for a new "
                "horse. The handle above cuts."
            )
        )
        gone = self._horse is None or self._horse.status is HorseStatus.MERGED
        there = bool(self.strips.strips) and not gone
        self.strip_words.setVisible(there)
        for act in (self.split, self.swap):
            act.setVisible(there)
        for act in (self.move_strip, self.reject_strip):
            act.setVisible(there)
            act.setEnabled(strip is not None)

    # --- acts -----------------------------------------------------------------------------------

    def accept_or_not(self, horse: Horse | None = None) -> None:
        """Make a guest a resident, or a resident a guest again; the one on show by default."""
        horse = horse or self._horse
        if horse is None or horse.status is HorseStatus.MERGED:
            return
        resident = horse.status is not HorseStatus.ACTIVE
        words = self.tr("accept {0} as a resident") if resident else self.tr("make {0} a guest")
        self._context.log.run(
            ApplyCorrection(
                words.format(horse.title),
                Accept(horse.id, resident),
                self._context.services.identity,
                self._context.actor,
                expected={horse.id: horse.version},
            )
        )

    def split_here(self) -> None:
        """Ask to split at the playhead; the strip there is the one that is meant."""
        at = self.strips.playhead
        self._with_horse(lambda horse: self.split_asked.emit(horse, at, self._strip_at(at)))

    def swap_here(self) -> None:
        """Ask to swap with another horse from the playhead on."""
        at = self.strips.playhead
        self._with_horse(lambda horse: self.swap_asked.emit(horse, at, self._strip_at(at)))

    def edit_name(self) -> None:
        """Put the cursor into the name."""
        self._area.verticalScrollBar().setValue(0)
        self.fields.edit_name()

    def _strip_at(self, at: datetime) -> TrackStrip | None:
        chosen = self.strips.selection
        if chosen is not None and chosen.start <= at <= chosen.end:
            return chosen
        return next((s for s in self.strips.strips if s.start <= at <= s.end), None)

    def _ask_merge(self, horse: Horse) -> None:
        self.merge_asked.emit(horse, None)

    def _with_horse(self, act: Callable[[Horse], object]) -> None:
        if self._horse is not None:
            act(self._horse)

    def _with_strip(self, act: Callable[[TrackStrip], object]) -> None:
        if self.strips.selection is not None:
            act(self.strips.selection)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

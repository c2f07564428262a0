"""The review queue: what the engine was not sure of, evidence side by side, one key each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, Conflict, NotFound
from engine.domain.identity import (
    CommandRecord,
    Review,
    ReviewId,
    ReviewKind,
    TrackStrip,
    Verdict,
)
from engine.domain.ids import TrackId
from engine.domain.ports import HorseRepository
from ui.registry.context import RegistryContext
from ui.registry.corrections import RecordedCorrection
from ui.registry.evidence import Side, side_by_side
from ui.registry.words import ago, clock, counted, strip_words
from ui.requests import RequestId
from ui.widgets import button, icon_label, label
from ui.wording import duration

READ_AT_MOST = 200
TEXT_PX = 440
AROUND = timedelta(minutes=30)
STRIPS_READ = 500


@dataclass(frozen=True, slots=True)
class Evidence:
    """The question's tracks as strips (None where the store does not know them yet) and the
    newest tracks of the horse."""

    track: TrackStrip | None
    other: TrackStrip | None
    horse: tuple[TrackStrip, ...]


def read_evidence(horses: HorseRepository, review: Review) -> Evidence:
    """Runs on a worker."""
    near = horses.strips(
        stream_id=review.stream_id,
        start=review.at - AROUND,
        end=review.at + AROUND,
        limit=STRIPS_READ,
    )

    def strip(track_id: TrackId | None) -> TrackStrip | None:
        found = [s for s in near if s.track_id == track_id]
        holding = [s for s in found if s.start <= review.at <= s.end]
        return next(iter(holding or found), None)

    known = tuple(horses.strips(review.horse_id, limit=30))
    return Evidence(strip(review.track_id), strip(review.other_track_id), known)


class ReviewView(QWidget):
    """``closed`` goes back to the horses; ``decided`` follows every answer."""

    closed = Signal()
    decided = Signal()

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._context = context
        self._queue: list[Review] = []
        self._answered: set[ReviewId] = set()
        self._put_off: set[ReviewId] = set()
        self._asked: RequestId | None = None
        self._evidence: RequestId | None = None
        self._busy = False
        self.heading = label("", "title")
        self.place = label("", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.question = label("", "large", wrap=True)
        self.facts = label("", "muted", wrap=True)
        self.left, self.right = Side(context), Side(context)
        self.same = button("", "primary")
        self.different = button("")
        self.later = button("")
        self.back = button(self.tr("Back to the horses"))
        self.problem = label("", "problem", wrap=True)
        self.stack = QStackedWidget()
        self._build()
        self.same.clicked.connect(lambda: self.answer(Verdict.SAME))
        self.different.clicked.connect(lambda: self.answer(Verdict.DIFFERENT))
        self.later.clicked.connect(lambda: self.answer(Verdict.LATER))
        self.back.clicked.connect(self.closed)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.heading)
        head.addWidget(self.place, 1)
        head.addWidget(self.back)
        sides = QWidget()
        sides.setMaximumWidth(1040)
        inside = QVBoxLayout(sides)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(12)
        inside.addWidget(self.question)
        inside.addWidget(self.facts)
        inside.addLayout(side_by_side(self.left, self.right))
        inside.addLayout(self._answers())
        inside.addWidget(self.problem)
        inside.addStretch(1)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.addStretch(1)
        middle.addWidget(sides, 20)
        middle.addStretch(1)
        asking = QWidget()
        asking.setLayout(middle)
        self.stack.addWidget(asking)
        self.stack.addWidget(self._nothing())
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.bar)
        column.addWidget(self.stack, 1)
        self.problem.hide()

    def _answers(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for act in (self.same, self.different, self.later):
            act.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            act.setMinimumHeight(36)
            row.addWidget(act)
        row.addStretch(1)
        row.addWidget(label(self.tr("Ctrl+Z takes an answer back"), "small"))
        return row

    def _nothing(self) -> QWidget:
        page = QWidget()
        self._done_words = label("", "large")
        self._done_more = label("", "muted", wrap=True)
        self._done_more.setFixedWidth(TEXT_PX)
        for words in (self._done_words, self._done_more):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._done_back = button(self.tr("Back to the horses"), "primary")
        self._done_back.clicked.connect(self.closed)
        column = QVBoxLayout(page)
        column.setSpacing(10)
        column.addStretch(2)
        centre = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(icon_label("ok", self._context.theme, "accent", 24), 0, centre)
        column.addWidget(self._done_words, 0, centre)
        column.addWidget(self._done_more, 0, centre)
        column.addWidget(self._done_back, 0, centre)
        column.addStretch(3)
        return page

    # --- the queue ------------------------------------------------------------------------------

    @property
    def current(self) -> Review | None:
        """The question on show."""
        return self._queue[0] if self._queue else None

    def begin(self) -> None:
        """Start over with what is open now."""
        self._answered = set()
        self._put_off = set()
        self._queue = []
        self.reread()
        self._show()

    def reread(self) -> None:
        """Look for questions that came or went; the one on show stays. Answers that were taken
        back are asked again."""
        if self._asked is not None:
            return
        identity = self._context.services.identity
        answered = frozenset(self._answered - self._put_off)
        self._asked = self._context.requests.submit(
            "open questions",
            lambda: tuple(identity.reviews(limit=READ_AT_MOST)),
            lambda reviews: self._on_reviews(reviews, answered),
            self._on_failed,
            self,
        )

    def _on_reviews(self, reviews: Sequence[Review], answered: frozenset[ReviewId]) -> None:
        """``answered`` were answered before the reviews were asked for: those that are open all
        the same were taken back."""
        self._asked = None
        known = {review.id: review for review in reviews}
        self._answered -= answered & known.keys()
        before = self.current
        kept = [known[r.id] for r in self._queue if r.id in known]
        queued = {review.id for review in kept}
        new = [r for r in reviews if r.id not in queued and r.id not in self._answered]
        self._queue = kept + new
        if self.current != before or not self._queue:
            self._show()
        else:
            self._show_place()

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = None
        self._complain(error)

    def _show(self) -> None:
        review = self.current
        self.stack.setCurrentIndex(0 if review is not None else 1)
        self._show_place()
        if review is None:
            many = len(self._answered)
            self._done_words.setText(
                self.tr("All answered") if many else self.tr("Nothing to review")
            )
            put_off = self.tr("{0} put off come again with the next review.").format(
                len(self._put_off)
            )
            self._done_more.setText(
                put_off
                if self._put_off
                else self.tr(
                    "The engine asks here when a horse could be two, or when two met and may "
                    "have changed places."
                )
            )
            self._done_more.setFixedHeight(max(self._done_more.heightForWidth(TEXT_PX), 0))
            return
        self._show_question(review, None)
        horses = self._context.services.horses
        if self._evidence is not None:
            self._context.requests.cancel(self._evidence)
        self._evidence = self._context.requests.submit(
            "evidence for a question",
            lambda: read_evidence(horses, review),
            lambda evidence: self._show_question(review, evidence),
            self._complain,
            self,
        )

    def _show_place(self) -> None:
        done, left = len(self._answered), len(self._queue)
        self.heading.setText(self.tr("Review"))
        total = done + left
        self.place.setText(
            self.tr("{0} of {1}").format(min(done + 1, total), total) if left else ""
        )
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(done)
        self.back.setVisible(bool(left))

    def _show_question(self, review: Review, evidence: Evidence | None) -> None:
        if evidence is not None:
            self._evidence = None
        horse = self._context.directory.resolve(review.horse_id)
        title = horse.title if horse is not None else self.tr("this horse")
        match = review.kind is ReviewKind.MATCH
        camera = self._context.model.camera(review.stream_id)
        facts = [camera, f"{ago(review.at)}, {clock(review.at)}"]
        if review.similarity is not None:
            facts.append(
                self.tr("similarity {0} against {1} asked").format(
                    f"{review.similarity:.2f}", f"{self._context.similarity_threshold:.2f}"
                )
            )
        if review.deferred:
            facts.append(self.tr("put off before"))
        self.facts.setText(" · ".join(part for part in facts if part))
        if match:
            self.question.setText(self.tr("Is this {0}?").format(title))
        else:
            self.question.setText(
                self.tr("They met. Is the one on the left still {0}?").format(title)
            )
        self._name_buttons(match, title)
        self._show_side(self.left, evidence.track if evidence else None, self.tr("this track"))
        if match:
            self.right.picture.show_horse(horse)
            self.right.name.setText(title)
            seen = ago(horse.last_seen_at) if horse is not None else ""
            self.right.about.setText(self.tr("last seen {0}").format(seen))
            strips = evidence.horse if evidence else ()
            colour = horse.colour_hex if horse is not None else "#ffffff"
            self.right.crops.show_strips(strips, colour)
        else:
            self._show_side(self.right, evidence.other if evidence else None, self.tr("the other"))
            self.right.crops.show_strips((), "#ffffff")

    def _show_side(self, side: Side, strip: TrackStrip | None, name: str) -> None:
        if strip is None:
            side.picture.show_horse(None)
            side.name.setText(name)
            side.about.setText("")
            return
        owner = self._context.directory.resolve(strip.horse_id)
        colour = owner.colour_hex if owner is not None else self._context.theme.tracks.hex[0]
        side.picture.show_track(strip, colour)
        side.name.setText(strip_words(strip))
        parts = [
            duration((strip.end - strip.start).total_seconds()),
            counted(strip.detections, self.tr("detection"), self.tr("detections")),
        ]
        if owner is not None:
            parts.append(self.tr("now: {0}").format(owner.title))
        side.about.setText(" · ".join(parts))

    def _name_buttons(self, match: bool, title: str) -> None:
        self.same.setText(
            self.tr("Same: it is {0}   S").format(title)
            if match
            else self.tr("Same: they kept their places   S")
        )
        self.different.setText(
            self.tr("Different: another horse   D")
            if match
            else self.tr("Different: they changed places   D")
        )
        self.later.setText(self.tr("Later   L"))

    # --- answering ------------------------------------------------------------------------------

    def answer(self, verdict: Verdict) -> None:
        """Answer the question on show and go on to the next."""
        review = self.current
        if review is None or self._busy:
            return
        self._busy = True
        self._set_enabled(False)
        context, identity = self._context, self._context.services.identity
        context.requests.submit(
            "an answer",
            lambda: identity.decide(review.id, verdict, context.actor),
            lambda record: self._on_decided(review, verdict, record),
            lambda error: self._on_refused(review, error),
            self,
        )

    def _on_decided(self, review: Review, verdict: Verdict, record: CommandRecord | None) -> None:
        if verdict is Verdict.LATER:
            self._put_off.add(review.id)
        self._next(review)
        if record is not None:
            context = self._context
            context.log.adopt(RecordedCorrection(record, context.services.identity, context.actor))
        self.decided.emit()

    def _on_refused(self, review: Review, error: BarnhandError) -> None:
        """A question that somebody else answered is left behind; otherwise it stays."""
        if isinstance(error, (Conflict, NotFound)):
            self._next(review)
        self._busy = False
        self._set_enabled(True)
        self._complain(error)

    def _next(self, review: Review) -> None:
        self._busy = False
        self._set_enabled(True)
        self._answered.add(review.id)
        self._queue = [r for r in self._queue if r.id != review.id]
        self.problem.hide()
        self._show()

    def _set_enabled(self, on: bool) -> None:
        acts: tuple[QPushButton, ...] = (self.same, self.different, self.later)
        for act in acts:
            act.setEnabled(on)

    def _complain(self, error: BarnhandError) -> None:
        self.problem.setText(str(error))
        self.problem.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        verdicts = {
            Qt.Key.Key_S: Verdict.SAME,
            Qt.Key.Key_D: Verdict.DIFFERENT,
            Qt.Key.Key_L: Verdict.LATER,
        }
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        verdict = verdicts.get(Qt.Key(event.key())) if plain else None
        if verdict is not None:
            self.answer(verdict)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

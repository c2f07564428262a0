"""Are these two the same horse? Evidence side by side, choices, and what a merge would move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import (
    Correction,
    Effect,
    Merge,
    Reassign,
    Reject,
    Scope,
    Similar,
    Split,
    TrackStrip,
)
from ui.registry.context import RegistryContext
from ui.registry.correction_panel import Choice, CorrectionPanel
from ui.registry.corrections import ApplyAll, ApplyCorrection
from ui.registry.evidence import Side, TwoLanes, side_by_side
from ui.registry.presence import Presence, presence
from ui.registry.words import (
    FIELDS,
    ago,
    clock,
    counted,
    effect_words,
    field_value,
    field_word,
    value_word,
    when,
)
from ui.widgets import button, icon_button, label
from ui.wording import duration

STRIPS_READ = 1000
SIMILAR_READ = 50
REJECTED_AT_MOST = 20
"""Tracks that "not the same horse" is remembered for: the newest ones, which may be matched."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store knows about two horses; ``similar`` are the ones that look like the kept."""

    kept: tuple[TrackStrip, ...]
    absorbed: tuple[TrackStrip, ...]
    similar: tuple[Similar, ...]


class MergePanel(CorrectionPanel):
    """Merge ``absorbed`` into ``kept``. ``turned`` asks for the other direction."""

    turned = Signal()

    def __init__(self, context: RegistryContext, kept: Horse, absorbed: Horse) -> None:
        title = _tr_title(context, kept, absorbed)
        super().__init__(context, title, "")
        self.kept, self.absorbed = kept, absorbed
        self.evidence: Evidence | None = None
        self.confirm.setText(self.tr("Merge"))
        self.cancel.setText(self.tr("Later"))
        self.refuse = button(self.tr("Not the same horse"))
        self.foot.insertWidget(1, self.refuse)
        self.left, self.right = Side(context), Side(context)
        self.similarity = label("", wrap=True)
        self.at_once = label("", wrap=True)
        self.lanes = TwoLanes(context)
        self.lanes.hide()
        self.choices: dict[str, Choice] = {}
        self.scope = Choice([(self.tr("everything"), None)])
        self._field_rows: list[QWidget] = []
        self._lay_out()
        self.refuse.clicked.connect(self.reject)
        self._read()
        self.ask()

    def _lay_out(self) -> None:
        for side, horse in ((self.left, self.kept), (self.right, self.absorbed)):
            side.picture.show_horse(horse)
            known = f"{horse.name} · {horse.label}" if horse.name else horse.label
            side.name.setText(known)
            side.about.setText(self._about(horse, None))
        self.content.addLayout(side_by_side(self.left, self.right))
        turn = icon_button("swap", self._context.theme, self.tr("Keep the other one"))
        turn.clicked.connect(self.turned)
        self.foot.addWidget(turn)
        self.add_row(self.tr("Similarity"), self.similarity)
        self.add_row(self.tr("Seen at once"), self.at_once)
        self.content.addWidget(self.lanes)
        for name in FIELDS:
            ours, theirs = field_value(self.kept, name), field_value(self.absorbed, name)
            if ours is None or theirs is None or ours == theirs:
                continue
            choice = Choice([(value_word(ours), ours), (value_word(theirs), theirs)])
            choice.changed.connect(self.ask)
            self.choices[name] = choice
            self._field_rows += self.add_row(field_word(name), choice)

    def _about(self, horse: Horse, strips: Sequence[TrackStrip] | None) -> str:
        camera = self._context.model.camera(horse.last_stream_id)
        words = [", ".join(part for part in (camera, ago(horse.last_seen_at)) if part)]
        if strips is not None:
            many = len({strip.track_id for strip in strips})
            more = "+" if len(strips) == STRIPS_READ else ""
            words.append(counted(many, self.tr("track"), self.tr("tracks")) + more)
        return " · ".join(words)

    # --- evidence -------------------------------------------------------------------------------

    def _read(self) -> None:
        horses, kept, absorbed = self._context.services.horses, self.kept.id, self.absorbed.id
        self._context.requests.submit(
            "evidence for a merge",
            lambda: Evidence(
                tuple(horses.strips(kept, limit=STRIPS_READ)),
                tuple(horses.strips(absorbed, limit=STRIPS_READ)),
                tuple(horses.similar(kept, SIMILAR_READ)),
            ),
            self._on_evidence,
            self._on_no_evidence,
            self,
        )

    def _on_evidence(self, evidence: Evidence) -> None:
        self.evidence = evidence
        for side, horse, strips in (
            (self.left, self.kept, evidence.kept),
            (self.right, self.absorbed, evidence.absorbed),
        ):
            side.about.setText(self._about(horse, strips))
            side.crops.show_strips(strips, horse.colour_hex)
        self.similarity.setText(self._similarity_words(evidence.similar))
        self._show_times(evidence)
        self._offer_scopes(evidence.absorbed)

    def _on_no_evidence(self, error: BarnhandError) -> None:
        self.show_problem(str(error))

    def _similarity_words(self, similar: Sequence[Similar]) -> str:
        found = {one.horse.id: one for one in similar}
        others = [one for one in similar if one.horse.id != self.absorbed.id]
        words = self.tr("not compared: no approved picture yet")
        if self.absorbed.id in found:
            words = self.tr("{0} against {1} asked").format(
                f"{found[self.absorbed.id].similarity:.2f}",
                f"{self._context.similarity_threshold:.2f}",
            )
        if others:
            best = max(others, key=lambda one: one.similarity)
            words += "; " + self.tr("next best {0} {1}").format(
                best.horse.title, f"{best.similarity:.2f}"
            )
        return words

    def _show_times(self, evidence: Evidence) -> None:
        strips = (*evidence.kept, *evidence.absorbed)
        if not strips:
            self.at_once.setText(self.tr("nothing is stored of either"))
            return
        first = min(strip.start for strip in evidence.absorbed or strips)
        last = max(strip.end for strip in evidence.absorbed or strips)
        margin = (last - first) * 0.1
        limits = (first - margin, last + margin)
        self.lanes.show_presence(
            clipped(presence(evidence.kept), limits),
            clipped(presence(evidence.absorbed), limits),
            (self.kept.colour_hex, self.absorbed.colour_hex),
            limits if last > first else None,
        )
        both = self.lanes.both
        if both:
            total_s = sum((end - start).total_seconds() for start, end in both)
            self.at_once.setText(
                self.tr("{0}, first {1}").format(duration(total_s), when(both[0][0]))
            )
        else:
            began = min(strip.start for strip in strips)
            days = max((datetime.now(UTC) - began).days, 1)
            self.at_once.setText(
                self.tr("never, in {0}").format(counted(days, self.tr("day"), self.tr("days")))
            )

    # --- scope ----------------------------------------------------------------------------------

    def _offer_scopes(self, strips: Sequence[TrackStrip]) -> None:
        options: list[tuple[str, object]] = [(self.tr("everything"), None)]
        tracks = {strip.track_id for strip in strips}
        if len(tracks) > 1:
            newest = strips[0]
            begins = clock(newest.start, False)
            options.append((self.tr("from {0} on").format(begins), "from"))
            options.append((self.tr("its last track only"), "track"))
        self.scope = Choice(options)
        self.scope.changed.connect(self._on_scope)
        self.add_row(self.tr("Applies to"), self.scope)

    def _on_scope(self) -> None:
        for widget in self._field_rows:
            widget.setVisible(self.scope.value is None)
        self.confirm.setText(self.tr("Merge") if self.scope.value is None else self.tr("Move"))
        self.ask()

    def correction(self) -> Correction | None:
        strips = self.evidence.absorbed if self.evidence is not None else ()
        if self.scope.value == "from" and strips:
            at = strips[0].start
            return Split(self.absorbed.id, at, Scope.EVERYWHERE, into=self.kept.id)
        if self.scope.value == "track" and strips:
            return Reassign(strips[0].track_id, self.kept.id)
        fields = {
            name: choice.value
            for name, choice in self.choices.items()
            if choice.value != field_value(self.kept, name)
        }
        return Merge(self.kept.id, self.absorbed.id, fields)

    def command_text(self) -> str:
        names = (self.absorbed.title, self.kept.title)
        if self.scope.value is None:
            return self.tr("merge {0} into {1}").format(*names)
        return self.tr("move tracks of {0} to {1}").format(*names)

    def effect_sentence(self, effect: Effect) -> str:
        words = self.tr("Moves {0} to {1}.").format(effect_words(effect), self.kept.title)
        if self.scope.value is None:
            day = self._context.model.day
            ours, theirs = day.of(self.kept.id), day.of(self.absorbed.id)
            after = ours.joined(theirs)
            if theirs.intervals:
                words += " " + self.tr("Seen today changes from {0} to {1}.").format(
                    duration(ours.seen_s), duration(after.seen_s)
                )
            if self.absorbed.status is HorseStatus.ACTIVE or self.kept.status is HorseStatus.ACTIVE:
                words += " " + self.tr("{0} is a resident.").format(self.kept.title)
        return words + " " + self.tr("Can be undone at any time.")

    def on_effect(self, effect: Effect) -> None:
        if effect.overlap_s > 0 and effect.forbidden:
            self.at_once.setText(
                self.tr("for {0}, which one horse cannot be").format(duration(effect.overlap_s))
            )

    # --- not the same ---------------------------------------------------------------------------

    def reject(self) -> None:
        """Remember that they are two: no newest track of one is ever matched to the other."""
        strips = self.evidence.absorbed if self.evidence is not None else ()
        tracks = list(dict.fromkeys(strip.track_id for strip in strips))[:REJECTED_AT_MOST]
        if not tracks or self.busy:
            self.closed.emit()
            return
        services, reason = self._context.services, self.reason.text().strip()
        text = self.tr("note that {0} is not {1}").format(self.absorbed.title, self.kept.title)
        parts = [
            ApplyCorrection(
                text, Reject(track, self.kept.id), services.identity, self._context.actor, reason
            )
            for track in tracks
        ]
        self._set_running(True)
        self.run(ApplyAll(text, parts), self._on_rejected)

    def _on_rejected(self) -> None:
        self._set_running(False)
        self.closed.emit()


def _tr_title(context: RegistryContext, kept: Horse, absorbed: Horse) -> str:
    return context.directory.tr("Merge {0} into {1}?").format(absorbed.title, kept.title)


def clipped(whole: Presence, limits: tuple[datetime, datetime]) -> Presence:
    """The part of a presence between two instants."""
    start, end = limits
    return Presence(
        tuple((max(a, start), min(b, end)) for a, b in whole.intervals if b > start and a < end)
    )

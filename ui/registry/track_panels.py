"""Corrections of tracks: split, move to another horse, swap two horses, not this horse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from engine.domain.identity import (
    Correction,
    Effect,
    Reassign,
    Reject,
    Scope,
    Similar,
    Split,
    Swap,
    TrackStrip,
)
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.ports import HorseRepository
from ui.registry.context import RegistryContext
from ui.registry.correction_panel import Choice, CorrectionPanel
from ui.registry.evidence import Side, side_by_side
from ui.registry.merge_panel import SIMILAR_READ
from ui.registry.picker import HorsePicker
from ui.registry.words import ago, clock, effect_words, strip_words

STRIPS_READ = 500


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of its track a strip is; None where it reaches to the track's start or end."""

    start: datetime | None = None
    end: datetime | None = None


def read_part(horses: HorseRepository, strip: TrackStrip) -> Part:
    """Runs on a worker: a strip is a part where other strips of its track lie beside it."""
    near = horses.strips(
        stream_id=strip.stream_id, start=strip.start, end=strip.end, limit=STRIPS_READ
    )
    own = [one for one in near if one.track_id == strip.track_id]
    before = any(one.start < strip.start for one in own)
    after = any(one.start > strip.start for one in own)
    return Part(strip.start if before else None, strip.end if after else None)


class PickingPanel(CorrectionPanel):
    """A correction that needs another horse: what it is about on the left, who on the right, and
    a list to choose from with the most similar first."""

    def __init__(
        self,
        context: RegistryContext,
        title: str,
        confirm: str,
        horse: Horse | None,
        *,
        new_horse: bool,
        left_out: Sequence[HorseId] = (),
    ) -> None:
        super().__init__(context, title, confirm)
        self.horse = horse
        self.left, self.right = Side(context), Side(context)
        self.picker = HorsePicker(context, left_out, new_horse=new_horse)
        self.content.addLayout(side_by_side(self.left, self.right))
        self.picker.picked.connect(self._on_picked)
        self.picker.accepted.connect(self.reason.setFocus)
        if horse is not None:
            context.requests.submit(
                "horses that look alike",
                lambda: tuple(context.services.horses.similar(horse.id, SIMILAR_READ)),
                self._on_similar,
                self._on_not_compared,
                self,
            )

    def _on_similar(self, similar: Sequence[Similar]) -> None:
        self.picker.show_similar({one.horse.id: one.similarity for one in similar})

    def _on_not_compared(self, error: BarnhandError) -> None:
        self.show_problem(str(error))

    def _on_picked(self) -> None:
        self.show_target()
        self.ask()

    def show_source(self, strip: TrackStrip | None, name: str, about: str) -> None:
        """What the correction is about: a track's picture, or the horse's."""
        if strip is not None and strip.has_crop:
            colour = self.horse.colour_hex if self.horse else self._context.theme.tracks.hex[0]
            self.left.picture.show_track(strip, colour)
        else:
            self.left.picture.show_horse(self.horse)
        self.left.name.setText(name)
        self.left.about.setText(about)

    def show_target(self) -> None:
        """Whose it will be."""
        chosen = self.picker.horse
        self.right.picture.show_horse(chosen)
        if chosen is not None:
            camera = self._context.model.camera(chosen.last_stream_id)
            self.right.name.setText(chosen.title)
            seen = (camera, ago(chosen.last_seen_at))
            self.right.about.setText(", ".join(part for part in seen if part))
        else:
            new = self.picker.wants_new
            self.right.name.setText(self.tr("A new horse") if new else self.tr("Which horse?"))
            self.right.about.setText(self.tr("gets the next number, as a guest") if new else "")

    def target_words(self) -> str:
        """Whose it will be, inside a sentence."""
        chosen = self.picker.horse
        return chosen.title if chosen is not None else self.tr("a new horse")

    def missing_words(self) -> str:
        return "" if self.picker.decided else self.tr("Choose a horse from the list.")


class SplitPanel(PickingPanel):
    """From an instant on, ``horse`` is another horse, on one track, one camera or everywhere."""

    def __init__(
        self,
        context: RegistryContext,
        horse: Horse,
        at: datetime,
        strip: TrackStrip | None,
    ) -> None:
        super().__init__(context, "", "", horse, new_horse=True, left_out=(horse.id,))
        self.split_horse = horse
        self.at = at
        self.strip = strip
        self.title.setText(self.tr("Split {0} at {1}?").format(horse.title, clock(at)))
        self.confirm.setText(self.tr("Split"))
        options: list[tuple[str, object]] = []
        if strip is not None:
            options.append((self.tr("this track"), Scope.TRACK))
            options.append((strip.stream_name, Scope.CAMERA))
        options.append((self.tr("everywhere"), Scope.EVERYWHERE))
        self.scope = Choice(options)
        self.scope.changed.connect(self.ask)
        self.add_row(self.tr("From {0} on").format(clock(at)), self.scope)
        self.add_row(self.tr("It is then"), self.picker)
        about = strip_words(strip) if strip is not None else self.tr("all its tracks")
        self.show_source(strip, self.tr("{0} until {1}").format(horse.title, clock(at)), about)
        self.picker.choose(None)
        self.show_target()
        self.ask()

    def correction(self) -> Correction | None:
        if not self.picker.decided:
            return None
        scope, strip = self.scope.value, self.strip
        into = self.picker.horse.id if self.picker.horse is not None else None
        track: TrackId | None = strip.track_id if strip and scope is Scope.TRACK else None
        stream: StreamId | None = strip.stream_id if strip and scope is Scope.CAMERA else None
        wanted = scope if isinstance(scope, Scope) else Scope.EVERYWHERE
        return Split(self.split_horse.id, self.at, wanted, track, stream, into)

    def command_text(self) -> str:
        return self.tr("split {0} at {1}").format(self.split_horse.title, clock(self.at))

    def effect_sentence(self, effect: Effect) -> str:
        return self.tr("Moves {0} from {1} to {2}. What was before {3} stays.").format(
            effect_words(effect), self.split_horse.title, self.target_words(), clock(self.at)
        )


class MovePanel(PickingPanel):
    """This track is somebody else's: ``target``, one to choose, or a new horse. ``whole``: all of
    the track, where the strip is but a part of it."""

    def __init__(
        self,
        context: RegistryContext,
        strip: TrackStrip,
        target: Horse | None = None,
        *,
        new_horse: bool = False,
        whole: bool = False,
    ) -> None:
        owner = context.directory.resolve(strip.horse_id)
        out = (owner.id,) if owner is not None else ()
        super().__init__(context, "", "", owner, new_horse=True, left_out=out)
        self.strip = strip
        self._part = Part() if whole else None
        self.confirm.setText(self.tr("This is the horse"))
        self.title.setText(self.tr("Whose is {0}?").format(strip_words(strip)))
        was = owner.title if owner is not None else self.tr("nobody yet")
        self.show_source(strip, strip_words(strip), self.tr("now: {0}").format(was))
        self.add_row(self.tr("Belongs to"), self.picker)
        if target is not None or new_horse:
            self.picker.choose(target.id if target is not None else None)
        self.show_target()
        if not whole:
            context.requests.submit(
                "the rest of a track",
                lambda: read_part(context.services.horses, strip),
                self._on_part,
                self._on_not_compared,
                self,
            )
        self.ask()

    def _on_part(self, part: Part) -> None:
        self._part = part
        self.ask()

    def correction(self) -> Correction | None:
        if not self.picker.decided or self._part is None:
            return None
        chosen, part = self.picker.horse, self._part
        into = chosen.id if chosen is not None else None
        return Reassign(self.strip.track_id, into, part.start, part.end)

    def command_text(self) -> str:
        return self.tr("give {0} to {1}").format(strip_words(self.strip), self.target_words())

    def effect_sentence(self, effect: Effect) -> str:
        return self.tr("Gives {0} to {1}. Can be undone at any time.").format(
            effect_words(effect), self.target_words()
        )


class SwapPanel(PickingPanel):
    """Two horses were taken for each other from an instant on, on one camera or on all."""

    def __init__(
        self,
        context: RegistryContext,
        horse: Horse,
        at: datetime,
        strip: TrackStrip | None,
        other: Horse | None = None,
    ) -> None:
        super().__init__(context, "", "", horse, new_horse=False, left_out=(horse.id,))
        self.first = horse
        self.at = at
        self.confirm.setText(self.tr("Swap"))
        self.title.setText(self.tr("Swap {0} from {1} on?").format(horse.title, clock(at)))
        options: list[tuple[str, object]] = [(self.tr("all cameras"), None)]
        if strip is not None:
            options.insert(0, (strip.stream_name, strip.stream_id))
        self.where = Choice(options)
        self.where.changed.connect(self.ask)
        self.add_row(self.tr("On"), self.where)
        self.add_row(self.tr("With"), self.picker)
        camera = context.model.camera(horse.last_stream_id)
        seen = ", ".join(part for part in (camera, ago(horse.last_seen_at)) if part)
        self.show_source(None, horse.title, seen)
        if other is not None:
            self.picker.choose(other.id)
        self.show_target()
        self.ask()

    def correction(self) -> Correction | None:
        other, where = self.picker.horse, self.where.value
        if other is None:
            return None
        stream = StreamId(where) if isinstance(where, UUID) else None
        return Swap(self.first.id, other.id, self.at, stream)

    def command_text(self) -> str:
        return self.tr("swap {0} and {1} from {2} on").format(
            self.first.title, self.target_words(), clock(self.at)
        )

    def effect_sentence(self, effect: Effect) -> str:
        return self.tr("{0} and {1} exchange {2}. Can be undone at any time.").format(
            self.first.title, self.target_words(), effect_words(effect)
        )


class RejectPanel(CorrectionPanel):
    """This track is not that horse: it becomes nobody's, and the pair is remembered."""

    def __init__(self, context: RegistryContext, strip: TrackStrip, horse: Horse) -> None:
        super().__init__(context, "", "")
        self.strip, self.horse = strip, horse
        self.title.setText(self.tr("Not {0}?").format(horse.title))
        self.confirm.setText(self.tr("Not {0}").format(horse.title))
        self.left, self.right = Side(context), Side(context)
        if strip.has_crop:
            self.left.picture.show_track(strip, horse.colour_hex)
        else:
            self.left.picture.show_horse(None)
        self.left.name.setText(strip_words(strip))
        self.left.about.setText(self.tr("will be nobody's"))
        self.right.picture.show_horse(horse)
        self.right.name.setText(horse.title)
        self.right.about.setText(self.tr("never matched to this track again"))
        self.content.addLayout(side_by_side(self.left, self.right))
        self.ask()

    def correction(self) -> Correction | None:
        return Reject(self.strip.track_id, self.horse.id)

    def command_text(self) -> str:
        return self.tr("{0} is not {1}").format(strip_words(self.strip), self.horse.title)

    def effect_sentence(self, effect: Effect) -> str:
        return self.tr("Takes {0} from {1}. Can be undone at any time.").format(
            effect_words(effect), self.horse.title
        )

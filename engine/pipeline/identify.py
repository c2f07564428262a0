"""The identify stage: each confirmed horse track gets the horse it shows.

Runs on the analysis thread, after tracking. The registry comes from other threads and is taken
over between two pictures. Nothing is decided before a first registry came, for nobody would be
known and everybody new, and nothing without an appearance model: then only what people decide
shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from engine.domain.frames import AnalysisFrame
from engine.domain.geometry import FloatArray
from engine.domain.identity import RegistrySnapshot
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock, Embedder
from engine.domain.tracks import TrackBatch
from engine.identity.registry import Registry
from engine.identity.resolver import Resolver, Sight
from engine.identity.rules import Rules
from engine.pipeline.alignment import vectors_of_rows
from engine.pipeline.crop_quality import crop_qualities
from engine.pipeline.crops import CropTaker
from engine.pipeline.fan_out import FanOut
from engine.settings import TrackingSettings
from engine.tracking.colours import colour_index
from engine.tracking.tracker import Tracker

TOO_MANY = "identity.more_than_expected"


@runtime_checkable
class Calibrated(Protocol):
    """An embedder that states from which similarity two crops show the same horse."""

    @property
    def threshold(self) -> float | None:
        """Cosine 0..1, None where nobody measured it."""
        ...


class Identify:
    """Owns the resolver. ``load`` may be called from any thread."""

    def __init__(
        self, fan_out: FanOut, clock: Clock, embedder: Callable[[], Embedder | None]
    ) -> None:
        self.crops = CropTaker(fan_out.on_identity)
        self._fan_out = fan_out
        self._clock = clock
        self._embedder = embedder
        self._resolver = Resolver(Rules(), fan_out.on_identity)
        self._lock = threading.Lock()
        self._fresh: Registry | None = None
        self._numbers: dict[StreamId, int] = {}
        self._heights_m: Mapping[HorseId, float] = {}
        self._turn = 0

    # --- any thread -----------------------------------------------------------------------------

    def load(self, snapshot: RegistrySnapshot) -> None:
        """Use this registry from the next picture on."""
        embedder = self._embedder()
        registry = Registry.of(
            snapshot,
            None if embedder is None else embedder.model_id,
            None if embedder is None else embedder.dimension,
        )
        with self._lock:
            self._fresh = registry
            self._numbers.update(snapshot.next_numbers)
            self._heights_m = _heights_m(snapshot)
        self._tell_numbers(snapshot)

    @property
    def threshold(self) -> float | None:
        """Cosine from which two looks are taken for one horse; None without an appearance model."""
        return None if self._embedder() is None else self._resolver.rules.accept

    def first_number(self, stream_id: StreamId) -> int:
        """Number of a camera's next track when the engine starts with it."""
        with self._lock:
            return self._numbers.get(stream_id, 1)

    def height_m(self, horse_id: HorseId) -> float | None:
        """Height at the withers that people wrote down, None where nobody did."""
        return self._heights_m.get(horse_id)

    def _tell_numbers(self, snapshot: RegistrySnapshot) -> None:
        expected, found = snapshot.expected_residents, len(snapshot.horses)
        more = expected is not None and found > expected
        self._fan_out.on_notice(
            Notice(
                TOO_MANY,
                Severity.WARNING,
                f"{found} horses are known, {expected} were expected."
                if more
                else "No more horses are known than expected.",
                "Accept the guests, or drag a guest onto the horse it is." if more else "",
                self._clock.now(),
                active=more,
            )
        )

    # --- the analysis thread --------------------------------------------------------------------

    def run(
        self,
        frame: AnalysisFrame,
        vectors: FloatArray | None,
        tracker: Tracker,
        tracks: TrackBatch,
        settings: TrackingSettings,
    ) -> TrackBatch:
        """The same tracks with the horses they show."""
        self._take_over(frame)
        if self._resolver.registry is None:
            return tracks
        self._resolver.rules = self._rules(settings)
        self._turn += 1
        qualities = crop_qualities(frame, tracks, self._turn)
        sight = Sight(
            frame.stamp,
            (frame.picture.width_px, frame.picture.height_px),
            tracks,
            vectors_of_rows(tracks, vectors),
            qualities,
        )
        owners = self._resolver.observe(sight)
        _relabel(tracker, tracks, owners)
        named = self._named(tracks, owners)
        self.crops.consider(frame, named, qualities)
        return named

    def closed(self, track_id: TrackId) -> None:
        """A track has ended."""
        self._resolver.closed(track_id)
        self.crops.closed(track_id)

    def _take_over(self, frame: AnalysisFrame) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, None
        if fresh is not None:
            embedder = self._embedder()
            stamp = frame.stamp
            model_id = None if embedder is None else embedder.model_id
            self._resolver.load(fresh, model_id, stamp.captured_mono_s, stamp.captured_at)

    def _rules(self, settings: TrackingSettings) -> Rules:
        """The farm's threshold, this machine's, the model's calibrated one, or the default."""
        registry = self._resolver.registry
        farm = None if registry is None else registry.snapshot.similarity_threshold
        calibrated = _calibrated(self._embedder())
        if farm is not None:
            accept = farm
        elif calibrated is not None and "similarity_threshold" not in settings.model_fields_set:
            accept = calibrated
        else:
            accept = settings.similarity_threshold
        rules = self._resolver.rules
        return rules if rules.accept == accept else replace(rules, accept=accept)

    def _named(self, tracks: TrackBatch, owners: tuple[HorseId | None, ...]) -> TrackBatch:
        """Identified horses wear their stored colour, and nobody else in the picture wears it."""
        stored = [None if h is None else self._resolver.colour_of(h) for h in owners]
        taken = {colour for colour in stored if colour is not None}
        if not taken and not any(tracks.horse_ids):
            return replace(tracks, horse_ids=owners) if any(owners) else tracks
        colours = tracks.colours.copy()
        for row, colour in enumerate(stored):
            if colour is not None:
                colours[row] = colour
            elif int(colours[row]) in taken:
                colours[row] = colour_index(tracks.track_ids[row], taken)
        return replace(tracks, horse_ids=owners, colours=colours)


def _heights_m(snapshot: RegistrySnapshot) -> Mapping[HorseId, float]:
    told = ((known.horse.id, known.horse.profile.height_cm) for known in snapshot.horses)
    return {horse_id: height_cm / 100.0 for horse_id, height_cm in told if height_cm}


def _calibrated(embedder: object) -> float | None:
    return embedder.threshold if isinstance(embedder, Calibrated) else None


def _relabel(tracker: Tracker, tracks: TrackBatch, owners: tuple[HorseId | None, ...]) -> None:
    """Tell the tracker; first what is taken away, so that two horses can change places."""
    changed = [row for row, owner in enumerate(owners) if owner != tracks.horse_ids[row]]
    for row in changed:
        tracker.identify(tracks.track_ids[row], None)
    for row in changed:
        if owners[row] is not None:
            tracker.identify(tracks.track_ids[row], owners[row])

"""The engine's copy of the registry: who is known, and the approved vectors to know them by."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from engine.domain.horses import HorseStatus
from engine.domain.identity import Area, RegistrySnapshot
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId
from engine.identity.gallery import HorseGallery


@dataclass(slots=True)
class Known:
    """One horse. ``local``: founded by this engine and not yet seen in a snapshot."""

    horse_id: HorseId
    colour: int
    guest: bool
    local: bool = False


@dataclass(slots=True)
class Registry:
    """Built from a snapshot on the feed's thread, then owned by the analysis thread."""

    snapshot: RegistrySnapshot
    gallery: HorseGallery | None
    known: dict[HorseId, Known] = field(default_factory=dict)
    merged: dict[HorseId, HorseId] = field(default_factory=dict)
    rejected: set[tuple[TrackId, HorseId]] = field(default_factory=set)

    @classmethod
    def of(
        cls, snapshot: RegistrySnapshot, model_id: ModelId | None, dimension: int | None
    ) -> Registry:
        """The registry for an appearance model, None when none runs.

        Vectors of another model than the snapshot's are left out: they are never compared.
        """
        gallery = None if dimension is None else HorseGallery(dimension)
        if gallery is not None:
            comparable = snapshot.model_id == model_id
            none = np.zeros((0, gallery.dimension), np.float32)
            gallery.load(
                {
                    known.horse.id: known.vectors
                    if comparable and known.vectors.shape[1:] == (gallery.dimension,)
                    else none
                    for known in snapshot.horses
                }
            )
        return cls(
            snapshot,
            gallery,
            {
                known.horse.id: Known(
                    known.horse.id, known.colour, known.horse.status is HorseStatus.GUEST
                )
                for known in snapshot.horses
            },
            dict(snapshot.merged),
            set(snapshot.rejected),
        )

    def current(self, horse_id: HorseId) -> HorseId:
        """The horse a merged record points at, itself otherwise."""
        seen = {horse_id}
        while (into := self.merged.get(horse_id)) is not None and into not in seen:
            seen.add(into)
            horse_id = into
        return horse_id

    def expected_at(
        self, stream_id: StreamId, centre_px: tuple[float, float], size_px: tuple[int, int]
    ) -> frozenset[HorseId]:
        """Horses that live where this point of the picture is (stall assignment)."""
        point = (centre_px[0] / max(size_px[0], 1), centre_px[1] / max(size_px[1], 1))
        return frozenset(
            self.current(area.expected)
            for area in self.snapshot.areas
            if area.expected is not None and area.stream_id == stream_id and _inside(area, point)
        )

    def next_number(self, stream_id: StreamId) -> int:
        """First number that no track of the camera ever had."""
        return self.snapshot.next_numbers.get(stream_id, 1)


def _inside(area: Area, point: tuple[float, float]) -> bool:
    if area.region is None:
        return True
    corners = np.ascontiguousarray(area.region, np.float32)
    return len(corners) > 2 and cv2.pointPolygonTest(corners, point, False) >= 0

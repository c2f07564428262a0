"""The numbers that decide about identities, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of the resolver. Similarities are clipped cosines, 0..1.

    accept: from here on it is the same horse (the model's calibrated value or the setting).
    margin: lead over the second best that is needed to be sure.
    guest_gap: a horse is new only when nobody known reaches ``accept - guest_gap``. Wide, because a
    horse's other side looks less like it than its threshold says: a needless question costs less
    than a second record of one horse.
    keep_gap: an identified track is doubted only below ``accept - keep_gap`` (hysteresis).
    approve_lead: above ``accept`` by this much, the engine's own decision may teach the gallery.
    crops, guest_crops: good crops before a track may be matched, and before it may be a new horse.
    guest_age_s: a track younger than this founds no horse. crop_interval_s: crops nearer in time
    count once. prior: what an expected horse gains in its own stall. recheck_s: how often an
    identified track is compared again; doubts: how often in a row another horse must fit before it
    is believed, doubts_after: after a contact or a gap.
    apart_s: seen side by side this long, two tracks are proven to be two horses.
    guests_spare: horses that a camera may found in an hour beyond the most it showed at once.
    """

    accept: float = 0.75
    margin: float = 0.05
    guest_gap: float = 0.20
    keep_gap: float = 0.10
    approve_lead: float = 0.04
    swap_lead: float = 0.08
    crops: int = 5
    guest_crops: int = 8
    guest_age_s: float = 2.0
    crop_interval_s: float = 0.2
    good_quality: float = 0.4
    prior: float = 0.06
    retry_s: float = 1.0
    recheck_s: float = 2.0
    doubts: int = 3
    doubts_after: int = 2
    apart_s: float = 1.0
    guests_spare: int = 6

    @property
    def guest_below(self) -> float:
        """A horse is new when the best similarity stays below this."""
        return max(self.accept - self.guest_gap, 0.0)

    @property
    def keep_from(self) -> float:
        """An identified track keeps its horse from here on."""
        return max(self.accept - self.keep_gap, 0.0)

    @property
    def approve_from(self) -> float:
        """Vectors of tracks decided at least this surely enter the horse's gallery."""
        return min(self.accept + self.approve_lead, 1.0)


TOP_SPEED_MPS = 12.0
"""Faster than this no horse travels between two places (specification: no teleporting)."""
SIMULTANEOUS_S = 1.0
"""Seen on two cameras within this time is seen at once: analysis at 1 fps still overlaps."""
HAND_OVER_S = 8.0
"""So long two cameras of unknown distance may both see a horse that walks from one to the other."""
HORSE_HEIGHT_M = 1.6
"""Height of a box around a standing horse, for scaling pixels; withers of a common horse."""
CAMERA_HORSES = 50
"""Most recent horses of a camera that are compared first (specification)."""
LOST_S = 10.0
"""A lost track may come back so long (the tracker closes it then)."""
CONTACT_OVERLAP = 0.25
"""From this share of the smaller box on, the tracker may take one horse for the other."""
CROSSING_OVERLAP = 0.4
"""Share of the smaller box that two tracks must share to count as having met."""
CROSSING_APART = 0.1
"""They have separated again when they share less than this."""

"""How light the parts of a horse are beside its body: blaze, socks, mane, dark points.

Patches are read at places that landmarks define. Their logarithmic brightness is taken relative to
the body's, so the strength of the light and the camera's exposure cancel. The light's colour does
not cancel, so colours are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.letterbox import GREY

METADATA_KEY = "coat_tones"
"""Under this name a model file holds the ToneMap that belongs to it."""

FLOOR = 0.004
"""Added to linear light (0..1) before the logarithm: a grey level in the dark is no mark."""

LIMIT = 2.5
"""Largest logarithm of a ratio that counts; beyond it there is only glare or night."""

LEAST_INSIDE = 0.3
"""A patch of which less is horse is not known."""

LEAST_KNOWN = 10
"""Fewer known places than this say nothing about a horse."""

_GAMMA = 2.2
_BRIGHT = 90.0
"""Percentile of a patch's brightness that stands for its bright part."""

_SIDE = 7
_LINE = np.linspace(-1.0, 1.0, _SIDE)
_OFFSETS = np.stack([*np.meshgrid(_LINE, _LINE)], axis=-1).reshape(-1, 2)
"""A patch is read at 7 x 7 points."""

_LIGHT = ((np.arange(256) / 255.0) ** _GAMMA).astype(np.float32)

Point = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A patch ``share`` of the way from one role's landmark to another's, moved ``down`` and
    ``back`` (from withers to croup); moves and ``radius`` are shares of the horse's height."""

    start: str
    end: str
    share: float
    down: float
    back: float
    radius: float
    body: bool = False


def _legs() -> Iterator[Place]:
    for side in ("left", "right"):
        for joint, top, end in (("carpus", "withers", "front"), ("hock", "croup", "hind")):
            knee, fetlock, hoof = f"{joint}_{side}", f"fetlock_{side}_{end}", f"hoof_{side}_{end}"
            yield Place(knee, top, 0.25, 0.0625, 0.0, 0.03)
            yield Place(knee, fetlock, 0.3, 0.0, 0.0, 0.02)
            yield Place(knee, fetlock, 0.7, 0.0, 0.0, 0.02)
            yield Place(fetlock, hoof, 0.5, 0.0, 0.0, 0.02)


_FACE = (0.15, 0.35, 0.55, 0.75, 0.95)
PLACES: tuple[Place, ...] = (
    *(Place("poll", "nose", share, 0.0, 0.0, 0.03) for share in _FACE),
    Place("poll", "withers", 0.3, 0.096, 0.0, 0.05, body=True),
    Place("poll", "withers", 0.6, 0.132, 0.0, 0.05, body=True),
    Place("poll", "withers", 0.5, 0.0, 0.0, 0.02),
    Place("withers", "withers", 0.0, 0.33, 0.0, 0.06, body=True),
    Place("withers", "croup", 0.6, 0.36, 0.0, 0.06, body=True),
    Place("withers", "croup", 0.85, 0.1, 0.0, 0.04),
    Place("croup", "croup", 0.0, 0.2, 0.08, 0.07, body=True),
    Place("croup", "croup", 0.0, 0.36, 0.1, 0.05, body=True),
    Place("croup", "croup", 0.0, 0.35, 0.24, 0.03),
    *_legs(),
)
"""Face, neck, mane, shoulder, flank, loin, rump, thigh, tail and legs. The shares were set once by
eye on side views, as those of the outline."""

TONES = 2 * len(PLACES)
_BODY = np.array([place.body for place in PLACES])


def coat_tones(crop_bgr: Image, known: Mapping[str, Point]) -> FloatArray:
    """Tones of one horse, float32 (TONES,): the middle brightness of each place, then its bright
    part, as natural logarithms of the ratio to the body's; NaN where a place is not seen.

    ``crop_bgr`` uint8 (H, W, 3); pixels of exactly GREY are no horse. ``known``: role -> x, y in
    pixels of the crop.
    """
    light = np.full((len(PLACES), 2), np.nan)
    height = _height_px(known)
    for row, place in enumerate(PLACES):
        centre = _centre(place, known, height)
        if centre is not None:
            light[row] = _patch(crop_bgr, centre, max(place.radius * height, 1.0))
    body = light[_BODY, 0]
    body = body[np.isfinite(body)]
    if not len(body):
        return np.full(TONES, np.nan, np.float32)
    tones = np.clip(light - np.median(body), -LIMIT, LIMIT)
    return np.asarray(tones.T.reshape(-1), np.float32)


def _height_px(known: Mapping[str, Point]) -> float:
    """Withers (or what is highest) to the lowest hoof or fetlock (or what is lowest)."""
    if not known:
        return 10.0
    heights = [float(point[1]) for point in known.values()]
    ground = [float(p[1]) for role, p in known.items() if role.startswith(("hoof", "fetlock"))]
    top = float(known["withers"][1]) if "withers" in known else min(heights)
    return max(max(ground or heights) - top, 10.0)


def _centre(place: Place, known: Mapping[str, Point], height: float) -> Point | None:
    start, end = known.get(place.start), known.get(place.end)
    if start is None or end is None:
        return None
    centre = start + place.share * (end - start) + np.array([0.0, place.down * height])
    if not place.back:
        return np.asarray(centre, np.float64)
    withers, croup = known.get("withers"), known.get("croup")
    if withers is None or croup is None:
        return None
    back = (croup - withers) / max(float(np.hypot(*(croup - withers))), 1.0)
    return np.asarray(centre + place.back * height * back, np.float64)


def _patch(crop_bgr: Image, centre: Point, radius_px: float) -> tuple[float, float]:
    """Logarithms of the middle (mean of the channels' medians) and the bright light of a patch."""
    spots = np.round(centre + radius_px * _OFFSETS).astype(np.int64)
    limit = np.array([crop_bgr.shape[1], crop_bgr.shape[0]])
    spots = spots[((spots >= 0) & (spots < limit)).all(axis=1)]
    values = crop_bgr[spots[:, 1], spots[:, 0]]
    values = values[(values != GREY).any(axis=1)]
    if len(values) < LEAST_INSIDE * len(_OFFSETS):
        return np.nan, np.nan
    light = _LIGHT[values]
    middle = float(np.log(np.median(light, axis=0) + FLOOR).mean())
    return middle, float(np.log(np.percentile(light.mean(axis=1), _BRIGHT) + FLOOR))


@dataclass(frozen=True)
class ToneMap:
    """Tones to vectors: ``middle`` (TONES,) stands in for what is not seen, ``matrix`` (TONES, K)
    shrinks what changes on one horse."""

    middle: FloatArray
    matrix: FloatArray

    @property
    def dimension(self) -> int:
        """Numbers that a horse's tones become."""
        return int(self.matrix.shape[1])

    def __call__(self, tones: FloatArray) -> FloatArray:
        """Tones (N, TONES) to float32 (N, K), of length 1 or, where too little is known, 0."""
        seen = np.isfinite(tones)
        vectors = np.where(seen, tones - self.middle, 0.0) @ self.matrix
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        enough = seen[:, : len(PLACES)].sum(axis=1, keepdims=True) >= LEAST_KNOWN
        return np.asarray(np.where(enough, vectors / lengths, 0.0), np.float32)

    def text(self) -> str:
        """What a model file stores."""
        stored = {
            name: np.round(values.astype(np.float64), 5).tolist()
            for name, values in (("middle", self.middle), ("matrix", self.matrix))
        }
        return json.dumps(stored, separators=(",", ":"))


def tone_map_of(metadata: Mapping[str, str]) -> ToneMap | None:
    """The ToneMap of a model file, None when it has none; ModelInvalid when it is damaged."""
    text = metadata.get(METADATA_KEY)
    if text is None:
        return None
    try:
        stored = json.loads(text)
        middle = np.array(stored["middle"], np.float32)
        matrix = np.array(stored["matrix"], np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelInvalid(f"The tones in the model file cannot be read: {error!r}") from error
    if middle.shape != (TONES,) or matrix.ndim != 2 or len(matrix) != TONES or not matrix.size:
        raise ModelInvalid(
            f"The tones in the model file are {middle.shape} and {matrix.shape}, not of {TONES}."
        )
    if not (np.isfinite(middle).all() and np.isfinite(matrix).all()):
        raise ModelInvalid("The tones in the model file hold numbers that are not finite.")
    return ToneMap(middle, matrix)


def joined(looks: FloatArray, tones: FloatArray) -> FloatArray:
    """Both votes with the same weight: unit vectors (N, D) and (N, K) to unit vectors (N, D + K).

    A horse whose tones are not known keeps its looks alone, and so is less like every horse whose
    tones are.
    """
    vectors = np.concatenate([looks, tones], axis=1)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, np.float32)


def known_landmarks(
    points_px: FloatArray, scores: FloatArray, roles: Sequence[tuple[str, int]], least: float,
    matrix: NDArray[np.float64],
) -> dict[str, Point]:  # fmt: skip
    """Role -> x, y in pixels of the crop that ``matrix`` (2, 3) cuts, where scores suffice."""
    placed = points_px.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return {role: placed[row] for role, row in roles if scores[row] >= least}

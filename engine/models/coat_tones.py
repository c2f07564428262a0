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
_BRIGHT = 0.9
"""Quantile of a patch's brightness that stands for its bright part."""

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
_STARTS, _ENDS = [place.start for place in PLACES], [place.end for place in PLACES]
_SHARES = np.array([place.share for place in PLACES])
_DOWN, _BACK = np.array([place.down for place in PLACES]), np.array([p.back for p in PLACES])
_RADII = np.array([place.radius for place in PLACES])


def coat_tones(crop_bgr: Image, known: Mapping[str, Point]) -> FloatArray:
    """Tones of one horse, float32 (TONES,): the middle brightness of each place, then its bright
    part, as natural logarithms of the ratio to the body's; NaN where a place is not seen.

    ``crop_bgr`` uint8 (H, W, 3); pixels of exactly GREY are no horse. ``known``: role -> x, y in
    pixels of the crop.
    """
    centres, radii_px = _centres(known)
    light = _patches(crop_bgr, centres, radii_px)
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


def _centres(known: Mapping[str, Point]) -> tuple[Point, Point]:
    """Centres of all places (P, 2), NaN where a landmark is missing, and their radii (P,)."""
    nowhere = np.full(2, np.nan)
    start, end = (
        np.stack([known.get(role, nowhere) for role in roles]) for roles in (_STARTS, _ENDS)
    )
    back = known.get("croup", nowhere) - known.get("withers", nowhere)
    back = back / max(float(np.hypot(*back)), 1.0)
    height = _height_px(known)
    centres = start + _SHARES[:, None] * (end - start)
    centres[:, 1] += _DOWN * height
    moved = np.nonzero(_BACK)[0]
    centres[moved] += _BACK[moved, None] * height * back
    return centres, np.maximum(_RADII * height, 1.0)


def _patches(crop_bgr: Image, centres: Point, radii_px: Point) -> Point:
    """Logarithms of the middle (mean of the channels' medians) and of the bright light of every
    patch, (P, 2); NaN where there is none."""
    spots = np.round(centres[:, None] + radii_px[:, None, None] * _OFFSETS)
    limit = np.array([crop_bgr.shape[1], crop_bgr.shape[0]])
    inside = np.asarray(((spots >= 0) & (spots < limit)).all(axis=2), np.bool_)
    column, row = np.where(inside[..., None], spots, 0.0).astype(np.intp).transpose(2, 0, 1)
    values = crop_bgr[row, column]
    inside &= (values != GREY).any(axis=2)
    light = _LIGHT[values]
    # What is no horse sorts behind all that is, so quantiles are places in a row.
    channels = np.sort(np.where(inside[..., None], light, np.inf), axis=1)
    whole = np.sort(np.where(inside, light.mean(axis=2), np.inf), axis=1)
    counts = inside.sum(axis=1)
    enough = counts >= LEAST_INSIDE * len(_OFFSETS)
    last = np.maximum(counts - 1, 0)
    rows = np.arange(len(counts))
    median = (channels[rows, last // 2] + channels[rows, (last + 1) // 2]) / 2.0
    bright = whole[rows, np.rint(_BRIGHT * last).astype(np.intp)]
    found = np.stack([np.log(median + FLOOR).mean(axis=1), np.log(bright + FLOOR)], axis=1)
    return np.asarray(np.where(enough[:, None], found, np.nan), np.float64)


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

"""What a packet for the vet tells: everything gathered before a page is laid out."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from statistics import mean, stdev
from typing import Any

import cv2

from barnhand_desktop.exports.camera_pictures import (
    Artist,
    Recordings,
    chunks_of,
)
from db.repositories.export_rows import ExportRows, ExportScope
from engine.domain.behaviour import Alert, AlertRepository, MotionRepository, TimeBudget
from engine.domain.errors import BarnhandError, NotFound, OperatorMistake
from engine.domain.ids import HorseId
from engine.domain.motion import Bout, BoutKind, Gait, Stride
from engine.domain.recording import Chunk, ChunkRepository
from engine.motion.asymmetry import (
    FIGURES,
    AsymmetrySummary,
    AsymmetryTrend,
    summarise,
    trend,
)
from engine.recording.layout import video_file
from engine.recording.reader import ChunkReader

log = logging.getLogger(__name__)

MOST_PICTURES = 6
MOST_STRIDES = 100_000
PICTURE_WIDTH_PX = 900
_JPEG_QUALITY = 85
_TRIED = 5
_WORTH = (
    Gait.TROT.label, Gait.CANTER.label, Gait.GALLOP.label, Gait.WALK.label,
    "lateral", "sternal", "lying", "rolling", "grazing", "resting", "standing",
)  # fmt: skip
"""What is worth a picture, first what a vet looks at first."""


@dataclass(frozen=True, slots=True)
class PacketStores:
    """``hashes``: SHA-256 by ``name@version`` of the models on this machine. ``everywhere``: the
    recordings of all workstations; None: only those of the exporter are told of."""

    motion: MotionRepository
    alerts: AlertRepository
    rows: ExportRows
    hashes: Callable[[], Mapping[str, str]]
    program: str
    everywhere: ChunkRepository | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One gait's strides: mean and spread (NaN for one stride) of each figure."""

    gait: Gait
    strides: int
    stride_hz: tuple[float, float]
    length_m: tuple[float, float]
    speed_mps: tuple[float, float]
    symmetry: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """A picture with its overlay: JPEG, what it shows, the camera, when, and the recording."""

    jpeg: bytes
    size_px: tuple[int, int]
    what: str
    camera: str
    at: datetime
    chunk: Chunk


@dataclass
class PacketFacts:
    """A horse between two instants. ``models``: name, skeleton, detections, hash (empty: the model
    is not on this machine). ``pages`` is set when it was laid out."""

    program: str
    made_at: datetime
    scope: ExportScope
    horse: Mapping[str, Any]
    budget: TimeBudget
    days: Sequence[TimeBudget]
    gaits: Sequence[Figures]
    strides: Sequence[Stride]
    provisional: int
    asymmetry: AsymmetrySummary
    trends: Sequence[AsymmetryTrend]
    alerts: Sequence[Alert]
    models: Sequence[tuple[str, str, int, str]]
    chunks: Sequence[Chunk]
    pictures: Sequence[Moment]
    pages: int = 0
    elsewhere: int = 0

    @property
    def title(self) -> str:
        """What people call the horse."""
        return str(self.horse["name"] or self.horse["label"])


def gather(
    stores: PacketStores, recordings: Recordings, scope: ExportScope,
    told: Callable[[float, str], None],
) -> PacketFacts:  # fmt: skip
    """Read everything. Raises OperatorMistake without a horse, JobCancelled."""
    if scope.horse is None or scope.horse_id is None:
        raise OperatorMistake("A packet for the vet is about one horse.", "Choose the horse.")
    horse_id, start, end = scope.horse_id, scope.start, scope.end
    whole_s = (end - start).total_seconds()
    told(0.05, "time budget")
    budget = _whole_budget(stores.motion, horse_id, start, end, whole_s)
    days = stores.motion.budgets([horse_id], start, end, max(86_400.0, whole_s / 60))
    told(0.15, "strides")
    strides = [
        owned.stride for owned in stores.motion.strides(start, end, horse_id, limit=MOST_STRIDES)
    ]
    bouts = [
        owned.bout for owned in stores.motion.bouts(start, end, [horse_id], limit=MOST_STRIDES)
    ]
    told(0.3, "recordings")
    cameras = dict(scope.cameras)
    every = replace(recordings, chunks=stores.everywhere or recordings.chunks)
    chunks = [
        chunk
        for stream_id in {bout.stream_id for bout in bouts} & set(cameras)
        for chunk in chunks_of(every, stream_id, start, end)
    ]
    told(0.4, "pictures")
    return PacketFacts(
        program=stores.program,
        made_at=datetime.now(UTC),
        scope=scope,
        horse=scope.horse,
        budget=budget,
        days=days,
        gaits=_gaits(strides),
        strides=strides,
        provisional=sum(stride.provisional for stride in strides),
        asymmetry=summarise(strides),
        trends=[trend(strides, figure) for figure in FIGURES],
        alerts=stores.alerts.list(scope.farm_id, start, end, horse_id, limit=200),
        models=_models(stores, scope),
        chunks=sorted(chunks, key=lambda chunk: (chunk.start_at, chunk.id)),
        pictures=_moments(recordings, cameras, bouts, chunks, told),
        elsewhere=sum(not _is_here(recordings, chunk) for chunk in chunks),
    )


def _whole_budget(
    motion: MotionRepository, horse_id: HorseId, start: datetime, end: datetime, whole_s: float
) -> TimeBudget:
    found = motion.budgets([horse_id], start, end, whole_s)
    return found[0] if found else TimeBudget(horse_id, start, end, 0.0, {}, {}, {})


def _models(stores: PacketStores, scope: ExportScope) -> list[tuple[str, str, int, str]]:
    hashes = stores.hashes()
    return [
        (
            str(row["model"] or "none"),
            str(row["skeleton"] or ""),
            int(row["detections"]),
            hashes.get(str(row["model"]), ""),
        )
        for row in stores.rows.models(scope)
    ]


def _gaits(strides: Sequence[Stride]) -> list[Figures]:
    found = []
    for gait in (Gait.WALK, Gait.TROT, Gait.CANTER, Gait.GALLOP):
        mine = [stride for stride in strides if stride.gait is gait]
        if mine:
            found.append(
                Figures(
                    gait,
                    len(mine),
                    _spread([stride.stride_hz for stride in mine]),
                    _spread([stride.length_m for stride in mine]),
                    _spread([stride.speed_mps for stride in mine]),
                    _spread([stride.symmetry for stride in mine]),
                )
            )
    return found


def _spread(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return math.nan, math.nan
    return mean(known), stdev(known) if len(known) > 1 else math.nan


# --- pictures ------------------------------------------------------------------------------------


def _moments(
    recordings: Recordings, cameras: Mapping[Any, str], bouts: Sequence[Bout],
    chunks: Sequence[Chunk], told: Callable[[float, str], None],
) -> list[Moment]:  # fmt: skip
    """A picture of the longest bout of each thing worth one; where its recording is not here, of
    one of the next ones."""
    of_word: defaultdict[str, list[Bout]] = defaultdict(list)
    for bout in bouts:
        if bout.kind is not BoutKind.COMPANY:
            of_word[bout.value].append(bout)
    moments: list[Moment] = []
    for word in _WORTH:
        if word not in of_word or len(moments) == MOST_PICTURES:
            continue
        told(0.4 + 0.4 * len(moments) / MOST_PICTURES, "pictures")
        longest = nlargest(_TRIED, of_word[word], key=lambda bout: bout.duration_s)
        tried = (_moment(recordings, cameras, bout, chunks) for bout in longest)
        found = next((moment for moment in tried if moment is not None), None)
        if found is not None:
            moments.append(found)
    return moments


def _is_here(recordings: Recordings, chunk: Chunk) -> bool:
    try:
        video_file(recordings.media, chunk)
    except NotFound:
        return False
    return True


def _moment(
    recordings: Recordings, cameras: Mapping[Any, str], bout: Bout, chunks: Sequence[Chunk]
) -> Moment | None:
    middle = bout.start_at + (bout.end_at - bout.start_at) / 2
    for chunk in chunks:
        if chunk.stream_id != bout.stream_id or not chunk.start_at <= middle < chunk.end_at:
            continue
        try:
            artist = Artist(recordings, chunk)
            with ChunkReader(video_file(recordings.media, chunk)) as reader:
                one = reader.picture_at((middle - chunk.start_at).total_seconds())
        except (BarnhandError, OSError) as error:
            log.info("recording %s gives no picture: %s", chunk.id, error)
            return None
        picture = one.picture
        bgr = picture.scaled_bgr(picture.width_px, picture.height_px)
        artist.draw(bgr, one.pts_s)
        scale = min(PICTURE_WIDTH_PX / bgr.shape[1], 1.0)
        size = (round(bgr.shape[1] * scale), round(bgr.shape[0] * scale))
        small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        good, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            return None
        at = chunk.start_at + timedelta(seconds=one.pts_s)
        camera = cameras.get(chunk.stream_id, "")
        return Moment(coded.tobytes(), size, bout.value, camera, at, chunk)
    return None

"""Live identification in the simulated barn: the product's own pipeline, judged against the truth.

Several cameras watch one herd that walks from camera to camera, passes behind one another, leaves
and comes back. Detections are the truth with a typical detector's faults; everything after them is
the product: embedding, tracking, identification, no person helping. Appearance is either real
(pictures are drawn and go through an appearance model) or modelled (vectors that differ by horse,
side and chance), which is faster and shows the rules apart from the model.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import AnalysisFrame, FrameStamp, Image, Picture
from engine.domain.geometry import FloatArray, iou_matrix
from engine.domain.identity import (
    HorseFound,
    IdentityEvent,
    RegistrySnapshot,
    ReviewRaised,
    SpanDecided,
    SpanWithdrawn,
)
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId, new_stream_id
from engine.domain.motion import MotionEvent
from engine.domain.ports import Embedder, PoseEstimator
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.evaluation.imperfect_detector import LEVELS, ImperfectDetector, Sighting
from engine.models.model_set import ModelSet
from engine.pipeline.analysis import Analysis
from engine.pipeline.fan_out import FanOut
from engine.pipeline.inbox import AnalysisInbox
from engine.runtime.clock import SystemClock
from engine.settings import AnalysisSettings, EngineSettings
from engine.simulation.barn import SimulatedBarn
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import occlusion_and_reentry
from engine.simulation.site import CAMERAS
from engine.simulation.truth import Sightings
from engine.sources.pictures import ArrayPicture

BEGIN_AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
SEEN_FROM = 0.3
"""A horse is asked about from this visible share on."""
SETTLE_S = 10.0
"""Identity is asked of a horse from so long after it came into a camera's view."""
MODELLED = ModelId("modelled-appearance@1")


@dataclass(frozen=True, slots=True)
class Appearance:
    """How modelled appearance differs. Cosines: ``between`` of two horses on average, ``sides`` of
    a horse's two sides, ``repeat`` of two pictures of one side. The defaults are those of a fair
    model; ``dimension`` numbers."""

    between: float = 0.35
    sides: float = 0.75
    repeat: float = 0.88
    dimension: int = 128


class ModelledEmbedder:
    """Vectors made from the truth: every horse has a look, each of its sides another one."""

    model_id = MODELLED

    def __init__(self, looks: Appearance, seed: int) -> None:
        self._looks = looks
        self._chance = np.random.default_rng(seed)
        self._parts: dict[object, NDArray[np.float64]] = {}
        self.subjects: list[list[tuple[int, int, float]]] = []
        """Of each job of the next call: horse, side and visible share of each box; 0 for none."""

    @property
    def dimension(self) -> int:
        """See the port Embedder."""
        return self._looks.dimension

    def embed(
        self,
        jobs: Sequence[tuple[Picture, FloatArray]],
        poses: Sequence[PoseBatch | None] | None = None,
    ) -> list[FloatArray]:
        """See the port Embedder."""
        return [
            np.stack([self._vector(*subject) for subject in subjects])
            if subjects
            else np.zeros((0, self.dimension), np.float32)
            for subjects in self.subjects
        ]

    def close(self) -> None:
        """Nothing to close."""

    def _part(self, key: object) -> NDArray[np.float64]:
        if key not in self._parts:
            vector = self._chance.normal(size=self.dimension)
            self._parts[key] = vector / np.linalg.norm(vector)
        return self._parts[key]

    def _vector(self, horse: int, side: int, visible: float) -> FloatArray:
        looks = self._looks
        noise = self._chance.normal(size=self.dimension) / self.dimension**0.5
        hidden = 1.0 - looks.repeat * min(visible / 0.8, 1.0)
        vector = (
            looks.between**0.5 * self._part("every horse")
            + (looks.sides * looks.repeat**-1 - looks.between) ** 0.5 * self._part(horse)
            + (1.0 - looks.sides * looks.repeat**-1) ** 0.5 * self._part((horse, side))
            + (hidden / (1.0 - hidden + 1e-6)) ** 0.5 * noise
        )
        unit: FloatArray = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit


class _GivenDetector:
    """Hands out detections that were prepared for the next call."""

    model_id = ModelId("truth-with-faults@1")
    input_size_px = (960, 540)

    def __init__(self) -> None:
        self.next: list[DetectionBatch] = []

    def detect(
        self, pictures_bgr: Sequence[Image], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        return self.next

    def close(self) -> None:
        pass


@dataclass
class _Log:
    """What the pipeline said, as an EngineSink."""

    events: list[IdentityEvent] = field(default_factory=list)

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Not used here."""

    def on_identity(self, event: IdentityEvent) -> None:
        self.events.append(event)

    def __getattr__(self, name: str) -> Callable[[object], None]:
        return lambda _value: None


@dataclass(frozen=True, slots=True)
class Sample:
    """A true horse as one camera saw it: when, and which identity it was given (None: none)."""

    t_s: float
    camera: str
    horse: int
    track_id: TrackId | None
    given: HorseId | None
    asked: bool
    """False while the horse has only just come into view, or is mostly hidden."""


class IdentityRun:
    """One run over a farm; ``embedder`` None models the appearance."""

    def __init__(
        self,
        farm: SimulatedFarm,
        cameras: Sequence[str],
        fps: float,
        faults: str,
        seed: int,
        embedder: Embedder | None = None,
        looks: Appearance | None = None,
        settings: EngineSettings | None = None,
        pose: PoseEstimator | None = None,
    ) -> None:
        if faults not in LEVELS:
            raise OperatorMistake(
                f"There is no fault level {faults!r}.", f"Use {', '.join(LEVELS)}."
            )
        self.farm, self.fps = farm, fps
        self.cameras = tuple(cameras)
        self.streams: dict[str, StreamId] = {name: new_stream_id() for name in cameras}
        self.log = _Log()
        self.samples: list[Sample] = []
        self._modelled = None if embedder else ModelledEmbedder(looks or Appearance(), seed)
        self._given = _GivenDetector()
        shown = self._modelled or embedder
        models = ModelSet(self._given, pose, shown, Degradation.NONE, (), {}, {})
        base = settings or EngineSettings()
        analysis = base.analysis.model_copy(update={"motion_gate": False})
        self._analysis = Analysis(
            base.model_copy(update={"analysis": AnalysisSettings(**analysis.model_dump())}),
            models,
            AnalysisInbox(),
            FanOut((self.log,)),
            SystemClock(),
            lambda _stream: None,
            lambda _result: None,
        )
        self._analysis.identify.load(self._registry())
        self._faulty = {
            name: ImperfectDetector(LEVELS[faults], 960, 540, seed + place)
            for place, name in enumerate(cameras)
        }
        self._barns = {name: SimulatedBarn(name, farm=farm) for name in cameras}
        texture = np.random.default_rng(seed).integers(0, 255, (540, 960, 3), np.uint8)
        self._blank = ArrayPicture(texture)
        self._blank_bgr = texture
        self._came_s: dict[tuple[str, int], tuple[float, float]] = {}
        self.seconds = 0.0

    def _registry(self) -> RegistrySnapshot:
        """Nobody is known; cameras that look at the same place are stated to overlap."""
        overlaps = {
            frozenset((self.streams[one], self.streams[two])): 0.0
            for one in self.cameras
            for two in self.cameras
            if one != two and set(CAMERAS[one].places) & set(CAMERAS[two].places)
        }
        embedder = self._analysis.models.embedder
        return RegistrySnapshot(
            None if embedder is None else embedder.model_id,
            (),
            {},
            frozenset(),
            {},
            distances_m=overlaps,
        )

    def play(self, minutes: float, tell: Callable[[str], None] | None = None) -> None:
        """Watch for so long."""
        times = np.arange(0.0, minutes * 60.0, 1.0 / self.fps)
        chunk = max(int(self.fps * 30), 1)
        began_s = time.perf_counter()
        for first in range(0, len(times), chunk):
            part = times[first : first + chunk]
            views = {
                name: self.farm.sightings(name, part, keypoints=False) for name in self.cameras
            }
            for index, t_s in enumerate(part.tolist()):
                for name in self.cameras:
                    view = views[name]
                    rows = np.flatnonzero(view.time_index == index)
                    self._look(name, t_s, view.select(rows))
            if tell is not None:
                tell(f"{part[-1]:.0f} s of {minutes * 60:.0f} s")
        self.seconds = time.perf_counter() - began_s

    def _look(self, camera: str, t_s: float, view: Sightings) -> None:
        """One picture of one camera through the pipeline."""
        boxes, scores = self._faulty[camera].look(
            Sighting(
                view.horse_ids, view.boxes_xyxy_px, view.visible_boxes_xyxy_px, view.visibility
            ),
            1.0 / self.fps,
        )
        order = np.argsort(-scores, kind="stable")
        found = DetectionBatch(
            boxes[order], scores[order], np.full(len(order), SubjectClass.HORSE, np.int16)
        )
        picture, bgr = self._blank, self._blank_bgr
        if self._modelled is None and len(found):
            bgr = self._barns[camera].picture_at(t_s)
            picture = ArrayPicture(bgr)
        elif self._modelled is not None:
            self._modelled.subjects = [self._subjects(found, view)]
        self._given.next = [found]
        stamp = FrameStamp(
            self.streams[camera], round(t_s * self.fps), BEGIN_AT + timedelta(seconds=t_s), t_s, t_s
        )
        (result,) = self._analysis.process([AnalysisFrame(stamp, picture, bgr, 1.0)])
        self._take(camera, t_s, view, result, self._faulty[camera].sources[order])

    def _subjects(self, found: DetectionBatch, view: Sightings) -> list[tuple[int, int, float]]:
        """Horse, side and visible share behind each detection."""
        if not len(view):
            return [(-1 - row, 0, 0.3) for row in range(len(found))]
        overlaps = iou_matrix(found.boxes_xyxy_px, view.visible_boxes_xyxy_px)
        camera = CAMERAS[view.camera]
        away = np.arctan2(view.ground_m[:, 1] - camera.y_m, view.ground_m[:, 0] - camera.x_m)
        sides = np.floor((view.yaw - away) / (np.pi / 2) + 0.5).astype(int) % 4
        subjects = []
        for row in range(len(found)):
            best = int(overlaps[row].argmax())
            if overlaps[row, best] < 0.2:
                subjects.append((-1 - row, 0, 0.3))
            else:
                share = float(view.visibility[best])
                subjects.append((int(view.horse_ids[best]), int(sides[best]), share))
        return subjects

    def _take(
        self, camera: str, t_s: float, view: Sightings, result: FrameResult,
        sources: NDArray[np.int64],
    ) -> None:  # fmt: skip
        """Note which identity each true horse in view was given: that of the surest track that
        continues a detection of it."""
        tracks = result.tracks
        shown: dict[int, int] = {}
        if tracks.detection_rows is not None:
            for place in np.argsort(tracks.scores, kind="stable").tolist():
                shown[int(sources[tracks.detection_rows[place]])] = place
        for row, horse in enumerate(view.horse_ids.tolist()):
            came_s, last_s = self._came_s.get((camera, horse), (t_s, t_s))
            if t_s - last_s > SETTLE_S:
                came_s = t_s
            if view.visibility[row] >= SEEN_FROM:
                self._came_s[camera, horse] = came_s, t_s
            place = shown.get(horse)
            track_id = None if place is None else tracks.track_ids[place]
            given = None if place is None else tracks.horse_ids[place]
            asked = view.visibility[row] >= SEEN_FROM and t_s - came_s >= SETTLE_S
            self.samples.append(Sample(t_s, camera, horse, track_id, given, bool(asked)))


def stored_samples(samples: Sequence[Sample], events: Sequence[IdentityEvent]) -> list[Sample]:
    """The same sightings with the identity that the store holds in the end: later decisions
    replaced earlier ones over their time, as the writer stores them."""
    spans: dict[TrackId, list[tuple[float, HorseId | None]]] = defaultdict(list)
    for event in events:
        if isinstance(event, SpanDecided):
            start = event.span.start
            since_s = -1e9 if start is None else (start - BEGIN_AT).total_seconds()
            kept = [entry for entry in spans[event.span.track_id] if entry[0] < since_s]
            spans[event.span.track_id] = [*kept, (since_s, event.span.horse_id)]
        elif isinstance(event, SpanWithdrawn):
            since_s = -1e9 if event.since is None else (event.since - BEGIN_AT).total_seconds()
            kept = [entry for entry in spans[event.track_id] if entry[0] < since_s]
            spans[event.track_id] = [*kept, (since_s, None)]
    found = []
    for sample in samples:
        owner: HorseId | None = None
        for since_s, horse in spans[sample.track_id] if sample.track_id is not None else ():
            if since_s <= sample.t_s + 1e-6:
                owner = horse
        found.append(replace(sample, given=owner))
    return found


def identity_figures(samples: Sequence[Sample]) -> dict[str, object]:
    """Figures of a run.

    An identity belongs to the horse that it was shown on most, one to one. switches: how often a
    camera showed a horse under another identity than that camera did before. steady_horses: share
    of the horses that had one identity only, on all cameras, all the time. identified, right,
    wrong: shares of the asked sightings.
    """
    together: dict[int, Counter[HorseId]] = defaultdict(Counter)
    shown: dict[int, dict[str, list[HorseId]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        if sample.given is not None:
            together[sample.horse][sample.given] += 1
            shown[sample.horse][sample.camera].append(sample.given)
    horses = sorted({sample.horse for sample in samples if sample.asked})
    identities = sorted({given for counts in together.values() for given in counts})
    table = np.array([[together[h][g] for g in identities] for h in horses]).reshape(
        len(horses), len(identities)
    )
    rows, columns = linear_sum_assignment(-table)
    owner = {horses[r]: identities[c] for r, c in zip(rows, columns, strict=True) if table[r, c]}
    switches = {horse: sum(map(_switches, shown[horse].values())) for horse in horses}
    several = [horse for horse in horses if len(together[horse]) > 1]
    asked = [sample for sample in samples if sample.asked]
    named = [sample for sample in asked if sample.given is not None]
    right = sum(sample.given == owner.get(sample.horse) for sample in named)
    return {
        "horses": len(horses),
        "switches": sum(switches.values()),
        "steady_horses": _share(len(horses) - len(several), len(horses)),
        "identified": _share(len(named), len(asked)),
        "right": _share(right, len(asked)),
        "wrong": _share(len(named) - right, len(asked)),
        "right_of_identified": _share(right, len(named)),
        "switches_by_horse": {str(horse): count for horse, count in switches.items()},
    }


def _switches(shown: Sequence[HorseId]) -> int:
    return sum(before != after for before, after in pairwise(shown))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def evaluate_identity(
    horses: int = 10,
    minutes: float = 10.0,
    seed: int = 1,
    fps: float = 5.0,
    faults: str = "mild",
    cameras: Sequence[str] | None = None,
    embedder: Embedder | None = None,
    looks: Appearance | None = None,
    settings: EngineSettings | None = None,
    tell: Callable[[str], None] | None = None,
    pose: PoseEstimator | None = None,
) -> dict[str, object]:
    """Run the barn and judge it, as a report. Raises OperatorMistake for impossible numbers."""
    if minutes <= 0 or fps <= 0:
        raise OperatorMistake("A simulation needs some minutes and pictures a second.")
    farm = occlusion_and_reentry(seed, horses, minutes)
    run = IdentityRun(
        farm, cameras or tuple(CAMERAS), fps, faults, seed, embedder, looks, settings, pose
    )
    run.play(minutes, tell)
    appearance = "drawn pictures" if embedder is not None else "modelled vectors"
    events = run.log.events
    asked = [event.review.kind.value for event in events if isinstance(event, ReviewRaised)]
    return {
        **identity_figures(stored_samples(run.samples, events)),
        "live": identity_figures(run.samples),
        "identities_made": sum(isinstance(event, HorseFound) for event in events),
        "decisions": sum(isinstance(event, SpanDecided) for event in events),
        "questions": dict(Counter(asked)),
        "data": f"simulated farm, occlusion_and_reentry, seed {seed}, {horses} horses and 1 guest",
        "cameras": list(run.cameras),
        "seconds": round(minutes * 60),
        "fps": fps,
        "faults": faults,
        "appearance": appearance,
        "model": MODELLED if embedder is None else embedder.model_id,
        "pose": None if pose is None else pose.model_id,
        "took_s": round(run.seconds, 1),
        "asked_from": f"visible share {SEEN_FROM}, {SETTLE_S:g} s after coming into view",
        "first_figures": "as stored in the end, no person helping; live: as first shown",
        "not_shown": "Simulated horses: exact, but no measure of real coats, light and weather.",
    }

"""GPU out of memory or lost, model file damaged: smaller batch, CPU, motion boxes; alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from barnhand_desktop.headless import streams_of
from engine.domain.detections import SubjectClass
from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.health import ModelHealth
from engine.domain.notices import Notice, Severity
from engine.domain.results import Degradation, FrameResult
from engine.domain.streams import StreamState
from engine.facade import Engine
from engine.models import model_set
from engine.models.manifest import InputSpec, Runtime, read_manifest
from engine.models.model_set import load_models
from engine.models.sessions import Execution, OutOfMemory, Session, TensorSpec, open_session
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock
from engine.settings import AnalysisSettings, EngineSettings, PoseSettings, TrackingSettings
from tests.helpers.waiting import wait_until

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
SLOW_S = 60.0
CAMERAS = ("simulated:stall", "simulated:arena", "simulated:paddock", "simulated:aisle")


@dataclass
class Card:
    """A graphics card that no machine here has: the real model on the CPU behind a device that
    fails on purpose. ``room``: pictures it has memory for. ``lost``: it fell off the bus."""

    room: int = 99
    lost: bool = False
    cpu_fails: bool = False
    sizes: list[int] = field(default_factory=list)

    def open(self, path: Path, runtime: Runtime, spec: InputSpec, execution: Execution) -> Session:
        """In place of ``open_session``."""
        cpu = open_session(path, runtime, spec, Execution("cpu", execution.threads))
        return _OnCard(cpu, self) if execution.device == "auto" else _OnCpu(cpu, self)


class _OnCpu:
    """The real session, unless the machine itself is out of memory."""

    device = "cpu"

    def __init__(self, session: Session, card: Card) -> None:
        self._session, self._card = session, card
        self.input: TensorSpec = session.input
        self.outputs: tuple[TensorSpec, ...] = session.outputs
        self.metadata: Mapping[str, str] = session.metadata

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        if self._card.cpu_fails:
            raise OutOfMemory("There is no memory left.")
        return self._session.run(pictures_bgr)

    def close(self) -> None:
        self._session.close()


class _OnCard(_OnCpu):
    device = "cuda"

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        if self._card.lost:
            raise EnvironmentFault("The graphics card does not answer.")
        self._card.sizes.append(len(pictures_bgr))
        if len(pictures_bgr) > self._card.room:
            raise OutOfMemory("The graphics card has no memory left.")
        return self._session.run(pictures_bgr)


class Watched:
    """An engine over four cameras and what it told."""

    def __init__(self, engine: Engine, told: _Told) -> None:
        self.engine = engine
        self.told = told

    def notices(self) -> dict[str, Notice]:
        """Standing conditions by key."""
        return {notice.key: notice for notice in self.engine.health().notices}

    def detector(self) -> ModelHealth:
        """How the detector is doing."""
        return self.engine.health().models[0]

    def newest(self) -> list[FrameResult]:
        """The newest result of each camera."""
        return [r for s in self.engine.streams() for r in self.engine.results(s.id)[-1:]]

    def all_show(self, degradation: Degradation) -> bool:
        """Whether every camera's newest result says this of itself."""
        newest = self.newest()
        return len(newest) == len(CAMERAS) and all(degradation in r.degradation for r in newest)

    def live(self) -> bool:
        """Whether every camera gives pictures."""
        return all(h.state is StreamState.ACTIVE for h in self.engine.health().streams)


class _Told:
    """Keeps notices, raised and cleared."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


SETTINGS = EngineSettings(
    analysis=AnalysisSettings(motion_gate=False, fps=4.0, batch_size=4, batch_wait_ms=200.0),
    pose=PoseSettings(enabled=False),
    tracking=TrackingSettings(embedder="none"),
)


def started(store: ModelStore) -> Watched:
    told = _Told()
    engine = Engine(SETTINGS, load_models(SETTINGS, store, SystemClock()), (told,))
    engine.set_streams(streams_of(CAMERAS))
    engine.start()
    return Watched(engine, told)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    """The card that all models are opened on."""
    card = Card()
    monkeypatch.setattr(model_set, "open_session", card.open)
    return card


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """The models that come with the program."""
    return ModelStore(read_manifest(MODELS / "manifest.toml"), tmp_path, (), MODELS)


@pytest.fixture
def watched(card: Card, store: ModelStore) -> Iterator[Watched]:
    """An engine whose cameras all show results."""
    watched = started(store)
    wait_until(lambda: len(watched.newest()) == len(CAMERAS), SLOW_S)
    yield watched
    assert watched.engine.stop(10.0) == ()


def test_short_of_memory_batches_get_smaller(card: Card, watched: Watched) -> None:
    wait_until(lambda: max(card.sizes) > 2, SLOW_S)
    card.room = 2
    card.sizes.clear()
    wait_until(lambda: watched.all_show(Degradation.SMALLER_BATCH), SLOW_S)
    assert watched.notices()["model.reduced:smaller_batch"].severity is Severity.WARNING
    wait_until(lambda: len(card.sizes) > 40, SLOW_S)
    # Each of the four models finds out by itself, once and for good: by halves, from 16.
    assert sum(size > 2 for size in card.sizes) <= 4 * 3
    assert watched.detector().state == "reduced" and watched.live()


def test_a_lost_card_is_left_for_the_processor(card: Card, watched: Watched) -> None:
    card.lost = True
    wait_until(lambda: watched.all_show(Degradation.ON_CPU), SLOW_S)
    assert watched.notices()["model.reduced:on_cpu"].severity is Severity.WARNING
    assert all(r.detector_id is not None for r in watched.newest())
    assert watched.detector().state == "reduced" and watched.live()


def test_when_the_processor_fails_too_motion_boxes_remain_until_it_works_again(
    card: Card, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pipeline.model_care.REST_S", 1.0)
    card.lost = card.cpu_fails = True
    wait_until(lambda: watched.all_show(Degradation.NO_DETECTOR), SLOW_S)
    notice = watched.notices()["model.detector.failing"]
    assert notice.severity is Severity.CRITICAL and "memory" in notice.message
    assert watched.detector().state == "failing" and watched.live()
    moving = SubjectClass.MOTION

    def boxes() -> bool:
        return any((r.tracks.class_ids == moving).any() for r in watched.newest())

    wait_until(boxes, SLOW_S)
    assert all(r.detector_id is None for r in watched.newest())
    card.cpu_fails = False
    wait_until(lambda: "model.detector.failing" not in watched.notices(), SLOW_S)
    wait_until(
        lambda: not any(Degradation.NO_DETECTOR in r.degradation for r in watched.newest()), SLOW_S
    )
    assert watched.engine.health().failed_workers == ()


def test_a_damaged_model_file_leaves_motion_boxes_and_an_alert(tmp_path: Path) -> None:
    manifest = read_manifest(MODELS / "manifest.toml")
    for entry in MODELS.rglob("*.onnx"):
        damaged = tmp_path / "models" / entry.relative_to(MODELS)
        damaged.parent.mkdir(parents=True, exist_ok=True)
        damaged.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2])
    store = ModelStore(manifest, tmp_path / "cache", (), tmp_path / "models")
    watched = started(store)
    try:
        wait_until(lambda: watched.all_show(Degradation.NO_DETECTOR), SLOW_S)
        assert watched.notices()["model.detector.missing"].severity is Severity.CRITICAL
        assert watched.detector().degraded and watched.live()
    finally:
        assert watched.engine.stop(10.0) == ()

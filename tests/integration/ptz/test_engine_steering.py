"""The engine with a steered camera: it shows the moving view and marks what it analyses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from engine.domain.notices import Notice
from engine.domain.ptz import Motion
from engine.domain.streams import StreamState
from engine.facade import Engine
from engine.models.manifest import read_manifest
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock
from engine.settings import DetectionSettings, EngineSettings, PoseSettings, TrackingSettings
from engine.simulation.ptz_camera import ptz_simulator
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, stream_of

MODELS = Path(__file__).resolve().parents[3] / "resources" / "models"


def test_results_are_marked_while_the_view_moves(tmp_path: Path) -> None:
    settings = EngineSettings(
        detection=DetectionSettings(model="none"),
        pose=PoseSettings(model="none"),
        tracking=TrackingSettings(embedder="none"),
    )
    store = ModelStore(read_manifest(MODELS / "manifest.toml"), tmp_path, (), MODELS)
    engine = Engine(settings, load_models(settings, store, SystemClock()), (), recordings=tmp_path)
    with ptz_simulator(username="viewer", password="secret") as camera:
        stream = stream_of(camera)
        wrong = replace(stream_of(camera), extra=MappingProxyType({"ptz": {"port": 0}}))
        engine.set_streams([stream, wrong])
        engine.start()
        try:
            assert engine.ptz.cameras() == (stream.id,)
            assert [n.key for n in engine.health().notices if _about_ptz(n)] == [
                f"ptz.config:{wrong.id}"
            ]
            states = {h.stream_id: h for h in engine.health().streams}
            assert states[stream.id].state is not StreamState.ERROR
            wait_until(lambda: any(not r.view_moving for r in engine.results(stream.id)), 30.0)

            def marked() -> bool:
                engine.ptz.move(stream.id, ANNA, Motion(pan=0.1))
                return any(result.view_moving for result in engine.results(stream.id))

            wait_until(marked, 30.0)
            assert all(len(r.tracks) == 0 for r in engine.results(stream.id) if r.view_moving)
            engine.ptz.stop(stream.id, ANNA)
            wait_until(lambda: not engine.ptz.suspended(stream.id), 30.0)
            wait_until(lambda: not engine.results(stream.id)[-1].view_moving, 30.0)
            engine.ptz.move(stream.id, ANNA, Motion(pan=0.5))
            wait_until(lambda: camera.view.moving, 30.0)
        finally:
            assert engine.stop(10.0) == ()
        assert not camera.view.moving


def _about_ptz(notice: Notice) -> bool:
    return notice.key.startswith("ptz.")

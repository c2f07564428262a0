"""API process or a worker dies: restarted within 2 s, budgeted, visible.

That a child comes back on its port, follows its parent and is given up after five deaths is in
tests/integration/api/test_api_process.py and tests/integration/data/test_supervisor.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.headless import streams_of
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.supervisor import ServerState, ServerSupervisor
from barnhand_desktop.servers.telling import tell
from db.credentials import CredentialBox
from engine.domain.detections import DetectionBatch
from engine.domain.frames import Image
from engine.domain.ids import ModelId
from engine.domain.notices import Notice, Severity
from engine.domain.results import Degradation
from engine.domain.streams import StreamState
from engine.facade import Engine
from engine.models.model_set import ModelSet
from engine.settings import AnalysisSettings, EngineSettings
from tests.faults.conftest import Say
from tests.helpers.demo import seconds_until
from tests.helpers.waiting import wait_until

SLOW_S = 60.0


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiProcess]:
    """A child whose servers are away: it runs all the same."""
    process = ApiProcess(
        ApiConfig(
            dsn="postgresql://barnhand@127.0.0.1:1/barnhand",
            live_url="redis://127.0.0.1:1/0",
            secret_path=tmp_path / "key",
            credential_key=CredentialBox.new_key().decode(),
            port=0,
        )
    )
    yield process
    process.stop()


def test_a_killed_api_is_started_again_and_people_are_told(api: ApiProcess, say: Say) -> None:
    first_s = seconds_until(lambda: api.start())
    url, notices = api.url, list[Notice]()
    supervisor = ServerSupervisor([api], tell(notices.append))
    supervisor.start()
    try:
        pid = api.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        process_s = seconds_until(lambda: api.pid not in (None, pid), SLOW_S)
        wait_until(lambda: bool(notices) and not notices[-1].active, SLOW_S)

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/healthz", timeout=2.0).status_code in (200, 503)
            except httpx.HTTPError:
                return False

        wait_until(answers, SLOW_S)
    finally:
        supervisor.stop()
    say(
        f"the API starts in {first_s:.2f} s; killed, there is a new process {process_s:.2f} s later"
    )
    assert [n.active for n in notices if n.severity is not Severity.INFO] == [True]
    assert notices[0].key == "server.down:api" and "down" in notices[0].message


def test_an_api_that_keeps_dying_is_given_up_and_people_are_told() -> None:
    class Dying:
        name = "api"

        def start(self) -> str:
            return ""

        def stop(self) -> None:
            pass

        def alive(self) -> bool:
            return False

    notices: list[Notice] = []
    supervisor = ServerSupervisor([Dying()], tell(notices.append))
    supervisor.start()
    wait_until(lambda: supervisor.status()[0].state is ServerState.FAILED, SLOW_S)
    wait_until(lambda: notices[-1].severity is Severity.CRITICAL, SLOW_S)
    supervisor.stop()
    assert notices[-1].active is False, "an orderly end ends the notice"


class Breaking:
    """A detector with a defect: it raises what no part should, as long as ``broken``."""

    model_id, input_size_px, degradation = ModelId("breaking@1"), (160, 160), Degradation.NONE

    def __init__(self) -> None:
        self.broken = False
        self.calls = 0

    def detect(
        self, pictures_bgr: Sequence[Image], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        self.calls += 1
        if self.broken:
            raise RuntimeError("a defect, on purpose")
        return [DetectionBatch.empty()] * len(pictures_bgr)

    def close(self) -> None:
        pass


@pytest.fixture
def detector() -> Breaking:
    return Breaking()


@pytest.fixture
def engine(detector: Breaking) -> Iterator[Engine]:
    """An engine over two cameras with that detector."""
    settings = EngineSettings(analysis=AnalysisSettings(motion_gate=False, fps=5.0))
    models = ModelSet(detector, None, None, Degradation.NONE, ())
    engine = Engine(settings, models, ())
    engine.set_streams(streams_of(("simulated:stall", "simulated:arena")))
    engine.start()
    wait_until(lambda: detector.calls > 3, SLOW_S)
    yield engine
    assert engine.stop(10.0) == ()


def test_a_worker_that_dies_goes_on(engine: Engine, detector: Breaking, say: Say) -> None:
    detector.broken = True
    calls = detector.calls
    wait_until(lambda: detector.calls > calls, SLOW_S)
    detector.broken = False
    newest = [engine.results(s.id)[-1:] for s in engine.streams()]
    back_s = seconds_until(
        lambda: [engine.results(s.id)[-1:] for s in engine.streams()] != newest, SLOW_S
    )
    say(f"results go on {back_s:.2f} s after the analysis died")
    assert engine.health().failed_workers == ()


def test_a_worker_that_keeps_dying_is_given_up_and_the_live_view_goes_on(
    engine: Engine, detector: Breaking
) -> None:
    detector.broken = True
    wait_until(lambda: engine.health().failed_workers == ("analysis",), SLOW_S)
    notices = {n.key: n for n in engine.health().notices}
    assert notices["worker.failed:analysis"].severity is Severity.CRITICAL
    decoded = [h.decoded for h in engine.health().streams]
    wait_until(
        lambda: all(
            h.decoded > before + 10
            for h, before in zip(engine.health().streams, decoded, strict=True)
        ),
        SLOW_S,
    )
    assert {h.state for h in engine.health().streams} == {StreamState.ACTIVE}

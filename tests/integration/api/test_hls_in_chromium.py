"""A real browser plays what a camera shows, delayed, while it is being recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from db.repositories.chunks import PostgresChunkRepository
from engine.domain.recording import ChunkState
from engine.recording.recorder import Recorder
from engine.settings import AnalysisSettings, RecordingSettings
from tests.fixtures_api import World, run_server
from tests.helpers.browser import browser, hls_js, page_server
from tests.helpers.recordings import RecordedCamera, write_video
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until

DELAY_S = 10.0

PAGE = """<!doctype html><body style="margin:0;background:#000">
<video id="v" muted autoplay width="640" height="360"></video><script src="/hls.js"></script>
<script>
var trouble = [], overlays = 0
var hls = new Hls({liveSyncDurationCount: 2})
hls.on(Hls.Events.ERROR, (_, e) => trouble.push(e.type + " " + e.details + " " + e.fatal))
hls.on(Hls.Events.LEVEL_UPDATED, (_, e) => overlays = Object.values(e.details.dateRanges)
    .filter(r => r.class == "barnhand.overlay" && r.attr["X-OVERLAY"]).length)
hls.loadSource(decodeURIComponent(location.hash.slice(1)))
hls.attachMedia(v)
</script>"""


@pytest.fixture(scope="module")
def origin(request: pytest.FixtureRequest) -> Iterator[str]:
    script = hls_js(request.config.cache.mkdir("hls-js"))
    files = {
        "/page.html": ("text/html", PAGE.encode()),
        "/hls.js": ("text/javascript", script),
    }
    with page_server(files) as url:
        yield url


@pytest.fixture(scope="module")
def playlist(world: World, origin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The signed address of the live playlist of a camera that is being recorded."""
    folder = tmp_path_factory.mktemp("live")
    media = folder / "media"
    media.mkdir()
    options = {"preset": "veryfast", "bf": "2", "g": "25", "sc_threshold": "0"}
    movie = write_video(folder / "clip.mp4", 50, options=options)
    rows = PostgresChunkRepository(world.pool)
    settings = RecordingSettings(segment_s=4.0, min_free_gb=0.0)
    recorder = Recorder(settings, media, rows, lambda notice: None)
    recorder.start()
    camera = RecordedCamera(recorder, stream_of(movie), AnalysisSettings(fps=5))
    camera.capture.start()
    with world.pool.connection() as connection:  # the viewer of the world may see this camera
        connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) "
            "VALUES (%s, %s, 'tv', 'file', 'x')",
            (camera.stream.id, world.farm),
        )
    config = world.config.model_copy(
        update={"media_root": media, "hls_delay_s": DELAY_S, "cors_origins": (origin,)}
    )

    def closed() -> bool:
        states = [ChunkState.COMPLETE]
        return len(rows.list([camera.stream.id], states=states)) >= 5

    for base in run_server(config):
        wait_until(closed, 60.0)
        headers = {"Authorization": f"Bearer {world.tokens['manager']}"}
        link = f"{base}/api/v1/streams/{camera.stream.id}/hls/link"
        yield base + world.http.get(link, headers=headers).json()["url"]
    camera.capture.ask_to_stop()
    assert camera.capture.join(5.0) and not recorder.stop(10.0)


def test_chromium_plays_the_delayed_stream(origin: str, playlist: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as view:
        view.open(f"{origin}/page.html#{playlist}")
        wait_until(lambda: view.value("!!window.v") is True)

        def plays() -> bool:
            assert view.value("v.error && v.error.message") is None
            return float(view.value("v.currentTime")) > 0 and view.value("v.videoWidth") == 320

        wait_until(plays, 30.0)
        began_s = float(view.value("v.currentTime"))
        # Longer than one chunk: the seam between two files is played too.
        wait_until(lambda: float(view.value("v.currentTime")) > began_s + 5.0, 30.0)
        assert view.value("v.getVideoPlaybackQuality().totalVideoFrames") > 60
        assert view.value("trouble.filter(t => t.endsWith('true')).length") == 0
        assert view.value("overlays") >= 1
        png = view.picture()
    (tmp_path / "chromium.png").write_bytes(png)
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    inside = shown[20:340, 20:620].astype(int)
    # The card: red falls from left to right, the square is white.
    assert inside[150:, :40, 2].mean() > inside[150:, -40:, 2].mean() + 80
    assert (inside.min(axis=2) > 215).sum() > 300

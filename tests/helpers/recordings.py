"""A recorder over a folder, fed by real captures, and a stand-in for the analysis that looks at the
pictures themselves: it finds the white square of ``colour_card``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.frames import AnalysisFrame, Picture
from engine.domain.ids import ModelId, TrackId, new_track_id
from engine.domain.notices import Notice
from engine.domain.recording import Chunk, ChunkState
from engine.domain.results import Degradation, FrameResult
from engine.domain.streams import Stream, StreamState, StreamStatusChanged
from engine.domain.tracks import TrackBatch, TrackState
from engine.pipeline.capture import Capture
from engine.recording.recorder import Recorder
from engine.runtime.clock import SystemClock
from engine.settings import AnalysisSettings, RecordingSettings
from tests.helpers.chunk_store import MemoryChunks
from tests.helpers.movies import colour_card
from tests.helpers.streams import QUICK, stream_of
from tests.helpers.waiting import wait_until

SEGMENT_S = 4.0


def square_left_px(picture: Picture) -> int:
    """Where the white square begins in a picture 180 px tall; -1 where there is none."""
    row = picture.scaled_bgr(picture.width_px, picture.height_px)[30]
    white = np.flatnonzero((row > 225).all(axis=1))
    return int(white[0]) if len(white) else -1


def write_video(
    path: Path,
    frames: int = 100,
    fps: int = 25,
    size: tuple[int, int] = (320, 180),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    first: int = 0,
) -> Path:
    """``colour_card`` pictures ``first`` ... with these encoder options."""
    pixels = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={**quiet, **(options or {})})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        for index in range(first, first + frames):
            frame = av.VideoFrame.from_ndarray(colour_card(*size, index), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def result_of(frame: AnalysisFrame, left_px: float, track_id: TrackId) -> FrameResult:
    """One horse whose box is the square."""
    seen = left_px >= 0
    count = int(seen)
    box = np.array([[left_px, 20, left_px + 20, 40]] * count, np.float32).reshape(count, 4)
    return FrameResult(
        frame.stamp,
        frame.picture.width_px,
        frame.picture.height_px,
        TrackBatch(
            box,
            np.zeros((count, 4), np.float32),
            np.full(count, 0.9, np.float32),
            np.full(count, 0.9, np.float32),
            np.full(count, SubjectClass.HORSE, np.int16),
            np.full(count, TrackState.ACTIVE, np.int8),
            np.ones(count, np.int64),
            np.zeros(count, np.int8),
            (track_id,) * count,
            (None,) * count,
        ),
        None,
        ModelId("square@1"),
        None,
        Degradation.NONE,
        frame.stamp.captured_mono_s,
    )


class RecordedCamera:
    """A capture whose pictures are looked at and recorded."""

    def __init__(self, recorder: Recorder, stream: Stream, analysis: AnalysisSettings) -> None:
        self.stream = stream
        self.seen = 0
        self._recorder = recorder
        self._track_id = new_track_id()
        self.states: list[StreamState] = []
        self.capture = Capture(
            stream, QUICK, analysis, SystemClock(), self, lambda: (160, 160), 0, recorder
        )

    def on_analysis_frame(self, frame: AnalysisFrame) -> None:
        """Find the square and tell the recorder."""
        self.seen += 1
        left_px = square_left_px(frame.picture)
        self._recorder.on_result(result_of(frame, left_px, self._track_id))

    def on_status(self, change: StreamStatusChanged) -> None:
        """Keep it."""
        self.states.append(change.state)


class RecordedBarn:
    """A media folder with a recorder over it. ``chunks`` are the rows it stored."""

    def __init__(self, media: Path, **settings: Any) -> None:
        self.media = media
        self.notices: list[Notice] = []
        self.chunks = MemoryChunks()
        self.settings = RecordingSettings(
            **{"segment_s": SEGMENT_S, "min_free_gb": 0.0, **settings}
        )
        self.recorder = Recorder(self.settings, media, self.chunks, self.notices.append)
        self._cameras: list[RecordedCamera] = []

    def start(self) -> RecordedBarn:
        """Start the recorder."""
        self.recorder.start()
        return self

    def camera(self, address: object, fps: float = 10.0, **changes: Any) -> RecordedCamera:
        """Start a camera."""
        camera = RecordedCamera(
            self.recorder, stream_of(address, **changes), AnalysisSettings(fps=fps)
        )
        camera.capture.start()
        self._cameras.append(camera)
        return camera

    def record_whole(self, path: Path, fps: float = 10.0, **changes: Any) -> Sequence[Chunk]:
        """Record a file to its end, as fast as it can be read; its chunks in order."""
        changes = {"loop": False, "realtime": False, **changes}
        camera = self.camera(path, fps, **changes)
        wait_until(lambda: StreamState.ENDED in camera.states or StreamState.ERROR in camera.states)
        self.settle()
        return self.of(camera)

    def of(self, camera: RecordedCamera) -> Sequence[Chunk]:
        """The stored chunks of a camera."""
        return self.chunks.list([camera.stream.id])

    def settle(self) -> None:
        """Wait until every chunk that was begun is closed and stored."""
        wait_until(self._is_settled, 30.0)

    def _is_settled(self) -> bool:
        rows = self.chunks.rows.values()
        files = {path.relative_to(self.media).as_posix() for path in self.media.rglob("*.mp4*")}
        return (
            bool(rows)
            and not self.recorder.journal.waiting()
            and all(chunk.state is not ChunkState.OPEN for chunk in rows)
            and files <= {chunk.path for chunk in rows}
        )

    def stop(self) -> list[str]:
        """Stop cameras, then the recorder; names of survivors."""
        for camera in self._cameras:
            camera.capture.ask_to_stop()
        alive = [c.capture.name for c in self._cameras if not c.capture.join(5.0)]
        return [*alive, *self.recorder.stop(10.0)]

"""Decode a recording and scale every picture to the detector's size: ours against OpenCV.

Ours is the file source plus ``scaled_bgr``, as capture uses them: one OpenCV thread, because every
camera has a thread of its own. The peer is ``cv2.VideoCapture`` plus ``cv2.resize`` as they come.
Both decode with their default number of threads. Pairs are interleaved in one process; the median
ratio of times stands with its 5 and 95 % points, of wall time and of processor time. Bar: at most
0.70 of the peer's wall time.

    python -m benchmarks.decode_scale [--pairs 15] [VIDEO ...]

Without a video it measures a 1080p recording made here as an IP camera would: the simulated
paddock at 25 fps, 4 Mbit/s, one slice, no B pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from engine.domain.errors import SourceEnded
from engine.domain.ids import new_stream_id
from engine.domain.streams import SourceKind, Stream
from engine.pipeline.selection import fitted
from engine.settings import CaptureSettings
from engine.simulation.barn import SimulatedBarn
from engine.sources.registry import open_source

DETECTOR_PX = (640, 384)
BAR = 0.70


def make_recording(path: Path, seconds: int = 8) -> None:
    """A 1080p H.264 recording of the simulated paddock with camera noise."""
    barn = SimulatedBarn("paddock")
    chance = np.random.default_rng(5)
    noise = chance.normal(0, 3.0, (1080 + 64, 1920 + 64, 3)).astype(np.int8)
    options = {"preset": "fast", "x264-params": "sliced-threads=0:bframes=0:keyint=50"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.thread_type = "FRAME"
        for index in range(seconds * 25):
            large = cv2.resize(barn.picture_at(index / 25), (1920, 1080))
            dy, dx = (int(v) for v in chance.integers(0, 64, 2))
            noisy = cv2.add(large, noise[dy : dy + 1080, dx : dx + 1920], dtype=cv2.CV_8U)
            picture = av.VideoFrame.from_ndarray(np.asarray(noisy, np.uint8), "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def ours(video: Path) -> int:
    """Pictures decoded and scaled by this program."""
    stream = Stream(
        new_stream_id(), "benchmark", SourceKind.FILE, str(video), loop=False, realtime=False
    )
    cv2.setNumThreads(1)
    source = open_source(stream, CaptureSettings())
    count = 0
    try:
        while True:
            picture = source.read().picture
            size, _ = fitted(picture.width_px, picture.height_px, DETECTOR_PX)
            picture.scaled_bgr(*size)
            count += 1
    except SourceEnded:
        return count
    finally:
        source.close()


def peers(video: Path) -> int:
    """Pictures decoded and scaled by OpenCV."""
    cv2.setNumThreads(-1)
    capture = cv2.VideoCapture(str(video))
    count = 0
    while True:
        got, bgr = capture.read()
        if not got:
            break
        size, _ = fitted(bgr.shape[1], bgr.shape[0], DETECTOR_PX)
        cv2.resize(bgr, size)
        count += 1
    capture.release()
    return count


def timed(work: Callable[[Path], int], video: Path) -> tuple[float, float, int]:
    """Wall seconds, processor seconds and pictures of one run."""
    wall, processor = time.perf_counter(), time.process_time()
    count = work(video)
    return time.perf_counter() - wall, time.process_time() - processor, count


def measure(video: Path, pairs: int) -> float:
    """Print the ratios for a video; the median ratio of wall times."""
    ours(video), peers(video)
    ratios = []
    for pair in range(pairs):
        order = (ours, peers) if pair % 2 == 0 else (peers, ours)
        runs = {work: timed(work, video) for work in order}
        mine, theirs = runs[ours], runs[peers]
        if mine[2] != theirs[2]:
            print(f"{video.name}: {mine[2]} pictures against {theirs[2]}")
        ratios.append((mine[0] / theirs[0], mine[1] / theirs[1], mine[0] / mine[2] * 1e3))
    table = np.array(ratios)
    low, middle, high = np.percentile(table[:, 0], (5, 50, 95))
    processor = np.percentile(table[:, 1], (5, 50, 95))
    print(
        f"{video.name}: wall ratio {middle:.2f} ({low:.2f} to {high:.2f}), processor ratio "
        f"{processor[1]:.2f} ({processor[0]:.2f} to {processor[2]:.2f}), "
        f"{np.median(table[:, 2]):.2f} ms a picture, {pairs} pairs"
    )
    return float(middle)


def main() -> int:
    """Measure; 0 when every median is within the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = list(arguments.videos)
        if not videos:
            videos = [Path(folder) / "camera_1080p.mp4"]
            make_recording(videos[0])
            megabits = videos[0].stat().st_size * 8 / 8e6
            print(f"recording: 1920x1080, 25 fps, {megabits:.1f} Mbit/s")
        medians = [measure(video, arguments.pairs) for video in videos]
    worst = max(medians)
    print(f"bar {BAR:.2f}: {'kept' if worst <= BAR else 'missed'} (worst median {worst:.2f})")
    return 0 if worst <= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())

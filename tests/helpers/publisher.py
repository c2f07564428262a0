"""A program that pushes as OBS or a camera would: FFmpeg's RTMP client in a child process."""

from __future__ import annotations

import subprocess
import sys

_PUSH = """
import sys, time
import av, numpy as np
sys.path.insert(0, sys.argv[3])
from tests.helpers.movies import colour_card
url, seconds = sys.argv[1], float(sys.argv[2])
options = {"preset": "ultrafast", "tune": "zerolatency"}
with av.open(url, "w", format="flv", timeout=(10, 5)) as container:
    stream = container.add_stream("libx264", rate=25, options=options)
    stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
    stream.codec_context.gop_size = 10
    began = time.monotonic()
    for index in range(int(seconds * 25)):
        time.sleep(max(began + index / 25 - time.monotonic(), 0))
        card = colour_card(320, 180, index)
        for packet in stream.encode(av.VideoFrame.from_ndarray(card, "bgr24")):
            container.mux(packet)
"""


class Publisher:
    """A program that pushes test cards in real time until it is ended or refused."""

    def __init__(self, url: str, root: str, seconds: float = 60.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PUSH, url, str(seconds), root],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def running(self) -> bool:
        """True while it pushes or tries to."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait(10)

    def refused(self, within_s: float = 30.0) -> bool:
        """Wait for its own end; True if it failed."""
        return self._process.wait(within_s) != 0

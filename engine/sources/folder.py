"""A folder played as one recording: its videos in name order, then its pictures as slides."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from engine.domain.errors import (
    BarnhandError,
    OperatorMistake,
    SourceEnded,
    SourceUnreachable,
    SourceUnreadable,
)
from engine.domain.ports import SourcePicture
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource
from engine.sources.file import open_video, path_of
from engine.sources.options import stream_options
from engine.sources.pictures import ArrayPicture

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts",
    ".flv", ".wmv", ".asf", ".3gp", ".ogv", ".dav", ".h264", ".264", ".h265", ".265", ".hevc",
    ".mjpg", ".mjpeg", ".gif",
})  # fmt: skip
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
SLIDE_S = 1.0
"""Each picture stands for a second: long enough to look at, short enough to go through a folder."""


def natural_key(path: Path) -> tuple[tuple[int, str], ...]:
    """Sorts clip_2 before clip_10, regardless of case."""
    parts = re.split(r"(\d+)", path.name.lower())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts if p)


def open_folder(stream: Stream, settings: CaptureSettings) -> FolderSource:
    """Open a folder. Raises OperatorMistake where it is missing or holds nothing to play."""
    folder = path_of(stream.address)
    if not folder.is_dir():
        raise OperatorMistake(f"There is no folder {folder}.", "Check the path.")
    try:
        members = sorted((p for p in folder.iterdir() if p.is_file()), key=natural_key)
    except OSError as error:
        raise OperatorMistake(f"The folder {folder} cannot be read.") from error
    videos = [p for p in members if p.suffix.lower() in VIDEO_SUFFIXES]
    pictures = [p for p in members if p.suffix.lower() in PICTURE_SUFFIXES]
    if not videos and not pictures:
        raise OperatorMistake(
            f"The folder {folder.name} holds no videos and no pictures.", "Choose another folder."
        )
    return FolderSource(stream, settings, videos, pictures)


class FolderSource:
    """A FrameSource over the members of a folder. Times go on from one member to the next; a
    member that cannot be read is logged, counted as corrupt and left out."""

    codec = "folder"

    def __init__(
        self, stream: Stream, settings: CaptureSettings, videos: list[Path], pictures: list[Path]
    ) -> None:
        self._stream = stream
        self._settings = settings
        self._options = stream_options(stream)
        self._lock = threading.Lock()
        self._closing = False
        self._open: ContainerSource | None = None
        self._corrupt = 0
        self._starts_at_s = 0.0
        self._played = 0
        self._everything = self._play(videos, pictures)

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return False

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``; members differ, so none is stated."""
        return None

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``; unknown before all members were played."""
        return None

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        shot = None if self._closing else next(self._everything, None)
        if self._closing:
            raise SourceUnreachable(f"{path_of(self._stream.address).name} was closed.")
        if shot is not None:
            self._played += 1
            return shot
        if not self._played:
            raise SourceUnreadable(
                f"Nothing in {path_of(self._stream.address).name} can be read.",
                "Look into the folder with another player.",
            )
        raise SourceEnded(f"{path_of(self._stream.address).name} has played to its end.")

    def close(self) -> None:
        """See ``FrameSource``."""
        with self._lock:
            self._closing = True
            member = self._open
        if member is not None:
            member.close()

    def _play(self, videos: list[Path], pictures: list[Path]) -> Iterator[SourcePicture]:
        for path in videos:
            yield from self._play_video(path)
        for path in pictures:
            bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
            if self._closing:
                return
            if bgr is None:
                self._leave_out(path, "it is no readable picture")
                continue
            yield self._shot(SourcePicture(ArrayPicture(np.asarray(bgr, np.uint8)), 0.0))
            self._starts_at_s += SLIDE_S

    def _play_video(self, path: Path) -> Iterator[SourcePicture]:
        end_s = 0.0
        try:
            member = open_video(path, self._settings, self._options, realtime=self._stream.realtime)
            with self._lock:
                self._open = member
            try:
                step_s = 1.0 / (member.nominal_fps or 25.0)
                while not self._closing:
                    shot = member.read()
                    end_s = (shot.pts_s or 0.0) + step_s
                    yield self._shot(shot)
            finally:
                with self._lock:
                    self._open = None
                member.close()
        except SourceEnded:
            pass
        except BarnhandError as error:
            if not self._closing:
                self._leave_out(path, str(error))
        self._starts_at_s += end_s

    def _shot(self, shot: SourcePicture) -> SourcePicture:
        corrupt, self._corrupt = self._corrupt, 0
        pts_s = self._starts_at_s + (shot.pts_s or 0.0)
        return SourcePicture(shot.picture, pts_s, shot.packet_bytes, shot.corrupt + corrupt)

    def _leave_out(self, path: Path, reason: str) -> None:
        self._corrupt += 1
        log.warning("%s: %s is left out: %s", self._stream.name, path.name, reason)

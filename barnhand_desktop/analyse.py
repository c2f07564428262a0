"""``barnhand analyse VIDEO... --out DIR``: every picture of recordings, as JSON lines.

Recordings are read in this one thread and nothing is queued, so no picture can be dropped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from barnhand_desktop.model_store import open_model_store
from barnhand_desktop.overlay_video import OverlayVideo, draw_result
from barnhand_desktop.result_rows import frame_row
from barnhand_desktop.settings.folders import Folders
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.stated_length import StatedLength, stated_length
from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake, SourceEnded
from engine.domain.frames import AnalysisFrame, FrameStamp, Picture
from engine.domain.geometry import read_only
from engine.domain.ids import new_stream_id
from engine.domain.ports import Clock, FrameSource
from engine.domain.streams import Stream
from engine.models.model_set import ModelSet, load_models
from engine.pipeline.analysis import Analysis
from engine.pipeline.fan_out import FanOut
from engine.pipeline.inbox import AnalysisInbox
from engine.pipeline.selection import fitted
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from engine.sources.registry import kind_of, open_source

PROGRESS_EVERY_S = 1.0
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
_DEFAULT_FPS = 25.0

Progress = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``barnhand analyse``."""
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="recordings to read")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--every",
        type=_whole_from_1,
        default=1,
        metavar="N",
        help="analyse every n-th picture (default: 1, all of them)",
    )
    parser.add_argument(
        "--render", action="store_true", help="also write an MP4 with boxes and skeletons"
    )


def run_analyse(
    videos: Sequence[Path],
    out: Path,
    *,
    every: int,
    render: bool,
    settings: Settings,
    folders: Folders,
    progress: Progress = print,
) -> int:
    """Analyse ``videos`` one after the other into ``out``; returns the exit code.

    0: all of it worked. 1: a video could not be read to its end, or a fault stopped the work; the
    others are analysed. 2: the request makes no sense. 130: interrupted; the video in work leaves
    nothing behind, finished ones stay. Faults and missing models are told on stderr.
    """
    try:
        jobs = _jobs(videos, out, every, render)
    except OperatorMistake as mistake:
        _tell(str(mistake))
        return EXIT_USAGE
    try:
        with closing(_load(settings.engine, folders)) as models:
            failed = [_attempt(job, models, settings.engine, progress) for job in jobs]
    except KeyboardInterrupt:
        _tell("Interrupted; the unfinished video's results were removed.")
        return EXIT_INTERRUPTED
    except BarnhandError as error:
        _tell(str(error))
        return EXIT_FAILED
    return EXIT_FAILED if any(failed) else EXIT_OK


def _whole_from_1(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


# --- what is to be done ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Job:
    """One recording and where its results go; ``movie`` None: no MP4 is asked for."""

    video: Path
    rows: Path
    movie: Path | None
    every: int


def _jobs(videos: Sequence[Path], out: Path, every: int, render: bool) -> list[_Job]:
    """Names results by the videos' stems, ``<stem>-2`` for the second of a name."""
    if not videos:
        raise OperatorMistake("No video is given.", "Name at least one.")
    if every < 1:
        raise OperatorMistake(f"--every is {every}, but must be a whole number from 1.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorMistake(
            f"The folder {out} cannot be made: {error.strerror or error}.", "Choose another --out."
        ) from error
    inputs = {video.resolve() for video in videos}
    taken: set[str] = set()
    jobs = []
    for video in videos:
        name, count = video.stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{video.stem}-{count}"
        taken.add(name.casefold())
        job = _Job(video, out / f"{name}.jsonl", out / f"{name}.mp4" if render else None, every)
        if job.movie is not None and job.movie.resolve() in inputs:
            raise OperatorMistake(
                f"The rendered video would replace {job.movie}, which is to be analysed.",
                "Choose another --out.",
            )
        jobs.append(job)
    return jobs


def _load(settings: EngineSettings, folders: Folders) -> ModelSet:
    """The models, with what is missing told on stderr."""
    models = load_models(settings, open_model_store(folders), SystemClock())
    for notice in models.notices:
        _tell(f"{notice.severity.value.capitalize()}: {notice.message} {notice.advice}".strip())
    return models


def _attempt(job: _Job, models: ModelSet, settings: EngineSettings, progress: Progress) -> bool:
    """Do one job; True if the recording could not be read to its end."""
    try:
        length = stated_length(job.video)
        stream = _stream(job.video)
        with closing(open_source(stream, settings.capture)) as source, ExitStack() as outputs:
            work = _Work(job, stream, source, models, settings, length, progress)
            work.run(outputs)
    except KeyboardInterrupt:
        raise
    except (OperatorMistake, EnvironmentFault) as error:
        _tell(_named(job.video, error))
        return True
    if (fault := work.fault()) is not None:
        _tell(fault)
    return fault is not None


def _stream(video: Path) -> Stream:
    address = str(video.expanduser().absolute())
    return Stream(
        id=new_stream_id(),
        name=video.name,
        kind=kind_of(address),
        address=address,
        loop=False,
        realtime=False,
    )


def _named(video: Path, error: BarnhandError) -> str:
    text = str(error)
    return text if video.name in text else f"{video.name}: {text}"


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; renamed at the end, removed when anything went wrong."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


# --- one recording -----------------------------------------------------------------------------


class _Work:
    """One recording on its way through the models."""

    def __init__(
        self,
        job: _Job,
        stream: Stream,
        source: FrameSource,
        models: ModelSet,
        settings: EngineSettings,
        length: StatedLength,
        progress: Progress,
    ) -> None:
        gate_off = settings.analysis.model_copy(update={"motion_gate": False})
        self._settings = settings.model_copy(update={"analysis": gate_off})
        self._job = job
        self._stream = stream
        self._source = source
        self._models = models
        self._length = length
        self._clock: Clock = SystemClock()
        self._began_at, self._began_mono_s = self._clock.now(), self._clock.mono_s()
        self._analysis = Analysis(
            self._settings,
            models,
            AnalysisInbox(),
            FanOut(()),
            self._clock,
            confidence_of=lambda _: None,
            on_analysed=lambda _: None,
        )
        self._progress = progress
        self._told_s = self._began_mono_s
        self._fps = source.nominal_fps or _DEFAULT_FPS
        self._decoded = self._analysed = self._with_horses = self._corrupt = 0
        self._reached_s = -1e-6

    def run(self, outputs: ExitStack) -> None:
        """Read the recording to its end; the results get their names when ``outputs`` closes.

        Raises what the source raises when there is not one picture in it.
        """
        job = self._job
        rows_path = outputs.enter_context(_unfinished(job.rows))
        rows = outputs.enter_context(rows_path.open("w", encoding="utf-8", newline="\n"))
        movie: OverlayVideo | None = None
        if job.movie is not None:
            movie_path = outputs.enter_context(_unfinished(job.movie))
            movie = outputs.enter_context(OverlayVideo(movie_path, self._fps / job.every))
        for stamp, picture in self._pictures():
            if stamp.sequence % job.every == 0:
                self._handle(stamp, picture, rows, movie)
            self._report()
        if movie is not None:
            movie.finish()
        self._analysis.finish()
        self._progress(self._summary())

    def fault(self) -> str | None:
        """Why the recording is not whole, None if it is; after ``run``."""
        reached_s = max(self._reached_s, 0.0) + 1.0 / self._fps
        shortfall = self._length.shortfall(self._decoded, reached_s)
        name, kept = self._job.video.name, f"Its {self._decoded} readable pictures were used."
        if shortfall is not None:
            return f"{name} is incomplete: {shortfall}. {kept} Copy the recording again."
        if self._corrupt:
            return (
                f"{name} is damaged: {self._corrupt} parts could not be decoded. {kept} "
                "Copy the recording again."
            )
        return None

    def _pictures(self) -> Iterator[tuple[FrameStamp, Picture]]:
        """Every picture with a stamp in the recording's own time, which only ever grows."""
        while True:
            try:
                shot = self._source.read()
            except SourceEnded:
                return
            pts_s = self._decoded / self._fps if shot.pts_s is None else shot.pts_s
            self._reached_s = max(pts_s, self._reached_s + 1e-6)
            self._corrupt += shot.corrupt
            yield self._stamp(self._reached_s), shot.picture
            self._decoded += 1

    def _stamp(self, pts_s: float) -> FrameStamp:
        return FrameStamp(
            self._stream.id,
            self._decoded,
            self._began_at + timedelta(seconds=pts_s),
            self._began_mono_s + pts_s,
            pts_s,
        )

    def _handle(
        self, stamp: FrameStamp, picture: Picture, rows: TextIO, movie: OverlayVideo | None
    ) -> None:
        into_px = self._models.detector.input_size_px
        size, scale = fitted(picture.width_px, picture.height_px, into_px)
        detector_bgr = picture.scaled_bgr(*size)
        read_only(detector_bgr)
        frame = AnalysisFrame(stamp, picture, detector_bgr, scale)
        for result in self._analysis.process([frame]):
            row = frame_row(result)
            rows.write(json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n")
            self._analysed += 1
            self._with_horses += bool(row["horses"])
            if movie is not None:
                bgr = picture.scaled_bgr(picture.width_px, picture.height_px)
                draw_result(bgr, result, self._settings.pose.keypoint_confidence)
                movie.add(bgr, stamp.pts_s or 0.0)

    def _report(self) -> None:
        """A line about once a second: how much is done and how long the rest takes."""
        now_s = self._clock.mono_s()
        if now_s - self._told_s < PROGRESS_EVERY_S:
            return
        self._told_s = now_s
        name = self._job.video.name
        share = self._length.share(self._decoded, self._reached_s)
        if share is None or share <= 0.0:
            self._progress(f"{name}: {self._decoded} pictures read")
            return
        left_s = (now_s - self._began_mono_s) * (1.0 - share) / share
        self._progress(f"{name}: {share:4.0%}, about {_duration(left_s)} left")

    def _summary(self) -> str:
        took_s = self._clock.mono_s() - self._began_mono_s
        return (
            f"{self._job.video.name}: {self._analysed} pictures analysed in {_duration(took_s)}, "
            f"horses in {self._with_horses}; {self._job.rows}"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

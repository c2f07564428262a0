"""SESSION jobs: an uploaded video, or a stretch of recordings, analysed as one horse's session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from barnhand_desktop.exports.names import sha256_of, unfinished
from barnhand_desktop.exports.session_report import SessionReport, write_session_report
from barnhand_desktop.jobs.part import JobPart
from barnhand_desktop.jobs.reanalysis import SETTLED_S, Reanalysis, closed_chunks
from barnhand_desktop.jobs.session_stretch import StretchStores, stretch_result
from barnhand_desktop.stated_length import stated_length
from engine.domain.errors import (
    BarnhandError,
    EnvironmentFault,
    NotFound,
    OperatorMistake,
    SourceUnreadable,
    StoreUnavailable,
)
from engine.domain.ids import HorseId
from engine.domain.ports import Clock, HorseRepository, StreamRepository
from engine.domain.recording import ChunkState, Job, JobCancelled, JobContext
from engine.domain.sessions import (
    Session,
    SessionId,
    SessionRepository,
    SessionResult,
    SessionSource,
)
from engine.sessions.facts import SessionFacts
from engine.sessions.layout import (
    remove_files,
    remove_video,
    report_path,
    session_file,
    session_folder,
)
from engine.sessions.video import VideoAnalysis, VideoToAnalyse

log = logging.getLogger(__name__)

_WAIT_S = 0.5
_RECORDED_WITHIN_S = 60.0
"""So long after its end the last recording of a session is waited for."""
_LANE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class SessionStores:
    """What sessions are read from and stored in."""

    sessions: SessionRepository
    streams: StreamRepository
    horses: HorseRepository
    stretch: StretchStores


class SessionAnalysis:
    """Does SESSION jobs. Used by the node's working thread, whose models the lane owns."""

    def __init__(
        self, media: Path, stores: SessionStores, lane: Reanalysis, usual_m: Callable[[], float],
        clock: Clock, program: str,
    ) -> None:  # fmt: skip
        self._media = media
        self._stores = stores
        self._lane = lane
        self._usual_m = usual_m
        self._clock = clock
        self._program = program

    def analyse(self, job: Job, context: JobContext) -> Mapping[str, object]:
        """The session that the job names. What was found replaces what was found before, all at
        once at the end; a cancelled one leaves everything as it was."""
        try:
            session_id = SessionId(UUID(str(job.arguments["session_id"])))
        except (KeyError, ValueError) as error:
            raise OperatorMistake("The job does not say which session.") from error
        session = self._stores.sessions.get(session_id)
        try:
            return self._analysed(session, context)
        except (JobCancelled, StoreUnavailable):
            raise
        except SourceUnreadable as error:
            # What is no video is of no use to anybody.
            self._drop_video(session)
            self._tell(session.id, str(error))
            raise
        except BarnhandError as error:
            self._tell(session.id, str(error))
            raise
        except Exception as error:  # told to the person; the worker loop logs it
            self._tell(session.id, f"It failed: {type(error).__name__}.")
            raise

    def _analysed(self, session: Session, context: JobContext) -> Mapping[str, object]:
        if session.source is SessionSource.UPLOAD:
            result, facts, end_at = self._video(session, context)
        else:
            result, facts, end_at = self._stretch(session, context)
        if context.cancelled:
            raise JobCancelled
        context.progress(0.98, "report")
        path = self._report(session, result, facts)
        try:
            done = self._stores.sessions.finish(session.id, result, path, end_at)
        except NotFound:
            # It was removed while it was looked at.
            remove_files(self._media, session.id)
            raise
        metrics = result.metrics
        return {
            "session_id": str(done.id),
            "pictures": metrics.pictures,
            "seen_s": round(metrics.seen_s, 2),
            "strides": len(result.strides),
            "remarks": list(metrics.remarks),
        }

    # --- an uploaded video ---------------------------------------------------------------------

    def _video(
        self, session: Session, context: JobContext
    ) -> tuple[SessionResult, SessionFacts, datetime | None]:
        path = session_file(self._media, session.video)
        if not session.sha256:
            context.progress(0.0, "receiving")
            size = path.stat().st_size
            session = self._stores.sessions.uploaded(
                session.id, session.video, size, sha256_of(path)
            )
        length = stated_length(path)
        camera = session.stream_ids[0] if session.stream_ids else None
        models, settings = self._lane.models()
        work = VideoToAnalyse(
            session_id=session.id,
            path=path,
            mode=session.mode,
            start_at=session.start_at,
            analysed_at=self._clock.now(),
            height_m=self._height_m(session.horse_id),
            stream_id=camera,
            extra={} if camera is None else self._stores.streams.get(camera).extra,
            expected_s=length.duration_s,
        )
        found = VideoAnalysis(models, settings).analyse(work, context)
        result = found.result
        reached_s = result.metrics.duration_s
        if (short := length.shortfall(found.decoded, reached_s)) is not None:
            result = _remarked(result, f"The video is incomplete: {short}.")
        elif found.corrupt:
            result = _remarked(result, f"{found.corrupt} parts of the video could not be read.")
        return result, found.facts, found.end_at

    def _drop_video(self, session: Session) -> None:
        try:
            remove_video(self._media, session)
        except OSError as error:
            log.warning("the video of session %s stays: %s", session.id, error)
            return
        self._stores.sessions.uploaded(session.id, "", 0, "")

    # --- a stretch of recordings ---------------------------------------------------------------

    def _stretch(
        self, session: Session, context: JobContext
    ) -> tuple[SessionResult, SessionFacts, datetime | None]:
        if session.end_at is None:
            raise OperatorMistake("That session has no end yet.", "Stop it first.")
        self._await_recordings(session, session.end_at, context)
        missed, elsewhere = self._finish_chunks(session, session.end_at, context)
        context.progress(_LANE_SHARE, "gaits and strides")
        height = self._height_m
        result, facts = stretch_result(
            session, self._stores.stretch, height, self._usual_m(), self._clock.now()
        )
        if missed:
            words = f"{missed} recordings could not be looked at again; live figures stand in."
            result = _remarked(result, words)
        if elsewhere:
            words = (
                f"{elsewhere} recordings lie on another workstation, which has not looked at them "
                "again yet; live figures stand in. Analyse the session again later."
            )
            result = _remarked(result, words)
        return result, facts, None

    def _await_recordings(self, session: Session, end_at: datetime, context: JobContext) -> None:
        """Until what was recorded is closed and its rows are stored; a camera that records no more
        is not waited for."""
        while True:
            now = self._clock.now()
            if now >= end_at + timedelta(seconds=_RECORDED_WITHIN_S):
                return
            still = self._stores.stretch.chunks.list(
                session.stream_ids, session.start_at, end_at, (ChunkState.OPEN,), limit=1
            )
            if not still and now >= end_at + timedelta(seconds=SETTLED_S):
                return
            if context.cancelled:
                raise JobCancelled
            context.progress(0.0, "waits for the last recording")
            self._clock.sleep(_WAIT_S)

    def _finish_chunks(
        self, session: Session, end_at: datetime, context: JobContext
    ) -> tuple[int, int]:
        """Recordings of moving horses that the chunk lane has not seen go through it; how many
        could not, and how many lie elsewhere."""
        asked = (session.stream_ids, session.start_at, end_at, session.farm_id)
        here = {chunk.id for chunk in self._lane.closed(*asked)}
        unseen = [
            chunk
            for chunk in closed_chunks(self._stores.stretch.chunks, *asked)
            if chunk.moving and not chunk.final
        ]
        waiting = [chunk for chunk in unseen if chunk.id in here]
        missed = 0
        for index, chunk in enumerate(waiting):
            words = f"{index + 1} of {len(waiting)} recordings"
            share = _LANE_SHARE / len(waiting)
            try:
                self._lane.finish(chunk, JobPart(context, index * share, share, words))
            except StoreUnavailable:
                raise
            except BarnhandError as error:
                log.warning("recording %s was passed over: %s", chunk.id, error)
                missed += 1
        return missed, len(unseen) - len(waiting)

    def _tell(self, session_id: SessionId, why: str) -> None:
        """Note why it failed, where it is still there."""
        try:
            self._stores.sessions.failed(session_id, why)
        except NotFound:
            log.info("session %s was removed while it was analysed", session_id)

    # --- parts ---------------------------------------------------------------------------------

    def _height_m(self, horse_id: HorseId | None) -> float | None:
        if horse_id is None:
            return None
        height_cm = self._stores.horses.get(horse_id).profile.height_cm
        return None if height_cm is None else height_cm / 100.0

    def _report(self, session: Session, result: SessionResult, facts: SessionFacts) -> str:
        horse = ""
        if session.horse_id is not None:
            horse = self._stores.horses.get(session.horse_id).title
        path = report_path(session.id)
        try:
            session_folder(self._media, session.id).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"The report could not be written: {error}.") from error
        with unfinished(self._media / path) as part:
            made_at = self._clock.now()
            report = SessionReport(session, horse, result, facts, self._program, made_at)
            write_session_report(report, part)
        return path


def _remarked(result: SessionResult, words: str) -> SessionResult:
    metrics = result.metrics
    told = replace(metrics, remarks=(*metrics.remarks, words))
    return replace(result, metrics=told)

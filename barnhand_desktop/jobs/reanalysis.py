"""Jobs of the chunk lane: one recorded chunk, or all of some cameras between two instants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from barnhand_desktop.jobs.part import JobPart
from db.queue.jobs import NOBODY
from engine.domain.behaviour import MotionRepository
from engine.domain.errors import BarnhandError, NotFound, OperatorMistake, StoreUnavailable
from engine.domain.ids import FarmId, StreamId
from engine.domain.job_arguments import reprocess_request
from engine.domain.ports import StreamRepository
from engine.domain.recording import (
    Chunk,
    ChunkId,
    ChunkRepository,
    ChunkState,
    Job,
    JobContext,
    JobKind,
    JobQueue,
)
from engine.models.model_set import ModelSet
from engine.reanalysis.lane import ChunkLane, ChunkToAnalyse, LaneResult
from engine.reanalysis.stored import StoredPast
from engine.recording.layout import inside, overlay_path
from engine.recording.overlay import write_overlay
from engine.runtime.allocator import give_back
from engine.settings import EngineSettings

log = logging.getLogger(__name__)

CLOSED = (ChunkState.COMPLETE, ChunkState.RESCUED)
SETTLED_S = 10.0
"""So long after its end a chunk's rows and overlay are surely stored."""
_GOES_ON_S = 0.5
_LOOK_AHEAD = 50
_MOST_GIVEN_UP = 10_000
_PAGE = 1000


class Reanalysis:
    """Does REANALYSE and REPROCESS jobs; owns the lane's own model sessions.

    All methods but ``submit_next`` run on the node's working thread, which loads the models at the
    first chunk and closes them ``at_rest``. ``tell`` hears of every chunk that became final.
    """

    def __init__(
        self,
        media: Path,
        chunks: ChunkRepository,
        streams: StreamRepository,
        past: StoredPast,
        motion: MotionRepository,
        settings: Callable[[], EngineSettings],
        load: Callable[[EngineSettings], ModelSet],
        tell: Callable[[Chunk], object],
    ) -> None:
        self._media = media
        self._chunks = chunks
        self._streams = streams
        self._past = past
        self._motion = motion
        self._settings = settings
        self._load = load
        self._tell = tell
        self._models: ModelSet | None = None
        self._loaded_for: EngineSettings | None = None
        self._given_up: dict[ChunkId, None] = {}

    # --- jobs ----------------------------------------------------------------------------------

    def reanalyse(self, job: Job, context: JobContext) -> Mapping[str, object]:
        """One chunk, named by ``chunk_id``."""
        try:
            chunk_id = ChunkId(UUID(str(job.arguments["chunk_id"])))
        except (KeyError, ValueError) as error:
            raise OperatorMistake("The job does not say which recording.") from error
        try:
            return _told([self._one(self._chunks.get(chunk_id), context)])
        except StoreUnavailable:
            raise
        except BarnhandError:
            self._give_up(chunk_id)
            raise

    def reprocess(self, job: Job, context: JobContext) -> Mapping[str, object]:
        """All closed chunks of cameras between two instants. A chunk that cannot be analysed is
        counted and passed over."""
        request = reprocess_request(job.arguments)
        chunks = self.closed(request.stream_ids, request.start_at, request.end_at, job.farm_id)
        results: list[LaneResult] = []
        skipped: list[str] = []
        for index, chunk in enumerate(chunks):
            words = f"{index + 1} of {len(chunks)} recordings"
            part = JobPart(context, index / len(chunks), 1 / len(chunks), words)
            part.progress(0.0)
            try:
                results.append(self._one(chunk, part))
            except StoreUnavailable:
                raise
            except BarnhandError as error:
                log.warning("recording %s was passed over: %s", chunk.id, error)
                skipped.append(str(error))
        if skipped and not results:
            raise OperatorMistake(f"None of the recordings could be analysed: {skipped[0]}")
        return {**_told(results), "skipped": len(skipped), "why": skipped[:3]}

    def at_rest(self) -> None:
        """Let the models go, and their memory with them."""
        models, self._models = self._models, None
        if models is not None:
            models.close()
            del models
            give_back()

    # --- for sessions --------------------------------------------------------------------------

    def models(self) -> tuple[ModelSet, EngineSettings]:
        """The lane's own models, loaded now if they are not, with the settings they run with."""
        settings = _background(self._settings())
        return self._own_models(settings), settings

    def finish(self, chunk: Chunk, context: JobContext) -> LaneResult:
        """Make a closed chunk final. Raises like ``ChunkLane.analyse``; OperatorMistake for one
        that is not closed."""
        return self._one(chunk, context)

    def closed(
        self, stream_ids: Sequence[StreamId], start: datetime, end: datetime, farm_id: FarmId
    ) -> list[Chunk]:
        """See ``closed_chunks``; those of this workstation."""
        return closed_chunks(self._chunks, stream_ids, start, end, farm_id)

    # --- what nobody asked for -----------------------------------------------------------------

    def submit_next(self, jobs: JobQueue, farm_of: Callable[[StreamId], FarmId | None]) -> None:
        """Queue the newest chunk with moving horses that the lane has not seen."""
        settled = datetime.now(UTC) - timedelta(seconds=SETTLED_S)
        for chunk in self._chunks.unfinal(_LOOK_AHEAD):
            if chunk.id not in self._given_up and chunk.end_at <= settled:
                jobs.submit(
                    JobKind.REANALYSE,
                    f"Final analysis of {chunk.start_at:%Y-%m-%d %H:%M:%S} UTC",
                    {"chunk_id": str(chunk.id)},
                    NOBODY,
                    farm_of(chunk.stream_id),
                    urgent=False,
                )
                return

    # --- one chunk -----------------------------------------------------------------------------

    def _one(self, chunk: Chunk, context: JobContext) -> LaneResult:
        if chunk.state not in CLOSED:
            raise OperatorMistake(f"That recording is {chunk.state.value}.")
        before, after = self._neighbours(chunk)
        work = ChunkToAnalyse(
            chunk,
            self._streams.get(chunk.stream_id),
            self._past.stretch(chunk.stream_id, chunk.start_at, chunk.end_at),
            before,
            after,
        )
        settings = _background(self._settings())
        lane = ChunkLane(self._own_models(settings), settings, self._media)
        result = lane.analyse(work, context)
        self._store(chunk.id, result)
        return result

    def _store(self, chunk_id: ChunkId, result: LaneResult) -> None:
        """Bouts and strides, then the overlay, then the row: done again after a crash, the same."""
        chunk = self._chunks.get(chunk_id)
        if chunk.state not in CLOSED:
            raise NotFound("That recording was removed while it was analysed.")
        self._motion.replace(result.motions)
        path = overlay_path(chunk.path)
        try:
            write_overlay(inside(self._media, path), result.overlay)
        except OSError as error:
            raise StoreUnavailable(
                f"The overlay could not be written: {error.strerror or error}.",
                "Look at the disk of the media folder.",
            ) from error
        final = replace(chunk, overlay_path=path, horses=result.horses, final=True)
        self._chunks.put(final)
        self._tell(final)

    def _neighbours(self, chunk: Chunk) -> tuple[Chunk | None, Chunk | None]:
        """The chunks before and after it where the recording goes on without a break."""
        slack = timedelta(seconds=_GOES_ON_S)
        near = self._chunks.list(
            (chunk.stream_id,), chunk.start_at - slack, chunk.end_at + slack, CLOSED
        )
        before = [c for c in near if c.id != chunk.id and abs(c.end_at - chunk.start_at) <= slack]
        after = [c for c in near if c.id != chunk.id and abs(c.start_at - chunk.end_at) <= slack]
        return (before[-1] if before else None), (after[0] if after else None)

    def _own_models(self, settings: EngineSettings) -> ModelSet:
        if self._models is not None and self._loaded_for != settings:
            self.at_rest()
        if self._models is None:
            self._models, self._loaded_for = self._load(settings), settings
        return self._models

    def _give_up(self, chunk_id: ChunkId) -> None:
        """Do not submit it by itself again while this program runs."""
        if len(self._given_up) >= _MOST_GIVEN_UP:
            self._given_up.pop(next(iter(self._given_up)))
        self._given_up[chunk_id] = None


def closed_chunks(
    chunks: ChunkRepository, stream_ids: Sequence[StreamId], start: datetime, end: datetime,
    farm_id: FarmId,
) -> list[Chunk]:  # fmt: skip
    """All closed chunks of a farm's cameras that reach into [start, end)."""
    found: list[Chunk] = []
    while True:
        after = found[-1].id if found else None
        page = chunks.list(
            stream_ids, start, end, CLOSED, limit=_PAGE, after=after, farm_id=farm_id
        )
        found += page
        if len(page) < _PAGE:
            return found


def _background(settings: EngineSettings) -> EngineSettings:
    """Positions follow horses at full frame rate, and stored tracks say who is who: no appearance
    model is loaded."""
    tracking = settings.tracking.model_copy(update={"embedder": "none"})
    return settings.model_copy(update={"tracking": tracking})


def _told(results: Sequence[LaneResult]) -> dict[str, object]:
    """The result of a job, for people and programs."""
    motions = [motion for result in results for motion in result.motions]
    return {
        "chunks": len(results),
        "pictures": sum(result.pictures for result in results),
        "tracks": len({motion.track_id for motion in motions}),
        "bouts": sum(len(motion.bouts) for motion in motions),
        "strides": sum(len(motion.strides) for motion in motions),
        "unmatched": sum(result.unmatched for result in results),
    }

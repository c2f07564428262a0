"""Ordered start and stop of everything that ``wiring`` built."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from barnhand_desktop.ptz_requests import answer_request
from barnhand_desktop.snapshot import snapshot_jpeg
from barnhand_desktop.wiring import Barn
from engine.domain.commands import (
    EngineCommand,
    ModelsChanged,
    PlansChanged,
    StartStream,
    SteerCamera,
    StopStream,
    StreamsChanged,
    TakeSnapshot,
)
from engine.domain.errors import BarnhandError
from engine.domain.ports import Reply
from engine.domain.streams import Stream

log = logging.getLogger(__name__)

LATE_S = 1.0
"""What a part may take to end when the others have used up the time."""
REGISTRY_PATIENCE_S = 3.0
"""So long the cameras wait for the registry, so that numbering goes on; then they start anyway."""


def start(barn: Barn, sources: Sequence[Stream] | None = None) -> None:
    """Listeners first, then the registry, the engine with its cameras, and the API.

    ``sources`` are the only cameras when given (they are stored first, so that their rows have a
    place); None takes the stored ones and follows their changes.
    """
    barn.writer.start()
    barn.publisher.start()
    if sources is None:
        cameras = list(barn.streams.list())
    else:
        cameras = [barn.streams.ensure(stream) for stream in sources]
    barn.feed.listen(barn.registry)
    if not barn.feed.wait_loaded(REGISTRY_PATIENCE_S):
        log.warning("the registry of horses is late; nobody is identified until it comes")
    barn.recorder.start()
    barn.cameras.keeper.prepare(cameras, follow_stored=sources is None)
    barn.engine.start()
    barn.cameras.start()
    barn.ptz_memory.start()
    barn.model_keeper.start()
    barn.job_node.start()
    barn.alert_node.start()
    barn.daily.start()
    barn.bus.listen(lambda command: obey(barn, command))
    if barn.api is not None:
        try:
            barn.api.start()
        except BarnhandError as error:
            log.warning("the API did not start and is tried again: %s", error)
    barn.supervisor.start()
    barn.reporter.start()


def stop(barn: Barn, deadline_s: float = 5.0) -> tuple[str, ...]:
    """Upstream first: commands, engine, writers, then the servers. Returns survivors' names.

    ``deadline_s`` is for all of it; who comes late to it has a second of its own.
    """
    end_s = time.monotonic() + deadline_s

    def left_s() -> float:
        return max(end_s - time.monotonic(), LATE_S)

    barn.bus.close()
    barn.feed.close()
    leasing = barn.daily.stop(left_s()) + barn.cameras.stop(left_s())
    survivors = (
        leasing
        + barn.model_keeper.stop(left_s())
        + barn.alert_node.stop(left_s())
        + barn.job_node.stop(left_s())
    )
    survivors += barn.ptz_memory.stop(left_s()) + barn.engine.stop(left_s())
    survivors += barn.recorder.stop(left_s())
    barn.cameras.leave()
    barn.writer.flush(left_s())
    survivors += barn.writer.stop(left_s())
    survivors += barn.publisher.stop(min(left_s(), 3.0))
    survivors += barn.reporter.stop(min(left_s(), 3.0))
    if barn.traces is not None:
        survivors += barn.traces.stop(left_s())
    barn.announcer.close()
    barn.overview.close()
    barn.pool.close()
    barn.supervisor.stop(left_s())
    if survivors:
        log.warning("did not end in time: %s", ", ".join(survivors))
    return survivors


def obey(barn: Barn, command: EngineCommand) -> Reply:
    """Carry out what another process asks of the engine; the answer to those that ask. Every node
    hears every command: what concerns one camera is for the node that holds it."""
    if isinstance(command, StreamsChanged):
        barn.cameras.keeper.read_again()
    elif isinstance(command, StartStream):
        barn.engine.start_stream(command.stream_id)
    elif isinstance(command, StopStream):
        barn.engine.stop_stream(command.stream_id)
    elif isinstance(command, TakeSnapshot):
        if not barn.cameras.keeper.holds(command.stream_id):
            return None
        return snapshot_jpeg(barn.engine, command.stream_id, command.overlays)
    elif isinstance(command, SteerCamera):
        return answer_request(barn.engine.ptz, command)
    elif isinstance(command, PlansChanged):
        barn.ptz_memory.plans_changed()
    elif isinstance(command, ModelsChanged):
        barn.model_keeper.refresh()
    return None

"""What happens when a model cannot work: others go on, it is tried again, people are told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock
from engine.domain.results import Degradation

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

REST_S = 30.0
"""A model that failed is left alone for so long: what it lacks may be there again."""
REDUCED = "model.reduced"

_LACKING = {
    "detector": (
        Degradation.NO_DETECTOR,
        Severity.CRITICAL,
        "The detector fails: horses are not recognised, boxes mark whatever moves.",
    ),
    "pose": (Degradation.NO_POSE, Severity.WARNING, "The pose model fails: there is no skeleton."),
    "embedder": (
        Degradation.NO_EMBEDDER,
        Severity.WARNING,
        "The appearance model fails: horses are not identified.",
    ),
}
_REDUCED = {
    Degradation.SMALLER_BATCH: "Memory ran short: models take fewer pictures at once.",
    Degradation.ON_CPU: "The graphics card failed: models go on, slower, on the processor.",
}


class ModelCare:
    """Lets models fail one at a time. Used by the analysis thread; ``degradation`` by any.

    A batch runner has already tried smaller batches and the CPU when a fault arrives here.
    """

    def __init__(self, clock: Clock, tell: Callable[[Notice], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._again_s: dict[str, float] = {}
        self._reduced = Degradation.NONE

    @property
    def degradation(self) -> Degradation:
        """What is missing now because a model failed."""
        found = Degradation.NONE
        for task in tuple(self._again_s):
            found |= _LACKING[task][0]
        return found

    def rests(self, task: str) -> bool:
        """True while ``task`` (detector, pose, embedder) is done without its model."""
        return task in self._again_s

    def run(self, task: str, work: Callable[[], Answer], instead: Callable[[], Answer]) -> Answer:
        """The model's answer, or ``instead`` while it cannot give one."""
        again_s = self._again_s.get(task)
        if again_s is not None and self._clock.mono_s() < again_s:
            return instead()
        try:
            answer = work()
        except (EnvironmentFault, OperatorMistake) as error:
            self._fails(task, error)
            return instead()
        if self._again_s.pop(task, None) is not None:
            self._tell(_notice(f"model.{task}.failing", "It works again.", self._clock.now()))
        return answer

    def look(self, reduced: Degradation) -> None:
        """Tell once what the models had to give up (batch size, device)."""
        for flag, message in _REDUCED.items():
            if flag in reduced and flag not in self._reduced:
                self._reduced |= flag
                log.warning("%s", message)
                key = f"{REDUCED}:{str(flag.name).lower()}"
                advice = "Close other programs that use the card, then start Barnhand again."
                self._tell(
                    Notice(key, Severity.WARNING, message, advice, self._clock.now(), active=True)
                )

    def _fails(self, task: str, error: BarnhandError) -> None:
        _, severity, message = _LACKING[task]
        self._again_s[task] = self._clock.mono_s() + REST_S
        log.warning("the %s failed (%s); it is tried again in %.0f s", task, error, REST_S)
        key, told = f"model.{task}.failing", f"{message} {error.message}"
        advice = error.advice or "It is tried again by itself."
        self._tell(Notice(key, severity, told, advice, self._clock.now()))


def _notice(key: str, message: str, at: datetime) -> Notice:
    return Notice(key, Severity.INFO, message, "", at, active=False)

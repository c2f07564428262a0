"""Who steers one camera, and for how long: a pure state machine on an injected clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.ptz import Holder, Motion, Priority

REST_S = 30.0
"""A holder who does nothing for this long lets go (specification: camera control)."""
RENEWAL_S = 1.0
"""A motion that is not renewed for this long is stopped: the dead-man timer."""
MESSAGE_S = 15.0
"""How long a message about the last change is shown."""
_PEOPLE = (Priority.REMOTE, Priority.OPERATOR)


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a request. ``stop``: the camera has to be stopped for it. ``taken_from``: who
    lost the camera by it."""

    allowed: bool
    stop: bool = False
    taken_from: Holder | None = None


class Arbiter:
    """One camera's holder, motion and message. Not thread-safe: its camera locks around it.

    Time enters by ``mono_s`` only, and what is due happens in ``tick``.
    """

    def __init__(
        self,
        mono_s: Callable[[], float],
        rest_s: float = REST_S,
        renewal_s: float = RENEWAL_S,
    ) -> None:
        self._mono_s = mono_s
        self.rest_s = rest_s
        self.renewal_s = renewal_s
        self._holder: Holder | None = None
        self._motion: Motion | None = None
        self._active_mono_s = 0.0
        self._message = ""
        self._message_mono_s = 0.0

    @property
    def holder(self) -> Holder | None:
        """Who steers now."""
        return self._holder

    @property
    def motion(self) -> Motion | None:
        """The motion that is wanted now, None at rest."""
        return self._motion

    @property
    def message(self) -> str:
        """What people should know about the last change, empty after a while."""
        fresh = self._mono_s() - self._message_mono_s <= MESSAGE_S
        return self._message if fresh else ""

    @property
    def due_in_s(self) -> float | None:
        """Seconds until ``tick`` has something to do, None while nothing is to come."""
        if self._holder is None:
            return None
        limit_s = self.rest_s if self._motion is None else self.renewal_s
        return max(self._active_mono_s + limit_s - self._mono_s(), 0.0)

    def hold(self, holder: Holder) -> Grant:
        """Take the camera, or keep it: the holder's rest begins anew. Of two holders the higher
        priority has it; an equal person takes it from the other, an equal programme does not."""
        old = self._holder
        if old is None or old.key == holder.key:
            self._holder = holder
            self._touch_unless_moving()
            return Grant(True)
        if not _gives_way(old, holder):
            return Grant(False)
        moving = self._motion is not None
        self._holder, self._motion = holder, None
        self._active_mono_s = self._mono_s()
        self.say(f"{holder.name} took the camera from {old.name}.")
        return Grant(True, stop=moving, taken_from=old)

    def move(self, holder: Holder, motion: Motion) -> Grant:
        """Take the camera and want a motion; the same motion again renews it. A still one stops."""
        grant = self.hold(holder)
        if not grant.allowed:
            return grant
        stop = grant.stop or (motion.still and self._motion is not None)
        self._motion = None if motion.still else motion
        self._active_mono_s = self._mono_s()
        return Grant(True, stop, grant.taken_from)

    def use(self, holder: Holder) -> Grant:
        """Take the camera for something that ends by itself, such as a preset; motion ends."""
        grant = self.hold(holder)
        if not grant.allowed:
            return grant
        stop = grant.stop or self._motion is not None
        self._motion = None
        self._active_mono_s = self._mono_s()
        return Grant(True, stop, grant.taken_from)

    def stop(self, holder: Holder) -> None:
        """End every motion, whoever asks and whoever holds the camera."""
        if self._holder is not None and self._holder.key != holder.key and self._motion is not None:
            self.say(f"{holder.name} stopped the camera.")
        self._motion = None
        if self._holder is not None and self._holder.key == holder.key:
            self._active_mono_s = self._mono_s()

    def release(self, holder: Holder) -> Grant:
        """Let go; nothing happens for someone who does not hold the camera."""
        if self._holder is None or self._holder.key != holder.key:
            return Grant(False)
        moving = self._motion is not None
        self._holder = self._motion = None
        return Grant(True, stop=moving)

    def end_motion(self) -> None:
        """The camera refused the motion: nothing is wanted any more."""
        self._motion = None

    def tick(self) -> bool:
        """Let time pass: True when the camera must be stopped because no renewal came."""
        if self._holder is None or self.due_in_s:
            return False
        if self._motion is not None:
            self._motion = None
            self._active_mono_s = self._mono_s()
            self.say(f"Stopped: nothing was heard from {self._holder.name} any more.")
            return True
        self.say(f"{self._holder.name} let go of the camera after {self.rest_s:g} s of rest.")
        self._holder = None
        return False

    def say(self, message: str) -> None:
        """Show a message to everyone who looks at this camera."""
        self._message, self._message_mono_s = message, self._mono_s()

    def _touch_unless_moving(self) -> None:
        # Holding is no renewal of a motion: only the motion itself is.
        if self._motion is None:
            self._active_mono_s = self._mono_s()


def _gives_way(old: Holder, new: Holder) -> bool:
    """Whether ``old`` loses the camera to ``new``."""
    if new.priority == old.priority:
        return new.priority in _PEOPLE
    return new.priority > old.priority

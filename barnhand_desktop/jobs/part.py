"""One part of a longer job, as a job's context of its own."""

from __future__ import annotations

from engine.domain.recording import JobContext


class JobPart:
    """A context that is one part of a longer job's: from ``first`` on, ``share`` of the whole.
    ``message`` is told where the part says nothing itself."""

    def __init__(self, whole: JobContext, first: float, share: float, message: str) -> None:
        self._whole, self._first, self._share, self._message = whole, first, share, message

    @property
    def cancelled(self) -> bool:
        """See ``JobContext``."""
        return self._whole.cancelled

    def progress(self, share: float, message: str = "") -> None:
        """See ``JobContext``."""
        self._whole.progress(self._first + share * self._share, message or self._message)

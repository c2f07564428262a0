"""Bounded queues between threads, each with a stated overflow rule and a drop count."""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Overflow(Enum):
    """What a full mailbox does with one more item.

    DROP_OLDEST keeps the newest items (live pictures). REJECT refuses the new one and counts it
    (the sender is told). BLOCK makes the sender wait (recorded files, which lose nothing).
    """

    DROP_OLDEST = "drop oldest"
    REJECT = "reject"
    BLOCK = "block"


class Closed(Exception):
    """The mailbox was closed: the receiving worker should end."""


class Mailbox(Generic[T]):
    """A queue of at most ``capacity`` items for any number of senders and receivers."""

    def __init__(self, name: str, capacity: int, overflow: Overflow) -> None:
        if capacity < 1:
            raise ValueError(f"mailbox {name} needs room for at least one item")
        self.name = name
        self.capacity = capacity
        self.overflow = overflow
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._dropped = 0
        self._accepted = 0

    @property
    def dropped(self) -> int:
        """Items lost to overflow since the start."""
        return self._dropped

    @property
    def accepted(self) -> int:
        """Items taken in since the start, including ones dropped later."""
        return self._accepted

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, timeout_s: float | None = None) -> T | None:
        """Offer an item; returns what was dropped for it (the item itself if it was refused).

        Raises Closed. ``timeout_s`` bounds the wait of a BLOCK mailbox, after which the item is
        refused and counted.
        """
        with self._condition:
            if self._closed:
                raise Closed(self.name)
            lost: T | None = None
            if len(self._items) >= self.capacity:
                if self.overflow is Overflow.DROP_OLDEST:
                    lost = self._items.popleft()
                    self._dropped += 1
                elif self.overflow is Overflow.REJECT or not self._condition.wait_for(
                    lambda: self._closed or len(self._items) < self.capacity, timeout_s
                ):
                    self._dropped += 1
                    return item
                if self._closed:
                    raise Closed(self.name)
            self._items.append(item)
            self._accepted += 1
            self._condition.notify_all()
            return lost

    def get(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, or None after ``timeout_s``. Raises Closed once closed and empty."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._items:
                item = self._items.popleft()
                self._condition.notify_all()
                return item
            if self._closed:
                raise Closed(self.name)
            return None

    def take(self, at_most: int, timeout_s: float | None = None) -> list[T]:
        """Up to ``at_most`` items, waiting ``timeout_s`` for the first; Closed as ``get``."""
        first = self.get(timeout_s)
        if first is None:
            return []
        items = [first]
        with self._condition:
            while self._items and len(items) < at_most:
                items.append(self._items.popleft())
            self._condition.notify_all()
        return items

    def close(self) -> None:
        """Refuse new items and wake everyone; items already inside can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

"""Whether something happens for the first time in a while, over all API processes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from redis import Redis
from redis.exceptions import RedisError

_KEPT = 20_000


class Firsts:
    """Remembers what happened, in Redis; in memory alone while that is away."""

    def __init__(self, redis: Redis, mono_s: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._mono_s = mono_s
        self._lock = Lock()
        self._until_s: OrderedDict[str, float] = OrderedDict()

    def is_first(self, what: str, within_s: float) -> bool:
        """True unless the same was asked less than ``within_s`` ago. A second row in the audit
        trail is better than none: True where nobody knows."""
        if not self._is_first_here(what, within_s):
            return False
        try:
            life_ms = max(int(within_s * 1000), 1)
            return bool(self._redis.set(f"first:{what}", 1, px=life_ms, nx=True))
        except RedisError:
            return True

    def _is_first_here(self, what: str, within_s: float) -> bool:
        now_s = self._mono_s()
        with self._lock:
            if self._until_s.get(what, now_s) > now_s:
                return False
            self._until_s[what] = now_s + within_s
            self._until_s.move_to_end(what)
            while len(self._until_s) > _KEPT:
                self._until_s.popitem(last=False)
            return True

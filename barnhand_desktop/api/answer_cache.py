"""Answers of analytics, kept in the live state for five minutes and until the next correction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from db.live.protocol import ANALYTICS_GENERATION_KEY

log = logging.getLogger(__name__)

LIFE_S = 300
AnswerT = TypeVar("AnswerT")


class AnswerCache:
    """Keeps JSON by question. Corrections make every kept answer old (``Announcer.corrected`` grows
    the generation); without the live-state server every answer is made anew."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(
        self, question: str, kind: TypeAdapter[AnswerT], make: Callable[[], AnswerT]
    ) -> AnswerT:
        """The kept answer to a question, or the one that ``make`` makes."""
        key = None
        try:
            generation = self._redis.get(ANALYTICS_GENERATION_KEY)
            text = generation.decode() if isinstance(generation, bytes) else "0"
            key = f"barnhand:analytics:{text}:{hashlib.sha256(question.encode()).hexdigest()}"
            kept = self._redis.get(key)
            if isinstance(kept, bytes):
                return kind.validate_json(kept)
        except (RedisError, OSError, ValueError) as error:
            log.debug("no kept answer: %s", error)
        answer = make()
        if key is not None:
            try:
                self._redis.set(key, kind.dump_json(answer), ex=LIFE_S)
            except (RedisError, OSError) as error:
                log.debug("the answer is not kept: %s", error)
        return answer

"""Rate limits: the generic cell rate algorithm, kept in Redis or, when that is away, in memory.

One number a subject is kept: the theoretical arrival time (ITU-T I.371, GCRA). A request is allowed
while that time is at most one burst ahead of now.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_KEPT_SUBJECTS = 50_000
_AVOID_REDIS_S = 2.0

# The decision of ``decide``, atomically on the server and by the server's clock.
_SCRIPT = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local interval = tonumber(ARGV[1])
local burst_s = tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait_s = due + interval - burst_s - now
if wait_s > 0.000001 then return tostring(wait_s) end
redis.call('SET', KEYS[1], string.format('%.6f', due + interval),
           'PX', math.ceil((due + interval - now) * 1000) + 1)
return '0'
"""


class Rate(BaseModel):
    """``count`` requests at once, refilled evenly over ``per_s`` seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(ge=1)
    per_s: float = Field(gt=0)
    description: str = ""

    @property
    def interval_s(self) -> float:
        """Seconds after which one more request is allowed."""
        return self.per_s / self.count


@dataclass(frozen=True, slots=True)
class Decision:
    """``wait_s`` is 0 for an allowed request, else the time until one would be allowed.
    ``due_s`` is the new theoretical arrival time."""

    wait_s: float
    due_s: float


def decide(due_s: float, now_s: float, rate: Rate) -> Decision:
    """Judge one request of a subject whose theoretical arrival time is ``due_s``."""
    start_s = max(due_s, now_s)
    wait_s = start_s + rate.interval_s - rate.per_s - now_s
    if wait_s > 1e-6:
        return Decision(wait_s, due_s)
    return Decision(0.0, start_s + rate.interval_s)


def network_of(address: str) -> str:
    """What is counted as one address: IPv4 as it is, of IPv6 the first 64 bits, as any machine
    there has as many of the others as it likes (RFC 4291)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


class MemoryRates:
    """Limits of this process only; forgets the subjects that asked longest ago."""

    def __init__(self, mono_s: Callable[[], float] = time.monotonic) -> None:
        self._mono_s = mono_s
        self._due: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, subject: str, rate: Rate) -> float:
        """Count one request; 0 if allowed, else the seconds until one would be."""
        with self._lock:
            now = self._mono_s()
            decision = decide(self._due.get(subject, 0.0), now, rate)
            self._due[subject] = decision.due_s
            self._due.move_to_end(subject)
            while len(self._due) > _KEPT_SUBJECTS:
                self._due.popitem(last=False)
            return decision.wait_s


class Rates:
    """Limits shared by every API process over Redis; by memory alone while Redis is away.

    Memory is counted in both cases, so that losing Redis gives nobody a fresh allowance here.
    """

    def __init__(self, redis: Redis | None, mono_s: Callable[[], float] = time.monotonic) -> None:
        self._memory = MemoryRates(mono_s)
        self._mono_s = mono_s
        self._script = None if redis is None else redis.register_script(_SCRIPT)
        self._avoid_until_s = float("-inf")

    @property
    def degraded(self) -> bool:
        """True while limits are kept in memory only."""
        return self._script is None or self._mono_s() < self._avoid_until_s

    def wait_s(self, subject: str, rate: Rate) -> float:
        """Count one request of ``subject``; 0 if allowed, else the seconds to wait."""
        here = self._memory.wait_s(subject, rate)
        if here > 0.0 or self._script is None or self._mono_s() < self._avoid_until_s:
            return here
        try:
            answer = self._script(keys=[f"rate:{subject}"], args=[rate.interval_s, rate.per_s])
        except RedisError as error:
            log.warning("rate limits are kept in memory: %s", type(error).__name__)
            self._avoid_until_s = self._mono_s() + _AVOID_REDIS_S
            return here
        return float(answer)

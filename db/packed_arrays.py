"""Columns of a query as arrays: ``array_send(array_agg(column))``, without an object a row.

The format is that of PostgreSQL's ``array_send``: 20 bytes of head for one dimension, then for each
element its length and its bytes, big-endian.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.batches import STORE_EPOCH
from engine.domain.errors import Bug

_HEAD_BYTES = 20
_UNIX_OF_STORE_US = int(STORE_EPOCH.timestamp()) * 1_000_000
INT16, INT32, INT64, FLOAT32 = ">i2", ">i4", ">i8", ">f4"


def column(packed: bytes | None, kind: str) -> NDArray[Any]:
    """The elements of a packed array without nulls, in native byte order; None is an empty one.

    ``kind`` is the big-endian type of an element (INT16, ...). Raises Bug for another length.
    """
    width = np.dtype(kind).itemsize
    element = np.dtype([("length", ">i4"), ("value", kind)])
    if packed is None or len(packed) <= _HEAD_BYTES - 8:
        return np.zeros(0, np.dtype(kind).newbyteorder("="))
    if (len(packed) - _HEAD_BYTES) % element.itemsize:
        raise Bug(f"a packed array of {len(packed)} bytes holds no {width}-byte elements")
    values = np.frombuffer(packed, element, offset=_HEAD_BYTES)
    return np.ascontiguousarray(values["value"].astype(np.dtype(kind).newbyteorder("=")))


def instants_us(packed: bytes | None) -> NDArray[np.int64]:
    """A packed array of timestamps as int64 (N,), microseconds since 1970 UTC."""
    instants: NDArray[np.int64] = column(packed, INT64) + _UNIX_OF_STORE_US
    return instants


def unix_us(at: datetime) -> int:
    """An instant as microseconds since 1970 UTC, exactly."""
    past = at - STORE_EPOCH
    return _UNIX_OF_STORE_US + (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds

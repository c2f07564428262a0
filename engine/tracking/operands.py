"""Numbers as numpy likes them: calls on twenty rows cost what their preparation costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def operand(value: float, kind: DTypeLike = np.float32) -> NDArray[Any]:
    """A constant as an array of no dimensions, of the type of the column it goes with: computing
    with a plain number takes numpy twice as long."""
    constant = np.array(value, kind)
    constant.setflags(write=False)
    return constant

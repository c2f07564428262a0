"""Batches that fit, smaller ones when memory is short, and the CPU when the card is lost."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.results import Degradation
from engine.models.batch_runner import BatchRunner
from engine.models.sessions import Device, OutOfMemory, TensorSpec


class WeakSession:
    """A session that fails on purpose: out of memory above ``room``, lost when ``lost``."""

    outputs = (TensorSpec("output", (None, 1)),)

    def __init__(self, device: str, room: int, batch: int | None, lost: bool = False) -> None:
        self.device = device
        self.metadata: dict[str, str] = {}
        self.input = TensorSpec("images", (batch, 3, 4, 4))
        self.room, self.lost, self.closed = room, lost, False
        self.sizes: list[int] = []

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        self.sizes.append(len(pictures_bgr))
        if self.lost:
            raise EnvironmentFault("the device fell off the bus")
        if len(pictures_bgr) > self.room:
            raise OutOfMemory("no room")
        return [pictures_bgr[:, 0, 0, :1].astype(np.float32)]

    def close(self) -> None:
        self.closed = True


class Machine:
    """Opens weak sessions by device and keeps them."""

    def __init__(self, **sessions: WeakSession) -> None:
        self.sessions = sessions

    def __call__(self, device: Device) -> WeakSession:
        return self.sessions["cuda" if device == "auto" else device]


def pictures(count: int) -> Image:
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)


def answers(runner: BatchRunner, count: int) -> list[float]:
    return runner.run(pictures(count))[0][:, 0].tolist()


def test_on_a_card_pictures_run_in_batches_up_to_the_limit() -> None:
    card = WeakSession("cuda", 99, None)
    runner = BatchRunner(Machine(cuda=card), "auto", 8)
    assert answers(runner, 19) == list(range(19))
    assert card.sizes == [8, 8, 3]
    assert runner.degradation is Degradation.NONE


def test_on_a_cpu_pictures_run_one_by_one() -> None:
    cpu = WeakSession("cpu", 99, None)
    assert answers(BatchRunner(Machine(cpu=cpu), "cpu", 8), 3) == [0, 1, 2]
    assert cpu.sizes == [1, 1, 1]


def test_a_fixed_batch_is_filled_up_and_cut_again() -> None:
    card = WeakSession("cuda", 99, 4)
    assert answers(BatchRunner(Machine(cuda=card), "cuda", 8), 6) == list(range(6))
    assert card.sizes == [4, 4]


def test_short_memory_halves_the_batch_for_good() -> None:
    card = WeakSession("cuda", 3, None)
    runner = BatchRunner(Machine(cuda=card), "cuda", 8)
    assert answers(runner, 8) == list(range(8))
    assert card.sizes == [8, 4, 2, 2, 2, 2]
    assert runner.degradation is Degradation.SMALLER_BATCH
    answers(runner, 4)
    assert card.sizes[6:] == [2, 2]


def test_a_card_without_room_for_one_picture_is_left_for_the_cpu() -> None:
    card, cpu = WeakSession("cuda", 0, None), WeakSession("cpu", 99, None)
    runner = BatchRunner(Machine(cuda=card, cpu=cpu), "auto", 2)
    assert answers(runner, 2) == [0, 1]
    assert runner.degradation == Degradation.SMALLER_BATCH | Degradation.ON_CPU
    assert card.closed
    assert cpu.sizes == [1, 1]


def test_a_lost_card_is_left_for_the_cpu_at_once() -> None:
    card, cpu = WeakSession("cuda", 99, None, lost=True), WeakSession("cpu", 99, None)
    runner = BatchRunner(Machine(cuda=card, cpu=cpu), "cuda", 8)
    assert answers(runner, 3) == [0, 1, 2]
    assert runner.degradation is Degradation.ON_CPU


def test_a_cpu_without_room_says_so() -> None:
    runner = BatchRunner(Machine(cpu=WeakSession("cpu", 0, None)), "cpu", 8)
    with pytest.raises(OutOfMemory):
        runner.run(pictures(2))

"""The training loop both networks share: schedule, averaging, checkpoints, interruption, progress.

A run can be stopped at any time (Ctrl-C writes a checkpoint after the step in hand) and continued;
random numbers are drawn per step from the seed, so a continued run sees the batches an
uninterrupted one would have seen.
"""

from __future__ import annotations

import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.domain.errors import EnvironmentFault, OperatorMistake

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"


@dataclass(frozen=True)
class Plan:
    """How long and how fast. ``minutes`` (optional) bends the schedule to a wall-clock budget:
    the run is as far as the larger of its share of steps and its share of minutes."""

    epochs: int
    steps_per_epoch: int
    peak_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: float = 0.06
    average: float = 0.998
    gradient_limit: float = 5.0
    evaluate_every: int = 1
    seed: int = 1
    minutes: float | None = None


class Recipe(Protocol):
    """What is trained. ``score`` keys are printed; ``figure`` is the one to maximise."""

    figure: str

    def network(self) -> nn.Module:
        """The network, on its device."""

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """Scalar loss of the batch that (epoch, step) determines; progress in 0..1."""

    def score(self, network: nn.Module) -> dict[str, float]:
        """Figures of a network (the averaged one) on held-out data."""


@dataclass
class _State:
    epoch: int = 0
    step: int = 0
    elapsed_s: float = 0.0
    best: float = -math.inf


class Trainer:
    """Runs a recipe by a plan, keeping ``checkpoint.pt`` and ``best.pt`` in ``out``."""

    def __init__(
        self, recipe: Recipe, plan: Plan, out: Path, tell: Callable[[str], None] = _log.info
    ) -> None:
        self._recipe, self._plan, self._out, self._tell = recipe, plan, out, tell
        self.plan = plan
        self._network = recipe.network()
        self._averaged = copy.deepcopy(self._network).eval()
        self._averaged.requires_grad_(False)
        decayed = [p for p in self._network.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self._network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": plan.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=plan.peak_rate)
        self._state = _State()
        self._stop = False
        out.mkdir(parents=True, exist_ok=True)

    @property
    def averaged(self) -> nn.Module:
        """The averaged network, which is the one to evaluate and export."""
        return self._averaged

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return self._state.epoch

    def resume(self) -> None:
        """Continue from the checkpoint in ``out``; OperatorMistake when there is none usable."""
        path = self._out / CHECKPOINT
        if not path.is_file():
            raise OperatorMistake(f"There is no checkpoint to resume in {self._out}.")
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
            self._network.load_state_dict(stored["network"])
            self._averaged.load_state_dict(stored["averaged"])
            self._optimiser.load_state_dict(stored["optimiser"])
            self._state = _State(**stored["state"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise OperatorMistake(f"{path} is of another model or version: {error}") from error

    def load_best(self) -> bool:
        """Put the best weights seen into the averaged network; False when none were kept."""
        path = self._out / BEST
        if path.is_file():
            self._averaged.load_state_dict(
                torch.load(path, map_location="cpu", weights_only=True)["averaged"]
            )
        return path.is_file()

    def request_stop(self) -> None:
        """Finish the step in hand, write the checkpoint and return from ``run``."""
        self._stop = True

    def run(self) -> bool:
        """Train to the end of the plan. False when stopped early (the checkpoint is written)."""
        with _interrupts(self.request_stop):
            while self._state.epoch < self._plan.epochs and self._progress() < 1.0:
                if not self._epoch():
                    self._save(CHECKPOINT)
                    self._tell(f"stopped in epoch {self._state.epoch + 1}; checkpoint written")
                    return False
                self._finish_epoch()
        return True

    def _progress(self) -> float:
        plan, state = self._plan, self._state
        steps = state.epoch * plan.steps_per_epoch + state.step
        share = steps / max(plan.epochs * plan.steps_per_epoch, 1)
        if plan.minutes is not None:
            share = max(share, state.elapsed_s / (60.0 * plan.minutes))
        return min(share, 1.0)

    def _rate(self, progress: float) -> float:
        """Linear warm-up, then a half cosine to 1 % of the peak."""
        warm = self._plan.warm_up
        if progress < warm:
            return self._plan.peak_rate * (0.05 + 0.95 * progress / warm)
        fall = 0.5 * (1.0 + math.cos(math.pi * (progress - warm) / (1.0 - warm)))
        return self._plan.peak_rate * (0.01 + 0.99 * fall)

    def _epoch(self) -> bool:
        plan, state = self._plan, self._state
        total, counted = 0.0, 0
        said_s = time.monotonic()
        while state.step < plan.steps_per_epoch:
            if self._stop:
                return False
            began_s = time.monotonic()
            total += self._step()
            counted += 1
            state.step += 1
            now_s = time.monotonic()
            state.elapsed_s += now_s - began_s
            if now_s - said_s >= 30.0:
                said_s = now_s
                self._tell(self._line(total / counted))
        self._tell(self._line(total / max(counted, 1)))
        return True

    def _step(self) -> float:
        plan, state = self._plan, self._state
        progress = self._progress()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(progress)
        torch.manual_seed(plan.seed + 1_000_003 * state.epoch + state.step)
        loss = self._recipe.loss(state.epoch, state.step, progress)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._network.parameters(), plan.gradient_limit)
        self._optimiser.step()
        self._follow()
        return float(loss.detach())

    def _follow(self) -> None:
        """Move the averaged network; young runs average over fewer steps."""
        taken = self._state.epoch * self._plan.steps_per_epoch + self._state.step
        keep = min(self._plan.average, (1.0 + taken) / (10.0 + taken))
        with torch.no_grad():
            ours = self._network.state_dict()
            for name, value in self._averaged.state_dict().items():
                if value.dtype.is_floating_point:
                    value.lerp_(ours[name], 1.0 - keep)
                else:
                    value.copy_(ours[name])

    def _finish_epoch(self) -> None:
        state = self._state
        state.epoch, state.step = state.epoch + 1, 0
        last = state.epoch >= self._plan.epochs or self._progress() >= 1.0
        if last or state.epoch % self._plan.evaluate_every == 0:
            figures = self._recipe.score(self._averaged)
            said = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
            self._tell(f"epoch {state.epoch} held out: {said}")
            if figures[self._recipe.figure] > state.best:
                state.best = figures[self._recipe.figure]
                self._save(BEST)
        self._save(CHECKPOINT)

    def _save(self, name: str) -> None:
        """Write beside and rename, so a crash never leaves half a checkpoint."""
        document: dict[str, Any] = {"averaged": self._averaged.state_dict()}
        if name == CHECKPOINT:
            document["network"] = self._network.state_dict()
            document["optimiser"] = self._optimiser.state_dict()
        document["state"] = asdict(self._state)
        beside = self._out / f"{name}.part"
        try:
            torch.save(document, beside)
            beside.replace(self._out / name)
        except OSError as error:
            raise EnvironmentFault(f"The checkpoint {name} was not written: {error}") from error

    def _line(self, loss: float) -> str:
        progress, state = self._progress(), self._state
        left_s = state.elapsed_s * (1.0 - progress) / max(progress, 1e-6)
        return (
            f"epoch {state.epoch + 1}/{self._plan.epochs} step {state.step}/"
            f"{self._plan.steps_per_epoch} loss {loss:.4f} done {progress:.1%} "
            f"about {left_s / 60:.0f} min left"
        )


@contextmanager
def _interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C into a request to stop; works on the main thread only."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop()

    try:
        before = signal.signal(signal.SIGINT, on_signal)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

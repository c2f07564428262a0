"""The pose loss, its decoding, and a training run that is interrupted and continued."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.domain.errors import OperatorMistake
from engine.training.loop import BEST, CHECKPOINT, Plan, Trainer
from engine.training.pose_net import SIGMA_CELLS, STRIDE_PX
from engine.training.pose_training import heat_loss, heat_targets, peaks_px


def _landmarks(count: int = 26) -> Tensor:
    marks = torch.ones(2, count, 3)
    marks[..., :2] = torch.rand(2, count, 2, generator=torch.Generator().manual_seed(0)) * 40 + 8
    return marks


def test_unlabelled_landmarks_do_not_count() -> None:
    logits = torch.randn(2, 26, 16, 16, generator=torch.Generator().manual_seed(1))
    marks = _landmarks()
    marks[:, 5:, 2] = 0.0
    changed_maps, changed_marks = logits.clone(), marks.clone()
    changed_maps[:, 5:] += torch.randn(2, 21, 16, 16)
    changed_marks[:, 5:, :2] = -99.0

    assert heat_loss(changed_maps, changed_marks) == heat_loss(logits, marks)
    changed_maps[:, 0, 0, 0] += 5.0
    assert heat_loss(changed_maps, changed_marks) != heat_loss(logits, marks)


def test_unlabelled_landmarks_get_no_gradient() -> None:
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    marks = torch.tensor([[[8.0, 8.0, 1.0], [16.0, 16.0, 0.0]]])
    heat_loss(logits, marks).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].abs().sum() > 0
    assert logits.grad[0, 1].abs().sum() == 0


def test_a_batch_without_any_label_has_no_loss() -> None:
    marks = _landmarks()
    marks[..., 2] = 0.0
    assert heat_loss(torch.randn(2, 26, 16, 16), marks) == 0.0


def test_peaks_are_found_between_cells() -> None:
    wanted = torch.tensor([[[13.3, 27.9, 1.0], [40.0, 9.5, 1.0]]])
    cells = wanted.clone()
    cells[..., :2] /= STRIDE_PX
    heat = heat_targets(cells, 16).reshape(1, 2, 16, 16).numpy()
    assert np.allclose(peaks_px(heat), wanted[..., :2].numpy(), atol=0.05)


def test_targets_are_shares_with_the_peak_that_serving_assumes() -> None:
    heat = heat_targets(torch.tensor([[[8.0, 8.0, 1.0]]]), 17)
    assert heat.sum() == pytest.approx(1.0)
    assert float(heat.max()) * 2 * math.pi * SIGMA_CELLS**2 == pytest.approx(1.0, rel=0.02)


class _Line:
    """Fits y = 3 x; batches depend on epoch and step only."""

    figure = "fit"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._network = nn.Linear(1, 1)
        self.seen: list[tuple[int, int]] = []
        self.trainer: Trainer | None = None
        self.stop_at: tuple[int, int] | None = None

    def network(self) -> nn.Module:
        return self._network

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        self.seen.append((epoch, step))
        if self.stop_at == (epoch, step) and self.trainer is not None:
            self.trainer.request_stop()
        rng = np.random.default_rng((7, epoch, step))
        x = torch.from_numpy(rng.normal(size=(8, 1)).astype(np.float32))
        error: Tensor = ((self._network(x) - 3 * x) ** 2).mean()
        return error

    def score(self, network: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            return {self.figure: -abs(float(network(torch.ones(1, 1))) - 3.0)}


_PLAN = Plan(epochs=3, steps_per_epoch=5, peak_rate=0.05)


def test_a_run_stopped_in_mid_epoch_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole = _Line()
    through = Trainer(whole, _PLAN, tmp_path / "whole")
    assert through.run()

    first = _Line()
    first.trainer = Trainer(first, _PLAN, tmp_path / "cut")
    first.stop_at = (1, 2)
    assert not first.trainer.run()
    assert (tmp_path / "cut" / CHECKPOINT).is_file()

    second = _Line()
    rest = Trainer(second, _PLAN, tmp_path / "cut")
    rest.resume()
    assert rest.run()

    assert first.seen + second.seen == whole.seen
    for name, value in through.averaged.state_dict().items():
        assert torch.equal(value, rest.averaged.state_dict()[name])


def test_the_best_epoch_is_kept_and_training_helps(tmp_path: Path) -> None:
    line = _Line()
    before = line.score(line.network())["fit"]
    trainer = Trainer(line, _PLAN, tmp_path)
    trainer.run()
    assert (tmp_path / BEST).is_file() and trainer.load_best()
    assert line.score(trainer.averaged)["fit"] > before


def test_a_spent_budget_of_minutes_ends_the_run_early(tmp_path: Path) -> None:
    line = _Line()
    plan = Plan(epochs=1000, steps_per_epoch=5, minutes=1e-6)
    assert Trainer(line, plan, tmp_path).run()
    assert len(line.seen) == 5


def test_resuming_without_a_checkpoint_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="no checkpoint"):
        Trainer(_Line(), _PLAN, tmp_path).resume()


def test_resuming_from_another_model_is_a_mistake(tmp_path: Path) -> None:
    line = _Line()
    Trainer(line, _PLAN, tmp_path).run()
    other = _Line()
    other._network = nn.Linear(2, 1)
    with pytest.raises(OperatorMistake, match="another model"):
        Trainer(other, _PLAN, tmp_path).resume()

"""The own detector: the YOLOX-nano architecture (Ge et al. 2021) for horses and persons.

It starts from the published Apache-2.0 weights, read from their ONNX file. That file has its batch
normalisation folded into the convolutions, and without it fine-tuning diverges even at low rates.
So ``load_yolox_onnx`` puts identity normalisations in, and ``calibrate`` gives them the statistics
of real pictures without changing what the network answers. The export folds them again.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.errors import OperatorMistake
from engine.training.blending import between

STRIDES_PX = (8, 16, 32)
HEAD_WIDTH = 64
CLASSES = ("horse", "person")
RIVALS = (2, 3, 4)
"""Served classes of cows, sheep and dogs: they are no answers, but a verifier's second witness."""
CANDIDATE = 5
"""Served class of what a verifier should look at: anything but a person."""
OTHER_ANIMALS = {"cow": 2, "sheep": 3, "dog": 4}
"""Further classes that are trained but not served. Without them only objectness could learn to
refuse such animals, and it does not."""

TRAINED_CLASSES = 5
COCO_ROWS = (17, 0, 19, 18, 16)
"""Rows of the 80 COCO classes that the trained classes start from."""


class Convolution(nn.Module):
    """Convolution, batch normalisation and SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)

    def forward(self, features: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H / stride, W / stride)."""
        return functional.silu(self.norm(self.conv(features)))


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3x3, then pointwise."""
    return nn.Sequential(
        Convolution(inputs, inputs, 3, stride, groups=inputs), Convolution(inputs, outputs, 1)
    )


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, shortcut: bool):
        super().__init__()
        self.narrow = Convolution(channels, channels, 1)
        self.filter = _separable(channels, channels)
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        hidden: Tensor = self.filter(self.narrow(features))
        return hidden + features if self.shortcut else hidden


class _CrossStage(nn.Module):
    """Half the channels through bottlenecks, half past them."""

    def __init__(self, inputs: int, outputs: int, count: int = 1, shortcut: bool = True):
        super().__init__()
        half = outputs // 2
        self.through = Convolution(inputs, half, 1)
        self.past = Convolution(inputs, half, 1)
        self.blocks = nn.Sequential(*(_Bottleneck(half, shortcut) for _ in range(count)))
        self.join = Convolution(2 * half, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        through, past = self.through(features), self.past(features)
        joined: Tensor = self.join(torch.cat([self.blocks(through), past], dim=1))
        return joined


class _Pooling(nn.Module):
    """Spatial pyramid pooling with windows of 5, 9 and 13 cells."""

    def __init__(self, channels: int):
        super().__init__()
        self.narrow = Convolution(channels, channels // 2, 1)
        self.join = Convolution(channels * 2, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.narrow(features)
        pooled = [functional.max_pool2d(hidden, k, 1, k // 2) for k in (5, 9, 13)]
        joined: Tensor = self.join(torch.cat([hidden, *pooled], dim=1))
        return joined


class _Head(nn.Module):
    """One level: class, box and objectness."""

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.stem = Convolution(inputs, HEAD_WIDTH, 1)
        self.class_branch = nn.Sequential(*(_separable(HEAD_WIDTH, HEAD_WIDTH) for _ in range(2)))
        self.class_logits = nn.Conv2d(HEAD_WIDTH, classes, 1)
        self.box_branch = nn.Sequential(*(_separable(HEAD_WIDTH, HEAD_WIDTH) for _ in range(2)))
        self.box = nn.Conv2d(HEAD_WIDTH, 4, 1)
        self.object_logit = nn.Conv2d(HEAD_WIDTH, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        stem = self.stem(features)
        classes = self.class_logits(self.class_branch(stem))
        boxes = self.box_branch(stem)
        return torch.cat([self.box(boxes), self.object_logit(boxes), classes], dim=1)


class DetectorNet(nn.Module):
    """(B, 3, H, W) BGR 0..255, sides divisible by 32, to logits (B, A, 5 + classes).

    Rows run over strides 8, 16, 32, each row by row. Columns: box centre as an offset from the
    cell in strides, logarithm of the box size in strides, objectness logit, class logits.
    """

    def __init__(self, classes: int = TRAINED_CLASSES):
        super().__init__()
        self.stem = Convolution(12, 16, 3)
        self.stage2 = nn.Sequential(_separable(16, 32, 2), _CrossStage(32, 32))
        self.stage3 = nn.Sequential(_separable(32, 64, 2), _CrossStage(64, 64, 3))
        self.stage4 = nn.Sequential(_separable(64, 128, 2), _CrossStage(128, 128, 3))
        self.stage5 = nn.Sequential(
            _separable(128, 256, 2), _Pooling(256), _CrossStage(256, 256, shortcut=False)
        )
        self.lateral5 = Convolution(256, 128, 1)
        self.down4 = _CrossStage(256, 128, shortcut=False)
        self.lateral4 = Convolution(128, 64, 1)
        self.down3 = _CrossStage(128, 64, shortcut=False)
        self.reduce3 = _separable(64, 64, 2)
        self.up4 = _CrossStage(128, 128, shortcut=False)
        self.reduce4 = _separable(128, 128, 2)
        self.up5 = _CrossStage(256, 256, shortcut=False)
        self.heads = nn.ModuleList(_Head(width, classes) for width in (64, 128, 256))

    def early_stages(self) -> tuple[nn.Module, ...]:
        """Stem and stages 2 to 4, whose general features fine-tuning keeps as they are."""
        return self.stem, self.stage2, self.stage3, self.stage4

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        corners = (
            picture[..., ::2, ::2], picture[..., 1::2, ::2],
            picture[..., ::2, 1::2], picture[..., 1::2, 1::2],
        )  # fmt: skip
        level3 = self.stage3(self.stage2(self.stem(torch.cat(corners, dim=1))))
        level4 = self.stage4(level3)
        level5 = self.stage5(level4)
        lateral5 = self.lateral5(level5)
        above4 = functional.interpolate(lateral5, scale_factor=2.0)
        lateral4 = self.lateral4(self.down4(torch.cat([above4, level4], dim=1)))
        above3 = functional.interpolate(lateral4, scale_factor=2.0)
        out3 = self.down3(torch.cat([above3, level3], dim=1))
        out4 = self.up4(torch.cat([self.reduce3(out3), lateral4], dim=1))
        out5 = self.up5(torch.cat([self.reduce4(out4), lateral5], dim=1))
        levels = zip(self.heads, (out3, out4, out5), strict=True)
        return torch.cat([head(f).flatten(2) for head, f in levels], dim=2).transpose(1, 2)


class ServedDetector(nn.Module):
    """As exported: objectness and classes as probabilities, boxes raw (the YOLOX layout).

    ``classes``: how many classes are served, counted from the first. The horse's probability is
    lowered by that of the likeliest class that is not served: what may be a cow is less a horse.
    The classes that are not served follow, as witnesses, and "no person": times objectness it is
    the score of a candidate for a verifier, which misses fewer horses than any trained class.
    """

    def __init__(self, network: nn.Module, classes: int = len(CLASSES)):
        super().__init__()
        self.network = network
        self.classes = classes

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, A, 5 + trained classes + 1)."""
        rows = self.network(picture)
        objectness = torch.sigmoid(rows[..., 4:5])
        kinds = torch.sigmoid(rows[..., 5:])
        horse, served = kinds[..., :1], kinds[..., 1 : self.classes]
        if kinds.shape[-1] > self.classes:
            horse = horse * (1.0 - kinds[..., self.classes :].amax(dim=-1, keepdim=True))
        animal = 1.0 - kinds[..., 1:2]
        rest = kinds[..., self.classes :]
        return torch.cat([rows[..., :4], objectness, horse, served, rest, animal], dim=-1)


def load_yolox_onnx(network: DetectorNet, path: Path, rows: tuple[int, ...] = COCO_ROWS) -> None:
    """Take the weights of a published YOLOX-nano ONNX file; class layers take the given rows.

    Convolutions are matched in the order in which they run, and every shape is checked.
    OperatorMistake when the file is something else. Needs the package ``onnx``.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(path).graph
    except Exception as error:
        raise OperatorMistake(f"{path} is no readable ONNX file: {error}") from error
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = [
        (stored[node.input[1]], stored[node.input[-1]])
        for node in graph.node
        if node.op_type == "Conv" and all(name in stored for name in node.input[1:])
    ]
    wanted = _layers_in_order(network)
    if len(found) != len(wanted):
        raise OperatorMistake(f"{path} has {len(found)} convolutions; YOLOX-nano {len(wanted)}.")
    with torch.no_grad():
        for (conv, norm), (weight, bias) in zip(wanted, found, strict=True):
            if len(weight) == 80:
                weight, bias = weight[list(rows)], bias[list(rows)]
            if tuple(conv.weight.shape) != weight.shape:
                raise OperatorMistake(f"{path} is not a YOLOX-nano: {weight.shape} does not fit.")
            conv.weight.copy_(torch.from_numpy(np.array(weight)))
            if norm is not None:
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0 - norm.eps)
                norm.weight.fill_(1.0)
                norm.bias.copy_(torch.from_numpy(np.array(bias)))
            elif conv.bias is not None:
                conv.bias.copy_(torch.from_numpy(np.array(bias)))


Layer = tuple[nn.Conv2d, Any]
"""A convolution and the batch normalisation after it, None in the last layers."""


def _layers_in_order(network: DetectorNet) -> list[Layer]:
    """The convolutions as they run."""
    order: list[nn.Conv2d] = []
    hooks = [
        module.register_forward_hook(lambda ran, _inputs, _output: order.append(ran))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    norms = {m.conv: m.norm for m in network.modules() if isinstance(m, Convolution)}
    return [(conv, norms.get(conv)) for conv in order]


def calibrate(network: DetectorNet, pictures: Tensor) -> None:
    """Give every normalisation the statistics of ``pictures`` (B, 3, H, W), answers unchanged.

    Each convolution is scaled so that its outputs have variance 1 a channel; the normalisation
    after it takes over scale and offset: conv -> y becomes conv' -> (y - mean) / std, and
    std * that + mean + bias is y + bias as before.
    """
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(ran: nn.Module, _inputs: object, output: Tensor) -> None:
        seen[ran] = output.mean(dim=(0, 2, 3)), output.var(dim=(0, 2, 3)).clamp(min=1e-6)

    layers = [m for m in network.modules() if isinstance(m, Convolution)]
    hooks = [layer.conv.register_forward_hook(look) for layer in layers]
    network.eval()
    with torch.no_grad():
        network(pictures)
        for layer in layers:
            mean, variance = seen[layer.conv]
            spread = variance.sqrt()
            state = layer.norm.state_dict()
            eps = layer.norm.eps
            gain = state["weight"] / (state["running_var"] + eps).sqrt()
            offset = state["bias"] - state["running_mean"] * gain
            layer.conv.weight.div_(spread[:, None, None, None])
            state["running_mean"].copy_(mean / spread)
            state["running_var"].fill_(1.0)
            state["weight"].copy_(gain * spread * (1.0 + eps) ** 0.5)
            state["bias"].copy_(offset + gain * mean)
    for hook in hooks:
        hook.remove()


def fold(network: DetectorNet) -> None:
    """Move every normalisation into its convolution, answers unchanged (evaluation mode)."""
    with torch.no_grad():
        for layer in (m for m in network.modules() if isinstance(m, Convolution)):
            state, eps = layer.norm.state_dict(), layer.norm.eps
            gain = state["weight"] / (state["running_var"] + eps).sqrt()
            offset = state["bias"] - state["running_mean"] * gain
            layer.conv.weight.mul_(gain[:, None, None, None])
            state["running_mean"].zero_()
            state["running_var"].fill_(1.0 - eps)
            state["weight"].fill_(1.0)
            state["bias"].copy_(offset)


def blended(start: DetectorNet, tuned: DetectorNet, share: float) -> DetectorNet:
    """The network ``share`` of the way from ``start`` to ``tuned`` (see ``blending``), both folded
    first."""
    first, second, middle = copy.deepcopy(start), copy.deepcopy(tuned), copy.deepcopy(start)
    fold(first)
    fold(second)
    middle.load_state_dict(between(first.state_dict(), second.state_dict(), share))
    return middle.eval()

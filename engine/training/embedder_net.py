"""The appearance network: exposure made equal, EfficientNet-lite0, statistics of its features over
the horse alone, one linear projection.

What is grey level 114 on all channels is no horse (letterbox bars, suppressed background): it takes
part neither in the exposure nor in the statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.letterbox import GREY
from engine.training.backbone import PYRAMID_CHANNELS, EfficientNetLite0

WIDTH_PX, HEIGHT_PX = 256, 192
MEAN, STD = 127.0, 128.0
"""Input normalisation, (value - 127) / 128 of RGB: grey level 114 stays exact."""

BRIGHTNESS = 90.0
"""Mean level of the horse after its exposure was made equal; chosen before training so that grey
horses clip little and bays keep contrast."""

LEVELS = (3, 1, 2)
"""Pyramid levels whose features are used: strides 32, 8, 16."""

FEATURES = 2 * sum(PYRAMID_CHANNELS[level] for level in LEVELS)
"""Mean and spread of each channel."""


def horse_mask(values: Tensor) -> Tensor:
    """1 where a pixel is not the fill: (B, 3, H, W) on 0..255 to (B, 1, H, W)."""
    return ((values - float(GREY)).abs().amax(dim=1, keepdim=True) > 0.5).to(values.dtype)


def equal_exposure(values: Tensor, mask: Tensor) -> Tensor:
    """Scale each picture so that the horse's mean level is BRIGHTNESS; the rest becomes 0."""
    count = mask.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1.0)
    level = (values * mask).sum(dim=(1, 2, 3), keepdim=True) / (3.0 * count)
    bright = (values * (BRIGHTNESS / level.clamp(min=2.0))).clamp(0.0, 255.0)
    return (bright - MEAN) / STD * mask


def masked_statistics(features: Tensor, share: Tensor) -> Tensor:
    """Mean and spread of (B, C, h, w) weighted by (B, 1, h, w): (B, 2 C)."""
    weight = share.sum(dim=(2, 3)).clamp(min=0.1)
    mean = (features * share).sum(dim=(2, 3)) / weight
    apart = (features - mean[:, :, None, None]) ** 2
    variance = (apart * share).sum(dim=(2, 3)) / weight
    return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


class CoatProjection(nn.Module):
    """The trained part: features (B, FEATURES) to unit vectors (B, dimension)."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.middle = nn.Buffer(torch.zeros(FEATURES))
        self.scale = nn.Buffer(torch.ones(FEATURES))
        self.linear = nn.Linear(FEATURES, dimension, bias=False)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.linear.out_features

    def forward(self, features: Tensor) -> Tensor:
        """Features to unit vectors."""
        vectors: Tensor = self.linear((features - self.middle) / self.scale)
        return functional.normalize(vectors, dim=1)


class CoatFeatures(nn.Module):
    """The part that is not trained: float (B, 3, HEIGHT_PX, WIDTH_PX), RGB as (value - 127) / 128,
    to features (B, FEATURES)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0()

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures to features."""
        values = pictures * STD + MEAN
        mask = horse_mask(values)
        pyramid = self.backbone(equal_exposure(values, mask))
        columns = []
        for level in LEVELS:
            stride = 4 << level
            columns.append(masked_statistics(pyramid[level], functional.avg_pool2d(mask, stride)))
        return torch.cat(columns, dim=1)


class EmbedderNet(nn.Module):
    """What is exported: pictures to unit vectors (B, D)."""

    def __init__(self, features: CoatFeatures, projection: CoatProjection) -> None:
        super().__init__()
        self.features, self.projection = features, projection

    def forward(self, pictures: Tensor) -> Tensor:
        """See CoatFeatures for the input."""
        vectors: Tensor = self.projection(self.features(pictures))
        return vectors

"""The own verifier: EfficientNet-lite0 with a small head that tells horses from other things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.domain.errors import OperatorMistake
from engine.training.backbone import PYRAMID_CHANNELS, EfficientNetLite0, load_imagenet
from engine.training.verifier_data import NO_HORSE, SPECIES

HEAD_CHANNELS = 1280
FROZEN_BLOCKS = 11
"""Blocks (stages 1 to 5) that keep their ImageNet weights: a few thousand crops cannot improve
edges and textures, and training costs a third without them."""
DROPPED = 0.3
SMOOTHED = 0.05


class VerifierNet(nn.Module):
    """float (B, 3, S, S), RGB as (value - 127) / 128, to class logits (B, len(SPECIES))."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0()
        self.mix = nn.Conv2d(PYRAMID_CHANNELS[-1], HEAD_CHANNELS, 1, bias=False)
        self.norm = nn.BatchNorm2d(HEAD_CHANNELS, momentum=0.01, eps=1e-3)
        self.species = nn.Linear(HEAD_CHANNELS, len(SPECIES))
        nn.init.zeros_(self.species.bias)
        nn.init.normal_(self.species.weight, std=0.01)

    def freeze_early(self) -> None:
        """Train all but the stem and the first FROZEN_BLOCKS blocks."""
        self.requires_grad_(True)
        self.backbone._conv_stem.requires_grad_(False)
        for block in self.backbone._blocks[:FROZEN_BLOCKS]:
            block.requires_grad_(False)

    def pooled(self, crops: Tensor) -> Tensor:
        """What the last layer sees: (B, HEAD_CHANNELS)."""
        features = self.backbone(crops)[-1]
        return functional.relu6(self.norm(self.mix(features))).mean(dim=(2, 3))

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        pooled = self.pooled(crops)
        logits: Tensor = self.species(functional.dropout(pooled, DROPPED, self.training))
        return logits


def load_imagenet_head(network: VerifierNet, path: Path) -> None:
    """Take backbone and the layer before the classes from EfficientNet-lite0 weights;
    OperatorMistake when the file holds none."""
    load_imagenet(network.backbone, path)
    stored = torch.load(path, map_location="cpu", weights_only=True)
    try:
        network.mix.load_state_dict({"weight": stored["_conv_head.weight"]})
        wanted = network.norm.state_dict()
        network.norm.load_state_dict({name: stored[f"_bn1.{name}"] for name in wanted})
    except (KeyError, RuntimeError) as error:
        raise OperatorMistake(f"{path} holds no EfficientNet-lite0 weights: {error}") from error


def fold_normalisations(network: VerifierNet) -> None:
    """Put every normalisation into the convolution before it.

    Their ImageNet statistics stay anyway (batches of crops are too few to replace them), and
    without them a step takes two thirds of the time.
    """
    network.eval()
    for owner, convolution, norm in _normalised(network):
        setattr(
            owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
        )
        setattr(owner, norm, nn.Identity())


def _normalised(network: VerifierNet) -> Iterator[tuple[nn.Module, str, str]]:
    """Modules with the names of a convolution of theirs and of the normalisation after it."""
    yield network, "mix", "norm"
    yield network.backbone, "_conv_stem", "_bn0"
    for block in network.backbone._blocks:
        yield block, "_depthwise_conv", "_bn1"
        yield block, "_project_conv", "_bn2"
        if hasattr(block, "_expand_conv"):
            yield block, "_expand_conv", "_bn0"


def species_loss(logits: Tensor, species: Tensor) -> Tensor:
    """Cross entropy with smoothed targets; NO_HORSE only asks that it be anything but a horse."""
    logs = functional.log_softmax(logits, dim=1)
    classes = logs.shape[1]
    targets = functional.one_hot(species.clamp(max=classes - 1), classes).float()
    targets = targets * (1.0 - SMOOTHED) + SMOOTHED / classes
    named = -(targets * logs).sum(dim=1)
    no_horse = -torch.logsumexp(logs[:, 1:], dim=1)
    return torch.where(species == NO_HORSE, no_horse, named).mean()

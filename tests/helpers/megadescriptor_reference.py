"""What timm's Swin-T answers with generated weights, kept for machines without timm.

``python -m tests.helpers.megadescriptor_reference`` (needs the package timm, which is no part of
the product) writes the file anew: two vectors for two generated pictures.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("megadescriptor_reference.npz")


def generated_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Numbers for each name, drawn from the name, so that they do not depend on the order."""
    weights = {}
    for name, shape in shapes.items():
        chance = np.random.default_rng(zlib.crc32(name.encode()))
        drawn = chance.standard_normal(shape, np.float32)
        scale = drawn.size**-0.25 if len(shape) > 1 else 0.1
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        weights[name] = torch.from_numpy(np.asarray(centre + scale * drawn, np.float32))
    return weights


def generated_inputs() -> Tensor:
    """Two normalised pictures (2, 3, 224, 224)."""
    drawn = np.random.default_rng(5).standard_normal((2, 3, 14, 14), np.float32)
    return torch.from_numpy(drawn.repeat(16, axis=2).repeat(16, axis=3))


def write(path: Path = FILE) -> None:
    """Run timm and store its vectors and the names and shapes of its weights."""
    from engine.models.torchvision_operators import ensure_torchvision

    ensure_torchvision()
    import importlib

    network = importlib.import_module("timm").create_model(
        "swin_tiny_patch4_window7_224", pretrained=False, num_classes=0
    ).eval()  # fmt: skip
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    network.load_state_dict(generated_weights(shapes))
    with torch.no_grad():
        vectors = network(generated_inputs()).numpy()
    np.savez_compressed(
        path, vectors=vectors, names=np.array(list(shapes)),
        shapes=np.array([" ".join(map(str, shape)) for shape in shapes.values()]),
    )  # fmt: skip


def stored_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of timm's weights."""
    with np.load(FILE) as file:
        return {
            str(name): tuple(int(side) for side in str(shape).split())
            for name, shape in zip(file["names"], file["shapes"], strict=True)
        }


if __name__ == "__main__":
    write()

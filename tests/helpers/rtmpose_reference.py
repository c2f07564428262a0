"""What mmpose itself makes of generated pictures, kept for machines without mmpose.

``python -m tests.helpers.rtmpose_reference`` (needs the extra ``[mmpose]``) writes the file anew.
The network is RTMPose-m built from mmpose's AP-10K configuration with random weights, so nothing of
anybody's is stored: boxes on generated pictures, what mmpose fed the network (every 16th pixel),
what the network answered, and the keypoints and scores that mmpose read from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.domain.geometry import FloatArray

FILE = Path(__file__).with_name("rtmpose_reference.npz")
SEED = 11
STEP_PX = 16
BOXES: FloatArray = np.array(
    # Inside; reaching out of the picture; tall; wide and larger than the network's input.
    [[60, 40, 300, 210], [-40, -30, 90, 120], [330, 20, 400, 290], [20, 90, 420, 300]],
    np.float32,
)


def generated_picture(seed: int = SEED) -> Image:
    """A picture of soft blobs and hard edges, 440x320."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (10, 14, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (440, 320), interpolation=cv2.INTER_CUBIC)
    for _ in range(25):
        x, y = (int(v) for v in chance.integers(0, (440, 320)))
        colour = tuple(int(v) for v in chance.integers(0, 256, 3))
        cv2.ellipse(picture, (x, y), (30, 12), float(chance.uniform(0, 180)), 0, 360, colour, -1)
    return np.asarray(picture, np.uint8)


def random_network(seed: int = SEED) -> Any:
    """RTMPose-m with random weights whose answers depend on the picture: the layers that mmpose
    begins with almost nothing in are drawn wider."""
    import torch

    from engine.training.mmpose_bridge import build_rtmpose

    model = build_rtmpose(seed=seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.head.named_parameters():
            if parameter.ndim > 1:
                # The last layers small, so that scores fall between 0 and 1.
                width = 0.12 if name.startswith("cls_") else 2.0
                parameter.normal_(0.0, width / parameter[0].numel() ** 0.5)
    return model


def write(path: Path = FILE) -> None:
    """Run mmpose and store what it says; complains if rounding changed any answer."""
    import torch

    from engine.training.mmpose_bridge import ServedRtmpose, mmpose_answers, mmpose_inputs, quiet

    model, picture = random_network(), generated_picture()
    keypoints, scores = mmpose_answers(model, picture, BOXES)
    inputs = mmpose_inputs(model, picture, BOXES)
    with torch.no_grad(), quiet():
        answered = [out.numpy() for out in ServedRtmpose(model)(torch.from_numpy(inputs))]
    rounded: list[NDArray[np.float16]] = [out.astype(np.float16) for out in answered]
    for before, after in zip(answered, rounded, strict=True):
        if (before.argmax(2) != after.astype(np.float32).argmax(2)).any():
            raise SystemExit("rounding moved a peak: take another seed")
    np.savez_compressed(
        path, simcc_x=rounded[0], simcc_y=rounded[1], keypoints=keypoints, scores=scores,
        inputs=inputs[:, :, ::STEP_PX, ::STEP_PX].astype(np.float32),
    )  # fmt: skip


if __name__ == "__main__":
    write()

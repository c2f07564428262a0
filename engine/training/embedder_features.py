"""Features of varied crops, computed once: the backbone is not trained, so epochs take seconds.

Each picture is described suppressed, not suppressed, and in random variants. Parts are written as
they are finished, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.models.letterbox import GREY
from engine.training.embedder_data import HorseSet
from engine.training.embedder_net import HEIGHT_PX, MEAN, STD, WIDTH_PX, CoatFeatures
from engine.training.export import export_onnx
from engine.training.pose_data import Picture

_AT_ONCE = 16
_PART = 256


@dataclass(frozen=True)
class CropVariation:
    """How far crops are varied; shares of all variants, or ranges. Mirroring is left to half of
    them because horses walk both ways; their markings differ by side, which limits what it gives.
    """

    unsuppressed: float = 0.25
    size: tuple[float, float] = (0.7, 1.08)
    shift: float = 0.03
    turn_rad: float = 0.07
    gain: tuple[float, float] = (0.35, 1.6)
    tint: float = 0.12
    gamma: tuple[float, float] = (0.7, 1.4)
    saturation: tuple[float, float] = (0.6, 1.3)
    blur: float = 0.25
    noise: float = 0.25
    occlusion: float = 0.3
    outline_px: int = 5
    mirror: float = 0.5


@dataclass(frozen=True)
class FeatureTable:
    """Features (M, F) of pictures of a set: the row each comes from, and whether the background
    was suppressed and whether it is varied, bool (M,)."""

    features: FloatArray
    rows: NDArray[np.int64]
    suppressed: NDArray[np.bool_]
    varied: NDArray[np.bool_]

    def clean(self, suppressed: bool) -> FloatArray:
        """Features of the pictures as they are, (N, F) in the order of the set."""
        found: FloatArray = self.features[(self.suppressed == suppressed) & ~self.varied]
        return found


def placed(
    data: HorseSet, row: int, keep: bool, rng: np.random.Generator | None = None,
    how: CropVariation | None = None,
) -> tuple[NDArray[np.float32], Picture, NDArray[np.float64]]:  # fmt: skip
    """The crop letterboxed as the engine does it, float32 (HEIGHT_PX, WIDTH_PX, 3) RGB, what of it
    is horse, uint8 (HEIGHT_PX, WIDTH_PX), and the map (2, 3) from the set's crop; varied in place
    and size when ``rng`` is given."""
    x1, y1, x2, y2 = (float(v) for v in data.boxes_xyxy_px[row])
    width, height = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    zoom, turn = min(WIDTH_PX / width, HEIGHT_PX / height), 0.0
    centre = np.array([(x1 + x2) / 2.0, (y1 + y2) / 2.0])
    if rng is not None and how is not None:
        zoom *= rng.uniform(*how.size)
        turn = rng.normal(0.0, how.turn_rad)
        centre += rng.normal(0.0, how.shift, 2) * (width, height)
    linear = zoom * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    offset = np.array([WIDTH_PX / 2.0, HEIGHT_PX / 2.0]) - linear @ centre
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    size = (WIDTH_PX, HEIGHT_PX)
    crop = np.asarray(data.crops[row])
    shown = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_AREA, borderValue=(GREY,) * 3)
    # The engine shows the box alone; the bars beside it are grey.
    source = np.zeros(crop.shape[:2], np.uint8)
    source[max(round(y1), 0) : round(y2), max(round(x1), 0) : round(x2)] = 1
    if keep:
        source &= data.keeps[row].astype(np.uint8)
    inside = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_NEAREST)
    return shown.astype(np.float32), np.asarray(inside, np.uint8), matrix


def varied_crop(
    data: HorseSet, row: int, suppressed: bool, rng: np.random.Generator, how: CropVariation
) -> Picture:
    """One random variant, uint8 (HEIGHT_PX, WIDTH_PX, 3) RGB, grey where there is no horse."""
    values, inside, _ = placed(data, row, suppressed, rng, how)
    if suppressed:
        size = int(rng.integers(1, how.outline_px + 1))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        inside = np.asarray(change(inside, kernel), np.uint8)
    values = _relit(values, rng, how)
    if rng.random() < how.occlusion:
        width = int(rng.uniform(0.05, 0.3) * WIDTH_PX)
        height = int(rng.uniform(0.1, 0.5) * HEIGHT_PX)
        x, y = int(rng.integers(WIDTH_PX - width)), int(rng.integers(HEIGHT_PX - height))
        inside[y : y + height, x : x + width] = 0
    picture = filled_crop(values, inside)
    return np.ascontiguousarray(picture[:, ::-1]) if rng.random() < how.mirror else picture


def _relit(
    picture: NDArray[np.float32], rng: np.random.Generator, how: CropVariation
) -> NDArray[np.float32]:
    """Other light, tint, contrast, saturation, sharpness and grain; values on 0..255."""
    values = picture * rng.uniform(*how.gain) * rng.uniform(1 - how.tint, 1 + how.tint, 3)
    if rng.random() < 0.5:
        values = 255.0 * (np.clip(values, 0, 255) / 255.0) ** rng.uniform(*how.gamma)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * rng.uniform(*how.saturation)
    if rng.random() < how.blur:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < how.noise:
        values = values + rng.normal(0.0, rng.uniform(2, 8), (HEIGHT_PX, WIDTH_PX, 1))
    return np.asarray(values, np.float32)


def clean_crop(data: HorseSet, row: int, suppressed: bool) -> Picture:
    """The picture as the engine cuts it, uint8 (HEIGHT_PX, WIDTH_PX, 3) RGB."""
    values, inside, _ = placed(data, row, suppressed)
    return filled_crop(values, inside)


def filled_crop(values: NDArray[np.float32], inside: Picture) -> Picture:
    """Rounded to uint8, GREY where ``inside`` is 0."""
    picture = np.clip(np.round(values), 0, 255).astype(np.uint8)
    picture[inside == 0] = GREY
    return picture


Job = tuple[int, bool, bool]
"""Row, suppressed, varied."""


def feature_jobs(data: HorseSet, variants: int, seed: int, how: CropVariation) -> list[Job]:
    """Everything to describe: each row clean with and without outline, then variants of clips."""
    jobs: list[Job] = [(row, keep, False) for keep in (True, False) for row in range(len(data))]
    rows = np.nonzero(data.dated)[0].tolist()
    rng = np.random.default_rng(seed)
    for _ in range(variants):
        jobs += [(row, bool(rng.random() >= how.unsuppressed), True) for row in rows]
    return jobs


def read_features(
    data: HorseSet, network: CoatFeatures, cache: Path, key: str, variants: int, seed: int,
    device: str, tell: Callable[[str], None],
) -> FeatureTable:  # fmt: skip
    """Describe all pictures, reading the parts that a run before has finished."""
    how = CropVariation()
    jobs = feature_jobs(data, variants, seed, how)
    folder = cache / f"features-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    describe = _describer(network, folder, device)
    parts: list[FloatArray] = []
    began_s, done = time.monotonic(), 0
    for start in range(0, len(jobs), _PART):
        path = folder / f"{start}.npy"
        part = jobs[start : start + _PART]
        if path.is_file():
            parts.append(_stored(path))
            continue
        found = [describe(batch) for batch in _pictures(data, part, start, seed, how)]
        parts.append(np.concatenate(found))
        beside = path.with_suffix(".part.npy")
        np.save(beside, parts[-1])
        beside.replace(path)
        done += len(part)
        left_s = (time.monotonic() - began_s) / done * (len(jobs) - start - len(part))
        tell(
            f"{start + len(part)}/{len(jobs)} pictures described, about {left_s / 60:.0f} min left"
        )
    rows, suppressed, varied = (np.array(column) for column in zip(*jobs, strict=True))
    return FeatureTable(np.concatenate(parts), rows, suppressed, varied)


def _stored(path: Path) -> FloatArray:
    try:
        return np.asarray(np.load(path), np.float32)
    except (OSError, ValueError) as error:
        raise OperatorMistake(f"{path} is damaged: {error}", "Delete it and run again.") from error


def _pictures(
    data: HorseSet, jobs: list[Job], start: int, seed: int, how: CropVariation
) -> Iterator[Picture]:
    """Batches of pictures; each variant has random numbers of its own, whatever was read before."""
    for at in range(0, len(jobs), _AT_ONCE):
        batch = []
        for offset, (row, suppressed, varied) in enumerate(jobs[at : at + _AT_ONCE]):
            rng = np.random.default_rng((seed, start + at + offset))
            batch.append(
                varied_crop(data, row, suppressed, rng, how)
                if varied
                else clean_crop(data, row, suppressed)
            )
        yield np.stack(batch)


def _describer(network: CoatFeatures, folder: Path, device: str) -> Callable[[Picture], FloatArray]:
    """Pictures uint8 (B, H, W, 3) to features (B, F), by torch on a GPU, else by ONNX Runtime,
    which is twice as fast as torch on a CPU."""
    describer = network.eval()

    def inputs(pictures: Picture) -> FloatArray:
        scaled = (pictures.astype(np.float32).transpose(0, 3, 1, 2) - MEAN) / STD
        return np.ascontiguousarray(scaled, np.float32)

    if device != "cpu":
        describer = describer.to(device)

        def on_gpu(pictures: Picture) -> FloatArray:
            with torch.no_grad():
                found = describer(torch.from_numpy(inputs(pictures)).to(device))
            return np.asarray(found.cpu().numpy(), np.float32)

        return on_gpu
    file = folder / "describer.onnx"
    export_onnx(describer, file, HEIGHT_PX, WIDTH_PX)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(torch.get_num_threads(), 1)
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def on_cpu(pictures: Picture) -> FloatArray:
        return np.asarray(session.run(None, {"images": inputs(pictures)})[0], np.float32)

    return on_cpu

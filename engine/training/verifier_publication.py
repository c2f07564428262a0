"""From a trained verifier to what the product loads: half-size ONNX file, card, manifest entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from engine.models.manifest import InputSpec, Layout, ModelEntry, Task
from engine.training.cards import Figure, ModelCard
from engine.training.detector_data import LabelledPicture
from engine.training.export import export_onnx, halve_weights
from engine.training.publication import Published, counted, model_file, version_of_today, write
from engine.training.verifier_data import LEAST_SCORE, NO_HORSE, SPECIES, UNKNOWN, CropSet
from engine.training.verifier_net import VerifierNet
from engine.training.verifier_training import (
    INPUT_PX,
    MEAN,
    PADDING,
    STD,
    VERIFIER_NAME,
    fitted,
    measure_verifier,
    opinions_of,
)

VERIFIER_RANK = 10


def publish_verifier(
    network: VerifierNet, crops: CropSet, pictures: Sequence[LabelledPicture], out: Path,
    recipe: Sequence[str] = (), limits: Sequence[str] = (), version: str | None = None,
) -> Published:  # fmt: skip
    """Export the verifier, fit it to the detector's scores, measure, write card and entry.

    The fit uses held-out proposals outside the negatives, so the negatives stay untouched.
    """
    version = version or version_of_today()
    weights = out / f"{VERIFIER_NAME}.onnx"
    network = network.cpu().eval()
    difference = export_onnx(network, weights, INPUT_PX, INPUT_PX)
    rounding = halve_weights(weights, (1, 3, INPUT_PX, INPUT_PX))
    opinions = opinions_of(network, crops, crops.held_out, torch.device("cpu"))
    negative = np.array([p.source.endswith("_neg") for p in pictures])[crops.pictures]
    rows = crops.held_out & crops.proposed & ~negative & (crops.species != UNKNOWN)
    how = fitted(
        crops.scores[rows],
        crops.odds[rows],
        opinions[rows],
        crops.species[rows] == 0,
        LEAST_SCORE,
    )
    found = measure_verifier(crops, pictures, opinions, how)
    on = f"{int(found['horses'])} horses on unseen pictures, proposals of the own detector"
    cows = f"{int(found['negatives'])} pictures of cows, sheep and dogs, none trained on"
    figures: list[Figure] = [
        ("recall at IoU 0.5 of what is proposed", f"{found['recall_proposed']:.3f}", on),
        ("recall at IoU 0.5, threshold 0.35", f"{found['recall_at_0.35']:.3f}", on),
        ("recall at IoU 0.5 where at most 1 % of negatives alarm", f"{found['recall_at_fp1']:.3f}",
         on),
        ("negatives with a horse at 0.35", f"{found.get('false_pictures_at_0.35', 0.0):.3f}", cows),
        *_by_species(crops, opinions),
    ]  # fmt: skip
    card = ModelCard(
        title=f"{VERIFIER_NAME} {version}",
        purpose="Looks again at one box of a detector and says what is in it: "
        f"{', '.join(SPECIES)}. {INPUT_PX}x{INPUT_PX} px RGB in, class logits out.",
        data=counted([p.source for p in pictures], [p.held_out for p in pictures]),
        recipe=[
            *recipe,
            f"Exported to ONNX; largest difference from torch {difference:.1e}; weights stored in "
            f"half precision change logits by at most {rounding:.1e}.",
            f"Fitted to the own detector on {int(rows.sum())} held-out proposals outside the "
            f"negatives: detector_weight {how.detector_weight}, odds_weight "
            f"{how.odds_weight}, verifier_weight {how.verifier_weight}, bias {how.bias} (see "
            "Verification in the manifest).",
        ],
        figures=figures,
        limits=limits or ["Not examined beyond the figures above."],
        licence="AGPL-3.0-or-later as the project. The backbone starts from EfficientNet-lite0 "
        "ImageNet weights (Apache-2.0).",
    )
    entry = ModelEntry(
        name=VERIFIER_NAME, version=version, task=Task.VERIFIER, layout=Layout.SPECIES,
        files=(model_file(weights),), rank=VERIFIER_RANK, padding=PADDING,
        input=InputSpec(
            width_px=INPUT_PX, height_px=INPUT_PX, colour="rgb", mean=(MEAN,) * 3, std=(STD,) * 3
        ),
        classes={"0": "horse", "1": "person", str(SPECIES.index("dog")): "dog"},
        licence="AGPL-3.0-or-later", origin="trained by this project",
        measured={f"{name}, {what}": float(value) for name, value, what in figures},
    )  # fmt: skip
    return write(out, VERIFIER_NAME, card, entry)


def _by_species(crops: CropSet, opinions: np.ndarray) -> list[Figure]:
    """Share of held-out proposals of each kind that the verifier alone takes for horses."""
    rows = crops.held_out & crops.proposed
    figures = []
    for kind, name in enumerate((*SPECIES, "part of another animal")):
        chosen = rows & (crops.species == kind) & (crops.species <= NO_HORSE)
        if chosen.any():
            share = float((opinions[chosen] > 0).mean())
            figures.append((f"{name} taken for a horse", f"{share:.3f}", f"{chosen.sum()} crops"))
    return figures

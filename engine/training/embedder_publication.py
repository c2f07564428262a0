"""The trained appearance network as the product loads it: weights, card, manifest entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.models.coat_tones import METADATA_KEY, PLACES, ToneMap
from engine.models.manifest import InputSpec, Layout, ModelEntry, Task
from engine.training.cards import Figure, ModelCard
from engine.training.embedder_data import FOLLOWED, HorseSet
from engine.training.embedder_net import HEIGHT_PX, MEAN, STD, WIDTH_PX, EmbedderNet
from engine.training.embedder_training import FoldResult
from engine.training.export import export_onnx, halve_weights, store_metadata
from engine.training.loop import Plan
from engine.training.publication import Published, counted, model_file, version_of_today, write
from engine.training.reid_metrics import (
    QueryOutcome,
    acceptance_threshold,
    own_likeness,
    stranger_likeness,
    summary,
)

EMBEDDER_NAME = "barnhand-horse-coat"
EMBEDDER_RANK = 10
FALSE_ACCEPTS = 0.01

LIMITS = (
    "All clips show saddled horses under a rider, walking, from their left side, in one yard "
    "within six weeks, by one camera: tack, leg wraps and the yard's light are part of what was "
    "learned. Nothing is known about the right side, other yards, a winter coat, mud, night or "
    "infra-red pictures.",
    "Bay horses in flat or back light are told apart poorly; on days when the camera shows "
    "silhouettes they are not told apart at all.",
    "Likeness is not identity: below the threshold most later clips of the same horse are refused "
    "too, so a person decides what enters a horse's gallery.",
    "Light and dark parts are read at landmarks: boots, wraps and saddle cloths count as marks, "
    "and landmarks that are off cost part of what the tones give. A horse whose landmarks are not "
    "known is less like every horse whose landmarks are.",
    "A few horses of several days carry these figures: the intervals are wide.",
    "The design was chosen among some dozens of variants by folds of the same horses, so these "
    "figures lean to the kind side; horses and yards of their own are needed to know.",
)


def calibrated_threshold(results: Sequence[FoldResult]) -> tuple[float, int, float, int]:
    """Threshold at 1 % false accepts, pairs of strangers it rests on, share of pairs of one horse
    on two days that it accepts, and their number. Horses of each fold were unseen by its model."""
    strangers = np.concatenate([stranger_likeness(r.clips) for r in results])
    own = np.concatenate([own_likeness(r.clips) for r in results])
    threshold = min(acceptance_threshold(strangers, FALSE_ACCEPTS), 1.0)
    accepted = float((own >= threshold).mean()) if len(own) else 0.0
    return threshold, len(strangers), accepted, len(own)


def _said(name: str, found: Sequence[QueryOutcome], on: str) -> list[Figure]:
    report = summary(found)
    figures = []
    for key, words in (("rank1", "rank-1"), ("map", "mAP"), ("rank1_frame", "rank-1, one frame")):
        low, high = np.asarray(report[f"{key}_interval"])
        value = f"{float(str(report[key])):.3f} ({low:.2f} to {high:.2f})"
        figures.append((f"{name}: {words} (95 %)", value, on))
    return figures


def publish_embedder(
    network: EmbedderNet, data: HorseSet, results: Sequence[FoldResult],
    own: Sequence[QueryOutcome], out: Path, plan: Plan, tones: ToneMap | None,
) -> Published:  # fmt: skip
    """Export the network and write card and entry with the cross-validated figures and, apart, the
    few queries of the horses that these very weights never saw."""
    weights = out / f"{EMBEDDER_NAME}.onnx"
    difference = export_onnx(network, weights, HEIGHT_PX, WIDTH_PX)
    change = halve_weights(weights, (2, 3, HEIGHT_PX, WIDTH_PX))
    if tones is not None:
        store_metadata(weights, {METADATA_KEY: tones.text()})
    threshold, strangers, accepted, pairs = calibrated_threshold(results)
    found = [o for r in results for o in r.found]
    bare = [o for r in results for o in r.bare]
    sizes = [len({c.horse for c in r.clips}) for r in results]
    asked = len({o.clip for o in found})
    on = (
        f"{asked} later clips of {len({o.horse for o in found})} horses, asked "
        f"{len(found) // max(asked, 1)} times; {len(results)} models by horse, each against a "
        f"gallery of {min(sizes)} to {max(sizes)} horses it never saw"
    )
    figures = _said("background suppressed", found, on)
    figures += _said("background not suppressed", bare, on)
    if own:
        held = len({str(h) for h in data.horses[data.held_out]})
        figures += _said(
            "these weights", own, f"{len(own)} later clips, gallery of {held} held-out horses"
        )
    figures += [
        ("acceptance threshold at 1 % false accepts", f"{threshold:.3f}",
         f"{strangers} pairs of clips of different unseen horses on different days"),
        ("same horse on another day accepted at it", f"{accepted:.3f}", f"{pairs} pairs of clips"),
    ]  # fmt: skip
    dimension = network.projection.dimension + (0 if tones is None else tones.dimension)
    card = ModelCard(
        title=f"{EMBEDDER_NAME} {version_of_today()}",
        purpose=f"The look of one horse as a unit vector of {dimension} "
        f"numbers; crop letterboxed to {WIDTH_PX}x{HEIGHT_PX} px, grey 114 outside the outline of "
        "its landmarks where they are known.",
        data=counted(
            [h.split("/")[0] for h in data.horses], [bool(held) for held in data.held_out]
        ),
        recipe=_recipe(data, plan, difference, change, tones),
        figures=figures,
        limits=LIMITS,
        licence="AGPL-3.0-or-later as the project. The backbone is EfficientNet-lite0 with its "
        "ImageNet weights (Apache-2.0), unchanged.",
    )
    entry = ModelEntry(
        name=EMBEDDER_NAME, version=version_of_today(), task=Task.EMBEDDER,
        layout=Layout.EMBEDDING, files=(model_file(weights),), rank=EMBEDDER_RANK, padding=1.0,
        threshold=round(threshold, 4),
        input=InputSpec(
            width_px=WIDTH_PX, height_px=HEIGHT_PX, colour="rgb", mean=(MEAN,) * 3, std=(STD,) * 3
        ),
        licence="AGPL-3.0-or-later", origin="trained by this project",
        measured=_measured(found, bare, on, accepted, pairs),
    )  # fmt: skip
    return write(out, EMBEDDER_NAME, card, entry)


def _recipe(
    data: HorseSet, plan: Plan, difference: float, change: float, tones: ToneMap | None
) -> list[str]:
    kept = sorted({str(h).split("/")[-1] for h in data.horses[data.held_out]})
    several = sum(1 for days in data.days_of().values() if len(days) > 1)
    joined = [
        f"Joined with the same weight: the brightness of {len(PLACES)} places that landmarks "
        "define (face, neck, mane, trunk, tail, legs) relative to the body's, so that light and "
        f"exposure cancel; {tones.dimension} numbers by regularised discriminant analysis in "
        "closed form, stored in the file's metadata. Without landmarks that part is 0."
    ] if tones is not None else []  # fmt: skip
    followed = sorted(set(data.horses[data.days == FOLLOWED]))
    clips = len(set(data.clips[data.days == FOLLOWED]))
    seen = [
        f"{len(followed)} tracklets of {clips} clips that nobody labelled: each is one horse, "
        "those of one clip are different ones, and nothing is said of those of different clips."
    ] if followed else []  # fmt: skip
    return [
        f"{len(data.days_of())} horses, {several} of them on several days. These weights never saw "
        f"{len(kept)} of them: {', '.join(kept)}.",
        "Exposure is made equal over the horse's pixels inside the network; mean and spread of the "
        "backbone's features at strides 8, 16 and 32 over the horse; one linear projection, "
        "started by regularised discriminant analysis.",
        f"{plan.epochs} epochs of {plan.steps_per_epoch} batches of supervised contrast, positives "
        f"of other days first; AdamW from {plan.peak_rate}, seed {plan.seed}; the last epoch is "
        "kept, so nothing was chosen by the held-out horses.",
        *seen,
        *joined,
        "Variants: size, shift, turn, light, tint, gamma, saturation, blur, noise, occlusion, "
        "mirror, uncertain outline, one in four without suppression.",
        f"Exported to ONNX; largest difference from torch {difference:.1e}; weights stored as "
        f"float16, which changes a vector's entries by at most {change:.1e}.",
    ]


def _measured(
    found: Sequence[QueryOutcome], bare: Sequence[QueryOutcome], on: str, accepted: float,
    pairs: int,
) -> dict[str, str | float | int]:  # fmt: skip
    def share(values: list[float]) -> float:
        return round(float(np.mean(np.asarray(values, np.float64))), 3)

    return {
        f"rank-1, {on}": share([float(o.place == 0) for o in found]),
        f"mAP, {on}": share([1.0 / (1 + o.place) for o in found]),
        "rank-1, the same without suppressed background": share(
            [float(o.place == 0) for o in bare]
        ),
        f"accepted at the threshold, {pairs} pairs of clips of one horse": round(accepted, 3),
    }

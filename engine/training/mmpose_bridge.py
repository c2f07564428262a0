"""RTMPose as mmpose builds it: its own network and inference, and the way to our ONNX files.

mmpose (the extra ``[mmpose]``) is needed to build, fine-tune and export RTMPose, never to run it:
the exported file is served by ``engine.models.pose_estimators``. Only the parts of mmpose that
RTMPose is made of are used. Its other parts want the compiled mmcv and mmdet; what they import is
answered by stand-ins, which fail loudly should anything ever call them.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import pickle
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.skeletons import AP10K, SIDE_ROLES, Skeleton
from engine.models.torchvision_operators import ensure_torchvision
from engine.training.export import export_onnx

EXTRA = "mmpose"
CONFIG = "animal_2d_keypoint/rtmpose/ap10k/rtmpose-m_8xb64-210e_ap10k-256x256.py"
"""RTMPose-m's own configuration for AP-10K, shipped inside mmpose's wheel."""

OUTPUTS = ("simcc_x", "simcc_y")
OFFICIAL_WEIGHTS = (
    "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/"
    "rtmpose-m_simcc-ap10k_pt-aic-coco_210e-256x256-7a041aa1_20230206.pth"
)
"""Published torch weights to start from: what ``--start`` takes. 54,721,413 bytes, SHA-256
896e3665d849ef7eb9b6ec0995955796cc9810f024fa0aa0bdc18acb0d68bf52, Apache-2.0."""


class _Absent(nn.Module):
    """Stands for an operator of the compiled mmcv that RTMPose does not use."""

    def __init__(self, *_arguments: object, **_named: object) -> None:
        super().__init__()
        raise Bug("a part of mmpose was asked for that needs the compiled mmcv")


def mmpose_installed() -> bool:
    """Whether the extra is there; imports nothing."""
    return all(
        importlib.util.find_spec(name) is not None for name in ("mmpose", "mmcv", "xtcocotools")
    )


@contextmanager
def quiet() -> Iterator[None]:
    """mmpose and its relatives warn of their own age at every turn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def require_mmpose() -> None:
    """Make mmpose importable and its registries complete. OperatorMistake naming the extra when it
    is not installed or does not fit this environment."""
    if not mmpose_installed():
        raise OperatorMistake(
            "RTMPose is built and trained with mmpose, which is not installed.",
            f"Install the extra [{EXTRA}]: `python3 dev.py extra {EXTRA}`.",
        )
    ensure_torchvision()
    try:
        with quiet():
            if not _found("mmcv._ext"):
                kinds = ("MultiScaleDeformableAttention", "DeformConv2d", "ModulatedDeformConv2d")
                _stand_in("mmcv.ops", *kinds)
                _stand_in("mmcv.ops.multi_scale_deform_attn", kinds[0])
            if not _found("mmdet"):
                _stand_in("mmdet")
                _stand_in("mmdet.utils", ConfigType=dict, reduce_mean=lambda value: value)
            for name in ("mmpose.models", "mmpose.datasets", "mmpose.apis.inference"):
                importlib.import_module(name)
    except (ImportError, AttributeError, ValueError, AssertionError) as error:
        raise OperatorMistake(
            f"mmpose is installed but cannot be used here: {error}.",
            f"Install the extra [{EXTRA}] afresh: `python3 dev.py extra {EXTRA}`.",
        ) from error


def _found(name: str) -> bool:
    """Whether a module is installed (mmcv-lite has the folder of operators, but not their code)."""
    if name in sys.modules:
        return not getattr(sys.modules[name], "is_stand_in", False)
    return importlib.util.find_spec(name) is not None


def _stand_in(name: str, *classes: str, **values: object) -> None:
    """Put a module with these classes and values in place of one that cannot be imported."""
    if name in sys.modules:
        return
    module = types.ModuleType(name)
    # Libraries that look for optional parts ask for the specification.
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    vars(module).update({"is_stand_in": True, "__path__": []}, **values)
    vars(module).update({kind: type(kind, (_Absent,), {}) for kind in classes})
    sys.modules[name] = module


def rtmpose_config(skeleton: Skeleton = AP10K) -> Any:
    """RTMPose-m's own AP-10K configuration (an mmengine Config) for the landmarks of ``skeleton``.

    Two things differ from the file: the backbone is mmpose's own CSPNeXt (the file names mmdet's,
    which is the same class), and nothing is downloaded to start from.
    """
    require_mmpose()
    with quiet():
        package = Path(str(importlib.import_module("mmpose").__file__)).parent
        config = importlib.import_module("mmengine.config").Config.fromfile(
            str(package / ".mim" / "configs" / CONFIG)
        )
    config.model.backbone.pop("_scope_", None)
    config.model.backbone.init_cfg = None
    config.model.head.out_channels = len(skeleton.landmarks)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.metainfo = dataset_description(skeleton)
    return config


def dataset_description(skeleton: Skeleton) -> dict[str, Any]:
    """The skeleton in mmpose's own words (its ``metainfo``)."""
    swapped = {a: b for left, right in skeleton.pairs for a, b in ((left, right), (right, left))}
    fore = {"nose", "poll", "throat", "neck", "withers"}
    fore |= {f"{role}_{side}" for role in SIDE_ROLES[:5] for side in ("left", "right")}
    upper = {i for role, i in skeleton.roles if role in fore or role.endswith("_front")}
    return {
        "dataset_name": skeleton.name,
        "keypoint_info": {
            index: {
                "name": name,
                "id": index,
                "color": [255, 255, 255],
                "type": "upper" if index in upper else "lower",
                "swap": skeleton.landmarks[swapped[index]] if index in swapped else "",
            }
            for index, name in enumerate(skeleton.landmarks)
        },
        "skeleton_info": {
            number: {
                "link": (skeleton.landmarks[a], skeleton.landmarks[b]),
                "id": number,
                "color": [255, 255, 255],
            }
            for number, (a, b) in enumerate(skeleton.bones)
        },
        "joint_weights": [1.0] * len(skeleton.landmarks),
        "sigmas": list(skeleton.sigmas),
    }


def build_rtmpose(
    skeleton: Skeleton = AP10K, seed: int = 1, weights: Path | None = None, device: str = "cpu"
) -> Any:
    """mmpose's RTMPose-m for a skeleton, ready to answer: random weights drawn from ``seed``, or
    those of a torch checkpoint.

    Weights whose shape does not fit (the last layer of a network for other landmarks) stay random.
    Raises OperatorMistake when mmpose is absent or the checkpoint is not RTMPose-m's.
    """
    config = rtmpose_config(skeleton)
    torch.manual_seed(seed)
    np.random.seed(seed)  # mmengine draws initial weights from both generators
    with quiet():
        model = importlib.import_module("mmpose.apis.inference").init_model(
            config, None, device="cpu"
        )
    if weights is not None:
        load_weights(model, weights)
    return model.to(device).eval()


def load_weights(model: nn.Module, path: Path) -> tuple[str, ...]:
    """Put the weights of a checkpoint into the network; the names of those that did not fit.

    Raises OperatorMistake when it cannot be read safely or fits hardly anything.
    """
    stored = _read_checkpoint(path)
    own = model.state_dict()
    fitting = {k: v for k, v in stored.items() if k in own and own[k].shape == v.shape}
    if len(fitting) < 0.9 * len(own):
        raise OperatorMistake(
            f"{path.name} fits {len(fitting)} of {len(own)} weights of RTMPose-m.",
            f"Use a checkpoint of RTMPose-m at 256x256 px, such as {OFFICIAL_WEIGHTS}.",
        )
    model.load_state_dict(fitting, strict=False)
    return tuple(sorted(set(own) - set(fitting)))


_UNREADABLE = (
    RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError, EOFError, OSError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What torch raises for files that are none of its own."""


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors by name of an mmpose checkpoint, unpickled without running anything."""
    harmless: list[Any] = [np.dtype, np.ndarray, *(type(np.dtype(k)) for k in ("f4", "f8", "i8"))]
    harmless.append(importlib.import_module("numpy._core.multiarray")._reconstruct)
    try:
        with torch.serialization.safe_globals(harmless):
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise OperatorMistake(f"There is no file {path}.") from error
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "unreadable"
        raise OperatorMistake(f"{path} is no usable torch checkpoint: {reason}") from error
    tensors = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
    return {str(k): v for k, v in tensors.items() if isinstance(v, Tensor)}


class ServedRtmpose(nn.Module):
    """What is exported: normalised pictures (B, 3, H, W) in, SimCC outputs along x and y out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, 2W) and (B, K, 2H)."""
        x, y = self.model.head(self.model.extract_feat(pictures))
        return x, y


def export_rtmpose(model: Any, path: Path) -> float:
    """Write the network as the ONNX file that the product serves (any batch); the largest
    difference found between torch and ONNX Runtime."""
    width, height = (int(side) for side in model.cfg.codec.input_size)
    with quiet():
        return export_onnx(ServedRtmpose(model), path, height, width, outputs=OUTPUTS)


def mmpose_answers(
    model: Any, picture_bgr: Image, boxes_xyxy_px: FloatArray, mirrored_too: bool = False
) -> tuple[FloatArray, FloatArray]:
    """What mmpose itself says: its pipeline from its configuration, its codec, its coordinates.

    Returns keypoints (N, K, 2) in picture pixels and scores (N, K). ``mirrored_too`` is its
    averaging with the mirrored picture, which costs twice the time and which the product leaves
    out.
    """
    model.test_cfg["flip_test"] = mirrored_too
    inference = importlib.import_module("mmpose.apis.inference")
    with quiet():
        samples = inference.inference_topdown(model, picture_bgr, boxes_xyxy_px)
    found = [sample.pred_instances for sample in samples]
    return (
        np.concatenate([one.keypoints for one in found]).astype(np.float32),
        np.concatenate([one.keypoint_scores for one in found]).astype(np.float32),
    )


def mmpose_inputs(model: Any, picture_bgr: Image, boxes_xyxy_px: FloatArray) -> FloatArray:
    """What mmpose feeds its network: (N, 3, H, W) after its pipeline and its normalisation."""
    dataset = importlib.import_module("mmengine.dataset")
    with quiet():
        pipeline = dataset.Compose(model.cfg.test_dataloader.dataset.pipeline)
        packed = [
            pipeline(
                {
                    "img": picture_bgr,
                    "bbox": box[None].astype(np.float32),
                    "bbox_score": np.ones(1, np.float32),
                    **model.dataset_meta,
                }
            )
            for box in boxes_xyxy_px
        ]
        batch = model.data_preprocessor(dataset.pseudo_collate(packed), False)
    inputs: FloatArray = batch["inputs"].numpy()
    return inputs

"""What a file is by its first bytes. Nothing is opened: pickles run whoever opens them."""

from __future__ import annotations

import re
from typing import Literal

from barnhand_desktop.model_inspection.verdict import EXPORT_ADVICE, ModelRefused

HEAD_BYTES = 64
PICKLE_ENDINGS = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".npz")
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\(lp|\(dp|c[a-z_]+\n|ccopy_reg|cbuiltins|cos\n|cposix")
_OTHERS = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"GGUF", "a GGUF file"),
)


def refuse_strangers(
    head: bytes, kind: Literal["onnx", "safetensors"], file_name: str = ""
) -> None:
    """ModelRefused for what is known to be neither: pickles, archives, programs.

    ``head``: the first HEAD_BYTES of the file. What passes is not yet known to be a model.
    """
    named_so = file_name.lower().endswith(PICKLE_ENDINGS)
    if named_so or head.startswith(_ZIPS) or (kind == "onnx" and _PICKLE.match(head)):
        raise ModelRefused(
            "model_pickle",
            "This is a torch checkpoint or another pickle: opening it would run whatever program "
            "is in it, so it was not opened.",
            EXPORT_ADVICE,
        )
    for magic, words in _OTHERS:
        if head.startswith(magic):
            raise ModelRefused("model_format", f"This is {words}, not a model.", EXPORT_ADVICE)
    if head[4:8] == b"ORTM":
        raise ModelRefused(
            "model_format", "Compiled ONNX Runtime files are not taken.", EXPORT_ADVICE
        )

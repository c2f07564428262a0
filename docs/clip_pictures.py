"""Draws the manual's contact sheets of clips: what the bundled models find, on grey.

    python3 docs/clip_pictures.py --data FOLDER [--out docs/pictures]

The clips themselves are not part of the project, so nothing of them is shown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from engine.training.commands import run_evaluate

FRAMES = 10
WIDTH_PX = 1200
COLOURS = 48


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of clips")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked = ["clips", "--data", str(wanted.data), "--out", folder, "--frames", str(FRAMES)]
        run_evaluate([*asked, "--bare"])
        wanted.out.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(folder).glob("*.png")):
            with Image.open(path) as sheet:
                size = WIDTH_PX, round(sheet.height * WIDTH_PX / sheet.width)
                small = sheet.resize(size).quantize(COLOURS)
            small.save(wanted.out / f"clips-{path.stem}.png", optimize=True)


if __name__ == "__main__":
    main()

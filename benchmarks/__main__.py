"""``python3 dev.py bench [NAME...]``: run the benchmarks one after the other, each on its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_BENCHMARKS = {"__init__", "__main__", "pairs"}


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, or all; 0 when every one ended well."""
    folder = Path(__file__).parent
    names = sorted(p.stem for p in folder.glob("*.py") if p.stem not in NOT_BENCHMARKS)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"No benchmark is named {', '.join(unknown)}. There are: {', '.join(names)}.")
        return 2
    failed = []
    for name in wanted or names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What this process costs the machine."""

from __future__ import annotations

import psutil

from barnhand_desktop.telemetry.catalogue import Value


class ProcessMeter:
    """Reads the process's own numbers; ``part`` names it among those of a node."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._process = psutil.Process()

    def figures(self) -> dict[str, dict[tuple[str, ...], Value]]:
        """Memory, processor time, open files and threads."""
        process, key = self._process, (self._part,)
        with process.oneshot():
            cpu = process.cpu_times()
            files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
            return {
                "barnhand_process_memory_bytes": {key: float(process.memory_info().rss)},
                "barnhand_process_cpu_seconds": {key: float(cpu.user + cpu.system)},
                "barnhand_process_open_files": {key: float(files)},
                "barnhand_process_threads": {key: float(process.num_threads())},
            }

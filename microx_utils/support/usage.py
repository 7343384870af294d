"""What a process has used so far: processor time and memory."""

import json
import os
import sys
import time
from pathlib import Path

import psutil


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended, over all cores, in seconds."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def peak_memory() -> int:
    """Return the most memory that this process has held at once, in bytes; its children are not counted."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux's ru_maxrss begins with what the process that started this one held
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def note_usage(file: str) -> None:
    """Write what this process has used to a JSON file."""
    Path(file).write_text(json.dumps({"processor_seconds": processor_seconds(), "peak_memory": peak_memory()}))

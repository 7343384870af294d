"""What a process has used: time that it worked and not time that passed, and memory once held."""

import json
import subprocess
import sys
import time
from pathlib import Path

from microx_utils.support import usage


def test_waiting_costs_no_processor_time_and_work_of_ended_children_does() -> None:
    before = usage.processor_seconds()
    time.sleep(0.2)
    waited = usage.processor_seconds() - before
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    worked = usage.processor_seconds() - before - waited
    assert waited < 0.1 < worked


def test_memory_that_was_given_back_still_counts(tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    program = "from microx_utils.support.usage import note_usage; {}; note_usage(" + repr(str(file)) + ")"
    peaks = []
    for work in ("pass", "x = bytearray(2**28); del x"):  # 256 MiB
        subprocess.run([sys.executable, "-c", program.format(work)], check=True)
        peaks.append(json.loads(file.read_text())["peak_memory"])
    assert 0.9 * 2**28 < peaks[1] - peaks[0] < 1.1 * 2**28

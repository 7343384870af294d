"""Preprocessing of a corpus ten times the sample: memory, frames per second, and the gain of a second process.

    python benchmarks/preprocessing.py [--times 10] [--part 300] [--scheduler ADDRESS] [--folder FOLDER]

The corpus is copies of the sample's clips with a few bytes added at the end of each file, so that the pictures are the
same and nothing comes from a cache. First `--part` clips are preprocessed by one process and by one per core, for the
ratio of the two; then all of them. Memory is the sum of this process and its children, with each shared page counted
once if the system reports it (PSS). Run nothing else on the machine. It takes about 5 GB of disk and a quarter of an
hour on two cores.
"""

import argparse
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil

from microx_utils import corpora
from microx_utils.crops import CropStore, crop_store
from microx_utils.support import paths
from microx_utils.support.parallel import cluster

FREE_BOX = (16).to_bytes(4, "big") + b"free"  # an MP4 box that players skip; its last 8 bytes are free to use


class Memory(threading.Thread):
    """Samples the memory of this process and its children until it is stopped; `peak` in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._end = 0, threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.5):
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            self.peak = max(self.peak, sum(map(used_memory, processes)))

    def stop(self) -> int:
        self._end.set()
        self.join()
        return self.peak


def used_memory(process: psutil.Process) -> int:
    """Bytes of one process: proportional set size (PSS) if the system reports it, else resident set size."""
    try:
        info = process.memory_full_info()
    except psutil.AccessDenied:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return getattr(info, "pss", info.rss)


def copy_clips(clips: pd.DataFrame, times: int, folder: Path) -> pd.DataFrame:
    """Copy every clip `times` times, with the same pictures and different bytes; return the copies' clip table."""
    tables = []
    for turn in range(times):
        table = clips.copy()
        table["clip_id"] = clips["clip_id"] + f"-{turn:02d}"
        table["split_group"] = table["subject"] = clips["split_group"] + f"-{turn:02d}"
        table["path"] = [str(folder / f"{turn:02d}-{row:04d}.mp4") for row in range(len(clips))]
        for source, target in zip(clips["path"], table["path"], strict=True):
            Path(target).write_bytes(Path(source).read_bytes() + FREE_BOX + turn.to_bytes(8, "big"))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def measure(clips: pd.DataFrame, folder: Path, *, jobs: int | None) -> tuple[CropStore, float, int]:
    """Preprocess clips with empty caches: the store, seconds, and peak memory in bytes."""
    paths.PROCESSED = folder
    memory = Memory()
    memory.start()
    started = time.perf_counter()
    store = crop_store(clips, max_frames=None, jobs=jobs)
    return store, time.perf_counter() - started, memory.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10, help="size of the corpus in samples (default: 10)")
    parser.add_argument("--part", type=int, default=300, help="clips for the comparison of processes (default: 300)")
    parser.add_argument("--scheduler", help="a Dask cluster's address, for the whole corpus")
    parser.add_argument("--folder", type=Path, help="parent folder of copies and caches (default: the system's)")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="microx-preprocessing-", dir=arguments.folder))
    try:
        (work / "clips").mkdir()
        clips = copy_clips(corpora.load_clips("sample")[0], arguments.times, work / "clips")
        part = clips.iloc[:: max(1, len(clips) // arguments.part)].head(arguments.part).reset_index(drop=True)
        rates = {}
        for name, jobs in (("one process", 1), ("one process per core", None)):
            store, seconds, _ = measure(part, work / name.replace(" ", "-"), jobs=jobs)
            rates[name] = len(store.crops) / seconds
            print(f"{name:24} {len(part):6,} clips {len(store.crops):9,} frames {rates[name]:7.0f} frames/s")
        print(f"{'ratio':24} {rates['one process per core'] / rates['one process']:.2f}")
        with cluster(arguments.scheduler):
            store, seconds, peak = measure(clips, work / "all", jobs=None)
        where = "on the cluster" if arguments.scheduler else "here"
        size = store.crops.nbytes / 2**30
        memory = "" if arguments.scheduler else f"; peak memory {peak / 2**30:.2f} GiB"  # not of the workers elsewhere
        print(
            f"{'all of it, ' + where:24} {len(clips):6,} clips {len(store.crops):9,} frames "
            f"{len(store.crops) / seconds:7.0f} frames/s{memory}; {size:.2f} GiB of crops"
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()

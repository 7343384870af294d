"""Kinds of `stress`: what is kept between runs is harmed, and runs are killed at random moments."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from encoded import encode
from stress import Kind, WrongResult
from stress_tables import harm_bytes, pick
from stress_videos import SMILE
from tiny_run import fake_store, tiny

from microx_utils.crops import crop_store
from microx_utils.labels import CLIP_COLUMNS
from microx_utils.support import paths
from microx_utils.support.parallel import IN_PROCESS_VARIABLE
from microx_utils.training import Run, train
from microx_utils.video import read_frames

Result = dict[str, bytes]
"""What a run ends with, in bytes that must be the same however it came about."""


def make_clips(folder: Path) -> pd.DataFrame:
    """Write three short clips, and return their table."""
    frames = read_frames(SMILE)[0]
    rows = []
    for number, first in enumerate((0, 20, 40)):
        path = folder / f"clip{number}.mp4"
        encode(path, frames[first : first + 6])
        row = {"clip_id": f"own/clip{number}", "corpus": "own", "subject": "own/kim", "split_group": "own/kim"}
        rows.append(dict.fromkeys(CLIP_COLUMNS, "") | row | {"emotion": "happy", "path": str(path)})
    return pd.DataFrame(rows, columns=CLIP_COLUMNS)


def preprocess(processed: Path, clips: pd.DataFrame) -> Result:
    """Find landmarks and cut crops, with everything kept in `processed`."""
    paths.PROCESSED = processed
    store = crop_store(clips, size=12, style="aligned", tracker="mesh", jobs=1)
    table = store.clips.drop(columns="path").to_csv(index=False).encode()
    return {"crops": np.asarray(store.crops).tobytes(), "available": store.available.tobytes(), "clips": table}


def trained(processed: Path, epochs: int) -> Result:
    """Train a tiny network, with everything kept in `processed`."""
    run: Run = train(tiny(epochs=epochs), fake_store(), cache=processed, progress=False)
    history = run.history.drop(columns="seconds")
    return {"predictions": run.predictions.to_csv(index=False).encode(), "history": history.to_csv().encode()}


def compare(found: Result, good: Result) -> None:
    wrong = [name for name in good if found[name] != good[name]]
    if wrong:
        raise WrongResult(f"other {' and '.join(wrong)} than those of an undisturbed run")


def harm_kept(folder: Path, rng: np.random.Generator) -> str:
    """Harm one file of what is kept, and return what was done to which."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    if not files:
        return "nothing"
    path, other = pick(rng, files), pick(rng, files)
    before = path.read_bytes()
    how = pick(rng, ["bytes", "bytes", "bytes", "empty", "another file's", "gone"])
    if how == "bytes":
        path.write_bytes(harm_bytes(before, rng))
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another file's":
        path.write_bytes(other.read_bytes())
    else:
        path.unlink()
    return f"{path.relative_to(folder)} ({how})"


class Kept:
    """A cache of which one file is harmed: the next run must end with the same numbers."""

    longest = 600.0

    def __init__(self, name: str, share: float, run: Callable[..., Result], **options: Any) -> None:
        self.name, self.share, self.run, self.options = name, share, run, options

    def prepare(self, folder: Path) -> None:
        os.environ[IN_PROCESS_VARIABLE] = "1"
        if self.run is preprocess:
            self.options["clips"] = make_clips(folder)
        self.kept = folder / "kept"
        self.good = self.run(self.kept, **self.options)

    def attempt(self, rng: np.random.Generator, folder: Path) -> str:
        shutil.copytree(self.kept, folder / "kept")
        harmed = harm_kept(folder / "kept", rng)
        try:
            compare(self.run(folder / "kept", **self.options), self.good)
        except WrongResult as error:
            raise WrongResult(f"{harmed}: {error}") from error
        return "the same numbers"


def quietly(run: Callable[..., Result], processed: Path, options: dict[str, Any]) -> None:
    """Run in a process that will be killed: what it prints meanwhile is of no interest."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    run(processed, **options)


class Killed(Kept):
    """A run that is killed once or twice at random moments, and what it has kept perhaps harmed.

    The next one must end with the numbers of an undisturbed one.
    """

    def start(self, processed: Path) -> Any:
        process = CONTEXT.Process(target=quietly, args=(self.run, processed, self.options))
        process.start()
        return process

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        for name in ("first", "second"):  # the first one also loads what later ones find loaded
            started = time.monotonic()
            self.start(folder / name).join()
            self.seconds = time.monotonic() - started

    def attempt(self, rng: np.random.Generator, folder: Path) -> str:
        harmed: list[str] = []
        for _ in range(int(rng.integers(1, 3))):
            process = self.start(folder / "kept")
            time.sleep(rng.uniform(0, 1.1 * self.seconds))
            with suppress(ProcessLookupError):  # it has ended already
                os.kill(process.pid, pick(rng, SIGNALS))
            process.join(STOPS_WITHIN)
            if process.is_alive():
                process.kill()
                raise WrongResult(f"a run goes on {STOPS_WITHIN:.0f} s after it was told to stop")
            if rng.random() < 0.5:  # as when the machine itself goes down
                harmed += [harm_kept(folder / "kept", rng)]
        try:
            compare(self.run(folder / "kept", **self.options), self.good)
        except WrongResult as error:
            raise WrongResult(f"{harmed or 'nothing'} was harmed: {error}") from error
        return "the same numbers"


CONTEXT: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    CONTEXT.set_forkserver_preload(["stress_kept", "microx_utils.trackers.mesh", "keras"])
SIGNALS = [getattr(signal, "SIGKILL", signal.SIGTERM), signal.SIGTERM, signal.SIGINT]
STOPS_WITHIN = 20.0
"""Seconds; a run stops at once, but a busy machine is slow."""

KEPT_KINDS: list[Kind] = [
    Kept("kept landmarks and crops", 5.0, preprocess),
    Kept("kept run", 0.3, trained, epochs=1),
    Killed("killed preprocessing", 0.6, preprocess),
    Killed("killed training", 0.1, trained, epochs=3),
]

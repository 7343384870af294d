"""Time and train the published network on an NVIDIA GPU with JAX, and keep the results in data/reference_runs.

    python benchmarks/gpu.py --pack landmarks.tar.xz                           (where landmarks can be found)
    KERAS_BACKEND=jax python benchmarks/gpu.py --landmarks landmarks.tar.xz    (on the machine with the GPU)

The machine with the GPU needs JAX, Keras and the packages that the pipeline imports, but neither TensorFlow nor the
landmark networks. All of it takes less than `--seconds` there, 460 by default. First the training step is timed: the
plain loop over Keras's ConvLSTM2D, and `accelerated.trainer`, in float32 and bfloat16, at batches of 8 and 32. Then
the rows of RUNS are trained in the `paper` profile, for one of the authors' four runs (30 epochs of 440 steps) or for
as many epochs as fit. Nothing that is kept is large: no weights, but history, predictions and settings.
"""

import argparse
import json
import os
import statistics
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from microx_utils.corpora import load_clips
from microx_utils.crops import CropStore, crop_store
from microx_utils.experiments import Experiment, get_profile, load_experiment
from microx_utils.landmarks import chosen_tracker, clip_landmarks, kept_table
from microx_utils.support import paths
from microx_utils.support.cache import atomic_file

PROFILE = get_profile("paper")
EPOCHS = 30
"""One of the authors' four runs."""
RUNS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "table1_microx_segment_split": ("table1_microx_segment_split", EPOCHS, {}),
    "table1_microx": ("table1_microx", EPOCHS, {}),
    "table5_whole_frame": ("table5_whole_frame", EPOCHS, {}),
    "table5_whole_frame_segment_split": ("table5_whole_frame_segment_split", EPOCHS, {}),
    "table1_microx_scaled": ("table1_microx", 12, {"pixels": "scaled"}),
    "table5_microx": ("table5_microx", 15, {}),
}
"""Name of a reference run -> row of experiments.toml, epochs, and what differs from the paper's settings."""
STEPS = (  # what is timed, most wanted first: trainer, batch, precision
    ("accelerated", 8, "bfloat16"),
    ("plain loop", 8, "float32"),
    ("accelerated", 8, "float32"),
    ("plain loop", 8, "bfloat16"),
    ("accelerated", 32, "bfloat16"),
    ("plain loop", 32, "float32"),
    ("accelerated", 32, "float32"),
    ("plain loop", 32, "bfloat16"),
)
TIMED = 40
"""Optimizer steps in one timing."""
SECONDS_TO_COMPILE = 20.0
"""Time before a run's first step, allowed for when epochs are cut to fit."""


def pack(file: Path, data: str) -> None:
    """Put the landmarks of a data set, found now or before, into one file."""
    clips = load_clips(data)[0]["path"]
    with atomic_file(file) as temporary, tarfile.open(temporary, "w:xz") as archive:
        for path in clips:
            clip_landmarks(path)
            kept = kept_table(path, chosen_tracker())
            archive.add(kept, kept.relative_to(paths.PROCESSED))


def crops(data: str) -> CropStore:
    """Return the crops of a data set in the paper profile."""
    clips = load_clips(data)[0]
    return crop_store(clips, size=PROFILE.crop_size, style="published", max_frames=PROFILE.max_frames)


def timed_steps(store: CropStore, end: float) -> Iterator[dict[str, Any]]:
    """Yield the time of a training step of Table 1's network, in milliseconds, for each of STEPS until `end`."""
    base = load_experiment("table1_microx", PROFILE)
    for trainer, batch, precision in STEPS:
        if time.monotonic() > end:
            return
        experiment = replace(base, batch_size=batch, epoch_steps=TIMED)
        started = time.monotonic()
        times = list(_rounds(trainer, experiment, store, precision))
        yield {
            "trainer": trainer,
            "batch": batch,
            "precision": precision,
            "ms": statistics.median(times[1:]),
            "ms_least": min(times[1:]),
            "ms_most": max(times[1:]),
            "first_call_s": times[0] * TIMED / 1000,
            "seconds": time.monotonic() - started,
        }


def _rounds(trainer: str, experiment: Experiment, store: CropStore, precision: str) -> Iterator[float]:
    """Yield the milliseconds of a step in a first round, which compiles, and in three more."""
    import keras

    from microx_utils import training
    from microx_utils.accelerated.trainer import Trainer
    from microx_utils.batches import batches, split_table

    table = split_table(experiment, store)
    train = table[table["split"] == "train"]
    if trainer == "accelerated":
        fast = Trainer(experiment, store, precision)
        for epoch in range(4):
            started = time.perf_counter()
            fast.train_epoch(train, epoch)
            yield 1000 * (time.perf_counter() - started) / TIMED
        return
    keras.config.set_dtype_policy("float32" if precision == "float32" else "mixed_bfloat16")
    try:
        model = training.compile_model(training.build(experiment), experiment)
    finally:
        keras.config.set_dtype_policy("float32")
    order, _ = training.start_epoch(model, len(train), experiment, 0)
    chosen = train.iloc[order[: TIMED // 4 * experiment.batch_size]]
    for _ in range(4):
        started = time.perf_counter()
        for inputs, labels in batches(chosen, store, experiment, size=experiment.batch_size):
            float(model.train_on_batch(inputs, labels, return_dict=True)["loss"])
        yield 1000 * (time.perf_counter() - started) / (TIMED // 4)


def train(store: CropStore, folder: Path, facts: dict[str, Any], *, end: float, names: list[str]) -> None:
    """Train the named runs, for fewer epochs if the time until `end` asks for it, and keep their tables."""
    from microx_utils.accelerated import trainer

    left = {}
    for name in names:
        row, epochs, changes = RUNS[name]
        left[name] = replace(load_experiment(row, PROFILE), **changes, name=name, runs=1, epochs=epochs)
    seconds_of_a_block = 0.0  # in an epoch, as measured in the run before
    for name in names:
        experiment = left[name]
        if seconds_of_a_block:
            wanted = seconds_of_a_block * sum(len(each.components) * each.epochs for each in left.values())
            share = (end - time.monotonic() - SECONDS_TO_COMPILE * len(left)) / wanted
            experiment = replace(experiment, epochs=max(int(experiment.epochs * min(share, 1)), 1))
        started = time.monotonic()
        run = trainer.train(experiment, store, precision="bfloat16", keep_model=False)
        seconds_of_a_block = run.history["seconds"].median() / len(experiment.components)
        settings = facts | {
            "run": name,
            "about": f"published network on {facts['data']}",
            "experiment": asdict(experiment),
            "precision": "bfloat16",
            "steps": len(run.history) * (experiment.epoch_steps or 0),
            "ms_per_step": 1000 * run.history["seconds_of_steps"].iloc[1:].median() / (experiment.epoch_steps or 1),
            "seconds": round(time.monotonic() - started, 1),
            "timings": run.timings,
        }
        made = folder / name
        made.mkdir(parents=True, exist_ok=True)
        run.history.to_csv(made / "history.csv", index=False, float_format="%.6g")
        run.predictions.to_parquet(made / "predictions.parquet", index=False)
        (made / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
        print(f"{name}: {len(run.history)} epochs in {settings['seconds']} s", flush=True)
        print(run.history.drop(columns="run").round(4).to_string(index=False), flush=True)
        del left[name]


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help='as for microx figures (default "sample")')
    parser.add_argument("--pack", type=Path, metavar="FILE", help="only put the landmarks into this file")
    parser.add_argument("--landmarks", type=Path, metavar="FILE", help="landmarks of --pack")
    parser.add_argument("--seconds", type=float, default=460, help="end after about this long (default 460)")
    parser.add_argument(
        "--steps-until", type=float, default=150, metavar="S", help="time no more steps after this long"
    )
    parser.add_argument("--runs", nargs="*", default=list(RUNS), choices=[*RUNS, []], help="which runs (default: all)")
    parser.add_argument("--out", type=Path, default=paths.DATA / "reference_runs", help="folder of the results")
    parser.add_argument("--commit", help="the code's commit, where git can't tell")
    options = parser.parse_args()
    if options.pack:
        pack(options.pack, options.data)
        return
    if os.environ.get("KERAS_BACKEND") != "jax":
        parser.error("set KERAS_BACKEND=jax")
    if options.landmarks:
        paths.PROCESSED.mkdir(parents=True, exist_ok=True)
        with tarfile.open(options.landmarks) as archive:
            archive.extractall(paths.PROCESSED, filter="data")
    git = ["git", "-C", str(paths.ROOT), "rev-parse", "HEAD"]
    commit = options.commit or subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()

    store = crops(options.data)  # before JAX takes the machine
    print(f"crops {store.crops.shape} {store.key} after {time.monotonic() - began:.1f} s", flush=True)
    import jax
    import keras

    jax.config.update("jax_compilation_cache_dir", str(paths.PROCESSED / "compiled"))  # runs share programs
    facts = {
        "data": "the rendered sample" if options.data == "sample" else options.data,
        "store": store.key,
        "device": jax.devices()[0].device_kind,
        "machine": f"{os.cpu_count()} processors",
        "software": f"Keras {keras.__version__} on JAX {jax.__version__}, NumPy {np.__version__}",
        "commit": commit,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in timed_steps(store, began + options.steps_until):
        rows.append({**row, **{name: facts[name] for name in ("device", "software", "commit")}})
        pd.DataFrame(rows).to_csv(options.out / "steps.csv", index=False, float_format="%.4g")
        print(row, flush=True)
    train(store, options.out, facts, end=began + options.seconds, names=options.runs)
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()

"""The systems that MicroX is compared with (paper, section V.E, Table 2), on a MicroX run's own segments and people.

`run_system("lpq_svm", experiment, store)` trains a system on the training people, makes every choice on the validation
people, and predicts both at two levels: `segment` (the system sees the ten frames that MicroX sees) and `clip` (it sees
the whole clip). The results are tables for `evaluation`, cached by content. The systems::

    majority      the class shares of the training people, whatever the input
    landmarks     68 points over time, normalised for place, size and roll; mean, spread, range and change; logistic
                  regression or SVM
    lpq_svm       Zhalehpour et al. (2017): training-free peak frames, LPQ block histograms, SVM, scores averaged
    poem_svm      the same with POEM
    two_streams   Pan et al. (2019), see `two_streams`

What Zhalehpour et al. leave open in what is public, and what is done here (OPTIONS)::

    aligned face          64 px, grey, turned and scaled by the eyes (`components`)
    peak frames           6 of a clip, 3 of a segment, by the distance of LPQ histograms; MAXDIST, DEND-CLUSTER, or the
                          distance from the first frames (for EIFS): the best on validation people
    blocks                6 x 6, LPQ window 7 px, decorrelated
    dimensions            100 principal components of the histograms' square roots
    kernel and C          linear or RBF, C 1 or 10: the best accuracy on validation people
    probabilities         decision scores (one against the rest), averaged over the peak frames, through a softmax whose
                          steepness has the lowest loss on validation people
    segments and clips    one classifier each, trained on segments or on clips
"""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from microx_utils import batches, training
from microx_utils.batches import segment_crops
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import PROBABILITIES
from microx_utils.rivals import classical, descriptors
from microx_utils.rivals.classical import LEVELS, Fitted
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.keras_setup import keras_backend

CODE_VERSION = 1
"""Part of every result's key. Raise it when a change to `classical` or `two_streams` changes results."""

_SVM = {"size": 64, "grid": 6, "rules": descriptors.PEAK_RULES, "peaks": {"segment": 3, "clip": 6}, "dimensions": 100}
OPTIONS: dict[str, dict[str, Any]] = {
    "majority": {},
    "landmarks": {},
    "lpq_svm": {"descriptor": "lpq", **_SVM},
    "poem_svm": {"descriptor": "poem", **_SVM},
    "two_streams": {
        "size": 48,
        "parts": {"segment": 10, "clip": 15},
        "gap": 3,
        "filters": (16, 32, 64),
        "descriptor": 64,
        "words": 8,
        "dropout": 0.5,
        "learning_rate": 1e-3,
        "batch_size": 16,
    },
}
"""System -> the options that its authors left open and that are not chosen on validation people."""

_TIMED_CLIPS = 20


@dataclass(frozen=True)
class Baseline:
    """A finished system, read from its folder.

    Attributes
    ----------
    name, experiment, key, folder
        Which system, what it was run on, the hash of all its inputs, and the folder of its files.
    predictions
        Validation and test rows of both levels: the columns of `evaluation.COLUMNS`, and level. The segment_id of a
        clip is its clip_id.
    timings
        seconds_features (reading, cropping and describing all clips), seconds_training (fitting and choosing),
        milliseconds_per_clip (inference, see `clip_milliseconds`), parameters, chosen (what validation people decided),
        validation (level -> choice of features -> accuracy), and the machine.
    """

    name: str
    experiment: Experiment
    key: str
    folder: Path
    predictions: pd.DataFrame = field(repr=False)
    timings: dict[str, Any] = field(repr=False)

    def table(self, level: str, split: str = "test") -> pd.DataFrame:
        """Return the predictions of one level ("segment" or "clip") and side, as `evaluation` takes them."""
        rows = (self.predictions["level"] == level) & (self.predictions["split"] == split)
        return self.predictions[rows].drop(columns="level").reset_index(drop=True)


def span_table(experiment: Experiment, store: CropStore, level: str) -> pd.DataFrame:
    """Return what is classified: the segments of `batches.split_table`, or the clips that they are cut from.

    Columns segment_id, clip_id, subject, emotion, split, first (row in the store), frames. A clip is taken whole, from
    its first frame to its last. Raises ValueError for a split that divides clips.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown level {level!r}; choose from {LEVELS}")
    if experiment.split == "segment":
        raise ValueError("the split 'segment' divides clips, so a whole clip has no side; choose 'subject' or 'clip'")
    rows = batches.split_table(experiment, store)
    if level == "clip":
        rows = rows.drop_duplicates("clip_id").drop(columns=["first", "frames"])
        rows = rows.merge(store.clips[["clip_id", "first", "frames"]], on="clip_id", how="left", validate="one_to_one")
        rows["segment_id"] = rows["clip_id"]
    columns = ["segment_id", "clip_id", "subject", "emotion", "split", "first", "frames"]
    return rows[columns].reset_index(drop=True)


def run_system(
    name: str,
    experiment: Experiment,
    store: CropStore,
    *,
    options: Mapping[str, Any] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Baseline:
    """Train a system and predict with it, or read the result of the same from the cache.

    Parameters
    ----------
    name
        One of OPTIONS.
    experiment
        Decides the segments, the split and the seed; `two_streams` also takes its epochs and patience.
    store
        The MicroX run's crops; systems that need other crops cut them from the store's clips.
    options
        Other values for some of OPTIONS[name].
    cache
        Folder of results; None is `baselines` under `paths.PROCESSED`.
    """
    if name not in OPTIONS:
        raise ValueError(f"unknown system {name!r}; choose from {tuple(OPTIONS)}")
    unknown = sorted(set(options or ()) - set(OPTIONS[name]))
    if unknown:
        raise ValueError(f"{name} has no options {unknown}; choose from {sorted(OPTIONS[name])}")
    chosen = OPTIONS[name] | dict(options or {})
    spans = {level: span_table(experiment, store, level) for level in LEVELS}
    rows = [spans[level].to_csv(index=False) for level in LEVELS]
    made_from = {"system": name, "options": chosen, "code": CODE_VERSION, "store": store.key, "rows": rows}
    if name == "two_streams":
        made_from |= {key: getattr(experiment, key) for key in ("seed", "epochs", "patience")}
        made_from["backend"] = keras_backend()
    key = caching.content_key(**made_from)
    folder = Path(cache or paths.PROCESSED / "baselines") / f"{name}-{key}"
    with caching.lock(folder):
        if not caching.ready(folder):
            runs = Path(cache) if cache else paths.PROCESSED / "runs"
            with training.one_at_a_time(runs), caching.atomic_folder(folder) as made:
                fitted = _fit(name, spans, store, experiment, chosen, made)
                tables = [_predictions(spans[level], fitted.probabilities[level], level) for level in LEVELS]
                pd.concat(tables, ignore_index=True).to_parquet(made / "predictions.parquet", index=False)
                tested = spans["clip"].query("split == 'test'")["clip_id"].iloc[:_TIMED_CLIPS]
                clips = store.clips[store.clips["clip_id"].isin(tested)]
                inputs = [fitted.inputs(row) for _, row in clips.iterrows()]
                timings = fitted.facts | {
                    "milliseconds_per_clip": clip_milliseconds(fitted.answer, inputs),
                    "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                    "options": chosen,
                }
                (made / "timings.json").write_text(json.dumps(timings, indent=2))
    predictions = pd.read_parquet(folder / "predictions.parquet")
    return Baseline(name, experiment, key, folder, predictions, json.loads((folder / "timings.json").read_text()))


def _fit(
    name: str,
    spans: Mapping[str, pd.DataFrame],
    store: CropStore,
    experiment: Experiment,
    options: Mapping[str, Any],
    folder: Path,
) -> Fitted:
    if name == "majority":
        return classical.fit_majority(spans)
    if name == "landmarks":
        return classical.fit_landmarks(spans, store)
    if name == "two_streams":
        from microx_utils.rivals import two_streams  # imports Keras, which takes seconds

        return two_streams.fit(spans, store, experiment, options, folder)
    return classical.fit_appearance(spans, store, options)


def _predictions(spans: pd.DataFrame, probabilities: NDArray, level: str) -> pd.DataFrame:
    rows = spans.loc[spans["split"] != "train", ["segment_id", "clip_id", "subject", "emotion", "split"]]
    columns = pd.DataFrame(probabilities, columns=list(PROBABILITIES), index=rows.index)
    return rows.join(columns).assign(level=level)


def clip_milliseconds(answer: Callable[..., Any], clips: Sequence[tuple]) -> float:
    """Return the median time that a system takes for one clip, ms.

    `answer(*clip)` turns what is in memory (aligned faces, crops or landmarks, whose preparation is not counted) into
    probabilities. Each clip is answered twice, and the second time counts: the first compiles.
    """
    times = []
    for clip in clips:
        answer(*clip)
        started = time.perf_counter()
        answer(*clip)
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times))


def microx_milliseconds(run: training.Run, store: CropStore) -> float:
    """Return `clip_milliseconds` of a MicroX run: all segments of a clip in one batch. Measured once, then cached."""
    folder = paths.PROCESSED / "baselines" / f"microx_time-{run.key}"
    with caching.lock(folder):
        if not caching.ready(folder):
            model = run.load_model()
            test = span_table(run.experiment, store, "segment").query("split == 'test'").groupby("clip_id")
            clips = [(segment_crops(store, rows, run.experiment.frames),) for _, rows in list(test)[:_TIMED_CLIPS]]

            def answer(crops: NDArray) -> NDArray:
                return model.predict_on_batch(batches.model_inputs(crops, run.experiment))

            took = clip_milliseconds(answer, clips)
            with caching.atomic_folder(folder) as made:
                (made / "timings.json").write_text(json.dumps({"milliseconds_per_clip": took}))
    return float(json.loads((folder / "timings.json").read_text())["milliseconds_per_clip"])

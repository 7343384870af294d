"""The stages that notebooks and the command line share: a data set's clips, its crops, and the runs trained on them.

Results are cached: the first call does the work, on this machine or on a cluster (`parallel.cluster`).
"""

import os
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from microx_utils import landmarks, training
from microx_utils.components import Style
from microx_utils.corpora import data_sources, load_clips, resolve_data
from microx_utils.crops import CropStore, crop_store, join_stores
from microx_utils.experiments import Profile, load_experiment
from microx_utils.support import paths
from microx_utils.support.parallel import run_parallel
from microx_utils.training import Run

SUBJECTS_PER_CLASS = 3
"""How many people of a subset show each class, if the data has them: one each to train, validate and test."""


def select_clips(clips: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Return the clips of the profile's `subjects`: of everyone, or of a few people who still show every class.

    People (`split_group`) are taken from each corpus in turn, in sorted order. People who only show classes that three
    chosen people already show are passed over at first. The choice depends on the table and the number alone, and a
    larger number keeps everyone whom a smaller number chose.

    Parameters
    ----------
    clips
        A clip table with at least `corpus`, `split_group` and `emotion`.

    Returns
    -------
    DataFrame
        The chosen rows in the table's order, with a new index from 0.
    """
    if profile.subjects is None:
        return clips.reset_index(drop=True)
    classes = clips.groupby("split_group")["emotion"].agg(set)
    corpus_of = clips.groupby("split_group")["corpus"].min()
    # BAUM-1a and BAUM-1s share their people: a person counts for the first corpus by name
    turn = corpus_of.sort_index().groupby(corpus_of.sort_index()).cumcount()
    waiting = sorted(classes.index, key=lambda person: (turn[person], corpus_of[person], person))
    shown: Counter[str] = Counter()
    chosen: list[str] = []
    while waiting and len(chosen) < profile.subjects:
        useful = (p for p in waiting if any(shown[emotion] < SUBJECTS_PER_CLASS for emotion in classes[p]))
        person = next(useful, waiting[0])
        waiting.remove(person)
        chosen.append(person)
        shown.update(classes[person])
    return clips[clips["split_group"].isin(chosen)].reset_index(drop=True)


def select_own(clips: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Return the clips of the first `own_subjects` people, in sorted order, of a table of own recordings."""
    people = sorted(clips["split_group"].unique())[: profile.own_subjects]
    return clips[clips["split_group"].isin(people)].reset_index(drop=True)


def labelled(table: pd.DataFrame, emotion: str) -> pd.DataFrame:
    """Return the rows of a clip or segment table with a label; if it has none, those of its most frequent label.

    For an example of an expression on any data set. Name it by the rows' own `emotion`, not by the wanted one.
    """
    rows = table[table["emotion"] == emotion]
    return table[table["emotion"] == table["emotion"].mode()[0]] if rows.empty else rows


def clips_of(data: str, profile: Profile, *, own: bool = False) -> pd.DataFrame:
    """Return the clip table of a data set, or of its own recordings, limited to the people that the profile uses."""
    if own:
        return select_own(load_clips(data, corpora=["own"])[0], profile)
    return select_clips(load_clips(data)[0], profile)


def crops_of(
    data: str, profile: Profile, *, own: bool = False, style: Style | None = None, jobs: int | None = None
) -> CropStore:
    """Return the crops of a data set, or of its own recordings, at the profile's size.

    `style` is the profile's, unless given; `jobs` as in `crops.crop_store`.
    """
    clips, style = clips_of(data, profile, own=own), style or cast(Style, profile.crop_style)
    return crop_store(clips, size=profile.crop_size, style=style, max_frames=profile.max_frames, jobs=jobs)


def train_row(name: str, data: str, profile: Profile, *, seed: int, accelerated: bool = False) -> Run:
    """Return the run of a row of experiments.toml on a data set; trained once, then read from the cache.

    With `accelerated` it is a run of its own, by `accelerated.trainer` on the profile's `devices`.
    """
    experiment = load_experiment(name, profile, seed=seed)
    style = cast(Style, experiment.crop_style)
    store = crops_of(data, profile, style=style)
    if experiment.own_people != "none":
        store = join_stores([store, crops_of(data, profile, own=True, style=style)])
    if accelerated:
        from microx_utils.accelerated import trainer  # needs JAX, which is optional

        return trainer.train(experiment, store, devices=profile.devices)
    return training.train(experiment, store)


def preprocess(data: str, profile: Profile, *, jobs: int | None = None) -> dict[str, tuple[CropStore, pd.DataFrame]]:
    """Find the landmarks and cut the crops of a data set and of its own recordings; resumable clip by clip.

    Returns
    -------
    {name: (store, excluded)}
        Names are "clips" and, if there are own recordings, "own". excluded lists the clips without crops, those that
        the corpus's reader left out and those that can't be used: corpus, clip_id, path, source_label, reason.

    Raises
    ------
    DataError
        As `corpora.load_clips` and `crops.crop_store`; never for a single clip.
    """
    stores = {}
    for name in ("clips", "own") if "own" in data_sources(data) else ("clips",):
        store = crops_of(data, profile, own=name == "own", jobs=jobs)
        unread = load_clips(data, corpora=["own"] if name == "own" else None)[1]
        stores[name] = store, pd.concat([unread, store.excluded], ignore_index=True)
    return stores


def train_rows(
    names: Sequence[str],
    data: str,
    profile: Profile,
    *,
    seeds: Sequence[int] = (0,),
    jobs: int | None = 1,
    accelerated: bool = False,
) -> pd.DataFrame:
    """Train rows of experiments.toml, each with every seed and its own folds of people; on the cluster, if any.

    Without a cluster they are trained one after the other: two at once would distort each other's training times.
    `accelerated` as in `train_row`.

    Returns
    -------
    DataFrame
        experiment, seed, key (of the run in data/processed/runs), epochs, seconds, and problem: why the run failed, ""
        if it didn't. A row that fails does not stop the others.
    """
    data = resolve_data(data)
    here = (accelerated, str(paths.PROCESSED.resolve()), landmarks.chosen_tracker())
    calls = [(name, data, profile, seed, *here) for name in names for seed in seeds]
    rows = [load_experiment(name, profile, seed=0) for name in names]  # an unknown name is refused before any training
    wanted = {(row.crop_style, False) for row in rows} | {
        (row.crop_style, True) for row in rows if row.own_people != "none"
    }
    for style, own in sorted(wanted):
        crops_of(data, profile, own=own, style=cast(Style, style))  # here, where all workers can share it
    return pd.DataFrame(run_parallel(_train_anywhere, calls, desc="training", unit="run", jobs=jobs))


def _train_anywhere(
    name: str, data: str, profile: Profile, seed: int, accelerated: bool, processed: str, tracker: str
) -> dict[str, Any]:
    """Train one row in this process, possibly on another machine that shares the folders, not the environment."""
    if (str(paths.PROCESSED.resolve()), landmarks.chosen_tracker()) != (processed, tracker):
        paths.PROCESSED = Path(processed)
        os.environ[landmarks.TRACKER_VARIABLE] = tracker
    row: dict[str, Any] = {"experiment": name, "seed": seed, "key": "", "epochs": 0, "seconds": 0.0, "problem": ""}
    try:
        run = train_row(name, data, profile, seed=seed, accelerated=accelerated)
    except Exception as error:  # noqa: BLE001 - reported in the table: the other rows are trained all the same
        traceback.print_exc()
        return row | {"problem": f"{type(error).__name__}: {error}"}
    return row | {"key": run.key, "epochs": len(run.history), "seconds": run.timings["seconds_training"]}

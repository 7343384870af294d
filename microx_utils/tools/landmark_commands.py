"""`microx landmarks import` and `microx landmarks run`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def landmarks_import_command(arguments: argparse.Namespace) -> int:
    """Import OpenFace CSVs that were made elsewhere; from then on --landmarks openface uses them."""
    from microx_utils.trackers.prepare import import_openface

    clips, excluded = _all_clips(arguments.data)
    rows = import_openface(arguments.folder, clips, excluded=excluded, jobs=arguments.jobs)
    csvs = rows[rows["csv"] != ""]
    count = int((csvs["problem"] == "").sum())
    for row in csvs[csvs["problem"] != ""].to_numpy().tolist():
        print(": ".join(filter(None, row)))
    without = rows.loc[rows["csv"] == "", "clip_id"].to_list()
    if without:
        example = Path(clips.set_index("clip_id").loc[without[0], "path"]).with_suffix(".csv").name
        print(f"no CSV matches {len(without)} clips, such as {without[0]}: name its CSV {example}, or by the clip's id")
    print(f"imported {count} of {len(csvs)} CSVs, for {count} of {len(clips)} clips")
    return 0 if count else 1


def landmarks_run_command(arguments: argparse.Namespace) -> int:
    """Find the landmarks of a whole data set, and cache them; a stopped run is resumed."""
    from microx_utils.landmarks import chosen_tracker
    from microx_utils.trackers.prepare import prepare_landmarks

    tracker = chosen_tracker()
    rows = prepare_landmarks(_all_clips(arguments.data)[0]["path"], tracker=tracker, jobs=arguments.jobs)
    failed = rows[rows["problem"] != ""]
    for row in failed.itertuples():
        print(f"{row.path}: {row.problem}")
    print(f"landmarks by {tracker} for {len(rows) - len(failed)} of {len(rows)} clips")
    return 0 if len(failed) < len(rows) else 1


def _all_clips(data: str) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the clip table of a data set, own recordings included, and what was left out."""
    from microx_utils import corpora

    return corpora.load_clips(data, corpora=[*corpora.data_sources(data)])

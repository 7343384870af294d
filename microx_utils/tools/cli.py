"""The command `microx`; each of its sub-commands imports what it needs when it is called."""

import argparse
import errno
import importlib.metadata
import io
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils import landmarks
from microx_utils.experiments import PROFILES, get_profile
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import share_processors

if TYPE_CHECKING:
    import pandas as pd


def figures_command(arguments: argparse.Namespace) -> int:
    """Run the notebooks, then rebuild the gallery of the folder they wrote to."""
    from microx_utils.course import records
    from microx_utils.course.outline import load_course
    from microx_utils.course.runner import NotebookError, run_course

    course = load_course()
    folder = records.output_folder(arguments.profile, arguments.data, arguments.seed)
    try:
        count = len(course.select(arguments.only))
    except ValueError as error:
        return _refuse(error)
    print(
        f"Running {count} notebook{'s' * (count != 1)}: profile {arguments.profile}, data {arguments.data}", flush=True
    )
    started = time.perf_counter()
    try:
        results = run_course(
            course,
            profile=arguments.profile,
            data=arguments.data,
            seed=arguments.seed,
            only=arguments.only,
            jobs=arguments.jobs,
            notebooks=paths.NOTEBOOKS,
            build=paths.BUILD,
            say=lambda line: print(line, flush=True),
        )
    except NotebookError as error:
        return _refuse(error)
    failures = [(result.notebook, result.failure) for result in results if result.failure is not None]
    for name, failure in failures:
        place = f", cell {failure.cell}" if failure.cell else ""
        print(f"\n{name}{place}:\n{failure.traceback}", file=sys.stderr, flush=True)
    if failures and folder == paths.FIGURES:
        print("The published gallery was left as it was, because not every notebook ran to its page.", file=sys.stderr)
    else:
        _save_gallery(folder)
    seconds = time.perf_counter() - started
    executed = paths.BUILD / "notebooks" / records.run_name(arguments.profile, arguments.data, arguments.seed)
    print(
        f"{count - len(failures)} of {count} notebooks ran in {seconds:.0f} s. "
        f"Figures and gallery: {paths.short(folder)}/README.md. Executed notebooks and HTML: {paths.short(executed)}/"
    )
    return 1 if failures else 0


def preprocess_command(arguments: argparse.Namespace) -> int:
    """Find landmarks and cut crops of a whole data set, here or on a Dask cluster; a stopped run goes on."""
    from microx_utils.course import stages
    from microx_utils.support.parallel import cluster

    started = time.perf_counter()
    with cluster(arguments.scheduler):
        stores = stages.preprocess(arguments.data, get_profile(arguments.profile), jobs=arguments.jobs)
    for name, (store, excluded) in stores.items():
        people = store.clips["subject"].nunique()
        print(f"{name}: {len(store.clips)} clips of {people} people, {len(store.crops):,} frames; store {store.key}")
        for reason, rows in excluded.groupby("reason"):
            example = rows["path"].iloc[0] or rows["clip_id"].iloc[0]
            print(f"  left out: {len(rows)} x {reason} ({'for instance ' * (len(rows) > 1)}{example})")
    print(f"Preprocessed in {time.perf_counter() - started:.0f} s.")
    return 0


def train_command(arguments: argparse.Namespace) -> int:
    """Train rows of experiments.toml, several at a time on a Dask cluster; notebooks then find the runs cached."""
    from microx_utils.course import stages
    from microx_utils.experiments import read_experiments
    from microx_utils.support.parallel import cluster

    profile, seeds = get_profile(arguments.profile), range(arguments.seed, arguments.seed + arguments.seeds)
    known = read_experiments()
    unknown = [name for name in arguments.rows if name not in known]
    if unknown:
        print(f"microx: experiments.toml has no row {unknown}; it has {[*known]}", file=sys.stderr)
        return 2
    with cluster(arguments.scheduler):
        stages.preprocess(arguments.data, profile)
        table = stages.train_rows(arguments.rows, arguments.data, profile, seeds=seeds)
    print(table.to_string(index=False))
    return int((table["problem"] != "").any())


def gallery_command(arguments: argparse.Namespace) -> int:
    """Rebuild the generated pages and the notebooks' time lines, without running anything."""
    from microx_utils.course import records
    from microx_utils.course.outline import load_course, save_time_lines

    folder = records.output_folder(arguments.profile, arguments.data)
    changed = _save_gallery(folder)
    if folder == paths.FIGURES:
        changed += save_time_lines(load_course(), paths.NOTEBOOKS)
    print("\n".join(f"wrote {paths.short(page)}" for page in changed) or "all pages were up to date")
    return 0


def _save_gallery(folder: Path) -> list[Path]:
    """Write a folder's gallery, and the README's table if the folder is the committed reference."""
    from microx_utils.course import gallery
    from microx_utils.course.outline import load_course

    readme = paths.ROOT / "README.md" if folder == paths.FIGURES else None
    return gallery.save_gallery(folder, load_course(), readme=readme)


def _refuse(error: Exception) -> int:
    """Print why a request can't be carried out; return the exit code that says so."""
    print(f"microx: {error}", file=sys.stderr)
    return 2


def render_command(arguments: argparse.Namespace) -> int:
    """Render what is missing of the sample data set."""
    from microx_utils.faces.sample import make_sample

    make_sample(arguments.folder, jobs=arguments.jobs)
    return 0


def fetch_command(arguments: argparse.Namespace) -> int:
    """Fetch RAVDESS's speech videos from Zenodo, about 0.5 GiB an actor; what is there already is not fetched again."""
    from microx_utils.tools import fetch

    folder = arguments.to or paths.DATA / "raw" / "RAVDESS"
    actors = fetch.fetch_ravdess(
        arguments.actors,
        folder,
        keep_archives=arguments.keep_archives,
        say=lambda line: print(line, flush=True),
    )
    data = "RAVDESS" if arguments.to is None else f"RAVDESS={folder.resolve()}"
    fate = "kept in archives/" if arguments.keep_archives else "deleted after unpacking (--keep-archives keeps them)"
    print(
        f"\n{len(actors)} actor{'s' * (len(actors) != 1)} in {paths.short(folder)}; archives are {fate}.\n"
        f"Licence: {fetch.LICENCE}.\nPlease cite: {fetch.CITATION}\n\nUse it: make figures DATA={shlex.quote(data)}"
    )
    return 0


def list_command(arguments: argparse.Namespace) -> int:
    """List every corpus: what it is, its licence, how to get it, whether it is here, and its clips of each class."""
    from microx_utils.tools import data_list

    print(data_list.describe(data_list.list_corpora(arguments.data)))
    return 0


def landmarks_import_command(arguments: argparse.Namespace) -> int:
    """Take over OpenFace CSVs that were made elsewhere; use them with --landmarks openface from then on."""
    from microx_utils.trackers.prepare import import_openface

    clips = _all_clips(arguments.data)
    rows = import_openface(arguments.folder, clips, jobs=arguments.jobs)
    csvs = rows[rows["csv"] != ""]
    count = int((csvs["problem"] == "").sum())
    for row in rows[(rows["problem"] != "") & (rows["csv"] != "")].astype(str).to_numpy().tolist():
        print(": ".join(filter(None, row)))
    without = rows.loc[rows["csv"] == "", "clip_id"].to_list()
    if without:
        example = Path(clips.set_index("clip_id").loc[without[0], "path"]).with_suffix(".csv").name
        print(
            f"no CSV fits {len(without)} clips, such as {without[0]}: its CSV would be called {example}, or by its id"
        )
    print(f"imported {count} of {len(csvs)} CSVs, for {count} of {len(clips)} clips")
    return 0 if count else 1


def landmarks_run_command(arguments: argparse.Namespace) -> int:
    """Find the landmarks of a whole data set, and keep them; a stopped run goes on."""
    from microx_utils.landmarks import chosen_tracker
    from microx_utils.trackers.prepare import prepare_landmarks

    tracker = chosen_tracker()
    rows = prepare_landmarks(_all_clips(arguments.data)["path"], tracker=tracker, jobs=arguments.jobs)
    failed = rows[rows["problem"] != ""]
    for row in failed.itertuples():
        print(f"{row.path}: {row.problem}")
    print(f"landmarks by {tracker} for {len(rows) - len(failed)} of {len(rows)} clips")
    return 0 if len(failed) < len(rows) else 1


def _all_clips(data: str) -> "pd.DataFrame":
    """Return the clip table of a data set, own recordings included."""
    from microx_utils import corpora

    return corpora.load_clips(data, corpora=[*corpora.data_sources(data)])[0]


def doctor_command(arguments: argparse.Namespace) -> int:
    """Print what this machine has and lacks."""
    from microx_utils.tools import doctor

    checks = doctor.examine()
    print(doctor.report(checks))
    return 0 if doctor.healthy(checks) else 1


def _whole_number(text: str, *, least: int) -> int:
    value = int(text)  # argparse reports a ValueError as a bad argument
    if value < least:
        raise argparse.ArgumentTypeError(f"{value} is too small; give at least {least}")
    return value


def _seed(text: str) -> int:
    return _whole_number(text, least=0)


def _jobs(text: str) -> int:
    return _whole_number(text, least=1)


def _actors(text: str) -> tuple[int, ...]:
    from microx_utils.tools.fetch import parse_actors

    try:
        return parse_actors(text)
    except ValueError as error:  # argparse would drop what it says
        raise argparse.ArgumentTypeError(str(error)) from error


class _Data(argparse.Action):
    """Joins repeated --data options to the one text that `corpora.data_sources` reads."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        given = getattr(namespace, "_given_data", [])
        given.append(values)
        namespace._given_data = given
        namespace.data = ",".join(given)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="microx", description="MicroX emotion recognition as a course.")
    parser.add_argument("--version", action="version", version=f"microx {importlib.metadata.version('microx-utils')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add_data_option(command: argparse.ArgumentParser) -> None:
        text = (
            '"sample" (default), a folder with BAUM-1 and BAUM-2, or a corpus as NAME or NAME=FOLDER; may be repeated'
        )
        command.add_argument("--data", action=_Data, default="sample", metavar="WHICH", help=text)

    def add_run_options(command: argparse.ArgumentParser) -> None:
        command.add_argument("--profile", choices=PROFILES, default="class", help="how much work (default: class)")
        add_data_option(command)
        command.add_argument(
            "--landmarks",
            choices=landmarks.TRACKERS,
            help="which program finds the landmarks (default: mesh, or as set in "
            "the environment variable MICROX_LANDMARKS)",
        )

    def add_scheduler_option(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--scheduler", metavar="ADDRESS", help="a Dask cluster's, such as tcp://host:8786 (default: this machine)"
        )

    run = commands.add_parser(
        "figures", help="run the notebooks and write figures/", description=figures_command.__doc__
    )
    add_run_options(run)
    run.add_argument("--only", metavar="03,06", help="only these notebooks, by number or topic")
    run.add_argument("--seed", type=_seed, default=0, help="source of all randomness (default: 0)")
    run.add_argument(
        "--jobs", type=_jobs, default=None, help="notebooks at a time (default: 2, if there are two cores)"
    )
    run.set_defaults(function=figures_command)

    preprocess = commands.add_parser(
        "preprocess", help="landmarks and crops of a whole data set", description=preprocess_command.__doc__
    )
    add_run_options(preprocess)
    preprocess.add_argument("--jobs", type=_jobs, default=None, help="processes (default: one a core)")
    add_scheduler_option(preprocess)
    preprocess.set_defaults(function=preprocess_command)

    train = commands.add_parser("train", help="train rows of experiments.toml", description=train_command.__doc__)
    train.add_argument("rows", nargs="+", metavar="ROW", help="such as table1_microx")
    add_run_options(train)
    train.add_argument("--seed", type=_seed, default=0, help="the first seed (default: 0)")
    train.add_argument(
        "--seeds", type=_jobs, default=1, help="how many seeds, each another fold of people (default: 1)"
    )
    add_scheduler_option(train)
    train.set_defaults(function=train_command)

    gallery = commands.add_parser("gallery", help="rebuild the generated pages", description=gallery_command.__doc__)
    add_run_options(gallery)
    gallery.set_defaults(function=gallery_command)

    data = commands.add_parser("data", help="make, fetch or list data").add_subparsers(required=True, metavar="ACTION")
    render = data.add_parser("render", help="render the sample's clips", description=render_command.__doc__)
    render.add_argument(
        "folder", nargs="?", type=Path, default=paths.SAMPLE, metavar="FOLDER", help="where to (default: data/sample)"
    )
    render.add_argument("--jobs", type=_jobs, default=None, help="processes (default: one a core)")
    render.set_defaults(function=render_command)
    fetch = data.add_parser("fetch", help="fetch a corpus that is free to fetch", description=fetch_command.__doc__)
    fetch.add_argument("corpus", type=str.lower, choices=["ravdess"], help="which corpus")
    fetch.add_argument("--actors", type=_actors, default="1-24", metavar="1-4,7", help="which actors (default: all 24)")
    fetch.add_argument("--to", type=Path, metavar="FOLDER", help="where to (default: data/raw/RAVDESS)")
    fetch.add_argument("--keep-archives", action="store_true", help="keep the zip files after unpacking")
    fetch.set_defaults(function=fetch_command)
    listing = data.add_parser("list", help="every corpus, and which are here", description=list_command.__doc__)
    listing.add_argument(
        "--data", action=_Data, metavar="WHICH", help="more places to look in, as for `microx figures`; may be repeated"
    )
    listing.set_defaults(function=list_command)

    points = commands.add_parser("landmarks", help="find or import landmarks")
    points_actions = points.add_subparsers(required=True, metavar="ACTION")
    taking = points_actions.add_parser(
        "import", help="use OpenFace CSVs made elsewhere", description=landmarks_import_command.__doc__
    )
    taking.add_argument("folder", type=Path, metavar="FOLDER", help="holds the CSVs, one a clip, in subfolders too")
    finding = points_actions.add_parser(
        "run", help="find the landmarks of a whole data set", description=landmarks_run_command.__doc__
    )
    finding.add_argument(
        "--landmarks", choices=landmarks.TRACKERS, help="which program finds them (default: mesh, or MICROX_LANDMARKS)"
    )
    for action, function in ((taking, landmarks_import_command), (finding, landmarks_run_command)):
        add_data_option(action)
        action.add_argument("--jobs", type=_jobs, default=None, help="processes (default: one a core)")
        action.set_defaults(function=function)

    check = commands.add_parser("doctor", help="what this machine has and lacks", description=doctor_command.__doc__)
    check.set_defaults(function=doctor_command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0, 1 if something failed, or 2 if the request can't be carried out."""
    arguments = build_parser().parse_args(argv)
    share_processors()  # notebooks' kernels inherit it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal has every letter
    if getattr(arguments, "landmarks", None):
        os.environ[landmarks.TRACKER_VARIABLE] = arguments.landmarks  # notebooks' kernels inherit it
    try:
        tracker = landmarks.chosen_tracker()
    except ValueError as error:
        return _refuse(error)
    try:
        if hasattr(arguments, "landmarks") and tracker != "mesh":
            from microx_utils.trackers.quality import check_usable

            check_usable([tracker])  # now, not after a walk through the whole corpus
        return arguments.function(arguments)
    except DataError as error:
        return _refuse(error)
    except OSError as error:
        full = " Free some space, or set MICROX_PROCESSED to a larger disk." if error.errno == errno.ENOSPC else ""
        print(f"microx: {error.filename or 'writing'}: {error.strerror or error}.{full}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("microx: interrupted; what had finished is kept, and the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

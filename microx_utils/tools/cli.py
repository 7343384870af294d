"""The command `microx`. Each sub-command imports what it needs when it is called, so that help comes at once."""

import argparse
import errno
import importlib.metadata
import importlib.util
import io
import os
import shlex
import sys
import time
from pathlib import Path

from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.tools.arguments import RUN, Data, actors, add_command, checked, count, seed
from microx_utils.tools.landmark_commands import landmarks_import_command, landmarks_run_command
from microx_utils.tools.live import add_live_arguments, live_command
from microx_utils.tools.memory import check_memory
from microx_utils.tools.predict import add_predict_arguments, predict_command
from microx_utils.tools.publishing import add_publishing
from microx_utils.tools.robust_training import add_robust_arguments, train_robust, wrong_for_robust


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
    many = "s" * (count != 1)
    print(f"Running {count} notebook{many}: profile {arguments.profile}, data {arguments.data}", flush=True)
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
            say=_say,
        )
    except NotebookError as error:
        return _refuse(error)
    failures = [(result.notebook, result.failure) for result in results if result.failure is not None]
    for name, failure in failures:
        place = f", cell {failure.cell}" if failure.cell else ""
        print(f"\n{name}{place}:\n{failure.traceback}", file=sys.stderr, flush=True)
    if failures and folder == paths.REFERENCE:
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
    """Find landmarks and cut crops of a whole data set, here or on a Dask cluster; a stopped run is resumed."""
    from microx_utils.course import stages
    from microx_utils.experiments import get_profile
    from microx_utils.support.parallel import cluster

    started = time.perf_counter()
    with cluster(arguments.scheduler):
        stores = stages.preprocess(arguments.data, get_profile(arguments.profile), jobs=arguments.jobs)
    for name, (store, excluded) in stores.items():
        people = store.clips["subject"].nunique()
        print(f"{name}: {len(store.clips)} clips of {people} people, {len(store.crops):,} frames; store {store.key}")
        for reason, rows in excluded.groupby("reason"):
            example = rows["path"].iloc[0] or rows["clip_id"].iloc[0]
            print(f"  left out: {len(rows)} x {reason} ({'such as ' * (len(rows) > 1)}{example})")
    print(f"Preprocessed in {time.perf_counter() - started:.0f} s.")
    return 0


def train_command(arguments: argparse.Namespace) -> int:
    """Train rows of experiments.toml, several at a time on a Dask cluster; notebooks then find the runs cached."""
    if problem := wrong_for_robust(arguments):
        return _refuse(ValueError(problem))
    if arguments.rows == ["robust"]:
        return train_robust(arguments)
    if arguments.backend:
        if arguments.scheduler:
            return _refuse(ValueError("--backend trains on this machine's GPUs; give it or --scheduler, not both"))
        if importlib.util.find_spec(arguments.backend) is None:
            return _refuse(ValueError(f"{arguments.backend} is not installed: pip install 'microx-utils[jax]'"))
        os.environ["KERAS_BACKEND"] = arguments.backend  # before anything imports Keras
    from microx_utils.course import stages
    from microx_utils.experiments import get_profile, read_experiments
    from microx_utils.support.parallel import cluster

    profile, seeds = get_profile(arguments.profile), range(arguments.seed, arguments.seed + arguments.seeds)
    known = read_experiments()
    unknown = [name for name in arguments.rows if name not in known]
    if unknown:
        print(f"microx: experiments.toml has no row {unknown}; it has {[*known]}", file=sys.stderr)
        return 2
    with cluster(arguments.scheduler):
        stages.preprocess(arguments.data, profile)
        accelerated = arguments.backend is not None
        table = stages.train_rows(arguments.rows, arguments.data, profile, seeds=seeds, accelerated=accelerated)
    print(table.to_string(index=False))
    return int((table["problem"] != "").any())


def exercises_command(arguments: argparse.Namespace) -> int:
    """Make exercises/ from notebooks/: the same notebooks, with the answers to their exercises blanked."""
    from microx_utils.course.exercises import save_exercises
    from microx_utils.course.outline import load_course

    folders = {"source": paths.NOTEBOOKS, "target": paths.EXERCISES}
    changed = save_exercises(load_course(), **folders, overwrite=arguments.overwrite)
    print("\n".join(f"wrote {paths.short(page)}" for page in changed) or "all exercises were up to date")
    return 0


def gallery_command(arguments: argparse.Namespace) -> int:
    """Rebuild the generated pages and the notebooks' timelines, without running anything."""
    from microx_utils.course import records
    from microx_utils.course.outline import load_course, save_time_lines

    folder = records.output_folder(arguments.profile, arguments.data)
    changed = _save_gallery(folder)
    if folder == paths.REFERENCE:
        changed += save_time_lines(load_course(), paths.NOTEBOOKS)
    print("\n".join(f"wrote {paths.short(page)}" for page in changed) or "all pages were up to date")
    return 0


def bench_command(arguments: argparse.Namespace) -> int:
    """Measure speed and memory, keep them in benchmarks/results.json and the README, and say what got slower."""
    from microx_utils.tools import bench

    bench.bench(arguments.names or bench.USUAL, profile=arguments.profile, say=_say)
    _save_gallery(paths.REFERENCE)
    return 0


def _save_gallery(folder: Path) -> list[Path]:
    """Write a folder's gallery, and the README's table if the folder is the committed reference."""
    from microx_utils.course import gallery
    from microx_utils.course.outline import load_course

    readme = paths.ROOT / "README.md" if folder == paths.REFERENCE else None
    return gallery.save_gallery(folder, load_course(), readme=readme)


def _say(line: str) -> None:
    print(line, flush=True)


def _refuse(error: Exception) -> int:
    """Print why a request can't be carried out; return the exit code that says so."""
    print(f"microx: {error}", file=sys.stderr)
    return 2


def render_command(arguments: argparse.Namespace) -> int:
    """Render whatever is missing from the sample data set, or from a population of other people."""
    from microx_utils.faces.sample import make_sample
    from microx_utils.faces.sample_plan import plan_population

    if arguments.people and arguments.folder == paths.SAMPLE:
        return _refuse(ValueError("--people renders people who are not in the sample: name a folder of their own"))
    people = arguments.people
    make_sample(arguments.folder, jobs=arguments.jobs, plan=plan_population(people) if people else None)
    return 0


def fetch_command(arguments: argparse.Namespace) -> int:
    """Download RAVDESS's speech videos from Zenodo, about 0.5 GiB per actor; complete actors are skipped."""
    from microx_utils.tools import fetch

    folder = arguments.to or paths.DATA / "raw" / "RAVDESS"
    keep = arguments.keep_archives
    actors = fetch.fetch_ravdess(arguments.actors, folder, keep_archives=keep, say=_say)
    data = "RAVDESS" if arguments.to is None else f"RAVDESS={folder.resolve()}"
    fate = "kept in archives/" if keep else "deleted after unpacking (--keep-archives keeps them)"
    print(
        f"\n{len(actors)} actor{'s' * (len(actors) != 1)} in {paths.short(folder)}; archives are {fate}.\n"
        f"Licence: {fetch.LICENCE}.\nPlease cite: {fetch.CITATION}\n\nUse it: make figures DATA={shlex.quote(data)}"
    )
    return 0


def list_command(arguments: argparse.Namespace) -> int:
    """List every corpus: what it is, its licence, how to get it, whether it is here, and its clips per class."""
    from microx_utils.tools import data_list

    print(data_list.describe(data_list.list_corpora(arguments.data)))
    return 0


def lab_command(arguments: argparse.Namespace) -> int:
    """Open the course in JupyterLab, on notebook 00. Options of JupyterLab go after --, as in: -- --no-browser."""
    from jupyterlab.labapp import LabApp

    from microx_utils.course.outline import load_course

    first = f"/lab/tree/notebooks/{load_course().notebooks[0].id}.ipynb"
    LabApp.launch_instance([f"--ServerApp.root_dir={paths.ROOT}", f"--LabApp.default_url={first}", *arguments.options])
    return 0


def doctor_command(arguments: argparse.Namespace) -> int:
    """Print what this machine has and lacks."""
    from microx_utils.tools import doctor

    checks = doctor.examine(deep=arguments.deep)
    print(doctor.report(checks))
    return 0 if doctor.healthy(checks) else 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="microx", description="MicroX emotion recognition as a course.")
    parser.add_argument("--version", action="version", version=f"microx {importlib.metadata.version('microx-utils')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = add_command(commands, "figures", figures_command, "run the notebooks and write figures/", *RUN, "--out")
    run.add_argument("--only", metavar="03,06", help="only these notebooks, by number or topic")
    run.add_argument("--seed", type=checked(seed), default=0, help="seed of all randomness (default: 0)")
    run.add_argument("--jobs", type=checked(count), help="notebooks at a time (default: 2, or 1 on one core)")

    lab = add_command(commands, "lab", lab_command, "open the course in JupyterLab", "--landmarks")
    text = "after --: options of JupyterLab, such as --no-browser"
    lab.add_argument("options", nargs="*", metavar="OPTION", help=text)

    text = "landmarks and crops of a whole data set"
    add_command(commands, "preprocess", preprocess_command, text, *RUN, "--jobs", "--scheduler")

    train = add_command(commands, "train", train_command, "train rows of experiments.toml", *RUN, "--scheduler")
    train.add_argument("rows", nargs="+", metavar="ROW", help="such as table1_microx, or robust (notebook 15)")
    train.add_argument("--seed", type=checked(seed), default=0, help="the first seed (default: 0)")
    text = "number of seeds, each with other folds of people (default: 1)"
    train.add_argument("--seeds", type=checked(count), default=1, help=text)
    text = "jax: on this machine's GPUs, as runs of their own, which notebooks don't read (default: the plain loop)"
    train.add_argument("--backend", choices=["jax"], help=text)
    add_robust_arguments(train)

    text = "what the shipped model says of the people in videos"
    add_predict_arguments(add_command(commands, "predict", predict_command, text))

    add_live_arguments(add_command(commands, "live", live_command, "the same of the face before a camera, now"))

    add_command(commands, "gallery", gallery_command, "rebuild the generated pages", *RUN, "--out")

    bench = add_command(commands, "bench", bench_command, "measure speed and memory, and say what got slower")
    bench.add_argument("names", nargs="*", metavar="NAME", help="scripts of benchmarks/, such as render (default: all)")
    bench.add_argument("--profile", choices=["smoke", "class"], default="smoke", help="of the notebooks' benchmark")

    exercises = add_command(
        commands, "exercises", exercises_command, "make exercises/, the notebooks without their answers"
    )
    exercises.add_argument("--overwrite", action="store_true", help="replace notebooks that have been run, too")

    add_publishing(commands)

    data = commands.add_parser("data", help="make, fetch or list data").add_subparsers(required=True, metavar="ACTION")
    render = add_command(data, "render", render_command, "render the sample's clips", "--jobs")
    text = "target folder (default: data/sample)"
    render.add_argument("folder", nargs="?", type=Path, default=paths.SAMPLE, metavar="FOLDER", help=text)
    text = "instead of the sample: seven clips each of so many people who are not in it, to train on"
    render.add_argument("--people", type=checked(count), metavar="N", help=text)
    fetch = add_command(data, "fetch", fetch_command, "download a corpus that is open to everybody")
    fetch.add_argument("corpus", type=str.lower, choices=["ravdess"], help="which corpus")
    text = "which actors (default: all 24)"
    fetch.add_argument("--actors", type=checked(actors), default="1-24", metavar="1-4,7", help=text)
    fetch.add_argument("--to", type=Path, metavar="FOLDER", help="target folder (default: data/raw/RAVDESS)")
    fetch.add_argument("--keep-archives", action="store_true", help="keep the zip files after unpacking")
    listing = add_command(data, "list", list_command, "list every corpus, and which are on this machine")
    text = "more places to search, as for `microx figures`; may be repeated"
    listing.add_argument("--data", action=Data, metavar="WHICH", help=text)

    points = commands.add_parser("landmarks", help="find or import landmarks")
    actions = points.add_subparsers(required=True, metavar="ACTION")
    text = "use OpenFace CSVs made elsewhere"
    taking = add_command(actions, "import", landmarks_import_command, text, "--data", "--jobs")
    text = "holds the CSVs, one per clip, in subfolders too"
    taking.add_argument("folder", type=Path, metavar="FOLDER", help=text)
    text = "find the landmarks of a whole data set"
    add_command(actions, "run", landmarks_run_command, text, "--data", "--landmarks", "--jobs")

    examined = add_command(commands, "doctor", doctor_command, "what this machine has and lacks")
    examined.add_argument("--deep", action="store_true", help="read all kept results, and compare their checksums")
    return parser


_ELSEWHERE = " Make it writable, or set MICROX_PROCESSED (caches) and MICROX_OUTPUT (figures) to folders that are."
_REMEDIES = {
    errno.ENOSPC: " Free some space, or set MICROX_PROCESSED to a larger disk.",
    errno.EACCES: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENAMETOOLONG: " Give it a shorter name.",
}
_NEEDED_GIB = {figures_command: 6.0, train_command: 6.0, preprocess_command: 2.0, landmarks_run_command: 2.0}
"""Address space: TensorFlow alone reserves four."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0, 1 if something failed, or 2 if the request can't be carried out."""
    arguments = build_parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal has every letter
    if getattr(arguments, "out", None):
        os.environ["MICROX_OUTPUT"] = str(arguments.out.absolute())  # kernels read it as well
    try:
        check_memory(_NEEDED_GIB.get(arguments.function, 0.0))
        if hasattr(arguments, "landmarks"):
            _prepare_run(arguments.landmarks)
        return arguments.function(arguments)
    except DataError as error:
        return _refuse(error)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "")
        print(f"microx: {error.filename or 'writing'}: {error.strerror or error}.{remedy}", file=sys.stderr)
        return 1
    except MemoryError:
        print(
            "microx: memory ran out. Close other programs, or use fewer --jobs, or a smaller --profile", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("microx: interrupted; finished work is kept, and the same command continues it", file=sys.stderr)
        return 130


def _prepare_run(tracker: str | None) -> None:
    """Set the environment that notebooks' kernels and other processes inherit, and check that it can be used."""
    from microx_utils.landmarks import TRACKER_VARIABLE, chosen_tracker
    from microx_utils.support.keras_setup import prepare_networks

    prepare_networks()
    if tracker:
        os.environ[TRACKER_VARIABLE] = tracker
    try:
        chosen = chosen_tracker()
    except ValueError as error:
        raise DataError(
            "the environment", str(error), f"Set {TRACKER_VARIABLE} to one of these, or unset it."
        ) from error
    if chosen != "mesh":
        from microx_utils.trackers.quality import check_usable

        check_usable([chosen])  # now, not after a walk through the whole corpus


if __name__ == "__main__":
    sys.exit(main())

"""Run the course's notebooks through papermill, a few at a time; check their parameters, report their failures."""

import ast
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellControlSignal, DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError

from microx_utils.corpora import resolve_data
from microx_utils.course import records
from microx_utils.course.exercises import STRICT
from microx_utils.course.notebook_html import save_html, tidy_outputs
from microx_utils.course.outline import Course, Notebook, duration
from microx_utils.experiments import get_profile
from microx_utils.support import cache, paths
from microx_utils.support.parallel import start_each

PARAMETERS = ("profile", "data", "seed")
"""What every notebook's parameters cell must offer."""

KERNEL_ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",  # its threads would wait for each other, and two notebooks run on all cores anyway
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # one warning less in every log
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(ValueError):
    """Notebooks that must not be run as they are; `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Failure:
    """Where a notebook stopped: cell number in the notebook as shipped (from 1), what was raised, the traceback."""

    cell: int | None
    error: str
    traceback: str


@dataclass(frozen=True)
class Result:
    """One notebook's run."""

    notebook: str
    seconds: float
    failure: Failure | None = None


def literal_parameters(source: str) -> dict[str, Any]:
    """Return the names and values that a parameters cell assigns.

    Raises
    ------
    ValueError
        A line is anything but `name = literal`. papermill inserts its values after this cell, so whatever is
        computed here would keep its old value.

    >>> literal_parameters('profile = "class"\\nseed = 0')
    {'profile': 'class', 'seed': 0}
    """
    found = {}
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"the parameters cell is not Python: {error.msg} in line {error.lineno}") from error
    for statement in statements:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                pass
            case _:
                raise ValueError(
                    f"the parameters cell has {ast.unparse(statement)!r}; only `name = literal` may be there"
                )
        try:
            found[name] = ast.literal_eval(value)
        except ValueError as error:
            raise ValueError(f"parameter {name!r} is {ast.unparse(value)!r}; give a plain literal") from error
    return found


def check_notebook(path: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError unless a notebook can be run with exactly these parameters."""
    if not path.is_file():
        raise ValueError("the file is missing, though course.toml lists it")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ValueError(f"not a valid notebook: {str(error).splitlines()[0]}") from error
    if notebook.metadata.get("kernelspec", {"language": None}).get("language", "python") != "python":
        raise ValueError('its metadata names no Python kernel; give it the kernelspec "python3"')
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1 or tagged[0].cell_type != "code":
        raise ValueError(f"{len(tagged)} cells are tagged `parameters`; exactly one code cell must be")
    offered = literal_parameters(tagged[0].source)
    missing = [name for name in PARAMETERS if name not in offered]
    if missing:
        raise ValueError(f"its parameters cell lacks {missing}; it offers {sorted(offered)}")
    unknown = [name for name in parameters if name not in offered]
    if unknown:
        raise ValueError(f"unknown parameters {unknown}; it offers {sorted(offered)}")
    for name, value in parameters.items():
        if type(value) is not type(offered[name]):
            wanted, given = type(offered[name]).__name__, type(value).__name__
            raise ValueError(f"parameter {name!r} is of type {wanted} in the notebook; {value!r} is {given}")


USED = ("processor_seconds", "peak_memory")
"""What times.json has of a kernel's use: over all cores and joblib's workers; of the kernel alone, in bytes."""

KERNEL = """
import os, sys
os.chdir({folder!r})
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
import atexit
from microx_utils.support.usage import note_usage
atexit.register(note_usage, {usage!r})
class NoJax:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "jax" and os.environ.get("KERAS_BACKEND") != "jax":
            raise ModuleNotFoundError("JAX is not loaded beside TensorFlow; set KERAS_BACKEND to jax", name=name)
sys.meta_path.insert(0, NoJax)
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""
"""Starts a kernel that writes its own messages, mostly TensorFlow's C++ logs, to a file, not among our progress lines.

It changes to its folder itself: papermill's `cwd` would move this whole process, for every notebook that it runs. When
it ends it notes what it used; that is registered first and so comes last, after joblib's workers have ended. TensorFlow
imports JAX where it is installed, for a converter that no notebook uses: a tenth of the time that Keras takes to load.
"""


def own_kernel(folder: Path, *, own: Path, strict: bool = True) -> type[AsyncKernelManager]:
    """Return a manager of kernels that run this interpreter in `folder`, whichever kernels are installed.

    The kernel is called python3, so that executed notebooks open anywhere. It keeps no history, and has its settings in
    the folder `own` instead of the reader's. What it prints outside cells goes to kernel.log there, and what it used to
    usage.json. This process is not changed.

    If `strict`, an exercise's check raises unless the answer is right.
    """
    files = {"log": str(own / "kernel.log"), "usage": str(own / "usage.json")}
    program = KERNEL.format(folder=str(folder), **files)
    spec = KernelSpec(
        argv=[sys.executable, "-c", program, "-f", "{connection_file}", "--HistoryManager.enabled=False"],
        display_name="Python 3",
        language="python",
        env=KERNEL_ENVIRONMENT | {"IPYTHONDIR": str(own / "ipython"), STRICT: "1" if strict else ""},
    )

    class OwnKernel(AsyncKernelManager):
        shutdown_wait_time = 60.0  # seconds: one that is killed notes nothing, and a busy machine takes more than 5

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return OwnKernel


def _stopped_at(executed: Path) -> int | None:
    """Return the number of the last cell that was started, from 1 as in the shipped notebook; None if none was."""
    number, last = 0, None
    for cell in nbformat.read(executed, as_version=4).cells:
        if {"injected-parameters", "papermill-error-cell-tag"} & set(cell.metadata.get("tags", [])):
            continue
        number += 1
        if cell.metadata.get("papermill", {}).get("start_time"):
            last = number
    return last


def _failure(error: Exception, executed: Path, log: Path) -> Failure:
    if isinstance(error, PapermillExecutionError):
        text = "\n".join(error.traceback)
        what = f"{error.ename}: {error.evalue}"
    else:  # the kernel died or hung: only its log says why
        log_end = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
        text = "".join(traceback.format_exception(error)) + log_end
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, DeadKernelError):
            what += " (perhaps memory ran out: run one notebook at a time, JOBS=1, or a smaller profile)"
    return Failure(_stopped_at(executed) if executed.exists() else None, ANSI.sub("", what), ANSI.sub("", text))


def run_notebook(source: Path, target: Path, parameters: Mapping[str, Any], *, strict: bool = True) -> Failure | None:
    """Run one notebook and write the executed one to `target`, complete or not at all; return its failure, if any.

    The notebook runs in its own folder, as when a reader opens it. `source` is not changed. What the kernel used
    is added to papermill's part of the executed notebook's metadata: processor_seconds and peak_memory, in bytes.

    If `strict`, it fails at the first exercise whose answer is not right, which only a student's version may have.
    """
    with tempfile.TemporaryDirectory(prefix="microx-run-") as name:
        # papermill saves after every cell and fills {braces} in paths, so it works on copies under a plain name
        own = Path(name)
        given, executed = own / "given.ipynb", own / "executed.ipynb"
        shutil.copyfile(source, given)
        failure = None
        try:
            papermill.execute_notebook(
                given,
                executed,
                dict(parameters),
                kernel_name="python3",
                kernel_manager_class=own_kernel(source.parent.resolve(), own=own, strict=strict),
                language="python",
                progress_bar=False,
                iopub_timeout=120,  # the last output of a cell takes more than papermill's 4 s on a busy machine
            )
        except (PapermillException, CellControlSignal, RuntimeError, TimeoutError) as error:
            failure = _failure(error, executed, own / "kernel.log")
        if executed.exists():
            notebook = nbformat.read(executed, as_version=4)
            tidy_outputs(notebook)
            used = records.read_json(own / "usage.json")  # empty if the kernel had to be killed
            notebook.metadata["papermill"].update(input_path=source.name, output_path=target.name, **used)
            with cache.atomic_file(target) as temporary:
                nbformat.write(notebook, temporary)
    return failure


def run_course(
    course: Course,
    *,
    profile: str = "class",
    data: str = "sample",
    seed: int = 0,
    only: str | None = None,
    jobs: int | None = None,
    notebooks: Path = paths.NOTEBOOKS,
    build: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[Result]:
    """Run the course's notebooks, each in a fresh kernel, begun in order; a failing one does not stop the others.

    Those with a `last` begin when all with a smaller one have ended.

    Executed notebooks, their HTML and times.json go to the folder `records.run_name` of `build`/notebooks/; None is
    `paths.BUILD`. The results are in the course's order.

    Parameters
    ----------
    only
        Which to run, as "03,06"; all of them for None.
    jobs
        How many to run at a time; two for None, or one on a single processor. A third kernel hardly pays, because
        TensorFlow and the landmark networks use every processor by themselves.
    say
        Takes each line of progress, one at a time.

    Raises
    ------
    NotebookError
        A notebook is missing or its parameters cell is wrong. Checked for all before any is run.
    ValueError, DataError
        The profile, the data folder or `only` is not one of the choices, or `jobs` is below 1.
    """
    get_profile(profile)
    jobs = min(2, os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; give at least 1")
    chosen = course.select(only)
    where = resolve_data(data)  # kernels run in another folder
    parameters = {"profile": profile, "data": where, "seed": seed}
    problems = []
    for entry in chosen:
        try:
            check_notebook(notebooks / f"{entry.id}.ipynb", parameters)
        except ValueError as error:
            problems.append(f"{entry.id}.ipynb: {error}")
    if problems:
        raise NotebookError(problems)

    folder = (build or paths.BUILD) / "notebooks" / records.run_name(profile, where, seed)
    folder.mkdir(parents=True, exist_ok=True)
    speaking = threading.Lock()

    def run(entry: Notebook) -> Result:
        def report(text: str) -> None:
            with speaking:
                say(f"[{chosen.index(entry) + 1}/{len(chosen)}] {entry.id:<28} {text}")

        executed = folder / f"{entry.id}.ipynb"
        before = executed.stat().st_mtime_ns if executed.exists() else None
        expected = entry.run_minutes.get(profile)
        report("running" + (f"; about {duration(expected)} in a first run" if expected else ""))
        started = time.perf_counter()
        failure = run_notebook(notebooks / executed.name, executed, parameters)
        seconds = time.perf_counter() - started
        row: dict[str, Any] = {"seconds": round(seconds, 1), "jobs": jobs}
        if executed.exists() and executed.stat().st_mtime_ns != before:  # written by this run
            about = nbformat.read(executed, as_version=4).metadata["papermill"]
            row |= {name: round(about[name], 1) for name in USED if name in about}
            page = executed.with_suffix(".html")
            try:
                save_html(executed, page)
            except Exception as error:  # noqa: BLE001 - reported as this notebook's failure: the others have to run
                page.unlink(missing_ok=True)  # or an earlier run's page would be mistaken for this one's
                what = f"its page could not be made: {type(error).__name__}: {error}"
                text = "".join(traceback.format_exception(error))
                if failure is None:
                    failure = Failure(None, f"the notebook ran, but {what}", text)
                else:
                    failure = replace(failure, error=f"{failure.error}; {what}", traceback=failure.traceback + text)
        row["ok"] = failure is None
        result = Result(entry.id, seconds, failure)
        with records.updating(folder / "times.json") as times:
            times["machine"] = records.machine()
            times.setdefault("notebooks", {})[entry.id] = row
        where_failed = f" in cell {failure.cell}" if failure and failure.cell else ""
        state = "ok" if failure is None else f"FAILED{where_failed}: {failure.error}"
        report(f"{seconds:7.1f} s  {state}")
        return result

    groups = [[entry for entry in chosen if entry.last == late] for late in sorted({entry.last for entry in chosen})]
    results = [future.result() for group in groups for future in start_each(run, group, jobs)]
    return sorted(results, key=lambda result: [entry.id for entry in chosen].index(result.notebook))

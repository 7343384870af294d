"""Running notebooks: strict about parameters, failures named, nothing half-written, two runs at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook, new_output
from notebook_factory import GIVEN, GOOD, a_course, write_notebook

from microx_utils.course.notebook_html import save_html, tidy_outputs
from microx_utils.course.outline import Course
from microx_utils.course.runner import (
    NotebookError,
    check_notebook,
    literal_parameters,
    run_course,
    run_notebook,
)
from microx_utils.course.safe_html import WIDGET_TYPE
from microx_utils.support.errors import DataError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    (folder / "BAUM-2").mkdir(parents=True)
    return folder


def test_literals_of_every_kind() -> None:
    source = '# how much\nprofile: str = "class"\nsizes = [1, (2, 3)]\nnothing = None\nlow = -1.5'
    assert literal_parameters(source) == {"profile": "class", "sizes": [1, (2, 3)], "nothing": None, "low": -1.5}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('profile = "class"\nname = profile + "-run"', "parameter 'name' is"),
        ("import os", "'import os'; only"),
        ("a = b = 1", "only `name = literal`"),
        ("a, b = 1, 2", "only `name = literal`"),
        ("seed: int", "only `name = literal`"),
        ("a = (", "not Python"),
    ],
)
def test_parameters_that_would_keep_an_old_value_are_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        literal_parameters(source)


def test_good_notebook_passes(tmp_path: Path) -> None:
    check_notebook(write_notebook(tmp_path / "a.ipynb"), GIVEN)


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        (None, GIVEN, "0 cells are tagged `parameters`"),
        ('profile = "class"\ndata = "sample"\nsed = 0', GIVEN, r"lacks \['seed'\]"),
        (
            GOOD,
            GIVEN | {"profil": "smoke"},
            r"unknown parameters \['profil'\]; it offers \['data', 'profile', 'seed'\]",
        ),
        (GOOD, GIVEN | {"seed": "0"}, "'seed' is of type int in the notebook; '0' is str"),
        (GOOD + "\nlabel = str(seed)", GIVEN, "parameter 'label' is 'str"),
    ],
)
def test_bad_parameters_are_refused(tmp_path: Path, parameters: str | None, given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_notebook(write_notebook(tmp_path / "a.ipynb", parameters=parameters), given)


def test_other_faults_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the file is missing"):
        check_notebook(tmp_path / "none.ipynb", GIVEN)
    with pytest.raises(ValueError, match="no Python kernel"):
        check_notebook(write_notebook(tmp_path / "kernel.ipynb", kernel=False), GIVEN)
    broken = tmp_path / "broken.ipynb"
    broken.write_text('{"cells": [', encoding="utf-8")
    with pytest.raises(ValueError, match="not a valid notebook"):
        check_notebook(broken, GIVEN)


def test_all_are_checked_before_any_is_run(tmp_path: Path, data: Path) -> None:
    write_notebook(tmp_path / "n" / "00_a.ipynb", "from pathlib import Path; Path('ran').touch()")
    write_notebook(tmp_path / "n" / "01_b.ipynb", parameters=None)
    with pytest.raises(NotebookError) as caught:
        run_course(
            a_course("00_a", "01_b", "02_c"),
            data=str(data),
            notebooks=tmp_path / "n",
            build=tmp_path / "build",
        )
    assert [line.split(":")[0] for line in caught.value.problems] == ["01_b.ipynb", "02_c.ipynb"]
    assert not (tmp_path / "n" / "ran").exists()
    assert not (tmp_path / "build").exists()


def test_wrong_choices_are_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ValueError, match="unknown profile"):
        run_course(a_course("00_a"), profile="fast", data=str(data), notebooks=tmp_path)
    with pytest.raises(DataError, match="no such data folder"):
        run_course(a_course("00_a"), data=str(tmp_path / "none"), notebooks=tmp_path)
    with pytest.raises(ValueError, match="choose from 00"):
        run_course(a_course("00_a"), data=str(data), only="7", notebooks=tmp_path)


def test_a_failing_notebook_is_named_and_the_others_run(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "n"
    write_notebook(folder / "00_a.ipynb", "1 + 1", "values = {}\nvalues['absent']", "print('never')")
    report = (
        "import os, sys, json\nprint(json.dumps([profile, data, seed, sys.executable, os.environ['PYTHONHASHSEED']]))"
    )
    write_notebook(folder / "01_b.ipynb", report, "import matplotlib; matplotlib.get_backend()")
    said: list[str] = []
    results = run_course(
        a_course("00_a", "01_b"),
        profile="smoke",
        data=str(data),
        seed=5,
        jobs=1,
        notebooks=folder,
        build=tmp_path / "build",
        say=said.append,
    )

    failure = results[0].failure
    assert failure is not None
    assert failure.cell == 4  # heading, parameters, 1 + 1, the culprit
    assert failure.error == "KeyError: 'absent'"
    assert "values['absent']" in failure.traceback
    assert "\x1b" not in failure.traceback
    assert results[1].failure is None
    starts, ends = said[::2], said[1::2]  # a line when a notebook starts, another when it ends
    assert all("running" in line for line in starts)
    assert ends[0].startswith("[1/2] 00_a")
    assert "FAILED in cell 4: KeyError" in ends[0]
    assert ends[1].endswith("ok")

    (out,) = (tmp_path / "build" / "notebooks").iterdir()
    assert out.name.startswith("smoke-people-")
    executed = nbformat.read(out / "01_b.ipynb", as_version=4)
    (printed,) = [cell.outputs[0].text for cell in executed.cells if "json.dumps" in cell.source]
    assert json.loads(printed) == ["smoke", str(data.resolve()), 5, sys.executable, "0"]
    assert "inline" in executed.cells[-1].outputs[0].data["text/plain"]
    assert executed.metadata.kernelspec.name == "python3"
    assert "KeyError" in (out / "00_a.html").read_text(encoding="utf-8")  # a failed page shows where
    times = json.loads((out / "times.json").read_text(encoding="utf-8"))["notebooks"]
    assert {name: row["ok"] for name, row in times.items()} == {"00_a": False, "01_b": True}
    for row in times.values():  # a kernel uses less than a minute and a gibibyte to start, but not nothing
        assert 0.1 < row["processor_seconds"] < 60
        assert 2**24 < row["peak_memory"] < 2**30
    assert nbformat.read(folder / "01_b.ipynb", as_version=4).cells[2].outputs == []  # the source stays as it was


def test_a_page_that_cannot_be_made_is_that_notebooks_failure(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(executed: Path, *_: Any, **__: Any) -> None:
        if executed.stem == "00_a":
            raise LookupError("no template")

    monkeypatch.setattr("microx_utils.course.runner.save_html", fails)
    write_notebook(tmp_path / "n" / "00_a.ipynb", "1 + 1")
    write_notebook(tmp_path / "n" / "01_b.ipynb", "1 + 1")
    said: list[str] = []
    course = a_course("00_a", "01_b")
    first, second = run_course(
        course,
        profile="smoke",
        data=str(data),
        jobs=1,
        notebooks=tmp_path / "n",
        build=tmp_path / "build",
        say=said.append,
    )
    assert first.failure is not None
    assert first.failure.cell is None
    assert "its page could not be made: LookupError: no template" in first.failure.error
    assert second.failure is None
    assert "FAILED: the notebook ran" in said[1]


def test_a_kernel_that_dies_is_a_failure_too(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "1", "import os; os.write(2, b'out of memory'); os._exit(3)")
    failure = run_notebook(source, tmp_path / "out" / "a.ipynb", GIVEN)
    assert failure is not None
    assert failure.cell == 4
    assert "DeadKernelError" in failure.error
    assert failure.traceback.endswith("out of memory")


def test_a_wrong_answer_fails_a_strict_run_only(tmp_path: Path) -> None:
    code = "from microx_utils.checks.start_here import numbers_in_a_segment\nnumbers_in_a_segment(7, size=48)"
    source = write_notebook(tmp_path / "a.ipynb", code)
    failure = run_notebook(source, tmp_path / "out" / "strict.ipynb", GIVEN)
    assert failure is not None
    assert failure.error.startswith("WrongAnswer: numbers_in_a_segment: Not yet. 7 is too small.")
    assert run_notebook(source, tmp_path / "out" / "student.ipynb", GIVEN, strict=False) is None
    (shown,) = nbformat.read(tmp_path / "out" / "student.ipynb", as_version=4).cells[-1].outputs
    assert shown.data["text/plain"] == "Not yet. 7 is too small."


def test_own_kernel_wins_over_an_installed_one_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "kernels" / "python3" / "kernel.json"
    installed.parent.mkdir(parents=True)
    installed.write_text('{"argv": ["/no/such/python"], "display_name": "x", "language": "python"}', encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    environment, place = dict(os.environ), Path.cwd()
    source = write_notebook(
        tmp_path / "n" / "a.ipynb",
        "import sys, os, keras; print(sys.executable, os.getcwd(), os.environ['IPYTHONDIR'], 'jax' in sys.modules)",
    )
    assert run_notebook(source, tmp_path / "out" / "a.ipynb", GIVEN) is None
    printed = nbformat.read(tmp_path / "out" / "a.ipynb", as_version=4).cells[-1].outputs[0].text
    python, folder, ipython, jax = printed.split()
    assert (python, folder, jax) == (sys.executable, str((tmp_path / "n").resolve()), "False")
    assert not Path(ipython).exists()
    assert (dict(os.environ), Path.cwd()) == (environment, place)


MEET = """
import time
from pathlib import Path
Path({mine!r}).touch()
deadline = time.monotonic() + 60
while not Path({other!r}).exists():
    assert time.monotonic() < deadline, "alone"
    time.sleep(0.05)
"""
"""Each of two such notebooks waits until the other one runs as well."""


def test_two_notebooks_at_a_time(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "n"
    where = "import os; print(os.getcwd())"
    write_notebook(folder / "00_a.ipynb", MEET.format(mine="a", other="b"), "import time; time.sleep(1)", where)
    write_notebook(folder / "01_b.ipynb", MEET.format(mine="b", other="a"), "1 / 0")
    write_notebook(folder / "02_c.ipynb", where)
    environment, place, said = dict(os.environ), Path.cwd(), list[str]()
    results = run_course(
        a_course("00_a", "01_b", "02_c"),
        data=str(data),
        jobs=2,
        notebooks=folder,
        build=tmp_path / "build",
        say=said.append,
    )
    assert [result.notebook for result in results] == ["00_a", "01_b", "02_c"]  # though 01 ends before 00
    assert [result.failure is None for result in results] == [True, False, True]
    assert results[1].failure is not None
    assert (results[1].failure.cell, results[1].failure.error) == (4, "ZeroDivisionError: division by zero")
    begun = [line.split()[1] for line in said if "running" in line]
    assert (set(begun[:2]), begun[2:]) == ({"00_a", "01_b"}, ["02_c"])  # two threads speak in either order
    assert len(said) == 6
    assert not any("\n" in line for line in said)
    (out,) = (tmp_path / "build" / "notebooks").iterdir()
    for name in ("00_a", "02_c"):  # both ran in their own folder
        printed = nbformat.read(out / f"{name}.ipynb", as_version=4).cells[-1].outputs[0].text
        assert printed.strip() == str(folder.resolve())
    times = json.loads((out / "times.json").read_text(encoding="utf-8"))["notebooks"]
    assert {name: (row["ok"], row["jobs"]) for name, row in times.items()} == {
        "00_a": (True, 2),
        "01_b": (False, 2),
        "02_c": (True, 2),
    }
    assert (dict(os.environ), Path.cwd()) == (environment, place)


def test_a_notebook_that_reads_the_others_begins_when_they_have_ended(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "n"
    write_notebook(folder / "00_a.ipynb", "1")
    write_notebook(folder / "01_b.ipynb", "import time; time.sleep(2)")
    write_notebook(folder / "02_c.ipynb", "1")
    first, early, late = a_course("00_a", "01_b", "02_c").notebooks
    said: list[str] = []
    results = run_course(
        Course("T", (replace(first, last=2), early, replace(late, last=1))),
        data=str(data),
        jobs=2,
        notebooks=folder,
        build=tmp_path / "build",
        say=said.append,
    )
    assert [line.split()[1] for line in said] == ["01_b", "01_b", "02_c", "02_c", "00_a", "00_a"]
    assert [result.notebook for result in results] == ["00_a", "01_b", "02_c"]


def test_one_job_runs_one_after_another(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "n"
    write_notebook(folder / "00_a.ipynb", "1")
    write_notebook(folder / "01_b.ipynb", "1")
    said: list[str] = []
    run_course(
        a_course("00_a", "01_b"),
        data=str(data),
        jobs=1,
        notebooks=folder,
        build=tmp_path / "build",
        say=said.append,
    )
    assert ["running" in line for line in said] == [True, False, True, False]
    with pytest.raises(ValueError, match="at least 1"):
        run_course(a_course("00_a"), data=str(data), jobs=0, notebooks=folder)


def test_progress_bars_keep_their_last_state_and_start_up_logs_go() -> None:
    log = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795384415.162726    2029 port.cc:153] oneDNN custom operations are on.\n"
    )
    bar = [new_output("stream", name="stderr", text=f"\rclips: {share}%") for share in (0, 50, 100)]
    cells = [
        new_code_cell("a", outputs=[new_output("stream", name="stderr", text=log)]),
        new_code_cell(
            "b", outputs=[*bar, new_output("stream", name="stderr", text="\n"), new_output("stream", text="I3\n")]
        ),
    ]
    notebook = nbformat.from_dict(new_notebook(cells=cells))
    tidy_outputs(notebook)
    assert notebook.cells[0].outputs == []
    assert [output.text for output in notebook.cells[1].outputs] == ["clips: 100%\n", "I3\n"]


def test_a_widget_leaves_its_still_and_no_saved_state() -> None:
    shown = {WIDGET_TYPE: {"model_id": "1"}, "text/html": "<img alt='a face'>", "text/plain": "Faces"}
    cell = new_code_cell("live", outputs=[new_output("display_data", data=shown)])
    notebook = nbformat.from_dict(new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    tidy_outputs(notebook)
    assert set(notebook.cells[0].outputs[0].data) == {"text/html", "text/plain"}
    assert "widgets" not in notebook.metadata


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>S01</a>"
"""What a file, a folder or a label may be called."""


def test_hostile_names_run_nothing_in_a_notebook_or_its_page(tmp_path: Path) -> None:
    """Through the real kernel: a plain table, a styled one with its caption, and text in a message."""
    code = (
        "import pandas as pd\nfrom microx_utils.course.lesson import open_lesson\n"
        "lesson = open_lesson('00_start_here', profile='smoke')\n"
        f"name = {HOSTILE!r}\ntable = pd.DataFrame({{name: [name]}}, index=[name])\n"
    )
    cells = [new_code_cell(code + "table"), new_code_cell("table.style.format(precision=2).set_caption(name)")]
    notebook = new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3").execute()
    shown = [cell.outputs[-1].data["text/html"] for cell in notebook.cells]
    nbformat.write(notebook, tmp_path / "a.ipynb")
    tidy_outputs(notebook)
    save_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    tables = re.findall(r"(?s)<table.*?</table>", (tmp_path / "a.html").read_text(encoding="utf-8"))
    for text in [*shown, *tables]:
        assert "S01" in text
        assert not re.search(r"(?i)<script|<[^>]*(onerror|javascript:)", text)
    assert len(tables) == 2


def test_html_page_carries_the_alt_text(tmp_path: Path) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # 1 px
    picture = new_output(
        "display_data", data={"image/png": pixel}, metadata={"image/png": {"alt": "Two rising lines."}}
    )
    cell = new_code_cell("lesson.show(fig, 'figure_07', alt='Two rising lines.')", outputs=[picture])
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    save_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert 'alt="Two rising lines."' in page
    assert f"data:image/png;base64,{pixel}" in page
    assert "<title>a</title>" in page


RUNNER = """
import sys
from pathlib import Path
from notebook_factory import a_course
from microx_utils.course.runner import run_course
folder = Path(sys.argv[1])
results = run_course(a_course("00_a"), profile="smoke", data=str(folder / "people"), notebooks=folder / "n",
                     build=folder / "build")
sys.exit(any(result.failure for result in results))
"""


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", RUNNER, str(folder)], cwd=Path(__file__).parents[1])


def test_two_runs_at_once_both_succeed(tmp_path: Path, data: Path) -> None:
    write_notebook(tmp_path / "n" / "00_a.ipynb", "import time; time.sleep(0.5); print('done')")
    runs = [start(tmp_path), start(tmp_path)]
    assert [run.wait(timeout=180) for run in runs] == [0, 0]
    (out,) = (tmp_path / "build" / "notebooks").iterdir()
    assert nbformat.read(out / "00_a.ipynb", as_version=4).cells[-1].outputs[0].text == "done\n"
    assert json.loads((out / "times.json").read_text(encoding="utf-8"))["notebooks"]["00_a"]["ok"]


@pytest.mark.parametrize("ended_by", ["SIGKILL", "SIGINT"])  # a kill, and Ctrl-C
def test_a_run_ended_half_way_leaves_the_last_whole_result(tmp_path: Path, data: Path, ended_by: str) -> None:
    source = tmp_path / "n" / "00_a.ipynb"
    write_notebook(source, "print('first')")
    assert start(tmp_path).wait(timeout=180) == 0
    (out,) = (tmp_path / "build" / "notebooks").iterdir()
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".lock"}

    started = "import os; open('new', 'w').write(str(os.getpid())); os.rename('new', 'started')"
    write_notebook(source, "print('second')", f"{started}\nimport time; time.sleep(600)")
    run = start(tmp_path)
    wait_until((tmp_path / "n" / "started").exists, "the notebook never started")
    kernel = int((tmp_path / "n" / "started").read_text())
    run.send_signal(getattr(signal, ended_by))
    run.wait(timeout=30)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".lock"} == before
    wait_until(lambda: not psutil.pid_exists(kernel), "the kernel outlived the run")


def wait_until(happened: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, problem
        time.sleep(0.1)

"""The command `microx`: quick to start, strict about what it is asked, honest exit codes."""

import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from notebook_factory import a_course, write_notebook

from microx_utils import landmarks
from microx_utils.course import outline, stages
from microx_utils.experiments import Profile
from microx_utils.support import paths
from microx_utils.tools import cli, doctor


def test_help_and_names_need_no_heavy_package() -> None:
    code = (
        "import sys\nfrom microx_utils.tools import cli\ncli.build_parser().format_help()\n"
        "heavy = ('tensorflow', 'pandas', 'matplotlib', 'papermill', 'cv2', 'requests')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert outcome.stdout.strip() == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("microx ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["figures", "--profile", "fast"], "unknown profile 'fast'"),
        (["figures", "--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["figures", "--sed", "1"], "unrecognized arguments"),
        (["figures", "--jobs", "0"], "'0' is not a whole number of at least 1"),
        (["data", "render", "--jobs", "0"], "'0' is not a whole number of at least 1"),
        (["data"], "required: ACTION"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout with a data folder, and a course of two notebooks."""
    folders = {"FIGURES": "figures", "BUILD": "build", "NOTEBOOKS": "notebooks", "SAMPLE": "sample"}
    for name, folder in (folders | {"EXERCISES": "exercises", "REFERENCE": "figures"}).items():
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setattr(paths, name, tmp_path / folder)
    (tmp_path / "sample" / "BAUM-2").mkdir()
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(outline, "load_course", lambda: a_course("00_a", "01_b"))
    return tmp_path


def test_exercises_are_made_of_the_notebooks(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("00_a", "01_b"):
        write_notebook(checkout / "notebooks" / f"{name}.ipynb", f'lesson = open_lesson("{name}")')
    assert cli.main(["exercises"]) == 0
    assert capsys.readouterr().out.split() == ["wrote", "exercises/00_a.ipynb", "wrote", "exercises/01_b.ipynb"]
    assert cli.main(["exercises"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_missing_data_is_refused_with_a_remedy(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "--profile", "smoke", "--data", str(checkout / "BAUM")]) == 2
    said = capsys.readouterr().err
    assert "no such data folder" in said
    assert "Traceback" not in said


def test_unknown_notebook_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "--profile", "smoke", "--only", "07"]) == 2
    assert "choose from 00 (a), 01 (b)" in capsys.readouterr().err


def test_missing_notebooks_are_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "--profile", "smoke"]) == 2
    assert "01_b.ipynb: the file is missing" in capsys.readouterr().err


def test_figures_runs_reports_and_fails_honestly(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(checkout / "notebooks" / "00_a.ipynb", "1 / 0")
    write_notebook(checkout / "notebooks" / "01_b.ipynb", "1")
    assert cli.main(["figures", "--profile", "smoke"]) == 1
    out, err = capsys.readouterr()
    assert "Running 2 notebooks: profile smoke, data sample" in out
    assert "1 of 2 notebooks ran" in out
    assert "00_a, cell 3:" in err
    assert "ZeroDivisionError" in err
    assert (checkout / "figures" / "runs" / "smoke-sample" / "README.md").is_file()
    assert cli.main(["figures", "--profile", "smoke", "--only", "b"]) == 0
    assert cli.main(["gallery", "--profile", "smoke"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_reference_gallery_wants_the_readme_s_markers(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text("# Without markers\n", encoding="utf-8")
    assert cli.main(["gallery"]) == 2
    assert "markers" in capsys.readouterr().err


def test_doctor_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda **options: [doctor.Check("a", doctor.OK, "here")])
    assert cli.main(["doctor"]) == 0
    monkeypatch.setattr(doctor, "examine", lambda **options: [doctor.Check("a", doctor.MISSING, "gone", "Fetch it.")])
    assert cli.main(["doctor"]) == 1
    assert "Fetch it." in capsys.readouterr().out


def test_render_passes_folder_and_jobs_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from microx_utils.faces import sample

    calls: list[tuple[Path, int | None]] = []
    monkeypatch.setattr(sample, "make_sample", lambda folder, *, jobs, plan: calls.append((folder, jobs)))
    assert cli.main(["data", "render", str(tmp_path), "--jobs", "2"]) == 0
    assert cli.main(["data", "render"]) == 0
    assert calls == [(tmp_path, 2), (paths.SAMPLE, None)]


def test_data_may_be_repeated() -> None:
    parser = cli.build_parser()
    assert parser.parse_args(["figures"]).data == "sample"
    given = ["figures", "--data", "BAUM-1a=/a", "--data", "BAUM-2=/b"]
    assert parser.parse_args(given).data == "BAUM-1a=/a,BAUM-2=/b"
    assert parser.parse_args(given).data == "BAUM-1a=/a,BAUM-2=/b"  # nothing is kept from one parsing to the next


def test_preprocess_lists_what_it_leaves_out(
    tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")
    for name in ("happy_plain_1", "sad_plain_1", "fear_plain_1"):
        (tmp_path / "raw" / "own" / "kim").mkdir(parents=True, exist_ok=True)
        shutil.copy(clip_path, tmp_path / "raw" / "own" / "kim" / f"{name}.mp4")
    actor = tmp_path / "raw" / "RAVDESS" / "Actor_01"
    actor.mkdir(parents=True)
    shutil.copy(clip_path, actor / "01-01-03-01-01-01-01.mp4")
    (actor / "01-01-04-01-01-01-01.mp4").write_bytes(b"not a video at all, and long enough to look at")
    monkeypatch.setattr(paths, "DATA", tmp_path)
    assert cli.main(["preprocess", "--profile", "smoke", "--data", "ravdess", "--data", "own", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"clips: 1 clips of 1 people, 40 frames; store [0-9a-f]{16}", said)
    assert re.search(r"left out: 1 x can't be opened as a video.*01-01-04-01-01-01-01\.mp4", said)
    assert re.search(r"own: 3 clips of 1 people, 120 frames", said)


@pytest.mark.parametrize("command", [["preprocess"], ["figures", "--only", "00"], ["train", "table6_mouth"]])
def test_landmarks_that_cannot_be_had_are_told_at_once(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MICROX_LANDMARKS", "openface")
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    monkeypatch.setattr("microx_utils.trackers.openface.find_program", lambda: None)
    assert cli.main([*command, "--profile", "smoke"]) == 2
    said = capsys.readouterr()
    assert "landmark tracker openface: no OpenFace found here" in said.err
    assert "microx landmarks import" in said.err
    assert "finding landmarks" not in said.err
    assert "Running" not in said.out
    assert not list(tmp_path.iterdir())


def test_train_refuses_an_unknown_row_and_an_absent_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "table9", "--profile", "smoke"]) == 2
    assert "experiments.toml has no row ['table9']" in capsys.readouterr().err
    assert cli.main(["train", "table6_mouth", "--profile", "smoke", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


def test_train_on_gpus_is_for_this_machine_and_needs_jax(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # so that it is put back
    command = ["train", "table6_mouth", "--profile", "smoke", "--backend", "jax"]
    assert cli.main([*command, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "--backend trains on this machine's GPUs" in capsys.readouterr().err
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None)
        assert cli.main(command) == 2
    assert "jax is not installed: pip install" in capsys.readouterr().err
    assert os.environ["KERAS_BACKEND"] == "tensorflow"

    asked: dict[str, Any] = {}

    def trained(rows: list[str], data: str, profile: Profile, **options: Any) -> pd.DataFrame:
        asked.update(options, rows=rows, backend=os.environ["KERAS_BACKEND"])
        return pd.DataFrame([{"experiment": "table6_mouth", "problem": ""}])

    monkeypatch.setattr(stages, "train_rows", trained)
    monkeypatch.setattr(stages, "preprocess", lambda data, profile: {})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    assert cli.main(command) == 0
    assert asked == {"rows": ["table6_mouth"], "seeds": range(1), "accelerated": True, "backend": "jax"}


def test_landmarks_option_reaches_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROX_LANDMARKS", "mesh")  # so that it is put back
    with pytest.raises(SystemExit):
        cli.main(["figures", "--landmarks", "clm"])
    monkeypatch.setattr("microx_utils.trackers.openface.find_program", lambda: ["FeatureExtraction"])
    monkeypatch.setattr(cli, "preprocess_command", lambda _: ["mesh", "openface"].index(landmarks.chosen_tracker()))
    assert cli.main(["preprocess"]) == 0
    assert cli.main(["preprocess", "--landmarks", "openface"]) == 1


def test_output_can_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MICROX_OUTPUT", "")  # so that it is put back
    for name in ("FIGURES", "BUILD"):
        monkeypatch.setattr(paths, name, tmp_path)
        monkeypatch.delattr(paths, name)  # as in a new process
    readme = (paths.ROOT / "README.md").read_bytes()
    assert cli.main(["gallery", "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "figures").glob("*.md")) == ["README.md", "claims.md"]
    assert (paths.ROOT / "README.md").read_bytes() == readme  # it shows the reference
    said = capsys.readouterr().out
    assert str(tmp_path / "out" / "figures" / "README.md") in said and "notebooks/" not in said


@pytest.mark.parametrize(
    ("variable", "name", "command"),
    [
        ("MICROX_OUTPUT", "FIGURES", ["figures", "--only", "00"]),
        ("MICROX_PROCESSED", "PROCESSED", ["preprocess", "--profile", "smoke"]),
    ],
)
def test_a_folder_of_the_environment_that_cannot_be_used_is_told_at_once(
    variable: str,
    name: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(paths, name, tmp_path)
    monkeypatch.delattr(paths, name)
    monkeypatch.setenv(variable, "here")
    assert cli.main(command) == 2
    assert f"microx: {variable}=here: isn't a full path" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "claims.json"))

    monkeypatch.setattr(cli, "doctor_command", refuse)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'claims.json'}: Permission denied. Make it writable, or set MICROX_PROCESSED" in said


LIMITED = """
import resource, sys
from microx_utils.tools.cli import main
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, resource.getrlimit(resource.RLIMIT_AS)[1]))
sys.exit(main(["preprocess", "--profile", "smoke"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit, or don't keep it")
def test_a_limit_of_memory_is_told_before_anything_runs_into_it() -> None:
    outcome = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=paths.ROOT)
    assert outcome.returncode == 2
    assert "may have 1.4 GiB of memory, and this command needs 2 GiB. Raise it: ulimit -v" in outcome.stderr


def test_memory_that_runs_out_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run_out(_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(cli, "list_command", run_out)
    assert cli.main(["data", "list"]) == 1
    assert "microx: memory ran out. Close other programs" in capsys.readouterr().err


def test_lab_opens_notebook_00_with_the_whole_course_beside_it(tmp_path: Path) -> None:
    """JupyterLab is really started, with an option of its own; its address leads to the notebook."""
    homes = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "microx_utils.tools.cli", "lab", "--", *options],
        cwd=tmp_path,
        env=os.environ | homes | {"PYTHONPATH": str(paths.ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "http://" in line:
                break
    finally:
        process.terminate()
        process.wait(30)
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=" in said[-1], "".join(said)

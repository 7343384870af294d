"""`microx bench` with fake scripts: each is kept at once, compared with the commit, and refused by name."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from microx_utils.course import speed
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.tools import bench, cli

ENTRY: dict[str, Any] = {
    "title": "Drawing",
    "settings": {},
    "rows": [{"name": "a circle", "unit": "ms", "median": 1, "low": 1, "high": 1, "n": 7, "products": [10, 10, 10]}],
    "peak_memory": 2**29,
    "memory": {},
    "machine": {"processor": "P1", "cores": 2},
    "commit": "abc1234",
}

SCRIPT = """
import os
open(os.environ["MICROX_BENCH_ROWS"], "w").write({entry!r})
assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one benchmark, whose results are committed, and where it is twice as slow since."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    slow = json.loads(json.dumps(ENTRY))
    slow["rows"][0]["products"] = [20, 20, 20]
    (folder / "render.py").write_text(SCRIPT.format(entry=json.dumps(slow)))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(speed, "RESULTS", folder / "results.json")
    speed.RESULTS.write_text(json.dumps({"benchmarks": {"render": ENTRY, "training": ENTRY}}))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    return tmp_path


def test_what_got_slower_since_the_commit_is_said_and_kept(checkout: Path) -> None:
    said: list[str] = []
    bench.bench(["render"], say=said.append)
    assert said[-1] == "  render: a circle: 100 % slower (spread 10 %)"
    entries = speed.read_results()
    assert list(entries) == ["render", "training"]
    assert entries["render"]["rows"][0]["products"] == [20, 20, 20]
    bench.bench(["render"], say=said.append)  # still beside the commit, not beside the run before
    assert said[-1] == "  render: a circle: 100 % slower (spread 10 %)"


def test_without_git_nothing_is_compared(checkout: Path) -> None:
    (checkout / ".git").rename(checkout / "elsewhere")
    said: list[str] = []
    bench.bench(["render"], say=said.append)
    assert said[-1] == "  render: can't compare: no committed results"


def test_a_script_that_fails_is_named_and_changes_nothing(checkout: Path) -> None:
    (checkout / "benchmarks" / "notebooks.py").write_text(
        "import sys; sys.exit(sys.argv[1:] != ['--profile', 'smoke'])"
    )
    before = speed.RESULTS.read_bytes()
    with pytest.raises(DataError, match=r"notebooks\.py: ended with exit code 1"):
        bench.bench(["notebooks"], profile="class", say=lambda _: None)
    with pytest.raises(DataError, match=r"notebooks\.py: ended with exit code 0"):  # and reported nothing
        bench.bench(["notebooks"], say=lambda _: None)
    assert speed.RESULTS.read_bytes() == before


def test_unknown_names_are_refused_before_any_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "render", "rendering"]) == 2
    assert "rendering: is no benchmark. Choose from landmarks, render" in capsys.readouterr().err
    assert speed.read_results()["render"] == ENTRY


def test_every_usual_benchmark_has_its_script() -> None:
    for name in bench.USUAL:
        assert (paths.ROOT / "benchmarks" / f"{name}.py").is_file()

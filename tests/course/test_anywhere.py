"""Buttons lead to the course where its address is known; the installing cell installs where the course is missing."""

import os
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from microx_utils.course import anywhere
from microx_utils.course.outline import load_course
from microx_utils.support import paths

COURSE = load_course()


def test_buttons_lead_to_the_course_once_its_address_is_set() -> None:
    known = anywhere.buttons(replace(COURSE, repository="https://github.com/a/b"))
    assert "](https://mybinder.org/v2/gh/a/b/HEAD?urlpath=lab/tree/exercises/00_start_here.ipynb)" in known
    assert "](https://colab.research.google.com/github/a/b/blob/HEAD/exercises/00_start_here.ipynb)" in known
    assert "](https://codespaces.new/a/b)" in known
    assert "course.toml" not in known


def test_buttons_without_an_address_say_where_to_set_it() -> None:
    unknown = anywhere.buttons(replace(COURSE, repository=""))
    assert "](https://mybinder.org)" in unknown
    assert unknown.endswith(anywhere.NOT_SET)
    assert "OWNER" not in unknown


BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "microx_utils-0.0.0-py3-none-any.whl"
    info = "microx_utils-0.0.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: microx_utils\\nVersion: 0.0.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name

build_wheel = build_editable
"""
"""Packages the stand-in for the course without downloading a build tool."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository laid out like this one, whose package needs nothing."""
    folder = tmp_path / "origin"
    for name, text in {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        "microx_utils/__init__.py": "",
        "exercises/00_start_here.ipynb": "{}",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*git, *command], check=True)
    return folder


def run_cell(python: Path | str, cell: str, folder: Path) -> str:
    """Run the cell, then import the package; return where it was found, and the folder one is in."""
    code = f"{cell}\nimport microx_utils\nprint(microx_utils.__file__)\nprint(os.getcwd())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    outcome = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_the_cell_installs_the_course_into_an_empty_environment(clone: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    cell = anywhere.installing_cell(clone.as_uri())
    found = f"{tmp_path / 'microx' / 'microx_utils' / '__init__.py'}\n{tmp_path / 'microx' / 'exercises'}\n"
    assert run_cell(python, cell, tmp_path).replace("\r", "") == found
    installed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "microx_utils" in installed


def test_the_cell_does_nothing_where_the_course_is_installed(tmp_path: Path) -> None:
    found = run_cell(sys.executable, anywhere.installing_cell("no://where"), tmp_path)
    assert found.splitlines()[1] == str(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_the_cell_asks_for_an_address_that_is_not_known() -> None:
    assert 'input("The address' in anywhere.installing_cell("")
    compile(anywhere.installing_cell(""), "cell", "exec")


def test_the_dev_container_uses_what_the_repository_has() -> None:
    text = (paths.ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    assert "$(cat apt.txt)" in text and (paths.ROOT / "apt.txt").is_file()
    assert '"make doctor"' in text

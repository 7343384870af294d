"""The doctor: what is missing fails, what merely differs is a note, and every problem comes with a remedy."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from microx_utils.support import paths
from microx_utils.tools import doctor
from microx_utils.tools.doctor import MISSING, NOTE, OK, Check


def test_pins_of_this_interpreter_only() -> None:
    text = "# made by\nNumPy==2.4.6\npywinpty==3 ; os_name == 'no'\n\nsix==1.17.0 ; python_version >= '3'  # why\n"
    assert doctor.read_pins(text) == {"numpy": "2.4.6", "six": "1.17.0"}


def test_pins_without_their_checksums() -> None:
    text = "six==1.17.0 ; python_version >= '3' \\\n    --hash=sha256:4f0 \\\n    --hash=sha256:a1b\nnumpy==2.4.6\n"
    assert doctor.read_pins(text) == {"six": "1.17.0", "numpy": "2.4.6"}


def test_requirements_pin_what_the_package_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = doctor.read_pins((paths.ROOT / "requirements.txt").read_text(encoding="utf-8"))
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        pinned = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pinned), f"{text} is pinned at {pinned}: run `make lock`"


def test_packages_missing_and_differing(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("numpy==0.0.1\nno-such-package-here==1\n", encoding="utf-8")
    missing, other = doctor.check_packages(path)
    assert (missing.state, other.state) == (MISSING, NOTE)
    assert "no-such-package-here" in missing.found
    assert "(pinned 0.0.1)" in other.found
    assert "pip install -r" in missing.remedy
    (absent,) = doctor.check_packages(tmp_path / "none.txt")
    assert absent.state == MISSING


def test_python_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_python().state == OK
    monkeypatch.setattr(doctor, "PYTHON_RANGE", ((3, 8), (3, 9)))
    assert doctor.check_python().state == MISSING


def failing_import(message: str) -> SimpleNamespace:
    return SimpleNamespace(returncode=1, stdout="", stderr=f"Traceback\nImportError: {message}\n")


def test_opencv_without_its_system_library(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failing_import(message))
    check = doctor.check_opencv()
    assert (check.state, "libgl1" in check.remedy) == (MISSING, True)
    assert check.found == f"ImportError: {message}"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failing_import("No module named 'cv2'"))
    assert "--force-reinstall" in doctor.check_opencv().remedy


def test_opencv_imports_here() -> None:
    assert doctor.check_opencv().state == OK


def test_data_of_a_checkout(tmp_path: Path) -> None:
    sample, baum = doctor.check_data(tmp_path)
    assert (sample.state, baum.state) == (MISSING, OK)
    assert "microx data render" in sample.remedy
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "a.mp4").touch()
    sheet = tmp_path / "raw" / "BAUM-2" / "Annotations.xlsx"
    sheet.parent.mkdir(parents=True)
    sheet.touch()
    sample, baum = doctor.check_data(tmp_path)
    assert (sample.state, sample.found) == (OK, "1 clips in data/sample")
    assert "Annotations.xlsx" in baum.found


def test_low_memory_and_disk_are_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MEMORY_GIB", 1e6)
    monkeypatch.setattr(doctor, "DISK_GIB", 1e9)
    checks = {check.name: check for check in doctor.check_machine(tmp_path)}
    assert checks["memory"].state == checks["disk"].state == NOTE
    assert "PROFILE=smoke" in checks["memory"].remedy
    assert "MICROX_PROCESSED" in checks["disk"].remedy


def test_a_cache_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.paths, "PROCESSED", tmp_path / "not" / "yet")
    assert doctor.check_cache().state == doctor.OK
    (tmp_path / "file").touch()
    monkeypatch.setattr(doctor.paths, "PROCESSED", tmp_path / "file" / "processed")
    check = doctor.check_cache()
    assert (check.state, check.found.endswith("file is a file")) == (doctor.MISSING, True)
    assert "MICROX_PROCESSED" in check.remedy


def test_output_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.paths, "FIGURES", paths.ROOT / "figures")
    monkeypatch.setattr(doctor.paths, "BUILD", tmp_path / "build")
    assert doctor.check_output() == Check("output", doctor.OK, f"figures in figures, notebooks in {tmp_path}/build")
    monkeypatch.delattr(doctor.paths, "BUILD")
    monkeypatch.setenv("MICROX_OUTPUT", "here")
    check = doctor.check_output()
    assert (check.state, "MICROX_OUTPUT=here" in check.found) == (doctor.MISSING, True)
    assert check.remedy.startswith("Set MICROX_OUTPUT")


def test_openface_that_is_asked_for_and_absent_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_program", lambda: None)
    monkeypatch.delenv("MICROX_LANDMARKS", raising=False)
    assert doctor.check_openface().state == doctor.OK
    monkeypatch.setenv("MICROX_LANDMARKS", "openface")
    assert doctor.check_openface().state == doctor.NOTE


def test_broken_driver_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: str(tmp_path / "nvidia-smi"))
    assert doctor.check_gpu().state == NOTE


def test_report_and_verdict() -> None:
    fine = [Check("a", OK, "here"), Check("b", NOTE, "odd", "Look.")]
    assert doctor.healthy(fine)
    assert doctor.report(fine).endswith("The course has all it needs.")
    broken = [*fine, Check("c", MISSING, "gone", "Fetch it.")]
    assert not doctor.healthy(broken)
    assert "-> Fetch it." in doctor.report(broken)
    assert doctor.report(broken).endswith("see above.")


def test_every_problem_found_here_has_a_remedy() -> None:
    assert all(check.remedy for check in doctor.examine() if check.state != OK)
    assert {check.name for check in doctor.examine()} >= {"Python", "packages", "OpenCV", "memory", "disk", "sample"}
    assert sys.version_info[:2] >= doctor.PYTHON_RANGE[0]

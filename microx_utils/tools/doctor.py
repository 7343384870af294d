"""What this machine has and lacks for the course: versions, memory, disk, drawing libraries, data."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from microx_utils import landmarks
from microx_utils.corpora import CORPORA
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.trackers.openface_program import find_program

OK, NOTE, MISSING = "ok", "note", "MISSING"
"""A note is worth reading; only something missing makes `microx doctor` fail."""

PYTHON_RANGE = ((3, 11), (3, 14))
MEMORY_GIB = 8
"""One notebook of a cold class run reached 6 GiB, mapped files included; two run at a time."""
DISK_GIB = 3
"""Cached crops and runs of the class profile, and executed notebooks."""
GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One line of the report; `remedy` says what to do unless all is well."""

    name: str
    state: str
    found: str
    remedy: str = ""


def read_pins(text: str) -> dict[str, str]:
    """Return package -> version of a requirements file for this interpreter, markers applied.

    >>> read_pins("# a comment\\nnumpy==2.4.6\\npywinpty==3.1 ; os_name == 'never'")
    {'numpy': '2.4.6'}
    """
    pins: dict[str, str] = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            pins[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return pins


def check_python() -> Check:
    """Check the interpreter's version."""
    low, high = PYTHON_RANGE
    found = f"{platform.python_version()} at {sys.executable}"
    if low <= sys.version_info[:2] < high:
        return Check("Python", OK, found)
    return Check(
        "Python", MISSING, found, "TensorFlow has wheels for Python 3.11 to 3.13: make a .venv with one of them."
    )


def check_packages(requirements: Path) -> list[Check]:
    """Compare what is installed with the pins: missing packages are missing, other versions a note."""
    if not requirements.is_file():
        return [Check("packages", MISSING, f"no {requirements.name}", "Restore it with git, or run `make lock`.")]
    absent, other = [], []
    pins = read_pins(requirements.read_text(encoding="utf-8"))
    for name, pinned in pins.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
            continue
        if version != pinned:
            other.append(f"{name} {version} (pinned {pinned})")
    checks = []
    install = f"Run `pip install -r {requirements.name}`, or remove .venv and run `make doctor`."
    if absent:
        checks.append(Check("packages", MISSING, f"not installed: {', '.join(absent)}", install))
    if other:
        checks.append(
            Check("packages", NOTE, f"other versions: {', '.join(other)}", f"Numbers may differ a little. {install}")
        )
    return checks or [Check("packages", OK, f"all {len(pins)} as pinned in {requirements.name}")]


def check_opencv() -> Check:
    """Import OpenCV in a process of its own: on a bare Linux it lacks a system library."""
    outcome = subprocess.run(
        [sys.executable, "-c", "import cv2; print(cv2.__version__)"], capture_output=True, text=True, check=False
    )
    if outcome.returncode == 0:
        return Check("OpenCV", OK, f"{outcome.stdout.strip()} imports")
    problem = outcome.stderr.strip().splitlines()[-1] if outcome.stderr.strip() else f"exit code {outcome.returncode}"
    remedy = "Reinstall it: `pip install --force-reinstall --no-deps opencv-python`."
    if "libGL" in problem or "libgthread" in problem:
        remedy = "Install the system libraries (Debian, Ubuntu: `apt-get install libgl1 libglib2.0-0`)."
    return Check("OpenCV", MISSING, problem, remedy)


def check_machine(folder: Path) -> list[Check]:
    """Report cores, memory, disk space at `folder` and a graphics processor."""
    memory = psutil.virtual_memory()
    low = memory.available < MEMORY_GIB * GIB
    free = shutil.disk_usage(folder).free
    return [
        Check("cores", OK, f"{os.cpu_count()} on {platform.system()} {platform.machine()}"),
        Check(
            "memory",
            NOTE if low else OK,
            f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}",
            f"The class profile is comfortable with {MEMORY_GIB} GiB free: close other programs, or use PROFILE=smoke."
            if low
            else "",
        ),
        Check(
            "disk",
            NOTE if free < DISK_GIB * GIB else OK,
            f"{free / GIB:.1f} GiB free at {folder}",
            f"Caches want {DISK_GIB} GiB: make room, or point MICROX_PROCESSED at another disk."
            if free < DISK_GIB * GIB
            else "",
        ),
        check_gpu(),
    ]


def check_gpu() -> Check:
    """Ask the NVIDIA driver; the course needs no graphics processor, the paper profile does."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("GPU", OK, "none found; only the paper profile needs one")
    try:
        query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        outcome = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
    except (subprocess.SubprocessError, OSError) as error:
        return Check(
            "GPU", NOTE, f"nvidia-smi fails ({error})", "Only the paper profile needs a GPU: repair its driver."
        )
    return Check(
        "GPU",
        OK,
        f"{'; '.join(outcome.stdout.strip().splitlines())} (for TensorFlow: `pip install tensorflow[and-cuda]`)",
    )


def check_data(data: Path) -> list[Check]:
    """Look for the sample and for the reader's own copies of real corpora under `data`/raw."""
    clips = sorted((data / "sample").rglob("*.mp4"))
    if clips:
        checks = [Check("sample", OK, f"{len(clips)} clips in data/sample")]
    else:
        remedy = "Restore it with git, or run `microx data render` (takes a while)."
        checks = [Check("sample", MISSING, "no clips in data/sample", remedy)]
    raw = data / "raw"
    found = [name for name in CORPORA if (raw / name).is_dir()]
    found += [str(each.relative_to(raw)) for each in sorted(raw.rglob("Annotations*.xlsx"))] if raw.is_dir() else []
    if found:
        checks.append(Check("corpora", OK, f"in data/raw: {', '.join(found)}"))
    else:
        checks.append(
            Check("corpora", OK, "none in data/raw, and none needed; `microx data list` says how to get some")
        )
    return checks


def check_cache() -> Check:
    """Look whether stage outputs can be kept where MICROX_PROCESSED, or the default, says."""
    folder = paths.PROCESSED
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        return Check("cache", OK, f"{shutil.disk_usage(there).free / GIB:.1f} GiB free for {folder}")
    problem = f"nothing can be written to {folder}: {there} is {'not writable' if there.is_dir() else 'a file'}"
    return Check("cache", MISSING, problem, "Set MICROX_PROCESSED to a folder that you can write to.")


def check_openface() -> Check:
    """Look for OpenFace, one of the landmark trackers; the course has its own."""
    try:
        program = find_program()
    except DataError as error:
        return Check("OpenFace", NOTE, f"{error.path}: {error.problem}", error.remedy)
    if program is None and os.environ.get(landmarks.TRACKER_VARIABLE) == "openface":
        remedy = f"Install it, import its tables (microx landmarks import), or unset {landmarks.TRACKER_VARIABLE}."
        return Check("OpenFace", NOTE, f"not found, though {landmarks.TRACKER_VARIABLE} asks for it", remedy)
    return Check("OpenFace", OK, "not found, and not needed" if program is None else str(program))


def examine(root: Path = paths.ROOT) -> list[Check]:
    """Return all checks for a checkout; takes about a second."""
    return [
        check_python(),
        *check_packages(root / "requirements.txt"),
        check_opencv(),
        *check_machine(root),
        check_cache(),
        check_openface(),
        *check_data(root / "data"),
    ]


def healthy(checks: list[Check]) -> bool:
    """Return True unless something that the course needs is missing."""
    return all(check.state != MISSING for check in checks)


def report(checks: list[Check]) -> str:
    """Return the checks as lines of text, each problem with its remedy below it."""
    lines = []
    for check in checks:
        lines.append(f"{check.state:<8}{check.name:<10}{check.found}")
        if check.remedy:
            lines.append(f"{'':<18}-> {check.remedy}")
    lines.append("\nAll that the course needs is here." if healthy(checks) else "\nSomething is missing: see above.")
    return "\n".join(lines)

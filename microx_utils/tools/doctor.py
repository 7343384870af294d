"""What this machine has and lacks for the course: versions, memory, disk, drawing libraries, data."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tqdm import tqdm

from microx_utils import landmarks
from microx_utils.corpora import CORPORA
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError
from microx_utils.trackers.openface_program import find_program

OK, NOTE, MISSING = "ok", "note", "MISSING"
"""A note is worth reading; only a missing thing makes `microx doctor` fail."""

PYTHON_RANGE = ((3, 11), (3, 14))
MEMORY_GIB = 8
"""One notebook of a cold class run reached 6 GiB, mapped files included; two run at a time."""
DISK_GIB = 3
"""Cached crops and runs of the class profile, and executed notebooks."""
GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One line of the report; `remedy` says what to do, and is empty if nothing is wrong."""

    name: str
    state: str
    found: str
    remedy: str = ""


def read_pins(text: str) -> dict[str, str]:
    """Return package -> version of a requirements file for this interpreter, markers applied, checksums left out.

    >>> read_pins("# a comment\\nnumpy==2.4.6\\npywinpty==3.1 ; os_name == 'never'")
    {'numpy': '2.4.6'}
    """
    pins: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = line.split("#")[0].split(" --hash=")[0].strip()
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
    remedy = "TensorFlow has wheels for Python 3.11 to 3.13: make a .venv with one of them."
    return Check("Python", MISSING, found, remedy)


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
        remedy = f"Numbers may differ slightly. {install}"
        checks.append(Check("packages", NOTE, f"other versions: {', '.join(other)}", remedy))
    return checks or [Check("packages", OK, f"all {len(pins)} as pinned in {requirements.name}")]


def check_opencv() -> Check:
    """Import OpenCV in a separate process: on a minimal Linux it lacks a system library."""
    command = [sys.executable, "-c", "import cv2; print(cv2.__version__)"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode == 0:
        return Check("OpenCV", OK, f"{outcome.stdout.strip()} imports")
    problem = outcome.stderr.strip().splitlines()[-1] if outcome.stderr.strip() else f"exit code {outcome.returncode}"
    remedy = "Reinstall it: `pip install --force-reinstall --no-deps opencv-python`."
    if "libGL" in problem or "libgthread" in problem:
        remedy = "Install the system libraries (Debian, Ubuntu: `apt-get install libgl1 libglib2.0-0`)."
    return Check("OpenCV", MISSING, problem, remedy)


def check_machine(folder: Path) -> list[Check]:
    """Report cores, memory, disk space at `folder` and a graphics processor."""
    memory, free = psutil.virtual_memory(), shutil.disk_usage(folder).free
    checks = [
        Check("cores", OK, f"{os.cpu_count()} on {platform.system()} {platform.machine()}"),
        Check("memory", OK, f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}"),
        Check("disk", OK, f"{free / GIB:.1f} GiB free at {folder}"),
        check_gpu(),
    ]
    if memory.available < MEMORY_GIB * GIB:
        remedy = f"The class profile needs {MEMORY_GIB} GiB: close other programs, or use PROFILE=smoke."
        checks[1] = replace(checks[1], state=NOTE, remedy=remedy)
    if free < DISK_GIB * GIB:
        remedy = f"Caches need {DISK_GIB} GiB: free some space, or set MICROX_PROCESSED to another disk."
        checks[2] = replace(checks[2], state=NOTE, remedy=remedy)
    return checks


def check_gpu() -> Check:
    """Ask the NVIDIA driver; the course needs no graphics processor, the paper profile does."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("GPU", OK, "none found; only the paper profile needs one")
    try:
        query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        outcome = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
    except (subprocess.SubprocessError, OSError) as error:
        remedy = "Only the paper profile needs a GPU: repair its driver."
        return Check("GPU", NOTE, f"nvidia-smi fails ({error})", remedy)
    found = "; ".join(outcome.stdout.strip().splitlines())
    return Check("GPU", OK, f"{found} (for TensorFlow: `pip install tensorflow[and-cuda]`)")


def check_data(data: Path) -> list[Check]:
    """Look for the sample and for copies of real corpora under `data`/raw."""
    sample = Check("sample", OK, f"{len(list((data / 'sample').rglob('*.mp4')))} clips in data/sample")
    if sample.found.startswith("0 "):
        remedy = "Restore it with git, or run `microx data render` (takes a while)."
        sample = Check("sample", MISSING, "no clips in data/sample", remedy)
    raw = data / "raw"
    found = [name for name in CORPORA if (raw / name).is_dir()]
    found += [str(each.relative_to(raw)) for each in sorted(raw.rglob("Annotations*.xlsx"))] if raw.is_dir() else []
    none = "none in data/raw, and none needed; `microx data list` says how to get some"
    return [sample, Check("corpora", OK, f"in data/raw: {', '.join(found)}" if found else none)]


def check_cache() -> Check:
    """Check that stage outputs can be written to MICROX_PROCESSED, or to the default folder."""
    try:
        folder = paths.writable(paths.PROCESSED, "MICROX_PROCESSED")
    except DataError as error:
        return Check("cache", MISSING, f"{error.path} {error.problem}", error.remedy)
    return Check("cache", OK, f"{shutil.disk_usage(paths.nearest(folder)).free / GIB:.1f} GiB free for {folder}")


def check_output() -> Check:
    """Check that figures and executed notebooks can be written."""
    try:
        return Check("output", OK, f"figures in {paths.short(paths.FIGURES)}, notebooks in {paths.short(paths.BUILD)}")
    except DataError as error:
        return Check("output", MISSING, f"{error.path} {error.problem}", error.remedy)


def check_kept(folder: Path) -> Check:
    """Compare every byte of what is kept between runs with its checksums; minutes for a large cache."""
    places = cache.kept_places(folder)
    found = [(place, cache.damage(place, deep=True)) for place in tqdm(places, desc="checking", unit="result")]
    bad = [f"{place.relative_to(folder)}: {problem}" for place, problem in found if problem]
    if not bad:
        return Check("kept", OK, f"{len(places)} results, all as they were written")
    more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    remedy = f"Delete them in {folder}, and they are made again."
    return Check("kept", MISSING, f"damaged: {'; '.join(bad[:5])}{more}", remedy)


def check_openface() -> Check:
    """Look for OpenFace, an optional landmark tracker."""
    try:
        program = find_program()
    except DataError as error:
        return Check("OpenFace", NOTE, f"{error.path}: {error.problem}", error.remedy)
    if program is None and os.environ.get(landmarks.TRACKER_VARIABLE) == "openface":
        remedy = f"Install it, import its tables (microx landmarks import), or unset {landmarks.TRACKER_VARIABLE}."
        return Check("OpenFace", NOTE, f"not found, though {landmarks.TRACKER_VARIABLE} asks for it", remedy)
    return Check("OpenFace", OK, "not found, and not needed" if program is None else str(program))


def examine(root: Path = paths.ROOT, *, deep: bool = False) -> list[Check]:
    """Return all checks for a checkout; takes about a second, or as long as it takes to read the cache if `deep`."""
    kept = check_cache()
    return [
        check_python(),
        *check_packages(root / "requirements.txt"),
        check_opencv(),
        *check_machine(root),
        kept,
        *([check_kept(paths.PROCESSED)] if deep and kept.state == OK else []),
        check_output(),
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
    lines.append("\nThe course has all it needs." if healthy(checks) else "\nSomething is missing: see above.")
    return "\n".join(lines)

"""OpenFace's own program, FeatureExtraction: where it is, and one start of it over several videos.

Nothing here installs OpenFace, whose licence is for research only. It is searched for in the environment variable
OPENFACE_BIN, on the PATH, and in a container image that docker or podman already has.

Its exit code says little: it is 0 even for a video that can't be opened. So a start only reports how the program ended
and what it printed; what counts is which CSVs it wrote, and `openface.run_openface` reads those.
"""

import csv
import io
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from microx_utils.support import paths
from microx_utils.support.errors import DataError

NAMES = ("FeatureExtraction", "FeatureExtraction.exe")
FLAGS = ("-2Dfp", "-3Dfp", "-pose", "-aus", "-gaze", "-au_static")
"""What is asked for. Without `-au_static`, eleven of the 17 action-unit intensities are measured from the clip's own
median, and a clip of two seconds mostly is the expression: a rendered AU09 of .51 was reported as .05."""
IMAGE = "algebr/openface"
IMAGE_BINARY = "/home/openface-build/build/bin/FeatureExtraction"

HOW_TO_GET = (
    "Install OpenFace 2.2 and set OPENFACE_BIN to its FeatureExtraction, or fetch an image that has it "
    f"(docker pull {IMAGE}), or import CSVs that were made elsewhere: microx landmarks import FOLDER."
)

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one program per core, with no further threads
_SAID = 300  # characters of the end of the output that are worth quoting
_POLL = 0.1  # s


@dataclass(frozen=True)
class Program:
    """How to start OpenFace: a program's path, or docker or podman, the image, and the program's path in it."""

    path: str
    image: str = ""
    binary: str = ""

    def __str__(self) -> str:
        return f"{self.binary} in the image {self.image}, by {self.path}" if self.image else self.path


def find_program() -> Program | None:
    """Return how OpenFace can be started here, or None.

    In this order: the program, or its folder, that OPENFACE_BIN names; the container image that OPENFACE_IMAGE names;
    FeatureExtraction on the PATH; the image algebr/openface, if docker or podman has it. A container's program is
    OPENFACE_IMAGE_BIN or else /home/openface-build/build/bin/FeatureExtraction. Nothing is ever downloaded. No image
    has been tested: the program's path in it, and the user it runs as, are taken from its users' reports.

    Raises
    ------
    DataError
        OPENFACE_BIN or OPENFACE_IMAGE is set and can't be used: an explicit setting is never silently ignored.
    """
    wanted = os.environ.get("OPENFACE_BIN")
    if wanted:
        return Program(_wanted_program(wanted))
    for name in () if os.environ.get("OPENFACE_IMAGE") else NAMES:
        found = shutil.which(name)
        if found:
            return Program(str(Path(found).absolute()))  # the PATH may hold relative folders
    return _find_container()


def _wanted_program(wanted: str) -> str:
    place = paths.typed(wanted).absolute()
    for candidate in [place / name for name in NAMES] if place.is_dir() else [place]:
        if shutil.which(str(candidate)):
            return str(candidate)
    problem = "OPENFACE_BIN names no file" if not place.exists() else "OPENFACE_BIN names a file that is not executable"
    if place.is_dir():
        problem = "OPENFACE_BIN names a folder without an executable FeatureExtraction"
    raise DataError(wanted, problem, "Set it to OpenFace's program FeatureExtraction, or unset it.")


def _find_container() -> Program | None:
    wanted = os.environ.get("OPENFACE_IMAGE")
    image = wanted or IMAGE
    problem = "neither docker nor podman is on the PATH"
    for tool in filter(None, map(shutil.which, ("docker", "podman"))):
        problem = _lacks_image(tool, image)
        if not problem:
            return Program(str(Path(tool).absolute()), image, os.environ.get("OPENFACE_IMAGE_BIN") or IMAGE_BINARY)
    if wanted:
        raise DataError(wanted, f"OPENFACE_IMAGE can't be used: {problem}", f"Fetch it (docker pull {wanted}).")
    return None


def _lacks_image(tool: str, image: str) -> str:
    """Return why a container tool can't start an image now; empty if it can."""
    try:
        outcome = subprocess.run([tool, "image", "inspect", image], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return "" if outcome.returncode == 0 else f"{tool} says {_last_words(outcome.stderr) or 'nothing'}"


@dataclass(frozen=True)
class Ended:
    """How a start ended: the exit code (negative: a signal's number; None: stopped by us) and the end of the output.

    `timed_out` if no new CSV was begun for too long.
    """

    code: int | None
    timed_out: bool
    said: str

    @property
    def faulty(self) -> bool:
        """Whether the exit code means a fault of the program (no models) or of the container, not of a clip."""
        return self.code in (1, 125, 126, 127)

    def __str__(self) -> str:
        if self.timed_out:
            how = "was stopped because it took too long"
        elif self.code is None:
            how = "was stopped"
        elif self.code < 0 or self.code > 128:  # a container's 128 + n is a signal as well
            how = f"was killed by {_signal_name(-self.code if self.code < 0 else self.code - 128)}"
        else:
            how = f"ended with exit code {self.code}"
        return how + (f" and said: {self.said}" if self.said else " and said nothing")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def start(
    program: Program,
    videos: Sequence[Path],
    folder: Path,
    *,
    patience: float,
    stop: threading.Event,
    begun: Callable[[int], None],
) -> Ended:
    """Start OpenFace once over some videos; the CSV of number k, if any, is `folder / "out" / f"{k:04d}.csv"`.

    The program sees each video under a number: it names its CSVs after the videos, two of which may share a name, and
    a name in another alphabet may not survive every locale.

    Parameters
    ----------
    folder
        Where to work; made here, and left for the caller to remove.
    patience
        Stop the program when no further CSV was begun for this many seconds.
    stop
        Stop the program when this is set.
    begun
        Called regularly with the number of CSVs begun.

    Raises
    ------
    DataError
        The program can't be started at all.
    """
    out, name = folder / "out", f"microx-openface-{uuid.uuid4().hex[:12]}"
    out.mkdir(parents=True)
    links = [f"{number:04d}{video.suffix}" for number, video in enumerate(videos)]
    if program.image:
        command = _container_command(program, name, dict(zip(links, videos, strict=True)), folder)
        inputs = [f"/videos/{link}" for link in links]
    else:
        command, inputs = [program.path], [f"in/{link}" for link in links]
        (folder / "in").mkdir()
        for link, video in zip(links, videos, strict=True):
            _link(folder / "in" / link, video.resolve())
    command += [word for each in inputs for word in ("-f", each)]
    command += [*FLAGS, "-out_dir", "out"]  # relative to the working folder: the same in a container
    with (folder / "said.txt").open("w+b") as said:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | _ONE_THREAD,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C then reaches only this process, which stops the program
            )
        except OSError as error:
            raise DataError(program.path, f"OpenFace can't be started ({error})", HOW_TO_GET) from error
        try:
            timed_out = _watch(process, out, patience, stop, begun)
            code = None if process.poll() is None else process.returncode
        finally:
            if process.poll() is None:
                _end(process, program, name)
        said.seek(0)
        return Ended(code, timed_out, _last_words(said.read().decode(errors="replace")))


def _container_command(program: Program, name: str, videos: dict[str, Path], folder: Path) -> list[str]:
    """Return `docker run ...` up to the program's own arguments; every video is mounted read-only, and nothing else."""
    command = [program.path, "run", "--rm", "--name", name, "--pull", "never", "--network", "none"]
    command += ["--security-opt", "label=disable"]  # SELinux: otherwise mounts must be relabelled
    if "podman" not in Path(program.path).name and hasattr(os, "getuid"):  # podman's root is the caller already
        command += ["--user", f"{os.getuid()}:{os.getgid()}"]
    command += [word for variable, value in _ONE_THREAD.items() for word in ("--env", f"{variable}={value}")]
    for link, video in videos.items():  # the files, not their folders: the target of a link may lie elsewhere
        command += ["--mount", _mount(video, f"/videos/{link}", "readonly")]
    command += ["--mount", _mount(folder, "/work"), "--workdir", "/work"]
    return [*command, "--entrypoint", program.binary, program.image]


def _mount(source: Path, target: str, *options: str) -> str:
    """Return the value of --mount, which is a row of CSV: a name may contain a comma or a quote."""
    row, fields = io.StringIO(), ["type=bind", f"source={source.resolve()}", f"target={target}", *options]
    csv.writer(row, lineterminator="").writerow(fields)
    return row.getvalue()


def _link(link: Path, video: Path) -> None:
    try:
        link.symlink_to(video)
    except OSError:  # few users may make symbolic links on Windows
        shutil.copyfile(video, link)


def _watch(
    process: subprocess.Popen, out: Path, patience: float, stop: threading.Event, begun: Callable[[int], None]
) -> bool:
    """Wait until the program ends or must be stopped; return whether it took too long."""
    count, since = 0, time.monotonic()
    while True:
        try:
            process.wait(_POLL)
            return False
        except subprocess.TimeoutExpired:
            pass
        now = sum(1 for _ in out.glob("*.csv"))
        if now != count:
            count, since = now, time.monotonic()
            begun(count)
        if stop.is_set():
            return False
        if time.monotonic() - since > patience:
            return True


def _end(process: subprocess.Popen, program: Program, name: str) -> None:
    """Stop a program and its children; a container outlives the command that started it, so it is removed by name."""
    if program.image:
        with suppress(OSError, subprocess.SubprocessError):  # the command itself is stopped below in any case
            subprocess.run([program.path, "rm", "--force", name], capture_output=True, timeout=60)
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, number)
            else:
                process.terminate()
            process.wait(3)  # then the next signal: the first may have been ignored
        except (ProcessLookupError, PermissionError):
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _last_words(text: str) -> str:
    """Return the end of a program's output, on one line."""
    words = " ".join(text.split())
    return words if len(words) <= _SAID else f"... {words[-_SAID:]}"

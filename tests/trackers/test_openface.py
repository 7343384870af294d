"""OpenFace's program over a corpus, played by `fake_openface.py` as a process of its own: no clip harms another."""

import gzip
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from microx_utils import corpora, landmarks
from microx_utils.landmarks import action_units, clip_landmarks, kept_table, read_openface_csv, success_array
from microx_utils.support.cache import lock
from microx_utils.support.errors import DataError
from microx_utils.tools import cli, doctor
from microx_utils.trackers import openface
from microx_utils.trackers.openface_program import Program, find_program
from microx_utils.trackers.prepare import import_openface, prepare_landmarks
from microx_utils.video import Cut, iter_frames, read_frames, stored_frames, write_video

FAKE = Path(__file__).parents[1] / "fake_openface.py"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is started by a shell script")


def write_program(path: Path, *arguments: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    words = shlex.join([sys.executable, "-S", "-E", str(FAKE), *arguments])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No OpenFace, docker or podman anywhere, and a log of the starts."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("OPENFACE_BIN", "OPENFACE_IMAGE", "OPENFACE_IMAGE_BIN", "FAKE_OPENFACE_MODELS", "MICROX_LANDMARKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAKE_OPENFACE_LOG", str(tmp_path / "starts"))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The stand-in on the PATH."""
    return Program(str(write_program(tmp_path / "bin" / "FeatureExtraction")))


@pytest.fixture
def starts(tmp_path: Path) -> Callable[[], list[int]]:
    """How many videos each start was given."""

    def counts() -> list[int]:
        log = tmp_path / "starts"
        return [json.loads(line).count("-f") for line in log.read_text().splitlines()] if log.exists() else []

    return counts


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, clip_path: Path) -> dict[float, Path]:
    """Twenty different frames at 30 and at 25 frames per second."""
    folder = tmp_path_factory.mktemp("films")
    frames = [frame for _, frame in iter_frames(clip_path)][:40:2]
    for fps in (30.0, 25.0):
        write_video(folder / f"{fps:.0f}.mp4", frames, fps=fps)
    return {fps: folder / f"{fps:.0f}.mp4" for fps in (30.0, 25.0)}


@pytest.fixture
def film(tmp_path: Path, films: dict[float, Path]) -> Callable[..., Path]:
    """Make a video of twenty frames with a name; no two have the same bytes."""

    def make(name: str, fps: float = 30.0) -> Path:
        path = tmp_path / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        # a box that players skip
        box = b"free" + name.encode()
        path.write_bytes(films[fps].read_bytes() + (len(box) + 4).to_bytes(4, "big") + box)
        return path

    return make


def run(videos: Sequence[Path | str], folder: Path, **options: Any) -> tuple[list[str], dict[str, pd.DataFrame]]:
    """Each video's problem, and the tables of those without one, by path."""
    tables: dict[str, pd.DataFrame] = {}
    problems = openface.run_openface(videos, folder, tables.__setitem__, **options)
    assert {video for video, problem in problems.items() if not problem} == set(tables)
    return [problems[str(video)] for video in videos], tables


def left_behind(folder: Path) -> list[str]:
    """Temporary files and folders; checksums and locks begin with a dot too."""
    kept = (".sum", ".lock")
    return [path.name for path in folder.rglob("*") if path.name.startswith(".") and not path.name.endswith(kept)]


# --- where the program is ---


def test_nothing_is_found_on_a_bare_machine() -> None:
    assert find_program() is None
    assert "not found, and not needed" in doctor.check_openface().found


def test_the_named_program_comes_first(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_program() == program
    assert doctor.check_openface().found == program.path
    mine = write_program(tmp_path / "my OpenFace" / "FeatureExtraction")
    for named in (mine, mine.parent):
        monkeypatch.setenv("OPENFACE_BIN", str(named))
        assert find_program() == Program(str(mine))


def test_a_setting_is_never_ignored(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for named, problem in [(tmp_path / "none", "no file"), (FAKE, "not executable"), (tmp_path, "without an exec")]:
        monkeypatch.setenv("OPENFACE_BIN", str(named))
        if named == FAKE:
            FAKE.chmod(0o644)
        with pytest.raises(DataError, match=problem):
            find_program()
        assert doctor.check_openface().state == doctor.NOTE


def test_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFACE_IMAGE", "lab/openface")
    with pytest.raises(DataError, match="neither docker nor podman"):
        find_program()
    docker = write_program(tmp_path / "bin" / "docker", "--as-docker")
    with pytest.raises(DataError, match="No such image: lab/openface"):  # and it isn't fetched
        find_program()
    monkeypatch.setenv("FAKE_OPENFACE_IMAGES", "lab/openface algebr/openface")
    monkeypatch.setenv("OPENFACE_IMAGE_BIN", "/opt/FeatureExtraction")
    assert find_program() == Program(str(docker), "lab/openface", "/opt/FeatureExtraction")
    monkeypatch.delenv("OPENFACE_IMAGE")
    monkeypatch.delenv("OPENFACE_IMAGE_BIN")
    found = find_program()
    assert found is not None
    assert (found.image, found.binary) == ("algebr/openface", "/home/openface-build/build/bin/FeatureExtraction")
    monkeypatch.setenv("FAKE_OPENFACE_IMAGES", "")
    assert find_program() is None


def test_a_run_in_a_container(tmp_path: Path, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = write_program(tmp_path / "bin" / "docker", "--as-docker")
    videos = [film('a, "b"/one, two'), film("other/one")]
    problems, tables = run(videos, tmp_path / "out", program=Program(str(docker), "i", "/b"), jobs=1)
    assert problems == ["", ""]
    assert [len(table) for table in tables.values()] == [20, 20]
    (facts,) = map(json.loads, (tmp_path / "starts.docker").read_text().splitlines())
    assert facts.pop("name").startswith("microx-openface-")
    assert facts == {
        "image": "i",
        "entrypoint": "/b",
        "pull": "never",
        "mounts": ["/videos/0000.mp4", "/videos/0001.mp4", "/work"],  # readonly, readonly, not: the stand-in checks it
    }


def test_a_container_that_hangs_is_removed(tmp_path: Path, film: Callable[..., Path]) -> None:
    """It outlives the command that started it, so that ending the command isn't enough."""
    docker = write_program(tmp_path / "bin" / "docker", "--as-docker")
    problems, _ = run([film("slow")], tmp_path / "out", program=Program(str(docker), "i", "/b"), timeout_s=1)
    assert "took too long" in problems[0]
    facts, removal = map(json.loads, (tmp_path / "starts.docker").read_text().splitlines())
    assert removal == ["rm", "--force", facts["name"]]


# --- one run ---


def test_many_clips_a_start(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    videos = [film(f"clip{number}") for number in range(5)]
    problems, tables = run(videos, tmp_path / "out", jobs=1, clips_per_start=4)
    assert starts() == [4, 1]
    (first, _) = (tmp_path / "starts").read_text().splitlines()
    assert {"-2Dfp", "-3Dfp", "-pose", "-aus", "-gaze", "-out_dir"} <= set(json.loads(first))
    assert problems == [""] * 5
    assert list(tables) == [str(video) for video in videos]
    assert all(len(table) == 20 and success_array(table).all() for table in tables.values())
    assert list((tmp_path / "out").iterdir()) == []
    assert run([], tmp_path / "out") == ([], {})


def test_work_is_shared_among_the_workers(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    run([film(f"clip{number}") for number in range(5)], tmp_path / "out", jobs=2)
    assert sorted(starts()) == [2, 3]


def test_hard_names(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    names = ["S001/avi/001", "S002/avi/001", "S002/AVI/001", 'it\'s "quoted" $HOME; a, b', "Gülşen Çalık 표정 [1]"]
    problems, tables = run([film(name) for name in names], tmp_path / "out put, ü", jobs=1)
    assert problems == [""] * 5
    assert [len(table) for table in tables.values()] == [20] * 5


def test_both_dialects_and_lost_faces(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    names = ["plain", "spaced", "noface", "lost"]
    problems, tables = run([film(name) for name in names], tmp_path / "out", jobs=1)
    assert problems == [""] * 4
    plain, spaced, noface, lost = tables.values()
    assert [success_array(table).mean() for table in (plain, noface, lost)] == [1, 0, 0.5]
    pd.testing.assert_frame_equal(plain, spaced)
    assert lost["x_30"].iloc[10:].eq(lost["x_30"].iloc[9]).all()  # stale, and kept as such


@pytest.mark.parametrize(
    ("kind", "problem", "needed"),
    [
        ("unreadable", r"left no CSV; it ended with exit code 0 and said: .*Failed to open", [5, 1, 1, 1]),
        ("short", r"has 10 rows, and the video 20 frames", [5, 1]),
        ("half", r"row \d+ of \d+ has \d+ values.*exit code 1 and said: .*cv::Exception", [5, 1, 1, 1]),
        ("killed", r"row \d+ of \d+ has \d+ values.*killed by SIGKILL", [5, 1, 1, 1]),
        ("crash", r"left no CSV; it was killed by SIGSEGV", [5, 1, 1, 1]),
        ("slow", r"stopped because it took too long", [5, 1, 1, 1]),
    ],
)
def test_a_bad_clip_costs_its_neighbours_nothing(
    tmp_path: Path,
    film: Callable[..., Path],
    program: Program,
    starts: Callable[[], list[int]],
    kind: str,
    problem: str,
    needed: list[int],
) -> None:
    videos = [film(f"a{number}") for number in range(2)] + [film(kind)] + [film(f"b{number}") for number in range(2)]
    problems, _ = run(videos, tmp_path / "out", jobs=1, timeout_s=3)
    assert [not each for each in problems] == [True, True, False, True, True]
    assert re.search(problem, problems[2]), problems[2]
    assert starts() == needed


def test_files_that_are_no_videos_never_reach_the_program(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    videos = [tmp_path / "empty.mp4", film("good"), tmp_path / "text.mp4", tmp_path / "none.mp4"]
    videos.append(Path(f"{videos[1]}#t=2,1"))
    problems, _ = run(videos, tmp_path / "out", jobs=1)
    refused = [bool(re.search("0 bytes|can't be opened|no such file|is empty", problem)) for problem in problems]
    assert refused == [True, False, True, True, True]
    assert starts() == [1]


def test_a_program_without_its_models_is_named(
    tmp_path: Path,
    film: Callable[..., Path],
    program: Program,
    starts: Callable[[], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_OPENFACE_MODELS", "missing")
    for count, needed in [(3, [3, 1, 1, 1]), (9, [4, 1, 1, 1])]:
        (tmp_path / "starts").unlink(missing_ok=True)
        with pytest.raises(DataError, match=r"fails for every clip.*exit code 1 and said: .*landmark detector"):
            run([film(f"clip{k}") for k in range(count)], tmp_path / "out", jobs=1, clips_per_start=4)
        assert starts() == needed
    assert list((tmp_path / "out").iterdir()) == []


def test_a_program_that_is_none(tmp_path: Path, film: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"isn't found on this machine.*OPENFACE_BIN"):
        run([film("clip")], tmp_path / "out")
    (tmp_path / "bin" / "FeatureExtraction").write_bytes(b"\x7fELF, and cut short")
    (tmp_path / "bin" / "FeatureExtraction").chmod(0o755)
    with pytest.raises(DataError, match="can't be started"):
        run([film("clip")], tmp_path / "out")


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    """Two clips are finished when Ctrl-C comes, the third hangs; the program is gone afterwards."""
    videos = [film("one"), film("two"), film("slow"), film("four")]
    finished: list[str] = []

    def interrupt() -> None:
        folder = tmp_path / "out"
        while len(list(folder.rglob("out/*.csv"))) < 3:
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        openface.run_openface(videos, tmp_path / "out", lambda video, _: finished.append(Path(video).stem), jobs=1)
    thread.join()
    assert finished == ["one", "two"]
    assert list((tmp_path / "out").iterdir()) == []
    folders = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
    assert [folder for folder in folders if folder.startswith(str(tmp_path))] == []


def test_bad_arguments(tmp_path: Path, film: Callable[..., Path]) -> None:
    for options in ({"jobs": 0}, {"clips_per_start": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            run([film("clip")], tmp_path / "out", **options)


# --- the tracker ---


def test_real_csvs_keep_their_action_units(clip_path: Path, tmp_path: Path, program: Program) -> None:
    table = clip_landmarks(clip_path, tracker="openface", cache=tmp_path)
    real = read_openface_csv(clip_path.with_suffix(".csv"))
    pd.testing.assert_frame_equal(action_units(table), action_units(real))
    pd.testing.assert_frame_equal(
        table.filter(regex="^(x|y|gaze)_"),
        real.filter(regex="^(x|y|gaze)_")[table.filter(regex="^(x|y|gaze)_").columns],
    )
    assert len(action_units(table).columns) == 17
    assert left_behind(tmp_path / "landmarks") == []


def test_25_frames_per_second_become_30(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    video = film("clip", 25.0)
    table = clip_landmarks(video, tracker="openface", cache=tmp_path)
    assert len(table) == len(list(iter_frames(video))) == 24
    np.testing.assert_array_equal(table["pose_Tx"], stored_frames(video) + 1)
    assert table["frame"].tolist() == list(range(1, 25))
    np.testing.assert_allclose(table["timestamp"], np.arange(24) / 30, atol=1e-6)


def test_a_part_of_a_video(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    video = film("dialog", 25.0)
    part = f"{video}{Cut(0.2, 0.6, (0, 0, 50, 99)).fragment}"
    table = clip_landmarks(part, tracker="openface", cache=tmp_path)
    assert len(table) == len(list(iter_frames(part))) == 12
    assert table["pose_Tx"].tolist() == list(range(1, 13))  # OpenFace was given these twelve frames and no others
    problems, tables = run([part, video], tmp_path / "out", jobs=1)
    assert problems == ["", ""]
    assert [len(table) for table in tables.values()] == [12, 20]


def test_a_clip_without_a_face_is_no_error_here(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    assert not success_array(clip_landmarks(film("noface"), tracker="openface", cache=tmp_path)).any()


def test_a_bad_clip_is_named(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    with pytest.raises(DataError, match=r"crash\.mp4: OpenFace left no CSV; it was killed by SIGSEGV"):
        clip_landmarks(film("crash"), tracker="openface", cache=tmp_path)
    assert left_behind(tmp_path / "landmarks") == list((tmp_path / "landmarks").rglob("*.csv")) == []


def test_kept_tables_need_no_program(tmp_path: Path, film: Callable[..., Path], program: Program) -> None:
    video = film("clip")
    table = clip_landmarks(video, tracker="openface", cache=tmp_path)
    Path(program.path).unlink()
    pd.testing.assert_frame_equal(clip_landmarks(video, tracker="openface", cache=tmp_path), table)
    with pytest.raises(DataError, match=r"OpenFace isn't found.*OPENFACE_BIN.*docker.*microx landmarks import"):
        clip_landmarks(film("another"), tracker="openface", cache=tmp_path)


def test_a_corpus_is_prepared_by_few_starts_and_resumed(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    videos = [film("one", 25.0), film("killed"), film("three"), film("noface")]
    again = tmp_path / "copy.mp4"
    shutil.copyfile(videos[0], again)
    videos += [again, tmp_path / "none.mp4"]
    rows = prepare_landmarks(videos, tracker="openface", jobs=1, cache=tmp_path)
    assert (rows["problem"] == "").tolist() == [True, False, True, True, True, False]
    assert "SIGKILL" in str(rows.loc[1, "problem"])
    assert "no such file" in str(rows.loc[5, "problem"])
    assert starts() == [4, 1, 1, 1]  # the copy is no video of its own
    assert left_behind(tmp_path / "landmarks") == []
    before = len(starts())
    prepare_landmarks(videos[2:5], tracker="openface", jobs=1, cache=tmp_path)
    assert clip_landmarks(again, tracker="openface", cache=tmp_path)["pose_Tx"].max() == 20
    assert len(starts()) == before
    prepare_landmarks([*videos, film("new")], tracker="openface", jobs=1, cache=tmp_path)
    assert starts()[before:] == [2, 1, 1]  # the bad one and the new one, then each alone


PREPARE = """
import sys, time
from pathlib import Path
from microx_utils.trackers.prepare import prepare_landmarks
folder, *videos = sys.argv[1:]
Path(folder, f"ready-{time.monotonic_ns()}").touch()
while len(list(Path(folder).glob("ready-*"))) < 2:
    time.sleep(0.01)
rows = prepare_landmarks(videos, tracker="openface", jobs=2, cache=folder)
print((rows["problem"] == "").tolist())
"""


def test_two_runs_at_once_do_each_clip_once(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    videos = [film(f"clip{number}") for number in range(12)]
    command = [sys.executable, "-c", PREPARE, str(tmp_path), *map(str, videos)]
    environment = os.environ | {"PYTHONPATH": str(FAKE.parents[1])}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate(timeout=300)[0] for run in runs] == [f"{[True] * 12}\n"] * 2
    assert sum(starts()) == 12


def test_a_clip_of_a_run_that_died_is_done_by_the_one_that_waited(
    tmp_path: Path, film: Callable[..., Path], program: Program, starts: Callable[[], list[int]]
) -> None:
    videos = [film("one"), film("two")]
    with ThreadPoolExecutor(1) as thread:
        with lock(kept_table(videos[0], "openface", tmp_path)):
            rows = thread.submit(prepare_landmarks, videos, tracker="openface", jobs=1, cache=tmp_path)
            while not kept_table(videos[1], "openface", tmp_path).exists():
                time.sleep(0.01)
            assert starts() == [1]  # the other one meanwhile
            assert not rows.done()
        assert rows.result(timeout=60)["problem"].tolist() == ["", ""]
    assert starts() == [1, 1]


# --- CSVs made elsewhere ---


@pytest.fixture
def baum(film: Callable[..., Path]) -> pd.DataFrame:
    """A clip table of six clips, two of which share a video's name."""
    table = {
        "BAUM-1a/S001_001": "BAUM-1/acted/s001/S001_001",
        "BAUM-2/S001_001": "BAUM-2/S001/avi/001",
        "BAUM-2/S002_001": "BAUM-2/S002/avi/001",
        "BAUM-2/S002_002": "BAUM-2/S002/avi/002",
        "own/p01_happy_plain_1": "own/p01/happy_plain_1",
    }
    rows = [(clip_id, str(film(name, 25.0 if "002" in name else 30.0))) for clip_id, name in table.items()]
    return pd.DataFrame(rows, columns=["clip_id", "path"])


@pytest.fixture
def csvs(tmp_path: Path, film: Callable[..., Path], program: Program) -> Callable[..., Path]:
    """Make a folder of CSVs with names, each of twenty rows; all of this before the program goes."""
    made = tmp_path / "out" / "spaced.csv"
    subprocess.run([program.path, "-f", str(film("spaced")), "-out_dir", str(made.parent)], check=True)
    Path(program.path).unlink()

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "elsewhere" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(made.read_bytes()) if path.suffix == ".gz" else made.read_bytes())
        return tmp_path / "elsewhere"

    return make


@pytest.mark.parametrize(
    ("name", "clip_id"),
    [
        ("S002_001.csv", "BAUM-2/S002_001"),
        ("s002_001.CSV", "BAUM-2/S002_001"),
        ("S002/001.csv", "BAUM-2/S002_001"),
        ("S002/avi/001.csv", "BAUM-2/S002_001"),
        ("S002_avi_001.csv", "BAUM-2/S002_001"),
        ("BAUM-2/S002/S002_001.csv", "BAUM-2/S002_001"),
        ("BAUM-2/S001_001.csv", "BAUM-2/S001_001"),
        ("baum-1/S001_001.csv", "BAUM-1a/S001_001"),
        ("002.csv", "BAUM-2/S002_002"),
        ("S002_002.csv.gz", "BAUM-2/S002_002"),
        ("happy_plain_1.csv", "own/p01_happy_plain_1"),
        ("p01/happy_plain_1.csv", "own/p01_happy_plain_1"),
        ("p01_happy_plain_1.csv", "own/p01_happy_plain_1"),
        ("001.csv", "matches several clips: BAUM-2/S001_001, BAUM-2/S002_001;"),
        ("S001_001.csv", "matches several clips: BAUM-1a/S001_001, BAUM-2/S001_001;"),
        ("S003/avi/002.csv", "matches no clip"),  # 002 is unique, but whose is this one?
        ("results/S002_001.csv", "matches no clip"),
        ("Annotations.csv", "matches no clip"),
    ],
)
def test_names_of_csvs(tmp_path: Path, baum: pd.DataFrame, csvs: Callable[..., Path], name: str, clip_id: str) -> None:
    rows = import_openface(csvs(name), baum, cache=tmp_path, jobs=1)
    row = rows.iloc[0]
    if "matches" in clip_id:
        assert row["clip_id"] == ""
        assert row["problem"].startswith(clip_id)
        assert len(rows) == 6  # and every clip lacks a CSV
    else:
        assert (row["clip_id"], row["problem"]) == (clip_id, "")
        assert rows["problem"].tolist()[1:] == ["no CSV matches it"] * 4


def test_imported_landmarks_are_used_from_then_on(
    tmp_path: Path, baum: pd.DataFrame, csvs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = import_openface(csvs("S002_001.csv", "S002_002.csv"), baum, cache=tmp_path, jobs=1)
    assert rows["problem"].tolist()[:2] == ["", ""]
    monkeypatch.setenv("MICROX_LANDMARKS", "openface")
    path = baum["path"][3]
    table = clip_landmarks(path, cache=tmp_path)  # 25 frames per second
    np.testing.assert_array_equal(table["pose_Tx"], stored_frames(path) + 1)
    assert len(action_units(table).columns) == 17


def test_faults_of_an_import_are_listed(tmp_path: Path, baum: pd.DataFrame, csvs: Callable[..., Path]) -> None:
    folder = csvs("S002_001.csv", "S002/avi/001.csv", "S002_002.csv", "happy_plain_1.csv", "BAUM-2/S001_001.csv")
    (folder / "._S001_001.csv").write_bytes(b"left by a Mac")
    whole = (folder / "S002_002.csv").read_text()
    (folder / "S002_002.csv").write_text(whole[:-3])
    lines = whole.splitlines(keepends=True)
    (folder / "happy_plain_1.csv").write_text("".join(lines[:12]))
    scaled = read_openface_csv(folder / "S002_001.csv")
    scaled[list(landmarks.X_COLUMNS)] *= 100
    landmarks.write_openface_csv(scaled, folder / "BAUM-2" / "S001_001.csv")
    rows = import_openface(folder, baum, cache=tmp_path, jobs=1)
    listed = zip(map(Path, rows["csv"]), rows["problem"], strict=True)
    problems = {csv.relative_to(folder).as_posix(): str(problem) for csv, problem in listed if csv.name}
    assert problems["S002_001.csv"] == problems["S002/avi/001.csv"]
    assert "one of 2 CSVs" in problems["S002_001.csv"]
    assert problems["S002_002.csv"] == "is cut short in row 20"
    assert problems["happy_plain_1.csv"] == "has 11 rows, and the video 20 frames"
    assert "outside the video's 256 x 256 px" in problems["BAUM-2/S001_001.csv"]
    assert len(problems) == 5
    assert rows[rows["csv"] == ""]["clip_id"].tolist() == ["BAUM-1a/S001_001"]
    assert not (tmp_path / "landmarks").exists()
    (folder / "happy_plain_1.csv").write_text("".join([*lines, lines[-1]]))
    assert "rise by one" in import_openface(folder, baum, cache=tmp_path, jobs=1)["problem"].str.cat()


def test_the_csv_of_a_clip_that_is_left_out_says_why(
    tmp_path: Path, baum: pd.DataFrame, csvs: Callable[..., Path]
) -> None:
    folder = csvs("S002_001.csv", "S002_002.csv")
    excluded = baum[3:4].assign(reason="no label")
    rows = import_openface(folder, baum.drop(3), excluded=excluded, cache=tmp_path, jobs=1)
    listed = dict(zip((Path(csv).name for csv in rows["csv"]), rows["problem"], strict=True))
    assert listed["S002_001.csv"] == ""
    assert listed["S002_002.csv"] == "is of the clip BAUM-2/S002_002, which is left out: no label"


def test_names_match_in_both_of_unicodes_forms(
    tmp_path: Path, film: Callable[..., Path], csvs: Callable[..., Path]
) -> None:
    clips = pd.DataFrame({"clip_id": ["own/S\u00fcle_1"], "path": [str(film("own/S\u00fcle/1"))]})
    rows = import_openface(csvs("Su\u0308le_1.csv"), clips, cache=tmp_path, jobs=1)
    assert rows["problem"].to_list() == [""]


def test_nothing_to_import(tmp_path: Path, baum: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no such folder"):
        import_openface(tmp_path / "none", baum, cache=tmp_path)
    with pytest.raises(DataError, match="holds no CSV"):
        import_openface(tmp_path / "bin", baum, cache=tmp_path)


def test_csvs_of_a_part_of_a_video(tmp_path: Path, film: Callable[..., Path], csvs: Callable[..., Path]) -> None:
    """Made from the part as stored (10 frames at 25 per second), or from a copy at 30 (12 frames)."""
    path = f"{film('dialog', 25.0)}{Cut(0.2, 0.6).fragment}"
    clips = pd.DataFrame({"clip_id": ["MELD/d1_u2"], "path": [path]})
    csv = csvs("d1_u2.csv") / "d1_u2.csv"
    lines = csv.read_text().splitlines(keepends=True)
    for count, expected in [(10, stored_frames(path) + 1), (13, np.arange(12) + 1)]:
        csv.write_text("".join(lines[: count + 1]))
        assert import_openface(csv.parent, clips, cache=tmp_path, jobs=1)["problem"].tolist() == [""]
        table = read_openface_csv(kept_table(path, "openface", tmp_path))
        np.testing.assert_array_equal(table["pose_Tx"], expected)


# --- the command line ---


def test_commands(
    tmp_path: Path,
    baum: pd.DataFrame,
    csvs: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MICROX_LANDMARKS", "")  # the command line sets it; this puts it back
    monkeypatch.setattr(landmarks.paths, "PROCESSED", tmp_path / "processed")
    monkeypatch.setattr(corpora, "data_sources", lambda data: {"BAUM-2": tmp_path})
    monkeypatch.setattr(corpora, "load_clips", lambda data, corpora: (baum, baum.head(0).assign(reason="")))
    folder = csvs("S002_001.csv", "S002_002.csv", "stranger.csv")
    assert cli.main(["landmarks", "import", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "imported 2 of 3 CSVs, for 2 of 5 clips" in said
    assert "stranger.csv: matches no clip" in said
    assert "no CSV matches 3 clips, such as BAUM-1a/S001_001: name its CSV" in said
    assert cli.main(["landmarks", "run", "--landmarks", "openface"]) == 2
    assert "isn't found on this machine" in capsys.readouterr().err  # two tables are there, the others are not
    monkeypatch.setenv("MICROX_LANDMARKS", "mediapipe")
    assert cli.main(["landmarks", "run"]) == 2
    assert "choose from" in capsys.readouterr().err
    write_program(tmp_path / "bin" / "FeatureExtraction")
    assert cli.main(["landmarks", "run", "--landmarks", "openface", "--jobs", "1"]) == 0
    assert "landmarks by openface for 5 of 5 clips" in capsys.readouterr().out


def test_a_finished_csv_covers_its_video(openface_data: Path, tmp_path: Path) -> None:
    """Cut in its last columns, which nobody requires, a row is cut all the same."""
    text = (openface_data / "happy.csv").read_text()
    path = tmp_path / "clip.csv"
    for frames, cut in [(60, ""), (62, ""), (63, "has 60 rows, and the video 63 frames")]:
        path.write_text(text)
        if cut:
            with pytest.raises(DataError, match=cut):
                openface.read_finished_csv(path, frames)
        else:
            assert len(openface.read_finished_csv(path, frames)) == 60
    for lost, problem in ((1, "is cut short in row 60"), (2, "is cut short in row 60"), (40, "row 60 of 60 has")):
        path.write_text(text[:-lost])
        with pytest.raises(DataError, match=problem):
            openface.read_finished_csv(path, 60)
    path.write_bytes(text.replace("\n", "\r\n").encode())  # as Windows writes it
    assert len(openface.read_finished_csv(path, 60)) == 60


# --- videos that OpenFace would see otherwise ---

CASES = Path(__file__).parents[1] / "data" / "video_cases"


@pytest.mark.parametrize(("name", "as_stored"), [("hflip.mp4", False), ("anamorphic.mp4", False), ("vfr.mp4", True)])
def test_what_a_file_says_to_turn_or_widen_is_written_out_first(name: str, as_stored: bool, tmp_path: Path) -> None:
    clip = openface._readable(str(CASES / name), tmp_path / "part.mp4")
    assert clip.file == (CASES / name if as_stored else tmp_path / "part.mp4")
    if not as_stored:
        shown, given = (read_frames(path)[0].astype(int) for path in (CASES / name, clip.file))
        assert given.shape == shown.shape
        assert np.abs(given - shown).mean() < 3


def test_a_table_of_pixels_that_openface_may_have_seen_otherwise_is_refused(
    openface_data: Path, tmp_path: Path
) -> None:
    clips = pd.DataFrame({"clip_id": ["own/anamorphic"], "path": [str(CASES / "anamorphic.mp4")]})
    shutil.copy(openface_data / "happy.csv", tmp_path / "anamorphic.csv")
    (problem,) = import_openface(tmp_path, clips, cache=tmp_path / "cache", jobs=1)["problem"]
    assert "rotated, mirrored or anamorphic" in problem

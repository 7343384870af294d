"""One function over many inputs: here, in processes, and on a local cluster of two workers."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from microx_utils.course import stages
from microx_utils.crops import crop_store
from microx_utils.experiments import get_profile
from microx_utils.support import lost_clips, parallel, paths
from microx_utils.support.errors import DataError
from microx_utils.support.lost_clips import CRASHED
from microx_utils.support.parallel import cluster, run_parallel

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two worker processes on this machine."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as local:
        yield local.scheduler_address


def where(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_keep_their_order(jobs: int) -> None:
    assert [square for square, _ in run_parallel(where, [(k,) for k in range(9)], desc="squares", jobs=jobs)] == [
        k * k for k in range(9)
    ]
    assert run_parallel(where, [], desc="nothing", jobs=jobs) == []


def test_a_cluster_computes_elsewhere_and_only_inside_its_block(scheduler: str) -> None:
    calls = [(k,) for k in range(20)]
    with cluster(scheduler):
        found = run_parallel(where, calls, desc="squares", jobs=1)
        assert run_parallel(where, [], desc="nothing") == []
    assert [square for square, _ in found] == [k * k for k in range(20)]
    assert os.getpid() not in {process for _, process in found}
    assert {process for _, process in run_parallel(where, calls, desc="squares", jobs=1)} == {os.getpid()}
    with cluster(None):
        assert run_parallel(where, [(3,)], desc="squares", jobs=1) == [(9, os.getpid())]


def test_no_cluster_is_told_at_once() -> None:
    with pytest.raises(DataError, match="no Dask scheduler answers"), cluster("tcp://127.0.0.1:9"):
        pass
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as empty:
        address = empty.scheduler_address
        with pytest.raises(DataError, match="has no workers"), cluster(address):
            pass


def die(clip: str = "") -> None:
    os._exit(1)


def wait(started: str) -> None:
    Path(started).touch()
    time.sleep(60)


@contextmanager
def own_cluster(folder: Path, *, allowed_failures: int = 3) -> Iterator[tuple[str, subprocess.Popen, subprocess.Popen]]:
    """A cluster as a user starts it: the address, and the processes of its scheduler and of its only worker."""
    where = ["--scheduler-file", str(folder / "cluster.json")]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *where]
    worker = ["worker", "--no-dashboard", "--no-nanny", "--death-timeout", "60", *where]
    environment = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(allowed_failures)}
    environment["PYTHONPATH"] = str(Path(__file__).parent)  # where this file's functions are found
    command = [sys.executable, "-m", "dask"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command + scheduler, env=environment, stderr=log) as first,
        subprocess.Popen(command + worker, env=environment, stderr=log) as second,
    ):
        try:
            until((folder / "cluster.json").exists)
            address = json.loads((folder / "cluster.json").read_text())["address"]
            with distributed.Client(address, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=60)
            yield address, first, second
        finally:
            first.kill()
            second.kill()


def until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    raise TimeoutError(done)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("fault", "problem"),
    [("worker", "the cluster lost its workers"), ("scheduler", "the cluster lost its scheduler")],
)
def test_a_cluster_that_goes_is_told(fault: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PATIENCE", 1.0)
    started = tmp_path / "started"
    with own_cluster(tmp_path) as (address, scheduler, worker):

        def spoil() -> None:
            until(started.exists)
            (worker if fault == "worker" else scheduler).kill()

        threading.Thread(target=spoil, daemon=True).start()
        with pytest.raises(DataError, match=problem) as raised, cluster(address):
            run_parallel(wait, [(str(started),)], desc="waiting")
        assert "results are kept" in str(raised.value)


@pytest.fixture
def protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A single job has a process of its own, as for users; what is lost is noted in a folder of the test's."""
    monkeypatch.delenv(parallel.IN_PROCESS_VARIABLE)
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    return tmp_path


def die_of(number: int, fatal: tuple[int, ...]) -> int:
    if number in fatal:
        os.kill(os.getpid(), signal.SIGKILL)  # what a crash in a decoder does to its process
    return number * number


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fatal", [(0,), (3, 4, 39)])
def test_a_call_that_ends_its_process_is_listed_and_the_others_go_on(protected: Path, fatal: tuple[int, ...]) -> None:
    calls = [(number, fatal) for number in range(40)]
    found = run_parallel(die_of, calls, desc="dying", jobs=2, lost=str)
    assert found == [CRASHED if number in fatal else number * number for number in range(40)]


def read_or_die(clip: str) -> str:
    if "crash" in Path(clip).name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "endless" in Path(clip).name:
        while True:
            time.sleep(0.01)
    return Path(clip).read_text()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_clip_that_crashes_or_never_ends_is_lost_and_passed_over_next_time(
    protected: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(lost_clips, "LEAST_SECONDS", 3.0)
    names = ["a.mp4", "crash.mp4", "b.mp4", "endless.mp4", "c.mp4"]
    for name in names:
        (protected / name).write_text(name)
    calls = [(str(protected / name),) for name in names]
    found = run_parallel(read_or_die, calls, desc="reading", jobs=jobs, lost=str)
    assert found == ["a.mp4", CRASHED, "b.mp4", lost_clips.TOO_LONG.format(minutes=3 / 60), "c.mp4"]

    again = run_parallel(read_or_die, calls, desc="reading", jobs=jobs, lost=lambda problem: f"lost: {problem}")
    assert again[1].startswith(f"lost: {CRASHED} (in an earlier run; delete ")
    assert again[3].startswith("lost: reading it took too long")

    (protected / "crash.mp4").write_text("another file, which is tried again")
    run_parallel(read_or_die, calls[1:2], desc="reading", jobs=jobs, lost=str)
    assert len(list((protected / "lost").iterdir())) == 3
    with pytest.raises(FileNotFoundError):  # an error is no loss
        run_parallel(read_or_die, [(str(protected / "gone.mp4"),)], desc="reading", jobs=jobs, lost=str)


PROGRAM = """
import sys, time
from pathlib import Path
from microx_utils.support.parallel import run_parallel
def busy(place):
    Path(place).touch()
    time.sleep(600)
run_parallel(busy, [(f"{sys.argv[1]}/{k}",) for k in range(4)], desc="busy", jobs=2)
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_or_killed_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stderr=subprocess.DEVNULL) as program:
        until(lambda: (tmp_path / "1").exists())
        workers = psutil.Process(program.pid).children(recursive=True)
        assert len(workers) >= 2
        program.send_signal(how)
        program.wait(10)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


@pytest.mark.timeout(240)
def test_a_call_that_ends_its_process_ends_a_run_that_can_not_list_it() -> None:
    with pytest.raises(DataError, match="dying: a process died: memory ran out"):
        run_parallel(die_of, [(number, (5,)) for number in range(9)], desc="dying", jobs=2)


@pytest.mark.timeout(240)
def test_a_call_that_kills_its_worker_on_a_cluster_is_listed(tmp_path: Path, protected: Path) -> None:
    with own_cluster(tmp_path, allowed_failures=0) as (address, _, _), cluster(address):
        assert run_parallel(die, [("clip",)], desc="dying", lost=str) == [CRASHED]


@pytest.mark.timeout(240)
def test_a_call_that_kills_its_worker_is_told(tmp_path: Path) -> None:
    with (
        own_cluster(tmp_path, allowed_failures=0) as (address, _, _),
        pytest.raises(DataError, match=r"the cluster lost its workers \(KilledWorker"),
        cluster(address),
    ):
        run_parallel(die, [()], desc="dying")


@pytest.mark.timeout(240)
def test_a_worker_that_goes_with_its_result_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PATIENCE", 1.0)
    with own_cluster(tmp_path) as (address, _, worker):

        class Spoiling(queue.SimpleQueue):
            def get(self, *arguments: Any, **keywords: Any) -> Any:
                finished = super().get(*arguments, **keywords)
                worker.kill()
                worker.wait()
                return finished

        monkeypatch.setattr(parallel, "SimpleQueue", Spoiling)
        with pytest.raises(DataError, match=r"the cluster lost its workers \(NoWorkerError"), cluster(address):
            run_parallel(where, [(3,)], desc="squares")


@pytest.mark.timeout(240)
def test_a_scheduler_that_goes_between_two_calls_is_told(tmp_path: Path) -> None:
    with (
        own_cluster(tmp_path) as (address, scheduler, _),
        pytest.raises(DataError, match="the cluster lost its scheduler"),
        cluster(address),
    ):
        assert run_parallel(len, [("four",)], desc="counting") == [4]
        scheduler.kill()
        client = parallel._CLUSTER.get()
        until(lambda: client is not None and client.status == "closed")
        run_parallel(len, [("four",)], desc="counting")


def test_a_cluster_gives_the_same_store(
    scheduler: str, tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    row = {"corpus": "BAUM-2", "subject": "BAUM-2/S001", "emotion": "happy", "source_label": "happy"}
    row |= {"condition": "plain", "split_group": "BAUM-2/S001", "note": ""}
    clips = pd.DataFrame([row | {"clip_id": f"BAUM-2/S001_{k}", "path": p} for k, p in enumerate([clip_path, broken])])
    clips["path"] = clips["path"].astype(str)
    stores = []
    for name, address in (("here", None), ("there", scheduler)):
        monkeypatch.setattr(paths, "PROCESSED", tmp_path / name)
        with cluster(address):
            stores.append(crop_store(clips, size=16, max_frames=12, jobs=1))
    here, there = stores
    assert here.key == there.key
    assert (here.crops == there.crops).all()
    assert (here.available == there.available).all()
    pd.testing.assert_frame_equal(here.excluded, there.excluded)
    assert there.excluded["reason"].str.contains("video").all()


@pytest.mark.timeout(600)
def test_several_rows_train_on_a_cluster(scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    smoke = get_profile("smoke")
    with pytest.raises(ValueError, match="unknown experiment"):
        stages.train_rows(["table6_mouth", "table9"], "sample", smoke)
    with cluster(scheduler):
        stages.preprocess("sample", smoke)
        table = stages.train_rows(["table6_mouth", "table6_nose"], "sample", smoke, seeds=[0])
    assert table["experiment"].to_list() == ["table6_mouth", "table6_nose"]
    assert (table["problem"] == "").all()
    assert table["key"].is_unique
    made = sorted(each.name for each in (tmp_path / "runs").iterdir() if each.is_dir())
    assert made == sorted(f"{row['experiment']}-{row['key']}" for row in table.to_dict("records"))
    again = stages.train_rows(["table6_mouth"], "sample", smoke, seeds=[0])  # here, from what the cluster left
    assert again["key"].to_list() == table["key"].to_list()[:1]


def test_a_row_that_fails_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    monkeypatch.setattr(stages, "train_row", fails)
    monkeypatch.setattr(stages, "crops_of", lambda *_, **__: None)  # the minutes of preprocessing
    table = stages.train_rows(["table6_mouth", "table6_nose"], "sample", get_profile("smoke"))
    assert table["problem"].to_list() == ["ValueError: too few people"] * 2


def fails(*_: object, **__: object) -> None:
    raise ValueError("too few people")

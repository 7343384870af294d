"""One function over many inputs: here, in processes, and on a local cluster of two workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from microx_utils import paths, stages
from microx_utils.errors import DataError
from microx_utils.parallel import cluster, run_parallel
from microx_utils.profiles import get_profile
from microx_utils.segments import crop_store

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
    table = stages.train_rows(["table6_mouth", "table6_nose"], "sample", get_profile("smoke"))
    assert table["problem"].to_list() == ["ValueError: too few people"] * 2


def fails(*_: object, **__: object) -> None:
    raise ValueError("too few people")

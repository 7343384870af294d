"""All-or-nothing writes and locks: a file under its final name is complete."""

import multiprocessing
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from microx_utils.support import cache


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), cache.atomic_file(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_failed_folder_leaves_nothing(tmp_path):
    target = tmp_path / "run"
    with pytest.raises(RuntimeError), cache.atomic_folder(target) as temporary:
        (temporary / "history.csv").write_text("epoch,loss")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "run"
    for content in ("first", "second"):
        with cache.atomic_folder(target) as temporary:
            (temporary / content).write_text(content)
    assert sorted(path.name for path in target.iterdir()) == [".sums.json", "second"]


def _write_slowly(target, started):
    with cache.atomic_file(target) as temporary, temporary.open("w") as file:
        file.write("half")
        file.flush()
        started.set()
        time.sleep(60)


def test_killed_writer_leaves_no_file_under_the_final_name(tmp_path):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    target = tmp_path / "predictions.csv"
    writer = context.Process(target=_write_slowly, args=(target, started))
    writer.start()
    assert started.wait(30)
    writer.kill()
    writer.join()
    assert not target.exists()


def _hold(target, held, release):
    with cache.lock(target):
        held.set()
        release.wait(60)


def test_who_waits_for_a_lock_says_so_once(tmp_path, capfd):
    target = tmp_path / "run"
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(target, held, release))
    holder.start()
    assert held.wait(30)
    entered = threading.Event()

    def wait():
        with cache.lock(target, patience=0.1):
            entered.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not entered.wait(0.5)  # nobody enters while the other process holds it
    release.set()
    waiter.join(30)
    holder.join(30)
    assert entered.is_set()
    with cache.lock(target, patience=0.1):  # free again, and nothing said
        pass
    assert capfd.readouterr().err == f"waiting for another run on {target}\n"


def test_keys_follow_content(tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert cache.file_key(one) == cache.file_key(two)
    assert cache.content_key(a=1, b=(2, 3)) == cache.content_key(b=[2, 3], a=1)
    assert cache.content_key(a=1) != cache.content_key(a=2)
    one, two = np.zeros(5000), np.zeros(5000)
    two[2500] = 1  # where an array's text has dots
    assert cache.content_key(a=one) != cache.content_key(a=two)
    with pytest.raises(TypeError, match="can't be part of a key"):
        cache.content_key(a=object())


def test_rows_are_written_where_they_belong(tmp_path):
    file = tmp_path / "rows.npy"
    cache.reserve_array(file, (5, 2, 3))
    rows = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    cache.write_rows(file, 2, rows[:, ::-1])
    cache.reserve_array(file, (5, 2, 3))  # it exists, and keeps what was written
    found = np.load(file)
    np.testing.assert_array_equal(found[2:4], rows[:, ::-1])
    assert not found[[0, 1, 4]].any()


def test_rows_that_were_harmed_are_not_taken_for_those_that_were_written(tmp_path):
    file, note = tmp_path / "crops.npy", tmp_path / "part.npz"
    rows = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    cache.reserve_array(file, (5, 2, 3))
    cache.write_rows(file, 2, rows)
    assert not cache.rows_are_kept(file, 2, 2, note)
    cache.note_rows(note, rows, np.array([True, False]))
    assert cache.rows_are_kept(file, 2, 2, note)
    assert np.load(note)["about"].tolist() == [True, False]
    cache.write_rows(file, 0, rows)  # other rows of the file
    assert cache.rows_are_kept(file, 2, 2, note)
    cache.write_rows(file, 3, rows[:1])
    assert not cache.rows_are_kept(file, 2, 2, note)
    for spoil in (cut_byte, empty, cut_line, flip_bit):  # the bit is in the header
        spoil(file)
        cache.reserve_array(file, (5, 2, 3))
        assert np.load(file).shape == (5, 2, 3)
        assert not cache.rows_are_kept(file, 2, 2, note)
    flip_bit(note)
    with pytest.warns(UserWarning, match="is damaged"):
        assert not cache.rows_are_kept(file, 2, 2, note)


def keep(folder):
    """Keep a small file, a folder and a large file, as stages do."""
    with cache.atomic_file(folder / "table.csv", checked=True) as temporary:
        temporary.write_text("a,b\n1,2\n3,4\n")
    with cache.atomic_folder(folder / "run") as made:
        (made / "history.csv").write_text("epoch,loss\n1,0.5\n")
        np.save(made / "crops.npy", np.arange(cache._WHOLE + 100, dtype=np.uint8))
    return folder / "table.csv", folder / "run"


def test_what_is_kept_is_ready(tmp_path):
    assert not cache.ready(tmp_path / "table.csv")
    assert all(map(cache.ready, keep(tmp_path)))
    assert cache.kept_places(tmp_path) == sorted([tmp_path / "table.csv", tmp_path / "run"])


def cut_line(file):
    file.write_text("a,b\n1,2\n")


def flip_bit(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def cut_byte(file):
    file.write_bytes(file.read_bytes()[:-1])


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("name", ["table.csv", "run/history.csv", "run/crops.npy", "run/.sums.json", ".table.csv.sum"])
@pytest.mark.parametrize("damage", [cut_line, cut_byte, flip_bit, Path.unlink, empty])
def test_damaged_results_are_found_and_removed_with_a_warning(tmp_path, name, damage):
    table, run = keep(tmp_path)
    damage(tmp_path / name)
    kept = table if "table" in name else run
    if name == "run/crops.npy" and damage is flip_bit:  # one bit of four megabytes: found by a deep check alone
        assert cache.damage(kept) == ""
        assert cache.damage(kept, deep=True) == "the bytes of crops.npy have changed"
        return
    if damage is Path.unlink and name in ("table.csv", "run/.sums.json", ".table.csv.sum"):
        assert cache.ready(kept) == kept.exists()  # results of earlier versions have no checksums
        return
    with pytest.warns(UserWarning, match="is damaged .*; it is made again"):
        assert not cache.ready(kept)
    assert not kept.exists()
    keep(tmp_path)
    assert cache.ready(kept)


def test_files_respect_the_umask(tmp_path):
    code = (
        "import os, sys; os.umask(0o027)\n"
        "from microx_utils.support import cache\n"
        "with cache.atomic_file(sys.argv[1] + '/a.csv') as t: t.write_text('x')\n"
        "with cache.atomic_folder(sys.argv[1] + '/b') as t: pass\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750

"""figures/: one writer at a time, nothing half-written."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from record_rows import ROW, drawing

from microx_utils.course import records
from microx_utils.support import paths
from microx_utils.support.errors import DataError

TESTS = Path(__file__).parents[1]  # where record_rows is


def test_reference_folder_is_for_class_and_sample_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SAMPLE", tmp_path / "sample")
    for name in ("sample", "BAUM", "elsewhere/BAUM"):
        (tmp_path / name / "BAUM-2").mkdir(parents=True)
    assert records.output_folder("class", "sample") == paths.FIGURES
    assert records.output_folder("class", str(tmp_path / "sample")) == paths.FIGURES
    others = [
        records.output_folder("smoke", "sample"),
        records.output_folder("class", "sample", seed=5),
        records.output_folder("class", str(tmp_path / "BAUM")),
        records.output_folder("class", str(tmp_path / "elsewhere" / "BAUM")),
        records.output_folder("class", "sample", student=True),
        records.output_folder("smoke", "sample", student=True),
    ]
    monkeypatch.setenv("MICROX_LANDMARKS", "dlib")
    others.append(records.output_folder("class", "sample"))
    assert len(set(others)) == 7
    assert all(folder.parent == paths.FIGURES / "runs" for folder in others)


def test_rendered_data_is_known_by_its_ground_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SAMPLE", tmp_path / "sample")
    for name in ("sample", "rendered", "BAUM"):
        (tmp_path / name / "BAUM-2").mkdir(parents=True)
    for name in ("sample", "rendered"):
        (tmp_path / name / "truth.npz").touch()
    assert records.truth_folder("sample") == tmp_path / "sample"
    assert records.truth_folder(str(tmp_path / "rendered")) == tmp_path / "rendered"
    assert records.truth_folder(f"BAUM-2={tmp_path / 'rendered' / 'BAUM-2'}") == tmp_path / "rendered"
    assert not records.is_rendered(str(tmp_path / "BAUM"))
    both = f"BAUM-2={tmp_path / 'BAUM' / 'BAUM-2'},BAUM-1a={tmp_path / 'rendered' / 'BAUM-2'}"
    assert not records.is_rendered(both)  # half of it has no truth


def test_joined_corpora_have_a_name_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    named = records.data_name(f"baum-1a={tmp_path / 'a'},BAUM-2={tmp_path / 'b'}")
    assert re.fullmatch(r"BAUM-1a\+BAUM-2-[0-9a-f]{6}", named)
    assert records.data_name(f"BAUM-1A={tmp_path / 'b' / '..' / 'a'},baum-2={tmp_path / 'b'}") == named
    assert records.data_name(f"BAUM-1a={tmp_path / 'b'},BAUM-2={tmp_path / 'b'}") != named


def test_data_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(DataError, match="a file, not a data folder"):
        records.truth_folder(str(tmp_path / "clip.mp4"))


def test_manifest_names_the_machine_once_and_forgets_unused_ones(tmp_path: Path) -> None:
    records.record_figure(tmp_path, "figure_09", drawing(), ROW)
    path = tmp_path / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["machines"]["gone"] = {}
    path.write_text(json.dumps(document), encoding="utf-8")
    records.record_figure(tmp_path, "figure_10", drawing(), ROW)
    document = json.loads(path.read_text(encoding="utf-8"))
    (key,) = document["machines"]
    assert {row["machine"] for row in document["figures"].values()} == {key}
    assert document["machines"][key]["packages"]["numpy"]
    assert list(document["figures"]) == ["figure_09", "figure_10"]


def test_same_figure_again_changes_no_byte(tmp_path: Path) -> None:
    before = []
    for _ in range(2):
        records.record_figure(tmp_path, "figure_09", drawing(), ROW)
        before.append({path.name: path.read_bytes() for path in tmp_path.glob("*") if path.suffix != ".lock"})
    assert before[0] == before[1]


WRITER = """
import sys
from pathlib import Path
from record_rows import ROW, drawing
from microx_utils.course import records
folder, start = Path(sys.argv[1]), int(sys.argv[2])
for number in range(start, start + 3):
    records.record_figure(folder, f"extra_{number}", drawing(), ROW)
    records.record_claim(folder, f"claim_{number}", {"ours": number})
"""


def test_two_writers_at_once_lose_no_row(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(start)], cwd=TESTS) for start in (0, 3)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert set(records.read_figures(tmp_path)) == {f"extra_{number}" for number in range(6)}
    assert set(records.read_claims(tmp_path)) == {f"claim_{number}" for number in range(6)}


KILLED = """
import os, signal, sys
from pathlib import Path
from record_rows import ROW, drawing
from microx_utils.course import records

class Half:
    def savefig(self, path, **options):
        Path(path).write_bytes(b"half a picture")
        os.kill(os.getpid(), signal.SIGKILL)

records.record_figure(Path(sys.argv[1]), "figure_09", Half(), ROW | {"caption": "new"})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_writer_killed_half_way_leaves_the_old_figure_whole(tmp_path: Path) -> None:
    path = records.record_figure(tmp_path, "figure_09", drawing(), ROW)
    before = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=TESTS, timeout=120, check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == before
    assert records.read_figures(tmp_path)["figure_09"]["caption"] == "Happy is easiest."
    records.record_figure(tmp_path, "figure_09", drawing(), ROW | {"caption": "after"})  # the lock died with its owner
    assert records.read_figures(tmp_path)["figure_09"]["caption"] == "after"


def test_truncated_manifest_is_reported(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"figures": {', encoding="utf-8")
    with pytest.raises(DataError, match=r"not readable as JSON .*Restore it with git"):
        records.read_figures(tmp_path)

"""`microx predict` on files and folders, good and bad."""

import shutil
from pathlib import Path

import pytest
from small_weights import write_small_weights

from microx_utils.tools.cli import main
from microx_utils.tools.predict import find_videos, name_results


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_small_weights(tmp_path / "weights")


def test_good_videos_are_answered_and_bad_ones_listed(
    weights: Path, clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = tmp_path / "videos"
    (videos / "sub").mkdir(parents=True)
    (videos / "bad.mp4").write_bytes(b"")
    shutil.copy(clip_path, videos / "sub" / "film.mp4")
    (tmp_path / "nothing").mkdir()
    wanted = [str(videos), str(clip_path), str(tmp_path / "nothing"), str(tmp_path / "missing.mp4")]
    assert main(["predict", *wanted, "--to", str(tmp_path / "out"), "--video", "--weights", str(weights)]) == 1
    said = capsys.readouterr()
    assert said.out.count("What this is worth: ") == 1
    for problem in ("3 left out", "bad.mp4", "nothing", "holds no video", "missing.mp4"):
        assert problem in said.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    both = {f"{stem}{end}" for stem in ("film", "happy") for end in (".csv", ".json", ".png", "_drawn.mp4")}
    assert names == both


def test_results_of_equal_names_are_apart() -> None:
    stems = name_results(["a/x.mp4", "b/x.avi", "x.mp4#t=1,2"], Path("out"))
    assert [stem.name for stem in stems] == ["x", "x-2", "x-1-2s"]


def test_weights_that_are_not_there_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "film.mp4", "--weights", str(tmp_path)]) == 2
    assert "no such file. Name a folder" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["#t=20,3", "#t=0.5", "#t=a", "#t=1,1"])
def test_a_part_that_is_none_is_refused_and_the_others_are_done(part: str, tmp_path: Path) -> None:
    videos, wrong = find_videos([f"film.mp4{part}", "other.mp4#t=1,2"], tmp_path)
    assert videos == ["other.mp4#t=1,2"]
    assert "can't be understood. Give its start and end in seconds" in wrong[0]


def test_results_are_no_videos_and_not_written_over_by_another_s(clip_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions"
    out.mkdir()
    shutil.copy(clip_path, out / "film_drawn.mp4")
    shutil.copy(clip_path, tmp_path / "film.mp4")
    assert find_videos([str(tmp_path)], out) == ([str(tmp_path / "film.mp4")], [])
    (out / "film.json").write_text('{"video": "elsewhere/film.mp4"}')
    assert [stem.name for stem in name_results([str(tmp_path / "film.mp4")], out)] == ["film-2"]
    assert [stem.name for stem in name_results(["elsewhere/film.mp4"], out)] == ["film"]

"""One's own recordings: every file gets a row, one bad file stops nothing, takes are matched with their partners."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microx_utils.evaluation import PROBABILITIES, mcnemar
from microx_utils.support import paths
from microx_utils.tools.own_recordings import CHECK_COLUMNS, check_recordings, pair_takes, take_of
from microx_utils.video import read_frames, write_video

OWN = paths.SAMPLE / "own"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class's folder with a good pair, and one file of each kind that goes wrong."""
    folder = tmp_path_factory.mktemp("raw") / "own"
    ada, ben = folder / "Ada", folder / "ben"
    ada.mkdir(parents=True)
    ben.mkdir()
    for condition in ("plain", "mask"):
        shutil.copy(OWN / "p01" / f"happy_{condition}_1.mp4", ada / f"Happy_{condition}_1.mp4")
    shutil.copy(OWN / "p01" / "sad_plain_1.mp4", ada / "sad_plain_1.mp4")
    shutil.copy(OWN / "p01" / "fear_plain_1.mp4", ada / "fear plain.mp4")
    shutil.copy(OWN / "p01" / "fear_plain_1.mp4", ada / "bored_plain_1.mp4")
    shutil.copy(OWN / "p01" / "fear_plain_1.mp4", folder / "fear_plain_1.mp4")
    (ben / "anger_plain_1.mp4").touch()
    (ben / "notes.txt").write_text("not a video")
    (ben / ".DS_Store").write_bytes(b"hidden")
    frames, _ = read_frames(OWN / "p02" / "neutral_plain_1.mp4")
    write_video(ben / "neutral_plain_1.mp4", frames[:6])
    write_video(ben / "fear_plain_1.mp4", np.full((15, 96, 128, 3), 120, np.uint8))
    write_video(ben / "surprise_mask_1.mp4", np.concatenate([frames[:12], frames[:12]], axis=2))
    return folder


@pytest.fixture(scope="module")
def checked(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", tmp_path_factory.mktemp("processed"))
        return check_recordings(recordings, jobs=1)


@pytest.mark.parametrize(
    ("file", "problem", "remedy"),
    [
        ("Ada/fear plain.mp4", "the name is not", "Name it"),
        ("Ada/bored_plain_1.mp4", "unknown label 'bored'", "Name it"),
        ("fear_plain_1.mp4", "is not in a person's folder", "Move it"),
        ("ben/anger_plain_1.mp4", "is empty", "Copy the file"),
        ("ben/neutral_plain_1.mp4", "has 6 frames", "Record it again"),
        ("ben/fear_plain_1.mp4", "a face is found in 0 of 15 frames", "Record it again"),
        ("ben/surprise_mask_1.mp4", "2 faces", "nobody else"),
        ("ben/notes.txt", "not a video", "Export it"),
    ],
)
def test_each_bad_file_has_its_problem_and_a_remedy(
    recordings: Path, checked: pd.DataFrame, file: str, problem: str, remedy: str
) -> None:
    row = checked.set_index("path").loc[str(recordings / file)]
    assert problem in row["problem"]
    assert remedy in row["remedy"]
    assert not row["usable"]


def test_a_good_pair_has_no_problem(checked: pd.DataFrame) -> None:
    pair = checked[checked["source_label"] == "happy"]
    assert pair["usable"].all() and (pair["problem"] == "").all()
    assert set(pair["condition"]) == {"plain", "mask"}
    assert pair["subject"].unique().tolist() == ["own/Ada"]
    assert (pair["frames"] >= 40).all() and (pair["faces"] == 1).all()


def test_a_single_take_is_usable_and_names_the_missing_file(checked: pd.DataFrame) -> None:
    row = checked.set_index("clip_id").loc["own/Ada_sad_plain_1"]
    assert row["usable"]
    assert row["problem"] == "no usable recording of this take with a mask"
    assert "sad_mask_1.mp4" in row["remedy"]


def test_every_file_has_a_row_and_hidden_ones_none(recordings: Path, checked: pd.DataFrame) -> None:
    files = [str(path) for path in recordings.rglob("*") if path.is_file() and path.name != ".DS_Store"]
    assert sorted(checked["path"]) == sorted(files)
    assert list(checked.columns) == CHECK_COLUMNS


def test_two_files_of_one_take(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "eve").mkdir()
    for suffix in ("mp4", "mov"):
        shutil.copy(OWN / "p01" / "sad_mask_1.mp4", tmp_path / "eve" / f"sad_mask_1.{suffix}")
    table = check_recordings(tmp_path, jobs=1)
    assert table["problem"].tolist() == ["two files for one clip"] * 2
    assert table["remedy"].tolist() == ["Keep one of the files."] * 2


@pytest.mark.parametrize("made", [False, True])
def test_no_recordings(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "own"
    if made:
        folder.mkdir()
    table = check_recordings(folder)
    assert table.empty
    assert list(table.columns) == CHECK_COLUMNS


def predictions(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Predictions of (clip, label, answer), two segments a clip."""
    return pd.DataFrame(
        [
            {"segment_id": f"own/{clip}#{k:02d}", "clip_id": f"own/{clip}", "subject": "own/p01", "emotion": label}
            | {"split": "test"}
            | {name: 0.4 if name == f"p_{answer}" else 0.1 for name in PROBABILITIES}
            for clip, label, answer in rows
            for k in range(2)
        ]
    )


def test_takes_are_paired() -> None:
    plain, mask = pair_takes(
        predictions(
            [
                ("p01_happy_mask_1", "happy", "neutral"),
                ("p01_happy_plain_1", "happy", "happy"),
                ("p01_sad_plain_1", "sad", "sad"),
                ("p01_fear_mask_2", "fear", "fear"),
                ("p01_fear_plain_2", "fear", "fear"),
                ("p01_fear_plain_1", "fear", "sad"),
            ]
        )
    )
    assert plain["clip_id"].tolist() == mask["clip_id"].tolist() == ["own/p01_fear_2", "own/p01_happy_1"]
    test = mcnemar(plain, mask)
    assert (test["both_right"], test["only_a"], test["only_b"], test["n"]) == (1, 1, 0, 2)


def test_no_pair_at_all() -> None:
    with pytest.raises(ValueError, match="no take has a plain and a mask recording, of 1 plain and 0 masked"):
        pair_takes(predictions([("p01_sad_plain_1", "sad", "sad")]))


def test_a_persons_name_may_hold_what_it_likes() -> None:
    assert take_of("own/Eve_mask_fear_plain_1") == "own/eve_mask_fear_1"


def test_recordings_of_people_are_never_committed() -> None:
    assert "data/raw/" in (paths.ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

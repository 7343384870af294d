"""The clip table: words decide, codes are checked, nothing is dropped in silence."""

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microx_utils import corpora
from microx_utils.corpora import baum
from microx_utils.labels import EMOTIONS, LABEL_TO_EMOTION, UNMAPPED_LABELS, emotion_of
from microx_utils.support.errors import DataError


def write_sheet(path: Path, rows: list[tuple[str, object, object]]) -> None:
    table = pd.DataFrame(rows, columns=["Clip Name", "Emotion", "Emotion Code"])
    table.insert(0, "Subject", [name.split("_")[0] for name, _, _ in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_excel(path, index=False)


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not decoded by the clip table")


@pytest.fixture
def baum1(tmp_path):
    """BAUM-1 with the quirks of the distributed archive: two spellings of the folder, upper-case suffix, leftovers."""
    folder = tmp_path / "BAUM-1"
    for name in ("S001_001.mp4", "S001_002.MP4", "S001_003.mp4", "S001_009.mp4"):
        touch(folder / "BAUM1a_MP4_all" / "s001" / name)
    touch(folder / "BAUM1a_MP4_all" / "s001" / "S001_001.srt")
    touch(folder / "BAUM1s_MP4 - All" / "s001" / "S001_004.mp4")
    touch(folder / "BAUM1s_MP4 - All" / "s002" / "S002_001.mp4")
    write_sheet(
        folder / "Annotations_BAUM1a.xlsx",
        [("S001_001", "Anger", 1), ("S001_002", "Happiness", 6), ("S001_003", "Boredom", 2), ("S001_005", "Fear", 4)],
    )
    write_sheet(folder / "Annotations_BAUM1s.xlsx", [("S001_004", "Contempt", 5), ("S002_001", "Glee", 8)])
    return tmp_path


def test_words_decide_and_leftovers_are_listed(baum1):
    clips, excluded = corpora.load_clips(baum1)

    assert dict(zip(clips["clip_id"], clips["emotion"], strict=True)) == {
        "BAUM-1a/S001_001": "anger",
        "BAUM-1a/S001_002": "happy",
        "BAUM-1s/S001_004": "contempt",
    }
    assert dict(zip(excluded["clip_id"], excluded["reason"], strict=True)) == {
        "BAUM-1a/S001_003": "label 'boredom' is outside the seven classes",
        "BAUM-1a/S001_005": "annotation row without a clip",
        "BAUM-1a/S001_009": "clip without an annotation row",
        "BAUM-1s/S002_001": "unknown label 'glee'",
    }


def test_code_that_contradicts_its_word_is_noted(baum1):
    clips, _ = corpora.load_clips(baum1)
    notes = clips.set_index("clip_id")["note"]
    assert notes["BAUM-1a/S001_002"] == "code 6 means 'interest', the word is 'happiness'"
    assert notes["BAUM-1a/S001_001"] == ""


def test_one_person_in_both_parts_is_one_group(baum1):
    clips, _ = corpora.load_clips(baum1)
    assert set(clips["split_group"]) == {"BAUM-1/S001"}
    assert set(clips["corpus"]) == {"BAUM-1a", "BAUM-1s"}


def test_baum2_layout(tmp_path):
    touch(tmp_path / "BAUM-2" / "BAUM-2_S001-S050" / "S001" / "avi" / "001.avi")
    touch(tmp_path / "BAUM-2" / "BAUM-2_S051-S100" / "S051" / "avi" / "002.mp4")
    touch(tmp_path / "BAUM-2" / "BAUM-2_S051-S100" / "S051" / "wav" / "002.wav")
    write_sheet(tmp_path / "BAUM-2" / "Annotations.xlsx", [("S001_001", "Angry", 1), ("S051_002", "Disgust", 3)])
    clips, excluded = corpora.load_clips(tmp_path)
    assert clips["emotion"].to_list() == ["anger", "contempt"]
    assert clips["subject"].to_list() == ["BAUM-2/S001", "BAUM-2/S051"]
    assert (clips["note"] == "").all()
    assert excluded.empty


def test_own_recordings(tmp_path):
    touch(tmp_path / "own" / "p01" / "happy_mask_1.mp4")
    touch(tmp_path / "own" / "p01" / "happy_plain_1.mp4")
    touch(tmp_path / "own" / "p01" / "party.mp4")
    clips, excluded = corpora.load_clips(tmp_path, corpora=["own"])
    assert clips["condition"].to_list() == ["mask", "plain"]
    assert excluded["reason"].to_list() == ["the name is not <emotion>_<plain|mask>_<number>"]
    with pytest.raises(DataError, match="only own recordings"):
        corpora.load_clips(tmp_path)  # own recordings are never part of the default corpora


def test_two_rows_for_one_clip_are_excluded(tmp_path):
    touch(tmp_path / "BAUM-2" / "S001" / "avi" / "001.avi")
    touch(tmp_path / "BAUM-2" / "S001" / "avi" / "002.avi")
    write_sheet(
        tmp_path / "BAUM-2" / "Annotations.xlsx",
        [("S001_001", "Angry", 1), ("S001_001", "Happy", 5), ("S001_002", "Fear", 4)],
    )
    clips, excluded = corpora.load_clips(tmp_path)
    assert clips["clip_id"].to_list() == ["BAUM-2/S001_002"]
    assert set(excluded["reason"]) == {"two annotation rows for one clip"}


def test_two_files_for_one_clip_are_excluded_both(baum1):
    folder = baum1 / "BAUM-1" / "BAUM1a_MP4_all"
    touch(folder / "copy" / "s001_001.MP4")  # another spelling of S001_001
    touch(baum1 / "BAUM-2" / "S001" / "avi" / "001.avi")
    touch(baum1 / "BAUM-2" / "S001" / "avi" / "001.mp4")
    touch(baum1 / "BAUM-2" / "S001" / "avi" / "002.avi")
    write_sheet(baum1 / "BAUM-2" / "Annotations.xlsx", [("S001_001", "Angry", 1), ("S001_002", "Fear", 4)])
    clips, excluded = corpora.load_clips(baum1)
    assert clips["clip_id"].to_list() == ["BAUM-1a/S001_002", "BAUM-1s/S001_004", "BAUM-2/S001_002"]
    twice = excluded[excluded["reason"] == "two files for one clip"]
    assert twice["clip_id"].to_list() == ["BAUM-1a/S001_001"] * 2 + ["BAUM-2/S001_001"] * 2
    assert {Path(path).name for path in twice["path"]} == {"S001_001.mp4", "s001_001.MP4", "001.avi", "001.mp4"}
    assert twice["source_label"].to_list() == ["anger", "anger", "angry", "angry"]


def test_one_take_in_two_files_of_ones_own(tmp_path):
    for name in ("happy_mask_1.mp4", "happy_mask_1.mov", "sad_mask_1.mp4"):
        touch(tmp_path / "own" / "p01" / name)
    clips, excluded = corpora.load_clips(tmp_path, corpora=["own"])
    assert clips["clip_id"].to_list() == ["own/p01_sad_mask_1"]
    assert excluded["reason"].to_list() == ["two files for one clip"] * 2


@pytest.mark.parametrize("corpus", ["own", "BAUM-2"])
def test_empty_corpus_holds_no_usable_clip(tmp_path, corpus):
    (tmp_path / corpus).mkdir()
    if corpus == "BAUM-2":
        write_sheet(tmp_path / corpus / "Annotations.xlsx", [])
    with pytest.raises(DataError, match="no usable clip"):
        corpora.load_clips(tmp_path, corpora=[corpus])


def test_missing_folder_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"no such data folder.*(?s:.*)BAUM1a_MP4_all/s001/S001_001\.mp4"):
        corpora.load_clips(tmp_path / "nowhere")


def test_missing_sheet_and_damaged_sheet(baum1):
    sheet = baum1 / "BAUM-1" / "Annotations_BAUM1a.xlsx"
    sheet.write_bytes(sheet.read_bytes()[:200])
    with pytest.raises(DataError, match="not readable as an Excel sheet"):
        corpora.load_clips(baum1)
    sheet.unlink()
    with pytest.raises(DataError, match="the annotation sheet is missing"):
        corpora.load_clips(baum1)


def test_sheet_without_the_columns(baum1):
    pd.DataFrame({"Clip": ["S001_001"], "Emotion": ["Anger"]}).to_excel(
        baum1 / "BAUM-1" / "Annotations_BAUM1a.xlsx", index=False
    )
    with pytest.raises(DataError, match=r"no row with the names .*begins with \['Clip', 'Emotion'\]"):
        corpora.load_clips(baum1)


def test_unknown_corpus_lists_the_choices(tmp_path):
    with pytest.raises(ValueError, match="choose from"):
        corpora.load_clips(tmp_path, corpora=["BAUM-3"])


def test_label_table_is_complete():
    assert set(LABEL_TO_EMOTION.values()) == set(EMOTIONS)
    for codes in (baum.BAUM1A_CODES, baum.BAUM1S_CODES, baum.BAUM2_CODES):
        assert {word for word in codes.values() if emotion_of(word) is None} <= set(UNMAPPED_LABELS)
    assert emotion_of(" Disgust ") == emotion_of("contempt") == "contempt"


@given(st.text())
def test_any_other_word_is_refused(word):
    known = word.strip().lower() in {*LABEL_TO_EMOTION, *UNMAPPED_LABELS}
    if known:
        emotion_of(word)
    else:
        with pytest.raises(ValueError, match="unknown emotion label"):
            emotion_of(word)


def test_data_names_corpora_and_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora.paths, "DATA", tmp_path)
    comma = tmp_path / "a,b = c"
    for folder in (comma, tmp_path / "two", tmp_path / "raw" / "BAUM-1s"):
        folder.mkdir(parents=True)
    sources = corpora.data_sources(f"baum-1A={comma},BAUM-1s,own={tmp_path / 'two'}")
    assert sources == {"BAUM-1a": comma, "BAUM-1s": tmp_path / "raw" / "BAUM-1s", "own": tmp_path / "two"}
    assert list(corpora.data_sources("baum-1s")) == ["BAUM-1s"]
    assert corpora.resolve_data("baum-1s") == f"BAUM-1s={(tmp_path / 'raw' / 'BAUM-1s').resolve()}"
    with pytest.raises(DataError, match="given twice"):
        corpora.data_sources(f"BAUM-2={comma},BAUM-2={comma}")
    with pytest.raises(DataError, match=r"BAUM-2 is not here: no such folder\. .*Expected this layout:\n +BAUM-2/"):
        corpora.data_sources("BAUM-2=/nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="BAUM-2 is not here: a file, not a folder"):
        corpora.data_sources(f"BAUM-2={tmp_path / 'file'}")
    with pytest.raises(DataError, match="has no name"):
        corpora.data_sources(" ")


@pytest.mark.parametrize(("given", "meant"), [("RAVDES", "RAVDESS"), ("ravdess=/a,BAUM2=/b", "BAUM-2")])
def test_a_misspelt_corpus_is_guessed(given, meant):
    with pytest.raises(DataError, match=rf"Did you mean {meant}\?"):
        corpora.data_sources(given)
    with pytest.raises(DataError) as raised:
        corpora.data_sources("/nowhere/recordings")
    assert "Did you mean" not in str(raised.value)


def test_joined_corpora_make_one_clip_table(baum1):
    joined = f"BAUM-1a={baum1 / 'BAUM-1'},BAUM-1s={baum1 / 'BAUM-1'}"
    for mine, theirs in zip(corpora.load_clips(joined), corpora.load_clips(baum1), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    clips, _ = corpora.load_clips(f"BAUM-1s={baum1 / 'BAUM-1'}")
    assert set(clips["corpus"]) == {"BAUM-1s"}


def test_a_file_that_is_no_video_is_listed(tmp_path, clip_path):
    touch(tmp_path / "broken.mp4")
    good, broken = clip_path, tmp_path / "broken.mp4"
    rows = [
        {"clip_id": name, "corpus": "own", "source_label": "happy", "path": str(path)}
        for name, path in (("b", broken), ("a", good), ("c", f"{good}#t=0.5,1.5"), ("d", tmp_path / "gone.mp4"))
    ]
    clips, excluded = corpora.probe_clips(pd.DataFrame(rows), jobs=1)
    assert clips["clip_id"].to_list() == ["a", "c"]
    assert clips["seconds"].round(2).to_list() == [2.0, 1.0]
    assert clips["fps"].to_list() == [30, 30]
    assert excluded["clip_id"].to_list() == ["b", "d"]
    assert "video" in excluded["reason"][0]
    assert "no such file" in excluded["reason"][1]


def test_mistakes_in_naming_data_are_named(tmp_path):
    with pytest.raises(DataError, match=r"'RAVDES=/x' names no corpus|a comma begins another corpus only before"):
        corpora.data_sources(f"BAUM-2={tmp_path},RAVDES=/x")
    with pytest.raises(DataError, match="'BAUM-2=' names no corpus and folder"):
        corpora.data_sources("BAUM-2=")
    (tmp_path / "BAUM-2").mkdir()
    (tmp_path / "own").mkdir()
    assert corpora.data_sources(f"BAUM-2={tmp_path}, own={tmp_path}") == {  # one level too high, and a blank
        "BAUM-2": tmp_path / "BAUM-2",
        "own": tmp_path / "own",
    }
    with pytest.raises(DataError, match=r"sheet is missing(?s:.*)keep this layout:\n    BAUM-2/"):
        corpora.load_clips(f"BAUM-2={tmp_path}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_opened_is_named(baum1):
    closed = baum1 / "BAUM-1" / "BAUM1a_MP4_all" / "s001"
    closed.chmod(0)
    try:
        with pytest.raises(DataError, match="s001: can't be opened"):
            corpora.load_clips(baum1)
    finally:
        closed.chmod(0o755)


@pytest.mark.parametrize(
    "spellings", [("Ece", "ece"), ("Işıl", "işil"), ("S\u00fcle", "Su\u0308le"), ("Ada  B", "ada b")]
)
def test_one_person_in_two_spellings_is_one_subject(tmp_path, spellings):
    for name in (*spellings, "Someone else"):
        touch(tmp_path / "own" / name / "happy_plain_1.mp4")
    with pytest.warns(UserWarning, match="people in two spellings"):
        clips, _ = corpora.load_clips(tmp_path, corpora=["own"])
    assert clips["subject"].nunique() == clips["split_group"].nunique() == 2
    assert clips["note"].str.contains("is also written").sum() == 1


@pytest.mark.parametrize("numbers", [("1", "01", "1.0"), ("007", "7", " 7")])
def test_one_number_in_several_forms_is_one_subject(tmp_path, numbers):
    lines = [f"clip_{k}.avi,{number},happy" for k, number in enumerate(numbers)]
    for k in range(len(numbers)):
        touch(tmp_path / "MMI" / f"clip_{k}.avi")
    (tmp_path / "MMI" / "labels.csv").write_text("\n".join(["file,subject,emotion", *lines]))
    with pytest.warns(UserWarning, match="people in two spellings"):
        clips, _ = corpora.load_clips(f"MMI={tmp_path / 'MMI'}")
    assert set(clips["split_group"]) == {f"MMI/{min(number.strip() for number in numbers)}"}

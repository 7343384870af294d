"""Readers of RAVDESS, CREMA-D, eNTERFACE'05, MMI, IEMOCAP and Belfast: tiny trees with the irregularities of each."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from encoded import encode
from hypothesis import given
from hypothesis import strategies as st

from microx_utils import corpora
from microx_utils.corpora import belfast, crema_d, enterface, iemocap, mmi, ravdess
from microx_utils.crops import crop_store
from microx_utils.labels import EMOTIONS, LABEL_TO_EMOTION, UNMAPPED_LABELS
from microx_utils.segments import make_segments
from microx_utils.support.errors import DataError
from microx_utils.video import read_frames, split_path, write_video

MODULES = [ravdess, crema_d, enterface, mmi, iemocap, belfast]
SUFFIXES = (".avi", ".flv", ".mov", ".mp4")
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.fixture
def processed(tmp_path, monkeypatch):
    monkeypatch.setattr("microx_utils.support.paths.PROCESSED", tmp_path / "processed")


@pytest.fixture(scope="session")
def person(clip_path) -> np.ndarray:
    return read_frames(clip_path)[0][-20:]


@pytest.fixture(scope="session")
def videos(tmp_path_factory, person) -> dict[str, Path]:
    """The same 20 frames of a rendered person in each container that the corpora use."""
    folder = tmp_path_factory.mktemp("videos")
    for suffix in SUFFIXES:
        encode(folder / f"person{suffix}", person, bit_rate=4_000_000)
    return {suffix: folder / f"person{suffix}" for suffix in SUFFIXES}


def put(path: Path, source: Path | bytes | str = b"not decoded by the clip table") -> Path:
    """Copy a file to `path`, or write its content there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path):
        shutil.copy(source, path)
    else:
        path.write_bytes(source.encode() if isinstance(source, str) else source)
    return path


def load(name: str, folder: Path) -> tuple[dict[str, pd.Series], list[tuple[str, str]]]:
    """Return the clips by their id within the corpus, and the exclusions as (id, reason)."""
    clips, excluded = corpora.load_clips(f"{name}={folder}")
    assert clips["clip_id"].is_unique
    assert set(clips["emotion"]) <= set(EMOTIONS)
    ids = [clip_id.removeprefix(f"{name}/") for clip_id in clips["clip_id"]]
    out = [clip_id.removeprefix(f"{name}/") for clip_id in excluded["clip_id"]]
    rows = [row for _, row in clips.iterrows()]
    return dict(zip(ids, rows, strict=True)), list(zip(out, excluded["reason"], strict=True))


def cut_segments(name: str, folder: Path, *, good: set[str], corrupt: set[str]) -> pd.DataFrame:
    """Run a corpus to segments and check which clips gave crops; a corrupt video must only be left out."""
    clips, _ = corpora.load_clips(f"{name}={folder}")
    store = crop_store(clips, size=20, max_frames=20, jobs=1)
    assert set(store.clips["clip_id"]) == {f"{name}/{clip}" for clip in good}
    assert set(store.excluded["clip_id"]) == {f"{name}/{clip}" for clip in corrupt}
    assert store.excluded["reason"].str.len().gt(0).all()
    segments = make_segments(store.clips, available=store.available)
    assert set(segments["clip_id"]) == set(store.clips["clip_id"])
    return segments


# RAVDESS


def test_ravdess_takes_each_take_once(tmp_path):
    put(tmp_path / "Actor_01" / "01-01-05-02-01-01-01.mp4")
    put(tmp_path / "Actor_01" / "02-01-05-02-01-01-01.mp4")  # the same take without sound
    put(tmp_path / "Actor_01" / "02-01-04-01-01-01-01.MP4")  # the take with sound is missing
    put(tmp_path / "Actor_01" / "03-01-04-01-01-01-01.wav")
    put(tmp_path / "Actor_01" / "03-01-03-01-01-01-01.mp4")
    put(tmp_path / "Actor_01" / "01-02-02-01-01-01-01.mp4")  # calm, sung
    put(tmp_path / "Video_Speech_Actor_02 - copy" / "Actor_02" / "01-01-07-01-02-02-02.mp4")
    put(tmp_path / "Actor_02" / "01-01-07-01-02-02-02.mp4", b"")  # cut off while it was unpacked
    put(tmp_path / "Actor_02" / "01-01-08-01-02-02-03.mp4")
    put(tmp_path / "Actor_02" / "01-01-09-01-02-02-02.mp4")
    put(tmp_path / "Actor_02" / "01-01-03-01-02-02-25.mp4")
    put(tmp_path / "Actor_02" / "party (1).mp4")
    put(tmp_path / "Actor_02" / "._01-01-08-01-02-02-02.mp4")

    clips, excluded = load("RAVDESS", tmp_path)
    assert {name: (row["subject"], row["emotion"]) for name, row in clips.items()} == {
        "01-01-05-02-01-01-01": ("RAVDESS/Actor_01", "anger"),
        "02-01-04-01-01-01-01": ("RAVDESS/Actor_01", "sad"),
        "01-01-07-01-02-02-02": ("RAVDESS/Actor_02", "contempt"),
        "01-01-08-01-02-02-03": ("RAVDESS/Actor_03", "surprise"),
    }
    assert "copy" in clips["01-01-07-01-02-02-02"]["path"]
    assert clips["01-01-08-01-02-02-03"]["note"] == "in the folder Actor_02"
    assert sorted(excluded) == [
        ("01-01-03-01-02-02-25", "no actor has the number 25"),
        ("01-01-07-01-02-02-02", "the file is empty"),
        ("01-01-09-01-02-02-02", "no emotion has the code 09"),
        ("01-02-02-01-01-01-01", "label 'calm' is outside the seven classes"),
        ("02-01-05-02-01-01-01", "another file holds the same take"),
        ("03-01-03-01-01-01-01", "sound only (modality 03)"),
        ("party (1)", "the name is not MM-CC-EE-II-SS-RR-AA, two digits each"),
    ]


def test_ravdess_to_segments(tmp_path, processed, videos):
    put(tmp_path / "r" / "Actor_01" / "01-01-03-01-01-01-01.mp4", videos[".mp4"])
    put(tmp_path / "r" / "Actor_02" / "01-01-03-01-01-01-02.MP4")
    good, corrupt = "01-01-03-01-01-01-01", "01-01-03-01-01-01-02"
    segments = cut_segments("RAVDESS", tmp_path / "r", good={good}, corrupt={corrupt})
    assert segments["emotion"].unique().tolist() == ["happy"]


@given(st.one_of(st.text(), st.lists(st.integers(0, 99), min_size=5, max_size=9)))
def test_ravdess_names_round_trip(name):
    stem = name if isinstance(name, str) else "-".join(f"{code:02d}" for code in name)
    take = ravdess.parse_name(stem)
    if not isinstance(name, str):
        assert (take is not None) == (len(name) == 7)
    if take is not None:
        assert "-".join(take) == stem


# CREMA-D


@pytest.fixture
def crema(tmp_path):
    folder = tmp_path / "CREMA-D"
    put(folder / "VideoFlash" / "1001_DFA_ANG_XX.flv")
    put(folder / "VideoFlash" / "1040_ITH_SAD_X.FLV")
    put(folder / "VideoFlash" / "1002_IEO_DIS_HI.flv", LFS_POINTER)
    put(folder / "converted" / "1002_IEO_DIS_HI.mp4")
    put(folder / "VideoFlash" / "1003_IEO_HAP_HI.flv", LFS_POINTER)
    put(folder / "VideoFlash" / "1003_IEO_JOY_HI.flv")
    put(folder / "VideoFlash" / "1003.flv")
    put(folder / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    rows = ["1,1001_DFA_ANG_XX,A,50,A:D,50:50,A,60", "2,1040_ITH_SAD_X,S,50,S,50,S,60", "3,too,many,fields" + "," * 9]
    header = '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"'
    put(folder / "processedResults" / "summaryTable.csv", "\n".join([header, *rows]))
    return folder


def test_crema_d_labels_votes_and_pointers(crema):
    clips, excluded = load("CREMA-D", crema)
    assert {name: (row["subject"], row["emotion"]) for name, row in clips.items()} == {
        "1001_DFA_ANG_XX": ("CREMA-D/1001", "anger"),
        "1002_IEO_DIS_HI": ("CREMA-D/1002", "contempt"),
        "1040_ITH_SAD_X": ("CREMA-D/1040", "sad"),
    }
    assert clips["1001_DFA_ANG_XX"]["note"] == "raters of the face voted 'anger' or 'disgust', the name says 'anger'"
    assert clips["1040_ITH_SAD_X"]["note"] == ""
    assert clips["1002_IEO_DIS_HI"]["path"].endswith(".mp4")
    pointer = "a Git LFS pointer, not the video: run `git lfs pull`"
    assert sorted(excluded) == [
        ("1002_IEO_DIS_HI", pointer),
        ("1003", "the name is not actor_sentence_emotion_intensity"),
        ("1003_IEO_HAP_HI", pointer),
        ("1003_IEO_JOY_HI", "no emotion has the code JOY"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LFS_POINTER, "no votes of raters: a Git LFS pointer"),
        (b"name,vote\n1,2", "lacks FileName or FaceVote"),
        (b'"a\n\xff', "no votes of raters"),
        (b"\n\n", "no votes of raters: not readable as a table"),
    ],
)
def test_a_bad_table_of_votes_costs_only_the_notes(crema, content, reason):
    put(crema / "processedResults" / "summaryTable.csv", content)
    clips, excluded = load("CREMA-D", crema / "VideoFlash")  # the table is found beside it
    assert {row["note"] for row in clips.values()} == {""}
    assert reason in dict(excluded)["summaryTable.csv"]


def test_crema_d_to_segments(tmp_path, processed, videos):
    put(tmp_path / "c" / "VideoFlash" / "1001_DFA_HAP_XX.flv", videos[".flv"])
    put(tmp_path / "c" / "VideoFlash" / "1002_DFA_HAP_XX.flv", videos[".flv"].read_bytes()[:300])
    cut_segments("CREMA-D", tmp_path / "c", good={"1001_DFA_HAP_XX"}, corrupt={"1002_DFA_HAP_XX"})


# eNTERFACE'05


def test_enterface_irregular_folders(tmp_path):
    folder = tmp_path / "enterface database"
    put(folder / "subject 1" / "anger" / "sentence 1" / "s1_an_1.avi")
    put(folder / "subject 3" / "surprise" / "sentence 1" / "s_3_su_1.AVI")
    put(folder / "subject 6" / "Happiness" / "s6_ha_2.avi")  # no sentence level
    put(folder / "subject 07 - new" / "fear" / "sentence 2" / "extra" / "s07_fe_2.mov")  # the name tells the subject
    put(folder / "subject-12" / "sadness" / "sentence-5" / "s12_di_5.avi")  # the name says another emotion
    put(folder / "subject 8" / "s8_di_4.avi")  # no folder of an emotion
    put(folder / "subject 8" / "disgust" / "sentence 4" / "s8_di_4.avi")
    put(folder / "subject 8" / "disgust" / "sentence 4" / "s8_di_4.mp4")  # converted
    put(folder / "subject 8" / "boredom" / "clip.avi")
    put(folder / "anger" / "clip.avi")

    clips, excluded = load("eNTERFACE05", folder)
    assert {name: (row["subject"].split("/")[1], row["emotion"]) for name, row in clips.items()} == {
        "subject_01_anger_1_s1_an_1": ("subject_01", "anger"),
        "subject_03_surprise_1_s_3_su_1": ("subject_03", "surprise"),
        "subject_06_happiness_s6_ha_2": ("subject_06", "happy"),
        "subject_07_fear_2_s07_fe_2": ("subject_07", "fear"),
        "subject_12_sadness_5_s12_di_5": ("subject_12", "sad"),
        "subject_08_disgust_s8_di_4": ("subject_08", "contempt"),
        "subject_08_disgust_4_s8_di_4": ("subject_08", "contempt"),
    }
    notes = {name: row["note"] for name, row in clips.items() if row["note"]}
    assert notes == {"subject_12_sadness_5_s12_di_5": "the name says subject 12, disgust"}
    assert sorted(excluded) == [
        ("anger_clip", "neither folders nor name tell the subject"),
        ("subject 8_boredom_clip", "neither folders nor name tell the emotion"),
        ("subject_08_disgust_4_s8_di_4", "another file holds the same take"),
    ]
    assert len(load("eNTERFACE05", folder / "subject 1")[0]) == 1  # one subject's folder alone


def test_enterface_to_segments(tmp_path, processed, videos):
    put(tmp_path / "e" / "subject 1" / "happiness" / "sentence 1" / "s1_ha_1.avi", videos[".avi"])
    put(tmp_path / "e" / "subject 2" / "happiness" / "s2_ha_1.avi", videos[".avi"].read_bytes()[:3000])
    good, corrupt = "subject_01_happiness_1_s1_ha_1", "subject_02_happiness_s2_ha_1"
    cut_segments("eNTERFACE05", tmp_path / "e", good={good}, corrupt={corrupt})


# MMI


def put_session(folder: Path, name: str, emotion: str = "", view: str = "", video: Path | bytes = b"-") -> None:
    put(folder / f"{name}.avi", video)
    tag = f'<Metatag Name="Emotion" Value="{emotion}"/>' if emotion else ""
    put(folder / f"{name}.xml", f'<Metadata xmlns="http://a.b"><Metatag Name="Gender" Value="M"/>{tag}</Metadata>')
    if view:
        other = '<track filename="other.avi" view="1"/>'
        put(folder / "session.xml", f'<session>{other}<track filename="{name}.avi" view="{view}"/></session>')


def test_mmi_metadata_views_and_own_labels(tmp_path):
    sessions = tmp_path / "Sessions"
    put_session(sessions / "1", "S001-001", "1", "0")
    put_session(sessions / "2", "S001-002", "6", "2")
    put_session(sessions / "3", "S002-001", "4", "1")
    put_session(sessions / "4", "S002-002", "", "0")
    put_session(sessions / "5", "S003-001", "9", "0")
    put_session(sessions / "6", "clip", "5")
    put(sessions / "7" / "S003-002.AVI")
    put(sessions / "7" / "S003-002-oao_aucs.xml", "<a/>")
    put(sessions / "8" / "S003-003.avi")
    put(sessions / "8" / "S003-003.xml", "<Metadata><Metatag")
    put(sessions / "9" / "portrait 1.mov")
    put(sessions / "9" / "portrait 2.mov")
    own = [
        "file;Subject;emotion",
        "portrait 1.mov;S009;Joy",
        "sessions\\9\\Portrait 2.MOV;S009;glee",
        "gone.avi;S1;fear",
    ]
    put(tmp_path / "labels.csv", "\ufeff" + "\n".join([*own, "a.avi;;fear", "gone.avi;S2;fear"]))

    clips, excluded = load("MMI", tmp_path)
    assert {name: (row["subject"], row["emotion"], row["note"]) for name, row in clips.items()} == {
        "1_S001-001": ("MMI/S001", "anger", ""),
        "2_S001-002": ("MMI/S001", "surprise", "front and side in one picture (session.xml: view 2)"),
        "9_portrait 1": ("MMI/S009", "happy", ""),
    }
    reasons = dict(excluded)
    assert reasons.pop("8_S003-003").startswith("S003-003.xml is not readable as XML")
    assert reasons == {
        "3_S002-001": "filmed from the side (session.xml: view 1)",
        "4_S002-002": "S002-002.xml names no emotion (single muscle actions)",
        "5_S003-001": "the emotion's code 9 is not known",
        "6_clip": "the name doesn't tell the subject (S001-...): write labels.csv",
        "7_S003-002": "no S003-002.xml beside the video, and no row in labels.csv",
        "9_portrait 2": "unknown label 'glee'",
        "a.avi": "a row of labels.csv lacks its file, subject or emotion",
        "gone.avi": "two rows of labels.csv for one file",
    }


def test_own_labels_without_the_columns(tmp_path):
    put(tmp_path / "a.avi")
    put(tmp_path / "Labels.csv", "file,emotion\na.avi,fear\n")
    for name in ("MMI", "Belfast"):
        with pytest.raises(DataError, match=r"lacks the columns \['subject'\]; it has \['file', 'emotion'\]"):
            corpora.load_clips(f"{name}={tmp_path}")


def test_mmi_to_segments(tmp_path, processed, videos):
    put_session(tmp_path / "m" / "Sessions" / "1", "S001-001", "4", "0", videos[".avi"])
    put_session(tmp_path / "m" / "Sessions" / "2", "S002-001", "4", "0")
    cut_segments("MMI", tmp_path / "m", good={"1_S001-001"}, corrupt={"2_S002-001"})


# IEMOCAP


EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[0.1000 - 0.5000]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
[0.2 - 0.6] Ses01F_impro01_M000 exc [2.5, 2.5, 2.5]
[0.6000 - 0.2000]\tSes01F_impro01_F001\tang\t[2.5000, 2.5000, 2.5000]
[0.2000 - 0.6000]\tSes01F_impro01_F002\tfru\t[2.5000, 2.5000, 2.5000]
[0.2000 - 0.6000]\tSes01F_impro01_F003\txxx\t[2.5000, 2.5000, 2.5000]
[0.2000 - 0.6000]\tSes01F_impro01_F004\tglee\t[2.5000, 2.5000, 2.5000]
[0.2000 - 0.6.0]\tSes01F_impro01_F005\tsad\t[2.5000, 2.5000, 2.5000]
[7 - 70000000]\tSes01F_impro01_F006\tsad\t[2.5000, 2.5000, 2.5000]
[torn
[0.3000 - 0.6000]\tSes01F_impro01_M006\tsad\t[2.5000, 2.5000, 2.5000]
[0.4000 - 0.6000]\tSes01F_impro01_M006\tfea\t[2.5000, 2.5000, 2.5000]
"""


def test_iemocap_cuts_by_time_and_side(tmp_path):
    dialog = tmp_path / "Session1" / "dialog"
    put(dialog / "EmoEvaluation" / "Ses01F_impro01.txt", EVALUATION)
    put(dialog / "EmoEvaluation" / "._Ses01F_impro01.txt", b"\0\x05")
    put(dialog / "EmoEvaluation" / "Categorical" / "Ses01F_impro01_e1.txt", "[0.1 - 0.2] Ses01F_impro01_F009 ang")
    put(
        dialog / "EmoEvaluation" / "Ses01M_impro02.txt",
        "[1 - 2] Ses01M_impro02_M000 hap\n[2 - 3.5] Ses01M_impro02_F000 dis",
    )
    put(dialog / "EmoEvaluation" / "Ses01M_impro03.txt", "[1 - 2]\tSes01M_impro03_M000\thap\t[1, 1, 1]")
    put(dialog / "EmoEvaluation" / "Ses01M_script01.txt", b"\xff\xfe")
    put(tmp_path / "copy" / "EmoEvaluation" / "Ses01M_impro03.txt", "[1 - 2]\tSes01M_impro03_M000\thap\t[1, 1, 1]")
    video = put(dialog / "avi" / "DivX" / "Ses01F_impro01.avi")
    put(dialog / "avi" / "DivX" / "._Ses01F_impro01.avi")
    put(dialog / "avi" / "converted" / "Ses01F_impro01.mp4")
    put(dialog / "avi" / "DivX" / "Ses01M_impro02.AVI")
    put(dialog / "avi" / "DivX" / "Ses01M_script02.avi")

    clips, excluded = load("IEMOCAP", tmp_path)
    assert {name: (row["subject"].split("/")[1], row["emotion"]) for name, row in clips.items()} == {
        "Ses01F_impro01_F000": ("Ses01F", "neutral"),
        "Ses01F_impro01_M000": ("Ses01M", "happy"),
        "Ses01M_impro02_M000": ("Ses01M", "happy"),
        "Ses01M_impro02_F000": ("Ses01F", "contempt"),
    }
    assert {row["split_group"] for row in clips.values()} == {"IEMOCAP/Ses01"}
    parts = {name: split_path(row["path"]) for name, row in clips.items()}
    path, cut = parts["Ses01F_impro01_M000"]
    assert path == video and cut is not None and (cut.start, cut.end) == (0.2, 0.6)
    # whoever wears the markers (the letter after the session) is on the left
    assert {name: part[1].area[0] for name, part in parts.items() if part[1]} == {
        "Ses01F_impro01_F000": 0,
        "Ses01F_impro01_M000": 50,
        "Ses01M_impro02_M000": 0,
        "Ses01M_impro02_F000": 50,
    }
    torn = "not a line of the form [start - end] utterance label: '[torn'"
    assert sorted(excluded) == [
        ("Ses01F_impro01", "Ses01F_impro01_F001 ends (0.2 s) before it starts (0.6 s)"),
        ("Ses01F_impro01", "Ses01F_impro01_F005 has times that make no sense: 0.2000 to 0.6.0"),
        ("Ses01F_impro01", "Ses01F_impro01_F006 has times that make no sense: 7 to 70000000"),
        ("Ses01F_impro01", "another file holds the same take"),
        ("Ses01F_impro01", torn),
        ("Ses01F_impro01_F002", "label 'frustration' is outside the seven classes"),
        ("Ses01F_impro01_F003", "label 'no agreement' is outside the seven classes"),
        ("Ses01F_impro01_F004", "unknown label 'glee'"),
        ("Ses01F_impro01_M006", "evaluation lines that disagree on one utterance"),
        ("Ses01F_impro01_M006", "evaluation lines that disagree on one utterance"),
        ("Ses01M_impro03_M000", "no video Ses01M_impro03.avi"),
        ("Ses01M_script01", "no line of an utterance in it"),
        ("Ses01M_script02", "a video without an evaluation line"),
    ]


def test_iemocap_to_segments(tmp_path, processed, person):
    """Each half of a dialog shows its own speaker; one utterance lies behind the video's end, one video is corrupt."""
    dialog = tmp_path / "i" / "Session1" / "dialog"
    (dialog / "avi" / "DivX").mkdir(parents=True)
    both = np.concatenate([person, person[:, :, ::-1]], axis=2)
    encode(dialog / "avi" / "DivX" / "Ses01F_impro01.avi", both, bit_rate=4_000_000)
    put(dialog / "avi" / "DivX" / "Ses01M_impro02.avi")
    turns = ["[0 - 0.4] Ses01F_impro01_F000 hap", "[0.2 - 0.6] Ses01F_impro01_M000 hap"]
    put(dialog / "EmoEvaluation" / "Ses01F_impro01.txt", "\n".join([*turns, "[7 - 8] Ses01F_impro01_F001 ang"]))
    put(dialog / "EmoEvaluation" / "Ses01M_impro02.txt", "[1 - 2] Ses01M_impro02_M000 hap")
    good = {"Ses01F_impro01_F000", "Ses01F_impro01_M000"}
    corrupt = {"Ses01F_impro01_F001", "Ses01M_impro02_M000"}
    segments = cut_segments("IEMOCAP", tmp_path / "i", good=good, corrupt=corrupt)
    assert set(segments["subject"]) == {"IEMOCAP/Ses01F", "IEMOCAP/Ses01M"}
    clips, _ = load("IEMOCAP", tmp_path / "i")
    left, right = (read_frames(clips[name]["path"])[0].astype(int) for name in sorted(good))
    assert left.shape[1:] == person.shape[1:]
    assert np.abs(left - person[: len(left)]).mean() < 8
    assert np.abs(right - person[6 : 6 + len(right), :, ::-1]).mean() < 8


@given(
    start=st.decimals(0, 2000, places=4),
    length=st.decimals(0, 60, places=4),
    session=st.integers(1, 5),
    wearer=st.sampled_from("FM"),
    speaker=st.sampled_from("FM"),
    label=st.sampled_from([*iemocap.EMOTIONS]),
    gap=st.sampled_from(["\t", " ", "   "]),
)
def test_iemocap_lines_round_trip(start, length, session, wearer, speaker, label, gap):
    name = f"Ses0{session}{wearer}_script01_2_{speaker}012"
    found = iemocap.parse_line(gap.join([f"[{start} - {start + length}]", name, label, "[1.0, 2.0, 3.0]"]))
    if isinstance(found, str):
        assert length < 0.02  # a path holds six digits of a time
        return
    assert (found.name, found.dialog, found.label) == (name, name.rsplit("_", 1)[0], iemocap.EMOTIONS[label])
    assert (found.side == iemocap.LEFT) == (wearer == speaker)
    assert (found.start, found.end) == (float(start), float(start + length))


@given(st.text(), st.text())
def test_no_line_and_no_name_stops_a_reader(first, second):
    iemocap.parse_line(f"[{first} - {second}] Ses01F_impro01_F000 neu")
    iemocap.parse_line(first)
    crema_d.parse_name(first)
    crema_d.vote_note("anger", first)
    enterface.parse_name(first)
    belfast.subject_in(first)
    belfast.emotions_in(first)


# Belfast


def test_belfast_names_and_own_labels(tmp_path):
    put(tmp_path / "Set1 - lab" / "Disgust" / "P012 clip.MOV")
    put(tmp_path / "Set2" / "M07_Amusement.avi")
    put(tmp_path / "Set2" / "subject 7" / "Frustrated.flv")
    put(tmp_path / "Set2" / "P03_fear_disgust.avi")
    put(tmp_path / "Set2" / "S1_fear.avi")
    put(tmp_path / "Set2" / "P04_task3.avi")
    put(tmp_path / "Set2" / "P05_fear.avi", b"")
    put(tmp_path / "Set3" / "x1.avi")
    put(tmp_path / "Set3" / "P06_fear.avi")
    put(tmp_path / "Set3" / "P06_fear.mp4")
    put(tmp_path / "labels.csv", "file,subject,emotion\nSet3/x1.avi,kim,surprise\n")
    clips, excluded = load("Belfast", tmp_path)
    assert {name: (row["subject"].split("/")[1], row["emotion"], row["note"]) for name, row in clips.items()} == {
        "Set1 - lab/Disgust/P012 clip": ("P12", "contempt", belfast.FROM_NAME),
        "Set2/M07_Amusement": ("M7", "happy", belfast.FROM_NAME),
        "Set3/P06_fear": ("P6", "fear", belfast.FROM_NAME),
        "Set3/x1": ("kim", "surprise", ""),
    }
    assert dict(excluded) == {
        "Set2/subject 7/Frustrated": "label 'frustration' is outside the seven classes",
        "Set2/P03_fear_disgust": "the name holds ['fear', 'disgust']: write labels.csv",
        "Set2/S1_fear": "the name holds no subject: write labels.csv",
        "Set2/P04_task3": "the name holds no emotion: write labels.csv",
        "Set2/P05_fear": "the file is empty",
        "Set3/P06_fear": "another file holds the same take",
    }


def test_belfast_to_segments(tmp_path, processed, videos):
    put(tmp_path / "b" / "Set 1" / "Amusement" / "P01.mov", videos[".mov"])
    put(tmp_path / "b" / "Set 1" / "Amusement" / "P02.mov", videos[".mov"].read_bytes()[:2000])
    good, corrupt = "Set 1/Amusement/P01", "Set 1/Amusement/P02"
    cut_segments("Belfast", tmp_path / "b", good={good}, corrupt={corrupt})


# All of them


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.CORPUS.name)
def test_a_wrong_folder_shows_what_is_expected_and_what_was_found(tmp_path, module):
    corpus = module.CORPUS
    put(tmp_path / "holiday" / "2021" / "beach.mp4")
    with pytest.raises(DataError) as caught:
        corpora.load_clips(f"{corpus.name}={tmp_path}")
    message = str(caught.value)
    assert f"this folder is not {corpus.name}; it holds ['holiday'], for instance holiday/2021/beach.mp4" in message
    assert f"Expected this layout:\n{corpus.layout}" in message
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="it holds nothing"):
        corpus.read(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        corpus.read(tmp_path / "nowhere")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.CORPUS.name)
def test_every_word_of_a_corpus_is_decided(module):
    corpus = module.CORPUS
    assert corpora.CORPORA[corpus.name] is corpus
    assert set(corpus.labels) <= {*LABEL_TO_EMOTION, *UNMAPPED_LABELS}
    assert all(line.startswith("    ") for line in corpus.layout.splitlines())


def test_two_corpora_joined(tmp_path):
    put(tmp_path / "r" / "Actor_01" / "01-01-05-02-01-01-01.mp4")
    put(tmp_path / "c" / "VideoFlash" / "1001_DFA_ANG_XX.flv")
    clips, _ = corpora.load_clips(f"RAVDESS={tmp_path / 'r'},crema-d={tmp_path / 'c'}")
    assert clips["clip_id"].to_list() == ["CREMA-D/1001_DFA_ANG_XX", "RAVDESS/01-01-05-02-01-01-01"]


def test_a_folder_that_ends_in_mp4_is_no_video(tmp_path, person):
    (tmp_path / "Actor_01" / "01-01-03-01-01-01-01.mp4").mkdir(parents=True)
    write_video(tmp_path / "Actor_01" / "01-01-03-02-01-01-01.mp4", person[:2])
    clips, excluded = load("RAVDESS", tmp_path)
    assert [*clips] == ["01-01-03-02-01-01-01"] and not excluded


def test_a_name_that_fits_two_files_labels_neither(tmp_path):
    for folder in ("Set1", "Set2"):
        put(tmp_path / folder / "001.avi")
    put(tmp_path / "Set2" / "002.avi")
    put(tmp_path / "labels.csv", "file,subject,emotion\n001.avi,kim,fear\n002.avi,lee,anger\n")
    clips, excluded = load("Belfast", tmp_path)
    assert list(clips) == ["Set2/002"]
    fits = "a row of labels.csv fits several files: write the folder too"
    assert dict(excluded) == {"Set1/001": fits, "Set2/001": fits}


def test_linked_folders_are_read_and_loops_end(tmp_path):
    put(tmp_path / "disk" / "Actor_02" / "01-01-03-01-01-01-02.mp4")
    root = tmp_path / "RAVDESS"
    put(root / "Actor_01" / "01-01-04-01-01-01-01.mp4")
    (root / "Actor_02").symlink_to(tmp_path / "disk" / "Actor_02")
    (root / "again").symlink_to(root)
    (root / "Actor_01" / "01-01-05-01-01-01-01.mp4").symlink_to(tmp_path / "nowhere.mp4")
    clips, excluded = corpora.load_clips(f"RAVDESS={root}")
    assert clips["clip_id"].to_list() == ["RAVDESS/01-01-03-01-01-01-02", "RAVDESS/01-01-04-01-01-01-01"]
    assert excluded["reason"].to_list() == ["the file can't be read (No such file or directory)"]


def test_hidden_folders_are_not_read(tmp_path):
    put(tmp_path / "Actor_01" / "01-01-04-01-01-01-01.mp4")
    put(tmp_path / ".Actor_02.half" / "01-01-04-01-01-01-02.mp4")
    clips, excluded = corpora.load_clips(f"RAVDESS={tmp_path}")
    assert clips["clip_id"].to_list() == ["RAVDESS/01-01-04-01-01-01-01"]
    assert excluded.empty


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", [b"Actor_01/caf\xe9.mp4", b"Actor_\xe9/01-01-03-01-01-01-01.mp4"])
def test_a_name_that_is_no_utf8_is_listed(tmp_path, name):
    put(tmp_path / "Actor_01" / "01-01-04-01-01-01-01.mp4")
    put(tmp_path / os.fsdecode(name))
    clips, excluded = corpora.load_clips(f"RAVDESS={tmp_path}")
    assert clips["clip_id"].to_list() == ["RAVDESS/01-01-04-01-01-01-01"]
    assert excluded["reason"].to_list() == ["the file's name is not UTF-8: rename it"]
    assert excluded["path"].str.contains("\\udce9", regex=False).all()

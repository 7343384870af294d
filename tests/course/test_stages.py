"""The people of a profile: a stable choice that shows every class."""

from dataclasses import replace
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from microx_utils.course.stages import labelled, select_clips, select_own
from microx_utils.experiments import Profile, get_profile
from microx_utils.labels import EMOTIONS


def people(subjects: int | None) -> Profile:
    return replace(get_profile("smoke"), subjects=subjects)


clip_tables = st.lists(
    st.tuples(st.sampled_from(["BAUM-1a", "BAUM-1s", "BAUM-2"]), st.integers(0, 20), st.sampled_from(EMOTIONS)),
    min_size=1,
    max_size=60,
).map(
    lambda rows: pd.DataFrame(
        [(corpus, f"{corpus[:6]}-{person:02d}", emotion) for corpus, person, emotion in rows],
        columns=["corpus", "split_group", "emotion"],
    )
)


@given(clip_tables, st.integers(1, 25), st.randoms(use_true_random=False))
def test_choice_is_whole_people_stable_and_nested(clips: pd.DataFrame, subjects: int, random: Any) -> None:
    chosen = select_clips(clips, people(subjects))
    names = set(chosen["split_group"])
    assert len(names) == min(subjects, clips["split_group"].nunique())
    assert len(chosen) == clips["split_group"].isin(names).sum()
    order = list(range(len(clips)))
    random.shuffle(order)
    assert set(select_clips(clips.iloc[order], people(subjects))["split_group"]) == names
    assert names <= set(select_clips(clips, people(subjects + 1))["split_group"])


def test_rare_class_is_chosen_before_more_of_the_common_one() -> None:
    rows = [("BAUM-2", f"p{person:02d}", "neutral") for person in range(20)]
    rows += [("BAUM-2", f"p{person:02d}", "fear") for person in (17, 18, 19)]
    clips = pd.DataFrame(rows, columns=["corpus", "split_group", "emotion"])
    chosen = select_clips(clips, people(6))
    assert chosen.loc[chosen["emotion"] == "fear", "split_group"].nunique() == 3
    assert set(chosen["split_group"]) == {"p00", "p01", "p02", "p17", "p18", "p19"}


def test_people_come_from_every_corpus_in_turn() -> None:
    rows = [(corpus, f"{corpus}-{person}", "happy") for corpus in ("BAUM-1a", "BAUM-2") for person in range(10)]
    chosen = select_clips(pd.DataFrame(rows, columns=["corpus", "split_group", "emotion"]), people(6))
    assert chosen["corpus"].value_counts().to_dict() == {"BAUM-1a": 3, "BAUM-2": 3}


def test_everyone_without_a_limit() -> None:
    clips = pd.DataFrame(
        {"corpus": ["BAUM-2"] * 3, "split_group": list("abc"), "emotion": ["sad"] * 3}, index=[4, 5, 6]
    )
    chosen = select_clips(clips, people(None))
    assert list(chosen["split_group"]) == ["a", "b", "c"]
    assert list(chosen.index) == [0, 1, 2]


def test_own_recordings_of_the_first_people() -> None:
    clips = pd.DataFrame({"split_group": ["own/b", "own/a", "own/c", "own/a"]}, index=[3, 2, 1, 0])
    chosen = select_own(clips, replace(get_profile("smoke"), own_subjects=2))
    assert chosen["split_group"].tolist() == ["own/b", "own/a", "own/a"]
    assert select_own(clips, replace(get_profile("smoke"), own_subjects=None))["split_group"].nunique() == 3


def test_an_example_is_found_in_data_without_the_wanted_label() -> None:
    clips = pd.DataFrame({"emotion": ["sad", "fear", "fear", "happy"]})
    assert labelled(clips, "happy").index.tolist() == [3]
    assert labelled(clips, "surprise").index.tolist() == [1, 2]

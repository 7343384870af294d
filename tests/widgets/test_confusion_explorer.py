"""The confusion explorer: which segments lie in a cell, what is shown of them, controls that agree."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seen import alt, pixels
from tiny_run import fake_store, tiny

from microx_utils.batches import split_table
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.training import Run
from microx_utils.video import write_video
from microx_utils.widgets.confusion_explorer import (
    ALL,
    CHOICES,
    LABELS,
    OTHER,
    cell_names,
    cell_text,
    confusion_explorer,
    count_cells,
    frame_spans,
    most_frequent_mistake,
    possible_cells,
    rows_behind,
)
from microx_utils.widgets.live import Live


def table(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """Predictions from label, first and second choice, and the first one's probability."""
    lines = []
    for k, (label, first, second, sure) in enumerate(rows):
        shares = dict.fromkeys(PROBABILITIES, 0.02 * (1 - sure))
        shares |= {f"p_{first}": sure, f"p_{second}": 0.9 * (1 - sure)}
        ids = {"segment_id": f"c{k // 2}#{k % 2:02d}", "clip_id": f"c{k // 2}", "subject": f"s{k // 2}"}
        lines.append({**ids, "emotion": label, "split": "test", **shares})
    return pd.DataFrame(lines)


@pytest.fixture
def predictions() -> pd.DataFrame:
    return table(
        ("fear", "sad", "fear", 0.6),
        ("fear", "sad", "anger", 0.8),
        ("sad", "sad", "happy", 0.7),
        ("sad", "fear", "sad", 0.9),
    )


def test_seven_by_seven_by_label_and_answer(predictions: pd.DataFrame) -> None:
    counts = count_cells(cell_names(predictions, LABELS))
    assert list(counts.index) == list(counts.columns) == list(EMOTIONS)
    assert counts.loc["fear", "sad"] == 2 and counts.loc["sad", "sad"] == 1 and counts.loc["sad", "fear"] == 1
    assert counts.to_numpy().sum() == 4


def test_answers_and_second_choices(predictions: pd.DataFrame) -> None:
    counts = count_cells(cell_names(predictions, CHOICES))
    assert counts.loc["sad"].to_dict() == dict.fromkeys(EMOTIONS, 0) | {"fear": 1, "anger": 1, "happy": 1}
    assert np.trace(counts.to_numpy()) == 0


def test_one_emotion_against_the_rest(predictions: pd.DataFrame) -> None:
    counts = count_cells(cell_names(predictions, LABELS, "sad"), "sad")
    assert counts.to_dict("index") == {OTHER: {OTHER: 0, "sad": 2}, "sad": {OTHER: 1, "sad": 1}}


def test_only_the_same_emotion_twice_is_impossible_as_first_and_second_choice() -> None:
    assert possible_cells(LABELS).to_numpy().all()
    assert (possible_cells(CHOICES).to_numpy() == ~np.eye(7, dtype=bool)).all()
    assert possible_cells(CHOICES, "fear").to_numpy().tolist() == [[True, True], [True, False]]


def test_the_rows_behind_a_cell_begin_with_the_most_confident(predictions: pd.DataFrame) -> None:
    names = cell_names(predictions, LABELS)
    assert rows_behind(predictions, names, ("fear", "sad"))["segment_id"].tolist() == ["c0#01", "c0#00"]
    assert rows_behind(predictions, names, ("happy", "sad")).empty


def test_the_most_frequent_mistake_is_off_the_diagonal() -> None:
    counts = pd.DataFrame([[9, 1], [2, 9]])
    assert most_frequent_mistake(counts) == [1, 0]


def test_a_cell_in_words() -> None:
    counts = pd.DataFrame([[3, 1], [0, 0]], ["fear", "sad"], ["fear", "sad"])
    assert cell_text(counts, [0, 1], LABELS, "clips") == "1 of the 4 clips labelled fear was answered sad (25%)."
    assert cell_text(counts, [0, 0], CHOICES, "segments") == (
        "3 of the 4 segments answered fear have as second choice fear (75%)."
    )
    assert cell_text(counts, [1, 0], LABELS, "clips") == "0 of the 0 clips labelled sad were answered fear."


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """A run that answers "sad" to all, with a clip of its own colours for each person and emotion."""
    folder, store = tmp_path_factory.mktemp("clips"), fake_store(subjects=6)
    paths = []
    for k in range(len(store.clips)):
        grey = [np.full((32, 48, 3), 20 + 2 * k + 10 * f, np.uint8) for f in range(6)]
        write_video(folder / f"{k}.mp4", grey, crf=10)
        paths.append(str(folder / f"{k}.mp4"))
    store = dataclasses.replace(store, clips=store.clips.assign(path=paths))
    rows = split_table(tiny(), store).drop(columns=["first"])
    shares = pd.DataFrame(np.full((len(rows), 7), 0.1), columns=list(PROBABILITIES)).assign(p_sad=0.4)
    predictions = pd.concat([rows[["segment_id", "clip_id", "subject", "emotion", "split"]], shares], axis=1)
    run = Run(tiny(), "key", Path(), pd.DataFrame(), predictions, {})
    return confusion_explorer(run, store, data="rendered & sample")


@pytest.fixture
def live(explored: Live) -> Live:
    explored.set(view=LABELS, unit="segments", against=ALL)
    explored.set(cell=[EMOTIONS.index("fear"), EMOTIONS.index("sad")])
    return explored


def test_a_click_lists_the_cell_and_shows_its_first(live: Live) -> None:
    options = live.controls["item"].options
    assert options and all("sad 40%" in label for label, _ in options)
    assert (
        f"{len(options)} of the {len(options)} segments labelled fear were answered sad (100%)."
        in live.views["about"].value
    )
    assert "rendered &amp; sample, subject split, n = " in live.views["about"].value
    assert "labelled fear" in alt(live.shown["picture"])
    assert "40%" in live.views["bars"].value


def test_the_frames_are_those_of_the_segment(live: Live) -> None:
    second = next(name for _, name in live.controls["item"].options if name.endswith("#01"))
    live.controls["item"].value = second
    assert (live.controls["frame"].min, live.controls["frame"].max) == (0, 2)
    before = pixels(live.shown["picture"]).mean()
    live.controls["frame"].value = 2
    assert pixels(live.shown["picture"]).mean() == pytest.approx(before + 20, abs=3)
    live.controls["item"].value = second.replace("#01", "#00")
    assert live.controls["frame"].value == 0
    assert pixels(live.shown["picture"]).mean() == pytest.approx(before - 30, abs=3)


def test_an_empty_cell_shows_that_it_is_empty(live: Live) -> None:
    live.controls["cell"].value = [0, 0]
    assert live.controls["item"].options == () and live.problem.value == ""
    assert alt(live.shown["picture"]) == "Nothing lies in this cell."
    live.controls["cell"].value = [0, EMOTIONS.index("sad")]
    assert "labelled neutral" in alt(live.shown["picture"])


def test_the_matrix_follows_the_menus(live: Live) -> None:
    live.controls["unit"].value = "clips"
    assert live.controls["frame"].max == 5  # all of a clip
    live.controls["against"].value = "sad"
    assert live.controls["cell"].cells["rows"] == [OTHER, "sad"]
    assert live.controls["cell"].value == [0, 1]
    live.controls["view"].value = CHOICES
    assert not live.controls["cell"].cells["cells"][1][1]["possible"]
    assert live.problem.value == ""


def test_the_still_has_the_matrix_and_a_frame(explored: Live) -> None:
    still = explored._repr_mimebundle_()["text/html"]
    assert still.count("<td title=") == 49 and "<img" in still and "rendered &amp; sample" in still


def test_spans_count_frames_from_the_start_of_the_clip() -> None:
    store = fake_store(subjects=6)
    spans = frame_spans(split_table(tiny(), store), store.clips)
    assert spans["s001_002#01"] == ("", 3, 3)
    assert spans["s001_002"] == ("", 0, 6)

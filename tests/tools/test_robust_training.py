"""`microx train robust` on five people of two classes: weights, a card, and training that goes on from them."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_corpus import write_tiny_corpus

from microx_utils.apply.answers import SHIPPED, predict_video
from microx_utils.robust.predicting import load_network
from microx_utils.support import paths
from microx_utils.tools.cli import main


def test_weights_are_kept_with_what_they_are_worth(
    tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")
    data, first, second = write_tiny_corpus(tmp_path), tmp_path / "first", tmp_path / "second"
    smoke = ["train", "robust", "--profile", "smoke", "--data", data]
    assert main([*smoke, "--to", str(first)]) == 0
    card = json.loads((first / "card.json").read_text())
    assert card["made"]["data"].startswith("RAVDESS") and card["made"]["clips"] <= 20
    assert [score["test"].split(", ")[1:] for score in card["scores"]] == [
        ["test people of the subject split"],
        ["own recordings", "without a mask"],
        ["own recordings", "with a mask"],
    ]
    assert all(0 <= score["accuracy"] <= 1 and score["n"] > 0 for score in card["scores"])
    assert "test people of the subject split: accuracy" in capsys.readouterr().out
    assert len(predict_video(clip_path, network=load_network(first))) == 7
    assert main([*smoke, "--to", str(second), "--from", str(first)]) == 0
    assert (first / "frame.weights.h5").read_bytes() != (second / "frame.weights.h5").read_bytes()
    start = json.loads((second / "card.json").read_text())["made"]["start"]
    assert start.items() <= card["made"].items() and f"--data {data}" in start["command"]


@pytest.mark.parametrize(
    "words", [["robust", "table1_microx"], ["robust", "--seeds", "2"], ["table1_microx", "--to", "somewhere"]]
)
def test_what_does_not_go_together_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    assert "robust" in capsys.readouterr().err


def test_no_other_files_are_replaced_and_no_test_people_are_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    assert main(["train", "robust", "--profile", "smoke", "--to", str(tmp_path)]) != 0
    assert "holds other files, such as thesis.docx" in capsys.readouterr().err
    assert (tmp_path / "thesis.docx").is_file()
    of_sample = shutil.copytree(SHIPPED, tmp_path / "of_sample")
    card = json.loads((of_sample / "card.json").read_text())
    (of_sample / "card.json").write_text(json.dumps(card | {"made": card["made"] | {"data": "sample", "seed": 0}}))
    again = [
        "train",
        "robust",
        "--profile",
        "smoke",
        "--seed",
        "1",
        "--from",
        str(of_sample),
        "--to",
        str(tmp_path / "new"),
    ]
    assert main(again) != 0
    assert "with seed 0, on people whom another seed would test" in capsys.readouterr().err

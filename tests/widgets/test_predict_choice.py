"""Questions with options: what is said to each choice, and that nothing gives the answer away."""

from pathlib import Path

import pytest

from microx_utils.course.outline import load_course
from microx_utils.support.errors import DataError
from microx_utils.widgets import predict_choice as module
from microx_utils.widgets.predict_choice import choice_question, predict_choice, read_questions

OPTIONS = {"1/7": "That is a <die>.", "the share of that class": "Exactly there it is right.", "0": "Once in a while."}


@pytest.fixture
def live() -> module.Live:
    return choice_question("How accurate & why?", OPTIONS, answer="the share of that class")


def test_nothing_is_said_before_a_choice(live: module.Live) -> None:
    assert live.values == {"choice": None}
    assert not any(word in live.views["reply"].value for word in ("Right", "Not this", "Exactly", "die"))


def test_each_choice_gets_its_own_explanation(live: module.Live) -> None:
    live.set(choice=0)
    assert "Not this one." in live.views["reply"].value
    assert "That is a &lt;die&gt;." in live.views["reply"].value
    live.set(choice=1)
    assert "Right." in live.views["reply"].value
    assert "Exactly there it is right." in live.views["reply"].value
    assert "die" not in live.views["reply"].value


def test_the_buttons_have_the_question_and_the_options(live: module.Live) -> None:
    options = live.controls["choice"]
    assert (options.description, options.labels) == ("How accurate & why?", list(OPTIONS))


def test_the_still_shows_the_options_and_folds_the_answer_away(live: module.Live) -> None:
    still = live._repr_mimebundle_()["text/html"]
    open_part, folded = still.split("<details>")
    assert "How accurate &amp; why?" in open_part
    assert all(f"<li>{option}</li>" in open_part for option in OPTIONS)
    assert "(right)" not in open_part and "Exactly" not in open_part
    assert "the share of that class</strong> (right): Exactly there it is right." in folded


@pytest.mark.parametrize(
    ("options", "answer", "problem"),
    [
        (OPTIONS, "1", "none of the options"),
        ({"a": "Yes."}, "a", "at least two"),
        ({"a": "Yes.", "b": " "}, "a", "missing for \\['b'\\]"),
    ],
)
def test_an_incomplete_question_is_refused(options: dict[str, str], answer: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        choice_question("?", options, answer=answer)


def test_a_file_of_questions_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUESTIONS", tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_questions("06_evaluation")
    (tmp_path / "06_evaluation.toml").write_text('[one]\nquestion = "?"\nanswer = "a"\n', encoding="utf-8")
    with pytest.raises(DataError, match="one has"):
        read_questions("06_evaluation")


def test_every_file_belongs_to_a_notebook_and_every_question_opens() -> None:
    files = sorted(path.stem for path in module.QUESTIONS.glob("*.toml"))
    assert files
    assert set(files) <= {entry.id for entry in load_course().notebooks}
    for notebook in files:
        for name, asked in read_questions(notebook).items():
            assert predict_choice(notebook, name).controls["choice"].labels == list(asked["options"])


def test_an_unknown_question_is_named_with_the_choices() -> None:
    with pytest.raises(ValueError, match="no question 'x'; choose from"):
        predict_choice("06_evaluation", "x")

"""Predict, then reveal: a question with its options, and to each option what is right or wrong about it.

The questions of a notebook are in `questions/<notebook>.toml`, not in the notebook, where the answer would stand above
the question. A file has one table per question:

    [lazy_model]
    question = "What is the accuracy of a model that always says the most frequent label?"
    answer = "the share of that label"
    [lazy_model.options]
    "1/7" = "That is a die with seven sides. ..."
    "the share of that label" = "It is right exactly where the label is that one. ..."

Line breaks inside a text (in three quotes) are blanks.
"""

import html
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from microx_utils.support.errors import DataError
from microx_utils.widgets.live import Live
from microx_utils.widgets.shown import Html

QUESTIONS = Path(__file__).with_name("questions")


class Options(anywidget.AnyWidget):
    """Options as radio buttons, none chosen at first.

    ipywidgets' own don't form a group for the keyboard or a screen reader, and don't wrap long options.
    """

    _esm = """
    let groups = 0;
    function render({ model, el }) {
      el.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the arrow keys
      const group = document.createElement("fieldset"), legend = document.createElement("legend");
      group.style.cssText = "border:0;margin:0;padding:0;max-width:44em";
      legend.textContent = model.get("description");
      legend.style.cssText = "padding:0;margin-bottom:0.4em";
      group.append(legend);
      const name = `options-${Date.now()}-${groups++}`;
      const buttons = model.get("labels").map((text, k) => {
        const label = document.createElement("label"), button = document.createElement("input");
        label.style.cssText = "display:flex;gap:0.5em;align-items:baseline;padding:0.15em 0;cursor:pointer";
        button.type = "radio";
        button.name = name;
        button.addEventListener("change", () => { model.set("value", k); model.save_changes(); });
        label.append(button, text);
        group.append(label);
        return button;
      });
      const mark = () => buttons.forEach((button, k) => { button.checked = model.get("value") === k; });
      model.on("change:value", mark);
      mark();
      group.addEventListener("keydown", (event) => event.stopPropagation()); // or the notebook takes the focus
      el.append(group);
      return () => model.off("change:value", mark);
    }
    export default { render };
    """
    description = traitlets.Unicode().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value = traitlets.Int(None, allow_none=True).tag(sync=True)


def predict_choice(notebook: str, name: str) -> Live:
    """Return a question of a notebook as a widget: whoever chooses an option is told what is right or wrong about it.

    Parameters
    ----------
    notebook
        The notebook's id, such as "06_evaluation".
    name
        The question's name in the notebook's file of questions.

    Raises
    ------
    ValueError
        The notebook has no question of this name; the message lists those it has.
    DataError
        The file of questions is missing, or a question in it is incomplete.
    """
    questions = read_questions(notebook)
    if name not in questions:
        raise ValueError(f"notebook {notebook} has no question {name!r}; choose from {list(questions)}")
    asked = questions[name]
    return choice_question(asked["question"], asked["options"], answer=asked["answer"])


def read_questions(notebook: str) -> dict[str, Any]:
    """Return a notebook's questions by name, each with its question, options (option -> explanation) and answer."""
    path = QUESTIONS / f"{notebook}.toml"
    if not path.is_file():
        raise DataError(path, "there is no such file", "Write the notebook's questions into it.")
    questions = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, asked in questions.items():
        if asked.keys() != {"question", "options", "answer"}:
            raise DataError(path, f"{name} has {sorted(asked)}", "Give it question, answer and options.")
        asked["question"] = " ".join(asked["question"].split())
        asked["options"] = {option: " ".join(says.split()) for option, says in asked["options"].items()}
        check_options(asked["options"], asked["answer"])
    return questions


def check_options(options: Mapping[str, str], answer: str) -> None:
    """Raise ValueError unless there are two options or more, each with an explanation, and the answer is one."""
    if answer not in options:
        raise ValueError(f"the answer {answer!r} is none of the options {list(options)}")
    unexplained = [option for option, says in options.items() if not says.strip()]
    if len(options) < 2 or unexplained:
        raise ValueError(f"give at least two options, each with an explanation; missing for {unexplained}")


def choice_question(question: str, options: Mapping[str, str], *, answer: str) -> Live:
    """Return a question as a widget.

    Parameters
    ----------
    question
        Plain text, as are the options and their explanations.
    options
        Option -> what is right or wrong about it, in the order in which they are shown.
    answer
        The option that is right.
    """
    check_options(options, answer)

    def draw(choice: int | None) -> dict[str, Html]:
        return {"reply": reply(None if choice is None else list(options)[choice], options, answer)}

    controls = {"choice": Options(description=question, labels=list(options))}
    return Live(draw, controls, title="Predict", still=still_question(question, options, answer))


def reply(choice: str | None, options: Mapping[str, str], answer: str) -> Html:
    """Return what is said to a choice (None: none yet), announced by screen readers."""
    said = "Choose one, then read on."
    if choice is not None:
        verdict = "Right." if choice == answer else "Not this one."
        said = f"<strong>{verdict}</strong> {html.escape(options[choice])}"
    return Html(f'<div role="status" style="max-width:44em;line-height:1.5;white-space:normal">{said}</div>')


def still_question(question: str, options: Mapping[str, str], answer: str) -> Html:
    """Return a question for pages without a front end: the answer and all explanations are folded away."""
    choices = "".join(f"<li>{html.escape(option)}</li>" for option in options)
    replies = "".join(
        f"<li><strong>{html.escape(option)}</strong>{' (right)' if option == answer else ''}: {html.escape(says)}</li>"
        for option, says in options.items()
    )
    return Html(
        f'<div><strong>Predict</strong><p>{html.escape(question)}</p><ol type="a">{choices}</ol>'
        f'<details><summary>Answer</summary><ol type="a">{replies}</ol></details></div>'
    )

"""The reference card: every line of it runs, and every name that a learner needs is on it."""

import doctest
from pathlib import Path

import pytest

import microx_utils
from microx_utils.publish.book import SETTINGS
from microx_utils.support import paths

CARD = SETTINGS / "card.rst"


def test_every_line_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    test = doctest.DocTestParser().get_doctest(CARD.read_text(encoding="utf-8"), {}, CARD.name, str(CARD), 0)
    found = runner.run(test, out=said.append)
    assert found.failed == 0, "".join(said)
    assert found.attempted > 15


def test_every_public_name_is_used() -> None:
    lines = [line for line in CARD.read_text(encoding="utf-8").splitlines() if line.startswith(">>>")]
    assert [name for name in microx_utils.__all__ if not any(name in line for line in lines)] == []

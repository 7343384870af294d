"""The commands `microx data fetch` and `microx data list`: options passed on, advice printed, exit codes."""

from pathlib import Path

import pytest

from microx_utils.support import paths
from microx_utils.tools import cli, fetch


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "SAMPLE", tmp_path / "data" / "sample")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "fetch"], "required: corpus"),
        (["data", "fetch", "baum"], "invalid choice: 'baum'"),
        (["data", "fetch", "ravdess", "--actors", "1-25"], "there is no actor 25; RAVDESS has the actors 1 to 24"),
        (["data", "fetch", "ravdess", "--actors", "x"], "write for instance 1-4,7"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_fetch_passes_its_options_on_and_says_how_to_cite(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[tuple[int, ...], Path, bool]] = []

    def fetched(actors: tuple[int, ...], to: Path, *, keep_archives: bool, say: object) -> list[Path]:
        calls.append((actors, to, keep_archives))
        return [to / f"Actor_{actor:02d}" for actor in actors]

    monkeypatch.setattr(fetch, "fetch_ravdess", fetched)
    assert cli.main(["data", "fetch", "RAVDESS", "--actors", "1-2,7"]) == 0
    said = capsys.readouterr().out
    assert "3 actors in data/raw/RAVDESS; archives are deleted after unpacking" in said
    assert "CC BY-NC-SA 4.0" in said
    assert "Livingstone SR, Russo FA (2018)" in said
    assert said.endswith("make figures DATA=RAVDESS\n")

    elsewhere = checkout / "a disk"
    assert cli.main(["data", "fetch", "ravdess", "--to", str(elsewhere), "--keep-archives"]) == 0
    said = capsys.readouterr().out
    assert f"make figures DATA='RAVDESS={elsewhere}'" in said
    assert "24 actors in a disk; archives are kept" in said
    assert calls == [
        ((1, 2, 7), checkout / "data" / "raw" / "RAVDESS", False),
        (tuple(range(1, 25)), elsewhere, True),
    ]


def test_an_interrupted_fetch_says_how_to_go_on(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch_ravdess", interrupted)
    assert cli.main(["data", "fetch", "ravdess", "--to", str(checkout)]) == 130
    assert "finished work is kept, and the same command continues it" in capsys.readouterr().err


def test_list_of_the_data(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = checkout / "me" / "own" / "p01"
    own.mkdir(parents=True)
    (own / "happy_plain_1.mp4").write_bytes(b"")
    assert cli.main(["data", "list", "--data", str(checkout / "me")]) == 0
    said = capsys.readouterr().out
    assert "found       me/own\n    clips       1 usable, of 1 person" in said
    assert cli.main(["data", "list", "--data", str(checkout / "nowhere")]) == 2
    assert "no such data folder" in capsys.readouterr().err

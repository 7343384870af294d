"""Folders that the environment moves: the same for every program, never where git sees them, named when refused."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from microx_utils.support import paths
from microx_utils.support.errors import DataError


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as a new process has it, with neither variable set."""
    for variable in ("MICROX_PROCESSED", "MICROX_OUTPUT"):
        monkeypatch.delenv(variable, raising=False)
    spec = importlib.util.spec_from_file_location("fresh_paths", paths.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variables_all_is_in_the_checkout(
    value: str | None, fresh: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("MICROX_PROCESSED", value)
        monkeypatch.setenv("MICROX_OUTPUT", value)
    folders = (fresh.PROCESSED, fresh.FIGURES, fresh.BUILD)
    assert folders == tuple(paths.ROOT / name for name in ("data/processed", "figures", "build"))
    assert fresh.FIGURES == fresh.REFERENCE
    with pytest.raises(AttributeError, match="no attribute 'CACHES'"):
        fresh.CACHES  # noqa: B018


def test_the_variables_move_folders_once(tmp_path: Path, fresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROX_PROCESSED", str(tmp_path / "caches"))
    monkeypatch.setenv("MICROX_OUTPUT", str(tmp_path / "out"))
    assert (tmp_path / "caches", tmp_path / "out" / "figures") == (fresh.PROCESSED, fresh.FIGURES)
    assert tmp_path / "out" / "build" == fresh.BUILD
    assert fresh.REFERENCE == paths.ROOT / "figures"
    monkeypatch.setenv("MICROX_PROCESSED", str(tmp_path / "others"))
    assert tmp_path / "caches" == fresh.PROCESSED
    assert not list(tmp_path.iterdir())  # folders are made by what writes into them


@pytest.mark.parametrize("variable", ["MICROX_PROCESSED", "MICROX_OUTPUT"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("caches", "isn't a full path"),
        ("./caches", "isn't a full path"),
        ("~/caches", "isn't a full path"),
        (f"{paths.ROOT}/caches", "lies in the checkout"),
        (f"{paths.ROOT}/data", "lies in the checkout"),
        (f"{paths.ROOT}/data/processed/../sample", "lies in the checkout"),
        ("FILE/caches", "is a file"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    variable: str, value: str, problem: str, tmp_path: Path, fresh: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, value.replace("FILE", str(tmp_path / "file")))
    with pytest.raises(DataError, match=problem) as refused:
        _ = fresh.PROCESSED if variable == "MICROX_PROCESSED" else fresh.BUILD
    assert refused.value.remedy.startswith(f"Set {variable} to the full path")


@pytest.mark.parametrize("value", [f"{paths.ROOT}/data/processed/two", f"{paths.ROOT}/build/caches"])
def test_what_git_ignores_may_hold_caches(value: str, fresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROX_PROCESSED", value)
    assert Path(value) == fresh.PROCESSED


def test_a_link_into_the_checkout_is_seen(tmp_path: Path, fresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(paths.DATA)
    monkeypatch.setenv("MICROX_PROCESSED", str(tmp_path / "link"))
    with pytest.raises(DataError, match="lies in the checkout"):
        _ = fresh.PROCESSED


def test_what_is_kept_in_the_checkout_is_ignored_by_git() -> None:
    ignored = (paths.ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"{folder.relative_to(paths.ROOT)}/" for folder in paths._IGNORED} <= set(ignored)


def test_a_folder_that_is_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(DataError, match=f"{tmp_path} is read-only for you. Set MICROX_OUTPUT"):
        paths.writable(tmp_path / "figures" / "runs", "MICROX_OUTPUT")

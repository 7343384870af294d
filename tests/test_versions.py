"""Versions that are written in several files agree, and what is installed or run is pinned."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from microx_utils.support import paths


def read(name: str) -> str:
    return (paths.ROOT / name).read_text(encoding="utf-8")


def entries(name: str) -> list[str]:
    """The requirements of a file, each with its checksums on one line."""
    lines = read(name).replace("\\\n", " ").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_one_version_of_the_project() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    (latest, *_) = re.findall(r"^## (\d\S*) - (\S+)$", read("CHANGELOG.md"), re.MULTILINE)
    cited = dict(re.findall(r"^(version|date-released): (\S+)$", read("CITATION.cff"), re.MULTILINE))
    assert latest == (cited["version"], cited["date-released"])
    assert cited["version"] == version


def test_hooks_use_the_pinned_versions() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", read("requirements.txt"), re.MULTILINE))
    hooks = dict(re.findall(r"repo: \S+/(\S+)\n +rev: v?(\S+)", read(".pre-commit-config.yaml")))
    assert hooks == {"nbstripout": pinned["nbstripout"], "ruff-pre-commit": pinned["ruff"]}


def test_every_package_is_declared_once() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    for texts in [project["dependencies"], *project["optional-dependencies"].values()]:
        names = [canonicalize_name(Requirement(text).name) for text in texts]
        assert len(names) == len(set(names))


# A pin, for some machines only perhaps, and the checksums of its files; no index, no folder, no option.
PIN = re.compile(r"[a-z\d-]+==[\w.]+(?: ; [\w '\".*=!<>()]+)?(?P<checksums>(?: +--hash=sha256:[0-9a-f]{64})*)")


LOCKS = [("requirements.txt", True), ("requirements-conda.txt", False), ("requirements-book.txt", True)]


@pytest.mark.parametrize(("name", "with_checksums"), LOCKS)
def test_lock_pins_every_package_once(name: str, with_checksums: bool) -> None:
    lines = entries(name)
    for line in lines:
        pin = PIN.fullmatch(line)
        assert pin, line
        assert bool(pin["checksums"]) == with_checksums, line
    assert len({line.split("==")[0] for line in lines}) == len(lines)


def test_conda_installs_the_same_versions() -> None:
    assert [line.split(" --hash=")[0].strip() for line in entries("requirements.txt")] == entries(
        "requirements-conda.txt"
    )
    assert "- -r requirements-conda.txt\n" in read("environment.yml")


def test_the_book_adds_packages_and_changes_no_version() -> None:
    pinned, extra = (
        {line.split("==")[0]: line.split(" --hash=")[0].split("==")[1].split()[0] for line in entries(name)}
        for name in ("requirements.txt", "requirements-book.txt")
    )
    assert {name: pinned[name] for name in extra.keys() & pinned.keys()} == {
        name: extra[name] for name in extra.keys() & pinned.keys()
    }
    (group,) = tomllib.loads(read("pyproject.toml"))["dependency-groups"].values()
    assert {canonicalize_name(Requirement(text).name) for text in group} <= extra.keys() - pinned.keys()


@pytest.mark.parametrize("name", ["Makefile", ".github/workflows/ci.yml"])
def test_packages_are_installed_by_checksum(name: str) -> None:
    installs = re.findall(r"pip install .*-r .*", read(name))
    assert installs and all(re.search(r"--require-hashes -r requirements(-book)?\.txt", line) for line in installs)
    # With isolation, pip would fetch whatever setuptools is newest, unchecked, to build the course.
    own = re.findall(r"pip install .*-e .*", read(name))
    assert own and all("--no-deps --no-build-isolation" in line for line in own)


def test_actions_are_pinned_to_a_commit() -> None:
    for path in sorted((paths.ROOT / ".github/workflows").glob("*.yml")):
        used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
        assert used
        for action in used:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), f"{path.name}: {action}"


def test_one_commit_for_each_action() -> None:
    used = re.findall(r"uses: (\S+)@(\S+)", read(".github/workflows/ci.yml"))
    assert len(dict(used)) == len(set(used))


def test_pinned_packages_are_audited_every_week() -> None:
    workflow = read(".github/workflows/ci.yml")
    assert re.search(r"schedule:\n +- cron:", workflow)
    assert "pip-audit==" in workflow and "--requirement requirements.txt --require-hashes" in workflow

"""Versions that are written in several files agree."""

import re
import tomllib

from microx_utils.support import paths


def read(name: str) -> str:
    return (paths.ROOT / name).read_text(encoding="utf-8")


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

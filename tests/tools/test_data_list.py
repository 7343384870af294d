"""The list of corpora: it follows the registry, counts what is there, and survives a broken corpus."""

from pathlib import Path

import pandas as pd
import pytest

from microx_utils import corpora
from microx_utils.corpora.table import Corpus, clip_row, clip_rows, find_videos
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.tools import data_list
from microx_utils.tools.data_list import Listing, describe, list_corpora


def read_faces(folder: Path) -> pd.DataFrame:
    """Files `<person>_<class>.mp4`; what is called odd is excluded for a reason of its own."""
    rows = []
    for path in find_videos(folder):
        person, label = path.stem.split("_")
        reason = f"odd {person}" if label == "odd" else ""
        emotion = "" if reason else label
        rows.append(clip_row("Faces", path.stem, person, label, emotion, path, group="Faces", reason=reason))
    if not rows:
        raise DataError(folder, "holds no face", "Copy the faces.")
    return clip_rows(rows)


FACES = Corpus(
    "Faces", "people who look " * 12, "free", "a shelf", ("happy", "sad"), "    Faces/p1_happy.mp4", read_faces
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and a registry of one corpus more."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "SAMPLE", tmp_path / "data" / "sample")
    monkeypatch.setitem(corpora.CORPORA, "Faces", FACES)
    return tmp_path / "data"


def put(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.mp4").write_bytes(b"")


def faces(data: str | None = None) -> Listing:
    return next(listing for listing in list_corpora(data) if listing.corpus is FACES)


def test_nothing_found(data: Path) -> None:
    listings = list_corpora()
    assert [listing.corpus.name for listing in listings] == list(corpora.CORPORA)
    assert not any(listing.findings for listing in listings)
    said = describe(listings)
    assert "not found   looked in data/raw/Faces\n    layout\n        Faces/p1_happy.mp4" in said
    assert "looked in data/raw/BAUM-2, data/sample/BAUM-2" in said
    assert "No corpus was found" in said
    if "RAVDESS" in corpora.CORPORA:
        assert "fetch it    microx data fetch ravdess" in said


def test_clips_people_and_exclusions_are_counted(data: Path) -> None:
    put(data / "raw" / "Faces", "p1_happy", "p2_happy", "p1_sad", *(f"p{n}_odd" for n in range(1, 6)))
    (finding,) = faces().findings
    assert (finding.origin, finding.people, sum(finding.clips.values())) == ("data/raw", 2, 3)
    assert finding.clips["happy"] == 2
    assert finding.clips["neutral"] == 0
    said = describe([faces()])
    assert "found       data/raw/Faces\n    clips       3 usable, of 2 people" in said
    assert "excluded    5: 1 × odd p1; 1 × odd p2; 1 × odd p3; 2 more reasons" in said
    assert said.splitlines()[-1].split() == ["Faces", "0", "0", "0", "0", "0", "2", "1", "3", "2", "5", "data/raw"]
    assert max(map(len, said.splitlines())) <= data_list.WIDTH


def test_one_place_named_twice_is_listed_once_and_two_places_twice(data: Path, tmp_path: Path) -> None:
    put(data / "raw" / "Faces", "p1_happy")
    put(tmp_path / "disk", "p1_sad")
    assert [finding.origin for finding in faces("Faces").findings] == ["--data"]
    assert [finding.origin for finding in faces(f"Faces={tmp_path / 'disk'}").findings] == ["--data", "data/raw"]


def test_a_broken_corpus_does_not_end_the_listing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "raw" / "BAUM-2").mkdir(parents=True)
    put(data / "raw" / "own" / "p01", "happy_plain_1")
    (data / "raw" / "Faces").mkdir()
    said = describe(list_corpora())
    assert "the annotation sheet is missing" in said
    assert "Faces: holds no face. Copy the faces." in " ".join(said.split())
    assert said.splitlines()[-1].split()[:1] == ["own"]

    def forbidden(folder: Path) -> pd.DataFrame:
        raise PermissionError(13, "Permission denied", str(folder))

    finding = data_list.examine(Corpus("Faces", "", "", "", (), "", forbidden), data)
    assert finding.problem.endswith("can't be read (Permission denied)")


def test_the_sample_stands_in_for_baum(data: Path) -> None:
    put(data / "sample" / "own" / "p01", "happy_plain_1", "sad_mask_1")
    listings = [
        listing for given in (None, "sample") for listing in list_corpora(given) if listing.corpus.name == "own"
    ]
    assert [[finding.origin for finding in listing.findings] for listing in listings] == [["sample"], ["sample"]]
    assert "(the sample: rendered people stand in for it)" in describe(listings)

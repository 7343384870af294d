"""Fetching RAVDESS from a server that behaves badly: what ends under its final name is whole, or nothing is there."""

import errno
import hashlib
import http.server
import io
import itertools
import json
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.tools import fetch
from microx_utils.tools.fetch import Archive

CLIP = 30_000
"""Bytes of a stand-in for a clip; ten of them make an archive of several chunks."""


def noise(seed: int, size: int = CLIP) -> bytes:
    return random.Random(seed).randbytes(size)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def actor_clips(actor: int, count: int = 10) -> dict[str, bytes]:
    return {f"Actor_{actor:02d}/01-01-{n:02d}-01-01-01-{actor:02d}.mp4": noise(100 * actor + n) for n in range(count)}


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, with the faults that a test switches on; `log` holds (path, Range header) of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str | None]] = []
        self.drops: list[int] = []
        """After how many bytes the next connections drop."""
        self.statuses: list[tuple[int, dict[str, str]]] = []
        """What the next requests are answered with."""
        self.wrong: list[bytes] = []
        """What the next requests get instead of the file."""
        self.ranges = True
        self.lies_about_range = False
        self.declares_length = True
        self.slow = 0.0
        """Seconds between pieces of 64 KiB."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that is killed is part of these tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.log.append((self.path, asked))
        assert self.headers["User-Agent"].startswith("microx/")
        if server.statuses:
            status, headers = server.statuses.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        content = server.wrong.pop(0) if server.wrong else server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            told = start - 1 if server.lies_about_range else start
            self.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        if server.declares_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if server.drops:
            body = body[: server.drops.pop(0)]
        for at in range(0, len(body), 65536):
            self.wfile.write(body[at : at + 65536])
            time.sleep(server.slow)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def publish(server: Server, contents: dict[int, bytes]) -> dict[int, Archive]:
    """Put archives on the server; return what is known of them beforehand."""
    archives = {}
    for actor, content in contents.items():
        name = f"Video_Speech_Actor_{actor:02d}.zip"
        server.files[f"/{name}"] = content
        archives[actor] = Archive(name, len(content), hashlib.md5(content).hexdigest())
    return archives


@pytest.fixture
def archives(server: Server) -> dict[int, Archive]:
    return publish(server, {actor: zipped(actor_clips(actor)) for actor in (1, 2)})


class Fetch:
    """One call of `fetch_ravdess` on the test's server and folder."""

    def __init__(self, server: Server, archives: dict[int, Archive], to: Path) -> None:
        self.server, self.archives, self.to, self.said = server, archives, to, list[str]()

    def __call__(self, *actors: int, keep_archives: bool = False) -> list[Path]:
        self.server.log.clear()
        self.said.clear()
        return fetch.fetch_ravdess(
            actors,
            self.to,
            base_url=self.server.url,
            archives=self.archives,
            keep_archives=keep_archives,
            say=self.said.append,
        )

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.server.log]


@pytest.fixture
def run(server: Server, archives: dict[int, Archive], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    monkeypatch.setattr(fetch, "PAUSE", 0.001)
    return Fetch(server, archives, tmp_path / "RAVDESS")


def content(folder: Path) -> dict[str, bytes]:
    """Return the visible files below a folder, by relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_published_table_is_whole() -> None:
    archives = fetch.read_archives()
    assert tuple(archives) == tuple(fetch.ACTORS)
    assert all(len(bytes.fromhex(archive.md5)) == 16 for archive in archives.values())
    assert archives[24] == Archive("Video_Speech_Actor_24.zip", 595799165, "eef90e806c9179bc5b4b098d03647ae3")
    assert round(sum(archive.size for archive in archives.values()) / fetch.GIB, 1) == 12.4


def test_fetch_unpacks_and_deletes_the_archives(run: Fetch) -> None:
    assert run(2, 1, 2) == [run.to / "Actor_01", run.to / "Actor_02"]
    assert content(run.to) == actor_clips(1) | actor_clips(2)
    assert run.ranges == [None, None]
    assert "Actor_01: 10 clips" in run.said
    assert not (run.to / "archives").exists()


def test_whole_folders_are_not_fetched_again(run: Fetch) -> None:
    run(1)
    run(1, 2)
    assert [path for path, _ in run.server.log] == ["/Video_Speech_Actor_02.zip"]
    assert "Actor_01: complete, 10 clips" in run.said


@pytest.mark.parametrize("harm", ["remove", "shorten"])
def test_a_damaged_folder_is_fetched_anew(run: Fetch, harm: str) -> None:
    run(1)
    clip = min((run.to / "Actor_01").glob("*.mp4"))
    clip.unlink() if harm == "remove" else clip.write_bytes(b"short")
    run(1)
    assert content(run.to) == actor_clips(1)


@pytest.mark.parametrize("name", ["Actor_01", "Video_Speech_Actor_01/Actor_01"])
def test_what_was_unpacked_by_hand_is_left_alone(run: Fetch, name: str) -> None:
    own = run.to / name / "mine.mp4"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    run(1)
    assert "not unpacked by this command, so not touched" in run.said[0]
    assert content(run.to) == {f"{name}/mine.mp4": b"mine"}


def test_what_was_added_to_a_folder_is_never_deleted(run: Fetch) -> None:
    run(2)
    next((run.to / "Actor_02").glob("*.mp4")).unlink()
    (run.to / "Actor_02" / "notes.txt").write_text("mine too")
    with pytest.raises(DataError, match=r"files that are not from the archive: \['notes.txt'\]"):
        run(2)
    assert (run.to / "Actor_02" / "notes.txt").read_text() == "mine too"


def test_kept_archives_serve_again(run: Fetch) -> None:
    run(1, keep_archives=True)
    assert (run.to / "archives" / "Video_Speech_Actor_01.zip").is_file()
    shutil.rmtree(run.to / "Actor_01")
    run(1, keep_archives=True)
    assert run.server.log == []
    assert content(run.to / "Actor_01")


def test_a_kept_archive_that_was_changed_is_fetched_anew(run: Fetch) -> None:
    run(1, keep_archives=True)
    shutil.rmtree(run.to / "Actor_01")
    packed = run.to / "archives" / "Video_Speech_Actor_01.zip"
    packed.write_bytes(packed.read_bytes()[:-1] + b"?")
    run(1)
    assert run.ranges == [None]
    assert content(run.to) == actor_clips(1)


def test_dropped_connections_go_on_where_they_stopped(run: Fetch) -> None:
    run.server.drops = [70_000, 10, 140_000]
    run(1)
    first, *others = run.ranges
    positions = [int(str(asked).removeprefix("bytes=").removesuffix("-")) for asked in others]
    assert first is None
    assert len(positions) == 3
    assert 0 < positions[0] <= positions[1] < positions[2]
    assert content(run.to) == actor_clips(1)


def test_a_connection_that_never_brings_anything_is_given_up(run: Fetch) -> None:
    run.server.drops = [100_000] + [0] * 50
    with pytest.raises(DataError, match="are kept: repeat the command") as caught:
        run(1)
    assert "5 times in a row" in str(caught.value)
    assert len(run.server.log) == 1 + fetch.ATTEMPTS
    assert [path.name for path in (run.to / "archives").iterdir()] == ["Video_Speech_Actor_01.zip.part"]
    assert not (run.to / "Actor_01").exists()

    run.server.drops = []
    run(1)
    assert len(run.ranges) == 1
    assert str(run.ranges[0]).startswith("bytes=")
    assert "GiB of them here already" in run.said[0]
    assert content(run.to) == actor_clips(1)


def test_a_server_that_ignores_ranges_loses_nothing(run: Fetch) -> None:
    run.server.ranges = False
    run.server.drops = [200_000, 100_000]  # the second drops before it is as far as the first
    run(1)
    assert len(run.server.log) == 3
    assert content(run.to) == actor_clips(1)


@pytest.mark.parametrize("fault", ["another part", "416"])
def test_a_server_that_mistakes_ranges_is_asked_without(run: Fetch, fault: str) -> None:
    run.server.drops = [100_000]
    run.server.lies_about_range = fault == "another part"
    original = run.server.files["/Video_Speech_Actor_01.zip"]
    if fault == "416":
        run.server.wrong = [original, b"?"]
    run(1)
    asked = run.ranges
    assert asked[0] is None
    assert str(asked[1]).startswith("bytes=")
    assert asked[2] is None
    assert content(run.to) == actor_clips(1)


@pytest.mark.parametrize("declares_length", [True, False])
def test_wrong_bytes_are_fetched_once_more_from_the_start(run: Fetch, declares_length: bool) -> None:
    run.server.declares_length = declares_length
    run.server.wrong = [noise(9, run.archives[1].size)]
    run(1)
    assert run.ranges == [None, None]
    assert "Video_Speech_Actor_01.zip: wrong MD5, so it is downloaded once more from the start" in run.said
    assert content(run.to) == actor_clips(1)


def test_bytes_that_stay_wrong_are_refused_and_removed(run: Fetch) -> None:
    run.server.wrong = [noise(seed, run.archives[1].size) for seed in range(9)]
    with pytest.raises(DataError, match="wrong MD5, twice"):
        run(1)
    assert len(run.server.log) == 2
    assert content(run.to) == {}


def test_a_damaged_partial_file_is_started_anew(run: Fetch) -> None:
    store = run.to / "archives"
    store.mkdir(parents=True)
    (store / "Video_Speech_Actor_01.zip.part").write_bytes(noise(8, 100_000))
    run(1)
    assert run.ranges == ["bytes=100000-", None]
    assert content(run.to) == actor_clips(1)


def test_a_partial_file_that_is_too_long_is_started_anew(run: Fetch) -> None:
    store = run.to / "archives"
    store.mkdir(parents=True)
    (store / "Video_Speech_Actor_01.zip.part").write_bytes(bytes(run.archives[1].size + 1))
    run(1)
    assert run.ranges == [None]
    assert content(run.to) == actor_clips(1)


def test_a_page_instead_of_the_file_leaves_the_partial_alone(run: Fetch) -> None:
    store = run.to / "archives"
    store.mkdir(parents=True)
    part = store / "Video_Speech_Actor_01.zip.part"
    part.write_bytes(run.server.files["/Video_Speech_Actor_01.zip"][:100_000])
    run.server.ranges = False
    run.server.wrong = [b"<html>Log in to this network</html>"] * 9
    with pytest.raises(DataError, match="the server offers 35 bytes"):
        run(1)
    assert part.stat().st_size == 100_000


def test_more_bytes_than_published_are_not_written(run: Fetch) -> None:
    run.server.declares_length = False
    run.server.wrong = [run.server.files["/Video_Speech_Actor_01.zip"] + b"more"]
    run(1)
    assert run.ranges == [None]
    assert content(run.to) == actor_clips(1)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(run: Fetch, status: int) -> None:
    run.server.statuses = [(status, {})]
    with pytest.raises(DataError, match=f"the server answered {status}"):
        run(1)
    assert len(run.server.log) == 1
    assert content(run.to) == {}


def test_a_busy_server_is_waited_for(run: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(fetch.time, "sleep", waits.append)
    soon = str(int(time.time()) + 40)
    run.server.statuses = [
        (503, {}),
        (429, {"Retry-After": "7"}),
        (429, {"X-RateLimit-Reset": soon}),
        (429, {"Retry-After": "99999"}),
    ]
    run(1)
    assert waits[0] < 1
    assert waits[1] == 7
    assert 30 < waits[2] <= 40
    assert waits[3] == fetch.LONGEST_WAIT
    assert content(run.to) == actor_clips(1)


def test_no_server_at_all(run: Fetch) -> None:
    run.server.server_close()
    with pytest.raises(DataError, match="the connection failed"):
        run(1)


INTERRUPTED = """
import sys
from pathlib import Path
sys.stderr.isatty = lambda: True
from microx_utils.tools.fetch import Archive, fetch_ravdess
url, to, name, size, md5 = sys.argv[1:]
fetch_ravdess([1], Path(to), base_url=url, archives={1: Archive(name, int(size), md5)})
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_goes_on_in_the_next_run(server: Server, tmp_path: Path, blow: signal.Signals) -> None:
    clips = {f"Actor_01/{n}.mp4": noise(n, 500_000) for n in range(8)}
    archives = publish(server, {1: zipped(clips)})
    run = Fetch(server, archives, tmp_path / "RAVDESS")
    archive, part = archives[1], run.to / "archives" / f"{archives[1].name}.part"
    server.slow = 0.05
    arguments = [server.url, str(run.to), archive.name, str(archive.size), archive.md5]
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED, *arguments], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 300_000):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(blow)
        assert b"Video_Speech_Actor_01.zip" in process.communicate()[1]  # the bar
    arrived = part.stat().st_size
    assert process.returncode != 0
    assert 300_000 < arrived < archive.size
    assert not (run.to / "Actor_01").exists()
    assert not (run.to / "archives" / archive.name).exists()

    server.slow = 0.0
    run(1)
    assert run.ranges == [f"bytes={arrived}-"]
    assert content(run.to) == clips


def test_an_interruption_during_the_md5_keeps_every_byte(run: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch.hashlib, "file_digest", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(1)
    assert [path.name for path in (run.to / "archives").iterdir()] == ["Video_Speech_Actor_01.zip.part"]
    run(1)
    assert run.server.log == []
    assert content(run.to) == actor_clips(1)


def test_leftovers_of_killed_runs_are_swept_away(run: Fetch) -> None:
    half = run.to / ".Actor_01.a1b2c3d4"
    half.mkdir(parents=True)
    (half / "01.mp4").write_bytes(b"half a clip")
    run(1)
    assert sorted(path.name for path in run.to.iterdir()) == [".archives.lock", "Actor_01"]


def test_two_runs_wait_for_each_other(run: Fetch, server: Server) -> None:
    server.slow = 0.05
    errors: list[BaseException] = []

    def work() -> None:
        try:
            fetch.fetch_ravdess([1], run.to, base_url=server.url, archives=run.archives, say=len)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test has to see it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(server.log) == 1
    assert content(run.to) == actor_clips(1)


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "keep", "advice"),
    [
        (700_000, False, r"fewer actors: 1 would fit \(--actors 1\)"),
        (1_000_000, True, r"fewer actors: 1 would fit \(--actors 1\)"),
        (100_000, False, "not even one of these actors fits"),
    ],
)
def test_a_full_disk_is_seen_before_the_first_byte(
    run: Fetch, monkeypatch: pytest.MonkeyPatch, free: int, keep: bool, advice: str
) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: Usage(10**9, 0, free))
    with pytest.raises(DataError, match=advice) as caught:
        run(1, 2, keep_archives=keep)
    assert "GiB are needed (2 actors, archives and clips)" in str(caught.value)
    assert run.server.log == []


def test_what_is_here_already_needs_no_more_room(run: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    run.server.drops = [290_000] + [0] * 9
    with pytest.raises(DataError):
        run(1)
    run.server.drops = []
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: Usage(10**9, 0, 400_000))
    run(1)
    assert content(run.to) == actor_clips(1)


def test_a_disk_that_fills_up_is_reported(run: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fetch.shutil, "copyfileobj", full)
        with pytest.raises(DataError, match="the disk is full"):
            run(1)
    assert [path.name for path in run.to.iterdir() if not path.name.startswith(".")] == ["archives"]
    run(1)
    assert run.server.log == []
    assert content(run.to) == actor_clips(1)


def test_a_folder_that_is_a_file(run: Fetch) -> None:
    run.to.write_text("a file")
    with pytest.raises(DataError, match="can't be written or read"):
        run(1)


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = mode << 16
    return member


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../escaped.mp4", "could lead out of the folder"),
        ("Actor_01/../../escaped.mp4", "could lead out of the folder"),
        ("Actor_01/..", "could lead out of the folder"),
        ("Actor_01//x.mp4", "could lead out of the folder"),
        ("./x.mp4", "could lead out of the folder"),
        ("/tmp/escaped.mp4", "could lead out of the folder"),
        ("//server/share/x.mp4", "could lead out of the folder"),
        ("..\\escaped.mp4", "could lead out of the folder"),
        ("Actor_01\\..\\..\\escaped.mp4", "could lead out of the folder"),
        ("C:/escaped.mp4", "could lead out of the folder"),
        ("C:escaped.mp4", "could lead out of the folder"),
        ("x.mp4:stream.mp4", "could lead out of the folder"),
        ("x\n.mp4", "could lead out of the folder"),
        ("../readme.txt", "could lead out of the folder"),
        (with_mode("link.mp4", stat.S_IFLNK | 0o777), "neither a file nor a folder"),
        (with_mode("Actor_01/link", stat.S_IFLNK | 0o777), "neither a file nor a folder"),
        (with_mode("pipe.mp4", stat.S_IFIFO | 0o644), "neither a file nor a folder"),
        (with_mode("device.mp4", stat.S_IFCHR | 0o644), "neither a file nor a folder"),
        (with_mode("folder.mp4", stat.S_IFDIR | 0o755), "neither a file nor a folder"),
        ("Actor_01/01-01-00-01-01-01-01.MP4", "second clip of that name"),
        ("other/01-01-00-01-01-01-01.mp4", "second clip of that name"),
    ],
)
def test_an_archive_with_one_bad_member_is_not_unpacked_at_all(
    tmp_path: Path, name: str | zipfile.ZipInfo, problem: str
) -> None:
    packed, folder = tmp_path / "a.zip", tmp_path / "to" / "Actor_01"
    with zipfile.ZipFile(packed, "w") as archive:
        for good, clip in actor_clips(1).items():
            archive.writestr(good, clip)
        archive.writestr(name, "/etc/passwd")
    with pytest.raises(DataError, match=problem):
        fetch.unpack(packed, folder, md5="")
    assert sorted(tmp_path.rglob("*")) == [packed]


def test_a_name_cut_by_a_zero_byte_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "a.zip"
    packed.write_bytes(zipped({"x.mp4Z../y": b"clip"}).replace(b"x.mp4Z", b"x.mp4\0"))
    with pytest.raises(DataError, match="could lead out of the folder"):
        fetch.unpack(packed, tmp_path / "Actor_01", md5="")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("x.mp4")
    member.flag_bits = 1
    assert fetch.unsafe(member) == "is encrypted"


@given(st.text(st.sampled_from("ab./\\:\0C\n"), min_size=1, max_size=12))
def test_what_is_called_safe_stays_in_the_folder(name: str) -> None:
    member = zipfile.ZipInfo(name)
    if not fetch.unsafe(member):
        folder = Path("/base/folder")
        assert (folder / member.filename).resolve().is_relative_to(folder)


def test_clips_lie_flat_and_the_rest_stays_packed(tmp_path: Path) -> None:
    packed, folder = tmp_path / "a.zip", tmp_path / "Actor_01"
    packed.write_bytes(
        zipped({"Actor_01/": b"", "deep/er/1.mp4": b"one", "2.MP4": b"two", "read.me": b"", "__MACOSX/._1.mp4": b"no"})
    )
    assert fetch.unpack(packed, folder, md5="abc") == 2
    assert content(folder) == {"1.mp4": b"one", "2.MP4": b"two"}
    marker = json.loads((folder / fetch.MARKER).read_text())
    assert marker == {"archive": "a.zip", "md5": "abc", "files": {"1.mp4": 3, "2.MP4": 3}}


@pytest.mark.parametrize("harm", ["not a zip", "cut short", "flipped byte", "no clip"])
def test_an_unsound_archive_unpacks_to_nothing(tmp_path: Path, harm: str) -> None:
    packed, folder = tmp_path / "a.zip", tmp_path / "Actor_01"
    whole = zipped(actor_clips(1))
    middle = len(whole) // 2
    packed.write_bytes(
        {
            "not a zip": b"<html>",
            "cut short": whole[:-1000],
            "flipped byte": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "no clip": zipped({"read.me": b"text"}),
        }[harm]
    )
    folder.mkdir()
    (folder / "before.mp4").write_bytes(b"before")
    with pytest.raises(DataError, match="run the same command again"):
        fetch.unpack(packed, folder, md5="")
    assert content(tmp_path) == {"Actor_01/before.mp4": b"before", "a.zip": packed.read_bytes()}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_half_unpacked_clips_do_not_look_like_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from microx_utils.corpora.table import find_videos

    packed, seen = tmp_path / "a.zip", list[Path]()
    packed.write_bytes(zipped(actor_clips(1)))
    copy = shutil.copyfileobj

    def look(*arguments: object) -> None:
        seen.extend(find_videos(tmp_path))
        copy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fetch.shutil, "copyfileobj", look)
    fetch.unpack(packed, tmp_path / "Actor_01", md5="")
    assert seen == []
    assert len(list(find_videos(tmp_path))) == 10


@given(st.sets(st.integers(1, 24), min_size=1), st.randoms(use_true_random=False))
def test_any_spelling_of_a_set_of_actors_is_understood(actors: set[int], chance: random.Random) -> None:
    parts = []
    for _, run in itertools.groupby(enumerate(sorted(actors)), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        alone = len(numbers) == 1 or chance.random() < 0.3
        parts += [str(number) for number in numbers] if alone else [f"{numbers[0]} - {numbers[-1]}"]
    parts += chance.sample(parts, chance.randint(0, len(parts)))  # some twice
    chance.shuffle(parts)
    assert fetch.parse_actors(chance.choice([",", ", ", " ,"]).join(parts)) == tuple(sorted(actors))


@given(st.text(st.sampled_from("0123456789-, x²"), max_size=8))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        actors = fetch.parse_actors(text)
    except ValueError as error:
        assert str(error)
    else:
        assert actors
        assert set(actors) <= set(fetch.ACTORS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither an actor nor a range"),
        ("1,,2", "neither an actor nor a range"),
        ("1-2-3", "neither an actor nor a range"),
        ("-1", "neither an actor nor a range"),
        ("all", "write for instance 1-4,7"),
        ("0", "there is no actor 0"),
        ("20-30", "there is no actor 30"),
        ("4-1", "runs backwards; write 1-4"),
    ],
)
def test_wrong_actors_are_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fetch.parse_actors(text)


def test_the_table_ships_with_the_package() -> None:
    import tomllib

    settings = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "*.tsv" in settings["tool"]["setuptools"]["package-data"]["microx_utils.tools"]

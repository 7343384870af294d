"""Files of kinds that are often read wrongly: each gives what a player shows, or is refused with a reason.

The files in data/video_cases show a face and, in their last rows, the frame's number in ten black or white squares.
Others of each kind are made here.
"""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from microx_utils import video
from microx_utils.support.errors import DataError
from microx_utils.video import Cut, iter_frames, probe_video, read_frames, stored_frames, write_video

CASES = Path(__file__).parent / "data" / "video_cases"


def face_number(frame: np.ndarray) -> int:
    """Return the number that a frame of the cases shows, 320 x 240 px."""
    return sum(int(frame[232, 16 * cell + 8].mean() > 128) << (9 - cell) for cell in range(10))


def numbered(count: int, size: tuple[int, int] = (64, 256)) -> Iterator[np.ndarray]:
    """Yield frames that show their number in eight vertical bars, in the left half and, mirrored, in the right."""
    for number in range(count):
        bars = np.repeat([255 * (number >> bit & 1) for bit in range(8)], size[1] // 16).astype(np.uint8)
        yield np.ascontiguousarray(np.broadcast_to(np.concatenate([bars, bars[::-1]])[:, None], (*size, 3)))


def number(frame: np.ndarray) -> int:
    bar = frame.shape[1] // 16
    return sum(int(frame[len(frame) // 2, bar * bit + bar // 2].mean() > 128) << bit for bit in range(8))


def encode(
    path: Path,
    frames: Iterator[np.ndarray],
    codec: str = "libx264",
    *,
    pix_fmt: str = "yuv420p",
    stamps: list[int] | None = None,
    sar: Fraction | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    seconds_of_sound: int = 0,
) -> Path:
    """Write frames at 30 fps, or at the times in ms that `stamps` holds."""
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=30, options={"g": "25", **(options or {})})
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = pix_fmt
        sound = container.add_stream("aac", rate=16_000) if seconds_of_sound else None
        for place, image in enumerate(frames):
            if not place:
                stream.height, stream.width = image.shape[:2]
                if sar is not None:
                    stream.codec_context.sample_aspect_ratio = sar
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[place], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if isinstance(sound, av.AudioStream):
            for _ in range(seconds_of_sound):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
                silence.sample_rate = 16_000
                container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


def remux(
    source: Path,
    target: Path,
    change: Callable[[int, bytes], bytes | None] = lambda place, data: data,
    shift: Callable[[int], float] = lambda place: 0.0,
) -> Path:
    """Copy a video's packets, changed, left out (None) or moved by `shift` seconds."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for place, packet in enumerate(old.demux(video=0)):
            data = change(place, bytes(packet)) if packet.size else None
            if data is None:
                continue
            copy = av.Packet(data)
            copy.stream, copy.time_base, copy.is_keyframe = stream, packet.time_base, packet.is_keyframe
            later = round(shift(place) / packet.time_base)
            copy.pts = None if packet.pts is None else packet.pts + later
            copy.dts = None if packet.dts is None else packet.dts + later
            copy.duration = packet.duration
            new.mux(copy)
    return target


def assert_consistent(path: Path | str) -> int:
    """Check that the probe, the frames and their numbers agree; return how many frames are stored."""
    info = probe_video(path)
    frames, times = read_frames(path)
    assert frames.dtype == np.uint8
    assert frames.shape == (max(1, round(info.seconds * 30 + 1e-3)), info.height, info.width, 3)
    np.testing.assert_allclose(times, np.arange(len(frames)) / 30)
    stored = stored_frames(path, fps=1000)
    assert info.frames == stored.max() + 1
    assert info.fps == pytest.approx(info.frames / info.seconds, rel=1e-5)
    return info.frames


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("tff.mp4", 30),
        ("divx.avi", 20),
        ("mbaff_flag_only.mp4", 30),
        ("trim_b.mp4", 23),
        ("audio_longer.mp4", 60),
        ("vfr.mp4", 60),
        ("trailer.mp4", 60),
        ("riff_ffffffff.avi", 120),
        ("hflip.mp4", 60),
        ("vflip.mp4", 60),
        ("stored_h.mp4", 60),
        ("stored_v.mp4", 60),
        ("anamorphic.mp4", 60),
        ("anamorphic.mpg", 60),
        ("phone_turned.webm", 60),
        ("preview_first.mp4", 60),
        ("preview_first.mkv", 60),
        ("cover.mp4", 60),
        ("cover.mkv", 60),
        ("title_latin5.avi", 40),
    ],
)
def test_cases_are_read_whole_and_as_probed(name: str, frames: int) -> None:
    assert assert_consistent(CASES / name) == frames
    picture = (342, 192) if name == "title_latin5.avi" else (320, 240)
    info = probe_video(CASES / name)
    assert (info.width, info.height) == picture


@pytest.mark.parametrize(
    "name",
    ["mbaff_flag_only.mp4", "audio_longer.mp4", "trailer.mp4", "riff_ffffffff.avi", "preview_first.mp4", "cover.mkv"],
)
def test_every_frame_of_a_steady_case_comes_in_its_place(name: str) -> None:
    frames, _ = read_frames(CASES / name)
    assert [face_number(frame) for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("name", ["tff.mp4", "divx.avi"])
def test_interlaced_cases_show_the_face_in_both_fields(name: str) -> None:
    still = read_frames(CASES / "mbaff_flag_only.mp4")[0][0].astype(int)
    frames, _ = read_frames(CASES / name)
    for field in (0, 1):  # the picture moves by a few pixels; black, noise or another person differ by more than 60
        assert np.abs(frames[:, field:220:2].astype(int) - still[field:220:2]).mean(axis=(1, 2, 3)).max() < 40


def test_a_trimmed_case_begins_where_it_was_cut() -> None:
    frames, times = read_frames(CASES / "trim_b.mp4")
    first = face_number(frames[0])
    assert first == 90
    shown = [face_number(frame) - first for frame in frames]
    assert sorted(set(shown)) == [*range(21), 22, 24]  # two B-frames beyond the cut were left out
    assert np.abs(np.array(shown) / 30 - times).max() <= 1.01 / 30


def test_a_variable_rate_in_fragments_goes_by_time_stamps() -> None:
    frames, times = read_frames(CASES / "vfr.mp4")
    with av.open(str(CASES / "vfr.mp4")) as container:
        stamps = np.array([frame.time for frame in container.decode(video=0)])
    nearest = [int(np.abs(stamps - stamps[0] - time).argmin()) for time in times]
    assert np.diff(stamps).min() < 0  # one is too early
    assert np.abs(np.array([face_number(frame) for frame in frames]) - nearest).max() <= 2


@pytest.mark.parametrize(("name", "flip"), [("h", np.s_[:, :, ::-1]), ("v", np.s_[:, ::-1])])
def test_mirrored_cases_are_shown_upright(name: str, flip: tuple) -> None:
    shown, stored = (read_frames(CASES / f"{which}.mp4")[0] for which in (f"{name}flip", f"stored_{name}"))
    np.testing.assert_array_equal(shown, stored[flip])
    assert [face_number(frame) for frame in shown] == list(range(60))


@pytest.mark.parametrize("name", ["anamorphic.mp4", "anamorphic.mpg"])
def test_anamorphic_cases_are_widened(name: str) -> None:
    wide, square = read_frames(CASES / name)[0], read_frames(CASES / "trailer.mp4")[0]
    assert np.abs(wide.astype(int) - square).mean() < 6


def test_a_turned_phone_is_letterboxed() -> None:
    frames, _ = read_frames(CASES / "phone_turned.webm")
    shown = frames[30:].max(axis=(0, 1, 3)) > 40
    assert np.flatnonzero(shown).tolist() == list(range(88, 232))  # 144 px, in the middle


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("middle.mp4", "is damaged: 118 of its 120 frames decode, 1 of them incompletely, and 2 packets fail"),
        ("gap_1h.mp4", "has a gap of 3598.7 s: no frame between 1.25 s and 3600.00 s"),
        ("jump_1h.mkv", "has a gap of 3600.0 s: no frame between 1.00 s and 3600.97 s"),
        ("first_then_10min.mkv", "has a gap of 600.0 s: no frame between 0.00 s and 600.03 s"),
    ],
)
def test_refused_cases_say_why(name: str, problem: str) -> None:
    with pytest.raises(DataError, match=re.escape(problem)):
        read_frames(CASES / name)
    if "gap" in problem:  # is seen before anything is decoded
        with pytest.raises(DataError, match="has a gap"):
            iter_frames(CASES / name)
        with pytest.raises(DataError, match="has a gap"):
            probe_video(CASES / name)


def test_damage_is_refused_in_other_containers_too(tmp_path: Path) -> None:
    remux(CASES / "middle.mp4", tmp_path / "middle.mkv")
    with pytest.raises(DataError, match="is damaged: 118 of its 120 frames decode"):
        read_frames(tmp_path / "middle.mkv")


def test_parts_are_read_beside_a_damaged_place() -> None:
    part, _ = read_frames(f"{CASES / 'middle.mp4'}#t=0,0.8")
    assert [face_number(frame) for frame in part] == list(range(24))
    with pytest.raises(DataError, match=r"#t=0.5,2: is damaged: .* of its 45 frames decode"):
        read_frames(f"{CASES / 'middle.mp4'}#t=0.5,2")


@pytest.mark.parametrize(
    ("name", "codec", "harm"),
    [
        *product(["a.mp4", "a.mkv"], ["libx264"], ["zeros", "half"]),
        *product(["a.avi", "a.mkv"], ["mpeg4"], ["zeros", "half", "noise"]),
        *product(["a.ts", "a.mkv"], ["mpeg2video"], ["zeros", "half", "noise"]),
        ("a.mp4", "libx265", "half"),
        ("a.mkv", "libx265", "half"),
    ],
)
def test_a_damaged_packet_is_never_passed_over(tmp_path: Path, name: str, codec: str, harm: str) -> None:
    """Where the decoder can tell: bits of H.264 and H.265 that were replaced by others often decode to something."""
    rng = np.random.default_rng(0)
    noisy = (np.clip(frame + rng.normal(0, 20, frame.shape), 0, 255).astype(np.uint8) for frame in numbered(60))
    whole = encode(tmp_path / f"whole-{name}", noisy, codec)
    assert assert_consistent(whole) == 60

    def change(place: int, data: bytes) -> bytes:
        if place != 33:
            return data
        half = len(data) // 2
        ends = {"zeros": bytes(len(data) - half), "half": b"", "noise": rng.bytes(len(data) - half)}
        return data[:half] + ends[harm]

    with pytest.raises(DataError, match=r"is damaged: .* of its"):
        read_frames(remux(whole, tmp_path / name, change))


def noisy_file(path: Path, codec: str = "libx264", muxer: dict[str, str] | None = None) -> bytes:
    rng = np.random.default_rng(0)
    noisy = (np.clip(frame + rng.normal(0, 20, frame.shape), 0, 255).astype(np.uint8) for frame in numbered(60))
    encode(path, noisy, codec, muxer=muxer)
    assert assert_consistent(path) == 60
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.webm", "libvpx-vp9"), ("a.flv", "libx264")]
)
@pytest.mark.parametrize("place", [0.4, 0.6])
@pytest.mark.parametrize("noise", [False, True])
def test_lost_frames_between_readable_ones_are_noticed(
    tmp_path: Path, name: str, codec: str, place: float, noise: bool
) -> None:
    """FFmpeg looks for the next cluster or tag and goes on there."""
    path = tmp_path / name
    content = noisy_file(path, codec, {} if name == "a.flv" else {"cluster_time_limit": "300"})
    start, length = int(len(content) * place), len(content) // 10
    harm = np.random.default_rng(1).bytes(length) if noise else bytes(length)
    path.write_bytes(content[:start] + harm + content[start + length :])
    with pytest.raises(DataError, match=r"is damaged: (frames are missing|.* of its)"):
        read_frames(path)


def test_a_frame_lost_in_an_avi_is_noticed(tmp_path: Path) -> None:
    """FFmpeg looks for the next chunk, and all later frames come one place too early."""
    content = bytearray(noisy_file(tmp_path / "a.avi", "mpeg4"))
    places = [place for place in range(len(content)) if content[place : place + 4] == b"00dc"]
    content[places[30] : places[30] + 8] = bytes(8)  # a chunk's name and length
    (tmp_path / "a.avi").write_bytes(content)
    for read in (probe_video, read_frames):
        with pytest.raises(DataError, match="is damaged: frames are missing"):
            read(tmp_path / "a.avi")


@pytest.mark.parametrize("suffix", [".mpg", ".ts"])
def test_a_broadcast_whose_first_picture_is_damaged_does_not_begin_later(tmp_path: Path, suffix: str) -> None:
    """It may begin between two key frames; then no sequence header comes before the first."""
    content = bytearray(noisy_file(tmp_path / f"a{suffix}", "mpeg2video"))
    place = content.index(b"\0\0\1\0")
    content[place + 5] = 0  # what kind of picture it is
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged: its first \d+ frames don't decode"):
        read_frames(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".mpg", ".ts"])
def test_a_picture_lost_in_a_broadcast_is_noticed(tmp_path: Path, suffix: str) -> None:
    """Without its start code it belongs to the picture before, and FFmpeg decodes one less without a word."""
    content = bytearray(noisy_file(tmp_path / f"a{suffix}", "mpeg2video"))
    places = [place for place in range(len(content)) if content[place : place + 4] == b"\0\0\1\0"]
    content[places[30] : places[30] + 4] = bytes(4)
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(DataError, match="is damaged: "):
        read_frames(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.flv"])
def test_a_damaged_first_frame_does_not_shift_the_others(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = noisy_file(path)
    with av.open(str(path)) as container:
        first = bytes(next(container.demux(video=0)))
    assert content.count(first) == 1
    path.write_bytes(content.replace(first, bytes(len(first))))
    for read in (probe_video, iter_frames):
        with pytest.raises(DataError, match=r"is damaged: its first \d+ frames don't decode"):
            read(path)


@pytest.mark.parametrize("field_order", ["tff", "bff"])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg2video")]
)
def test_interlaced_video_is_read(tmp_path: Path, name: str, codec: str, field_order: str) -> None:
    options = {"flags": "+ilme+ildct", "field_order": {"tff": "tt", "bff": "bb"}[field_order]}
    if codec == "libx264":
        options["x264-params"] = f"{field_order}=1"
    path = encode(tmp_path / name, numbered(40), codec, options=options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    assert assert_consistent(path) == 40
    assert [number(frame) for frame in read_frames(path)[0]] == list(range(40))


@pytest.mark.parametrize("cut", [10, 25, 31])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_an_edit_list_hides_what_is_before_it(tmp_path: Path, cut: int, b_frames: str) -> None:
    whole = encode(tmp_path / "whole.mp4", numbered(60), options={"bf": b_frames, "sc_threshold": "0"})
    trimmed = remux(whole, tmp_path / "trimmed.mp4", shift=lambda _: -cut / 30)
    with av.open(str(trimmed)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) >= cut % 25  # from the keyframe on
    assert assert_consistent(trimmed) == 60 - cut
    assert [number(frame) for frame in read_frames(trimmed)[0]] == list(range(cut, 60))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".flv"])
def test_a_delay_before_the_first_frame_is_not_shown(tmp_path: Path, suffix: str) -> None:
    whole = encode(tmp_path / f"whole{suffix}", numbered(30), "flv" if suffix == ".flv" else "mpeg4")
    late = remux(whole, tmp_path / f"late{suffix}", shift=lambda _: 1.5)
    assert assert_consistent(late) == 30
    assert [number(frame) for frame in read_frames(late)[0]] == list(range(30))


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "frag_keyframe+empty_moov+default_base_moof", ""])
def test_sound_may_last_longer_than_the_picture(tmp_path: Path, flags: str) -> None:
    path = encode(tmp_path / "long.mp4", numbered(60), muxer={"movflags": flags} if flags else {}, seconds_of_sound=5)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration > 4.9e6
    assert assert_consistent(path) == 60


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".mpg", ".flv"])
@pytest.mark.parametrize("trailer", [b"\0" * 276, b"\x12\x34\x56\x78TAIL" + b"\xee" * 300, b"x"])
def test_bytes_after_the_end_do_no_harm(tmp_path: Path, suffix: str, trailer: bytes) -> None:
    path = encode(tmp_path / f"a{suffix}", numbered(40), "flv" if suffix == ".flv" else "mpeg2video")
    path.write_bytes(path.read_bytes() + trailer)
    assert assert_consistent(path) == 40


@pytest.mark.parametrize("size", [0, 1, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize(("codec", "b_frames"), [("mpeg4", "0"), ("mpeg4", "2"), ("libx264", "2"), ("mjpeg", "0")])
def test_an_avi_of_unknown_size_is_read(tmp_path: Path, size: int, codec: str, b_frames: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = encode(tmp_path / "a.avi", numbered(50), codec, pix_fmt=pix_fmt, options={"bf": b_frames})
    content = path.read_bytes()
    path.write_bytes(content[:4] + size.to_bytes(4, "little") + content[8:])
    assert assert_consistent(path) == 50
    assert [number(frame) for frame in read_frames(path)[0]] == list(range(50))


def with_matrix(source: Path, target: Path, matrix: tuple[float, float, float, float]) -> Path:
    """Write a display matrix (a, b, c, d) into the track header of an MP4 file."""
    content = bytearray(source.read_bytes())
    place = content.index(b"tkhd") + 44
    a, b, c, d = (round(value * 65536) for value in matrix)
    for k, value in enumerate((a, b, 0, c, d, 0, 0, 0, 1 << 30)):
        content[place + 4 * k : place + 4 * k + 4] = value.to_bytes(4, "big", signed=True)
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("across", "down"), list(product((1, -1), (1, -1))))
def test_display_matrices_are_obeyed(tmp_path: Path, turned: bool, across: int, down: int) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48], image[:32, 48:], image[32:, :48] = (200, 40, 40), (40, 160, 40), (40, 60, 200)
    write_video(tmp_path / "plain.mp4", [image] * 6, crf=10)
    matrix = (0, down, across, 0) if turned else (across, 0, 0, down)
    path = with_matrix(tmp_path / "plain.mp4", tmp_path / "turned.mp4", matrix)
    expected = (image.swapaxes(0, 1) if turned else image)[::down, ::across]
    frames, _ = read_frames(path)
    assert frames.shape[1:] == expected.shape
    assert np.abs(frames[3].astype(int) - expected).mean() < 4
    assert assert_consistent(path) == 6


def test_a_turn_by_another_angle_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "plain.mp4", list(numbered(4)))
    path = with_matrix(tmp_path / "plain.mp4", tmp_path / "oblique.mp4", (0.8, 0.6, -0.6, 0.8))
    with pytest.raises(DataError, match="an angle that isn't a multiple of 90"):
        probe_video(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mpg", ".ts"])
@pytest.mark.parametrize(("sar", "width"), [(Fraction(16, 9), 320), (Fraction(8, 9), 160), (Fraction(1), 180)])
def test_pixels_become_square(tmp_path: Path, suffix: str, sar: Fraction, width: int) -> None:
    if suffix in {".mpg", ".ts"}:  # MPEG-2 states the shape of the picture, not of a pixel
        width = round(width / 180 * 192)
        path = encode(tmp_path / f"a{suffix}", numbered(20, (240, 192)), "mpeg2video", sar=sar)
        with av.open(str(path)) as container:
            sar = container.streams.video[0].sample_aspect_ratio or Fraction(1)
        width = round(192 * sar)
    else:
        path = encode(tmp_path / f"a{suffix}", (frame[:, :180] for frame in numbered(20, (240, 192))), sar=sar)
    info = probe_video(path)
    assert (info.width, info.height) == (width, 240)
    assert assert_consistent(path) == 20


def test_pixels_become_square_before_the_picture_is_turned(tmp_path: Path) -> None:
    plain = encode(tmp_path / "plain.mp4", numbered(6, (64, 96)), sar=Fraction(2))
    path = with_matrix(plain, tmp_path / "turned.mp4", (0, 1, -1, 0))
    assert read_frames(path)[0].shape == (6, 192, 64, 3)
    info = probe_video(f"{path}{Cut(0, 0.2, (0, 50, 100, 50)).fragment}")
    assert (info.width, info.height) == (64, 96)


def with_square(height: int, width: int) -> np.ndarray:
    image = np.full((height, width, 3), 60, np.uint8)
    side = min(height, width) // 2
    image[height // 2 - side // 2 : height // 2 + side // 2, width // 2 - side // 2 : width // 2 + side // 2] = 255
    return image


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("second", [(240, 144), (120, 160), (480, 640), (96, 320)])
def test_a_change_of_resolution_stretches_nothing(tmp_path: Path, codec: str, second: tuple[int, int]) -> None:
    parts = [
        encode(tmp_path / f"{k}.webm", iter([with_square(*size)] * 12), codec, options={"b": "1M"})
        for k, size in enumerate([(240, 320), second])
    ]
    with av.open(str(tmp_path / "both.webm"), "w") as new:
        stream = None
        for k, part in enumerate(parts):
            with av.open(str(part)) as old:
                stream = stream or new.add_stream_from_template(old.streams.video[0])
                for packet in old.demux(video=0):
                    if packet.size:
                        packet.pts, packet.dts, packet.stream = (packet.pts or 0) + 400 * k, None, stream
                        new.mux(packet)
    assert assert_consistent(tmp_path / "both.webm") == 24
    frames, _ = read_frames(tmp_path / "both.webm")
    for frame in (frames[4], frames[-4]):
        white = frame.min(axis=2) > 160
        assert abs(white.any(axis=0).sum() - white.any(axis=1).sum()) <= 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("main", [0, 1])
def test_the_default_track_is_read(tmp_path: Path, suffix: str, main: int) -> None:
    with av.open(str(tmp_path / f"two{suffix}"), "w") as container:
        streams = []
        for k in range(2):
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = (256, 64, "yuv420p") if k == main else (80, 60, "yuv420p")
            stream.disposition = int(k == main)  # type: ignore[assignment]  # 1 is the default track
            streams.append(stream)
        for image in numbered(30):
            for k, stream in enumerate(streams):
                picture = image if k == main else np.zeros((60, 80, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    assert assert_consistent(tmp_path / f"two{suffix}") == 30
    assert [number(frame) for frame in read_frames(tmp_path / f"two{suffix}")[0]] == list(range(30))


def test_a_cover_picture_alone_is_no_video(tmp_path: Path) -> None:
    content = (CASES / "cover.mp4").read_bytes()
    with av.open(str(CASES / "cover.mp4")) as old, av.open(str(tmp_path / "song.mp4"), "w") as new:
        cover = next(s for s in old.streams.video if s.disposition & av.stream.Disposition.attached_pic)
        stream = new.add_stream_from_template(cover)
        stream.disposition = av.stream.Disposition.attached_pic.value  # type: ignore[assignment]
        for packet in old.demux(cover):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    assert len(content) > (tmp_path / "song.mp4").stat().st_size
    with pytest.raises(DataError, match="holds no video track"):
        probe_video(tmp_path / "song.mp4")


STEADY = [round(1000 * k / 30) for k in range(60)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("jump", [3, 600, 3600])
@pytest.mark.parametrize("place", [1, 30, 59])
def test_a_gap_is_named(tmp_path: Path, suffix: str, jump: int, place: int) -> None:
    stamps = [time + 1000 * jump * (k >= place) for k, time in enumerate(STEADY)]
    path = encode(tmp_path / f"a{suffix}", numbered(60), stamps=stamps)
    for read in (probe_video, iter_frames):
        with pytest.raises(DataError, match=rf"has a gap of {jump}\.0 s: no frame between"):
            read(path)
    if place == 30:
        assert len(read_frames(f"{path}#t=0,0.9")[0]) == 27  # the part before it is whole


def test_a_pause_is_no_gap(tmp_path: Path) -> None:
    stamps = [time + 1500 * (k >= 30) for k, time in enumerate(STEADY)]
    path = encode(tmp_path / "a.mkv", numbered(60), stamps=stamps)
    assert assert_consistent(path) == 60
    frames, times = read_frames(path)
    shown = np.array([number(frame) for frame in frames])
    assert np.abs(np.array(stamps)[shown] / 1000 - times).max() < 0.78  # half the pause
    assert len(frames) > 100


def with_stamp(source: Path, target: Path, place: int, stamp: int) -> Path:
    """Replace one time stamp, in ms, of a short Matroska file that has one every thirtieth of a second."""
    old, new = STEADY[place].to_bytes(2, "big"), stamp.to_bytes(2, "big", signed=True)
    size = rb"(?:[\x80-\xff]|[\x40-\x7f].|[\x20-\x3f]..|[\x10-\x1f]...)"
    blocks = re.compile(rb"(\xa3" + size + rb"\x81)" + re.escape(old), re.DOTALL)
    content, count = blocks.subn(lambda block: block[1] + new, source.read_bytes())
    assert count == 1
    target.write_bytes(content)
    return target


@pytest.mark.parametrize(("place", "wrong"), [(30, 0), (20, 1900), (55, 3), (30, 30_000)])
def test_one_time_stamp_far_from_its_place_is_refused(tmp_path: Path, place: int, wrong: int) -> None:
    whole = encode(tmp_path / "whole.mkv", numbered(60), options={"bf": "0"})
    path = with_stamp(whole, tmp_path / "a.mkv", place, wrong)
    for read in (probe_video, iter_frames):
        with pytest.raises(DataError, match=r"has wrong time stamps: .* places off|has a gap of"):
            read(path)


@pytest.mark.parametrize("wrong", [700, 950, 1050, 1300])
def test_one_time_stamp_a_little_wrong_moves_nothing_else(tmp_path: Path, wrong: int) -> None:
    whole = encode(tmp_path / "whole.mkv", numbered(60), options={"bf": "0"})
    path = with_stamp(whole, tmp_path / "a.mkv", 30, wrong)
    assert assert_consistent(path) == 60
    shown = [number(frame) for frame in read_frames(path)[0]]
    assert np.abs(np.array(shown) - np.arange(60)).max() <= 1


def test_frames_closer_than_any_camera_takes_them_are_refused(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", numbered(60), options={"bf": "0"})
    with av.open(str(whole)) as container:
        tick = float(container.streams.video[0].time_base or 0)
    path = remux(whole, tmp_path / "a.mp4", shift=lambda k: k * tick - k / 30)
    with pytest.raises(DataError, match=r"has wrong time stamps: 60 frames in 0\.00 s"):
        probe_video(path)


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv"])
def test_text_that_is_not_utf8_does_no_harm(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "ozturk"
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        for image in numbered(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert b"ozturk" in content
    path.write_bytes(content.replace(b"ozturk", "öztürk".encode("iso8859-9")))
    assert assert_consistent(path) == 20


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.h264", "libx264"),
        ("a.m4v", "mpeg4"),
        ("a.mpg", "libx264"),
        ("a.ts", "libx264"),
        ("a.wmv", "wmv2"),
        ("a.flv", "flv"),
        ("a.mkv", "libx265"),
        ("a.mp4", "libx265"),
        ("a.mkv", "ffv1"),
    ],
)
def test_other_formats_keep_every_frame(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, numbered(40), codec)
    assert assert_consistent(path) == 40
    assert [number(frame) for frame in read_frames(path)[0]] == list(range(40))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "tolerance"),
    [
        ("libx264", "yuv420p", 6),
        ("libx264", "yuv422p", 6),
        ("libx264", "yuv444p", 6),
        ("libx265", "yuv420p10le", 6),
        ("ffv1", "yuv422p10le", 4),
        ("ffv1", "bgra", 1),
        ("mjpeg", "yuvj420p", 8),
    ],
)
def test_pixel_formats_keep_their_colours(tmp_path: Path, codec: str, pix_fmt: str, tolerance: int) -> None:
    colours = np.array([[200, 40, 40], [40, 160, 40], [40, 60, 200], [250, 250, 250]], np.uint8)
    image = np.repeat(np.repeat(colours.reshape(2, 2, 3), 48, axis=0), 48, axis=1)
    options = {"crf": "10"} if codec.startswith("lib") else {"qmin": "1", "qmax": "2"} if codec == "mjpeg" else {}
    path = encode(tmp_path / "a.mkv", iter([image] * 5), codec, pix_fmt=pix_fmt, options=options)
    frames, _ = read_frames(path)
    centres = frames[2][24::48, 24::48].reshape(4, 3).astype(int)
    assert np.abs(centres - colours).max() <= tolerance


def test_grey_video_is_grey(tmp_path: Path) -> None:
    image = np.repeat(np.linspace(0, 255, 96).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    path = encode(tmp_path / "a.mkv", iter([image] * 3), "ffv1", pix_fmt="gray")
    assert np.abs(read_frames(path)[0][1].astype(int) - image).max() <= 2


@pytest.mark.parametrize(("space", "full"), [("bt709", False), ("bt470bg", False), ("bt709", True), ("bt470bg", True)])
def test_the_colour_space_stated_is_used(tmp_path: Path, space: str, full: bool) -> None:
    """By the formulas of BT.601 and BT.709, whose greens differ by 30 levels where they are confused."""
    red, blue = {"bt709": (0.2126, 0.0722), "bt470bg": (0.299, 0.114)}[space]
    colour = np.array([40.0, 180.0, 60.0])
    luma = colour @ [red, 1 - red - blue, blue]
    chroma = np.array([(colour[2] - luma) / (2 * (1 - blue)), (colour[0] - luma) / (2 * (1 - red))])
    y, uv = (luma, 128 + chroma) if full else (16 + luma * 219 / 255, 128 + chroma * 224 / 255)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        options = {"crf": "5", "x264-params": f"colormatrix={space}"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p" if full else "yuv420p"
        planes = np.concatenate([np.full(64 * 64, y), np.full(32 * 32, uv[0]), np.full(32 * 32, uv[1])])
        image = np.rint(planes).astype(np.uint8).reshape(96, 64)
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    assert np.abs(read_frames(tmp_path / "a.mp4")[0][1].mean(axis=(0, 1)) - colour).max() < 4


def test_a_colon_in_a_relative_path_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rav:dess").mkdir()
    write_video(Path("rav:dess") / "a.mp4", list(numbered(4)))
    assert assert_consistent(Path("rav:dess") / "a.mp4") == 4


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "libx264"), ("a.mkv", "libx264")])
def test_a_part_is_reached_without_decoding_all_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str
) -> None:
    path = encode(tmp_path / name, numbered(250), codec, options={"bf": "2"})
    decoded = 0
    frames_of = video._frames

    def counting(*arguments: object) -> Iterator[av.VideoFrame]:
        nonlocal decoded
        for frame in frames_of(*arguments):  # type: ignore[arg-type]
            decoded += 1
            yield frame

    probe_video(path)
    monkeypatch.setattr(video, "_frames", counting)
    part, _ = read_frames(f"{path}#t=7,8")
    assert [number(frame) for frame in part] == list(range(210, 240))
    assert decoded < 110


def test_an_orientation_that_pyav_can_not_tell_is_refused(tmp_path: Path) -> None:
    """PyAV has no name for Exif data, and with it no way to the display matrix beside it."""
    picture = Image.fromarray(next(numbered(1)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.save(tmp_path / "still.jpg", exif=exif)
    (tmp_path / "a.mjpeg").write_bytes((tmp_path / "still.jpg").read_bytes() * 10)
    with pytest.raises(DataError, match="states an orientation that PyAV can't read"):
        read_frames(tmp_path / "a.mjpeg")

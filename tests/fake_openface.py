"""A stand-in for OpenFace's FeatureExtraction, and for docker: it does what the real program was seen to do.

It takes `-f` (repeated), `-out_dir` and the flags, and writes OpenFace's real CSV of a rendered person, as many rows as
the video has frames; the stored frame's number, from 1, stands in pose_Tx. Words in a video's own name make it behave:

    spaced      the Windows build's dialect        noface      rows of zeros
    lost        no face in the second half: stale  unreadable  can't be opened: no CSV, and the videos after it
    short       ends ten frames early                          aren't touched either; exit code 0
    half        writes half a CSV, then exit 1     slow        hangs in the middle
    killed      writes half a CSV, then SIGKILL    crash       SIGSEGV before the CSV begins
    mask        a face in two of three frames, with little confidence

FAKE_OPENFACE_LOG names a file that gets a line of JSON for every start. FAKE_OPENFACE_MODELS=missing: exit code 1.
With --as-docker first it is docker: FAKE_OPENFACE_IMAGES says which images are there, and `run` starts this program on
what was mounted, after checking it. Only the standard library's quick parts are used: tests start it often.
"""

import csv
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "openface")  # noqa: PTH100, PTH118, PTH120


def frame_count(path: str) -> int:
    """Return the number of frames of an MP4 with one track: it stands in the box stsz."""
    with open(path, "rb") as file:  # noqa: PTH123
        content = file.read()
    at = content.find(b"stsz")
    return int.from_bytes(content[at + 12 : at + 16], "big") if at > 0 else 0


def write_csv(path: str, frames: int, name: str) -> None:
    """Write the CSV of a video with so many frames, in the manner that its name asks for."""
    source = "no_face.csv" if "noface" in name else "happy.csv"
    with open(os.path.join(DATA, source), newline="") as file:  # noqa: PTH118, PTH123
        header, *rows = csv.reader(file)
    seen = frames // 2 if "lost" in name else frames
    table = []
    for number in range(1, frames + 1):
        row = list(rows[(min(number, seen) - 1) % len(rows)])
        row[0], row[2] = str(number), f"{(number - 1) / 30:.3f}"
        if number > seen:
            row[3], row[4] = "0.00", "0"
        if "mask" in name:
            row[3], row[4] = ("0.00", "0") if number % 3 == 0 else ("0.80", row[4])
        if "pose_Tx" in header:
            row[header.index("pose_Tx")] = str(number)
        table.append(row)
    if "short" in name:
        del table[-10:]
    separator = ", " if "spaced" in name else ","
    text = "".join(separator.join(row) + "\n" for row in [header, *table])
    if "half" in name or "killed" in name or "slow" in name:
        text = text[: len(text) // 2]
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


def extract(arguments: list[str]) -> int:
    """Do what FeatureExtraction does; return its exit code."""
    if log := os.environ.get("FAKE_OPENFACE_LOG"):
        with open(log, "a") as file:  # noqa: PTH123
            file.write(json.dumps(arguments) + "\n")
    if os.environ.get("FAKE_OPENFACE_MODELS") == "missing":
        print("Could not open the landmark detector\nERROR: Could not load the landmark detector", flush=True)
        return 1
    out = arguments[arguments.index("-out_dir") + 1]
    os.makedirs(out, exist_ok=True)  # noqa: PTH103
    for flag, video in itertools.pairwise(arguments):
        if flag != "-f":
            continue
        name = os.path.basename(os.path.realpath(video))  # noqa: PTH119
        stem = os.path.splitext(os.path.basename(video))[0]  # noqa: PTH119, PTH122
        print(f"Attempting to read from file: {video}", flush=True)
        frames = frame_count(video) if os.path.exists(video) else 0  # noqa: PTH110
        if not frames or "unreadable" in name:
            print("Failed to open the video file", flush=True)
            return 0
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        write_csv(os.path.join(out, f"{stem}.csv"), frames, name)  # noqa: PTH118
        if "killed" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in name:
            time.sleep(120)
        if "half" in name:
            print("terminate called after throwing an instance of 'cv::Exception'", flush=True)
            return 1
        with open(os.path.join(out, f"{stem}_of_details.txt"), "w") as file:  # noqa: PTH118, PTH123
            file.write(f"Input:{video}\n")
    return 0


def docker(arguments: list[str]) -> int:
    """Do what docker does as far as it is asked here; exit 125 for what it would refuse, or what it must not get."""
    if arguments[:2] == ["image", "inspect"]:
        if arguments[2] in os.environ.get("FAKE_OPENFACE_IMAGES", "").split():
            return 0
        print(f"Error: No such image: {arguments[2]}", file=sys.stderr)
        return 1
    if arguments[0] != "run":
        with open(os.environ["FAKE_OPENFACE_LOG"] + ".docker", "a") as file:  # noqa: PTH123
            file.write(json.dumps(arguments) + "\n")
        return 0
    mounts: dict[str, dict[str, str]] = {}
    options: dict[str, str] = {}
    at = 1
    while arguments[at].startswith("--"):
        if arguments[at] == "--rm":
            at += 1
            continue
        option, value = arguments[at : at + 2]
        at += 2
        options[option] = value
        if option == "--mount":
            (fields,) = csv.reader([value])
            mount = dict(field.partition("=")[::2] for field in fields)
            mounts[mount["target"]] = mount
    image, arguments = arguments[at], arguments[at + 1 :]
    for target, mount in mounts.items():
        wanted = target.startswith("/videos/")
        if mount["type"] != "bind" or ("readonly" in mount) != wanted or not os.path.exists(mount["source"]):  # noqa: PTH110
            print(f"bad mount {mount}", file=sys.stderr)
            return 125
    work = mounts[options["--workdir"]]["source"]
    facts = {"image": image, "entrypoint": options["--entrypoint"], "pull": options["--pull"], "mounts": [*mounts]}
    facts["name"] = options["--name"]
    with open(os.environ["FAKE_OPENFACE_LOG"] + ".docker", "a") as file:  # noqa: PTH123
        file.write(json.dumps(facts) + "\n")
    seen = tempfile.mkdtemp()  # what the container sees as /videos
    try:
        for target, mount in mounts.items():
            if target.startswith("/videos/"):
                os.symlink(mount["source"], os.path.join(seen, os.path.basename(target)))  # noqa: PTH118, PTH119, PTH211
        os.chdir(work)
        return extract([argument.replace("/videos", seen, 1) for argument in arguments])
    finally:
        shutil.rmtree(seen)


if __name__ == "__main__":
    as_docker = sys.argv[1:2] == ["--as-docker"]
    sys.exit(docker(sys.argv[2:]) if as_docker else extract(sys.argv[1:]))

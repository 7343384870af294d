"""The commands that publish: the report, the book and the teacher's pages."""

import argparse
import sys
from pathlib import Path
from typing import Any

from microx_utils.support import paths
from microx_utils.tools.arguments import RUN, add_command, checked, seed


def report_command(arguments: argparse.Namespace) -> int:
    """Write the results of a run as a paper, in HTML and PDF, from its ledger and figures; runs nothing."""
    from microx_utils.course import records
    from microx_utils.course.outline import load_course
    from microx_utils.publish.report import write_report

    which = {"profile": arguments.profile, "data": arguments.data, "seed": arguments.seed}
    folder = records.output_folder(**which)
    pages = write_report(folder, load_course(), paths.BUILD / "report" / records.run_name(**which), **which)
    print("\n".join(f"wrote {paths.short(page)}" for page in pages))
    return 0


def book_command(arguments: argparse.Namespace) -> int:
    """Build the book, a site of notebooks, gallery, ledger and functions; runs notebooks (smoke) if need be."""
    from microx_utils.course.outline import load_course
    from microx_utils.course.runner import run_course
    from microx_utils.publish.book import build_book, executed_folder

    course = load_course()
    executed = executed_folder(course, paths.BUILD)
    if executed is None:
        print("No run of all notebooks is there; running them in profile smoke, some minutes", flush=True)
        results = run_course(course, profile="smoke")
        for result in results:
            if result.failure:
                print(f"{result.notebook}:\n{result.failure.traceback}", file=sys.stderr)
        executed = executed_folder(course, paths.BUILD)
        if executed is None or any(result.failure for result in results):
            return 1
    print(f"wrote {paths.short(build_book(course, executed, paths.BUILD / 'book'))}, from {paths.short(executed)}")
    return 0


def teaching_command(arguments: argparse.Namespace) -> int:
    """Make teaching/: plans, misconceptions, a rubric, slides and a handout, from course.toml and the notebooks."""
    from microx_utils.course.outline import load_course
    from microx_utils.publish.teaching import TEACHING, save_teaching

    changed = save_teaching(load_course(), (arguments.to or TEACHING).absolute())
    print("\n".join(f"wrote {paths.short(page)}" for page in changed) or "all of the teacher's pages were up to date")
    return 0


def add_publishing(commands: Any) -> None:
    """Add these commands to those of `microx`."""
    report = add_command(commands, "report", report_command, "write a run's results as a paper", *RUN, "--out")
    report.add_argument("--seed", type=checked(seed), default=0, help="the run's seed (default: 0)")

    add_command(commands, "book", book_command, "build the book from executed notebooks", "--out")

    teaching = add_command(commands, "teaching", teaching_command, "make teaching/, plans and slides for teachers")
    text = "another folder, where slides and handout hold their pictures (default: teaching/, where they link to them)"
    teaching.add_argument("--to", type=Path, metavar="FOLDER", help=text)

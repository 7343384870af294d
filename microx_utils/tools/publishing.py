"""The commands that publish: the report and the teacher's pages."""

import argparse
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

    teaching = add_command(commands, "teaching", teaching_command, "make teaching/, plans and slides for teachers")
    text = "another folder, where slides and handout hold their pictures (default: teaching/, where they link to them)"
    teaching.add_argument("--to", type=Path, metavar="FOLDER", help=text)

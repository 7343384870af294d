"""Where the course opens without being installed by hand: Binder, Colab, dev containers. They need its address."""

from microx_utils.course.outline import Course

BADGES = {
    "Binder": "https://mybinder.org/badge_logo.svg",
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "dev container": "https://github.com/codespaces/badge.svg",
}
SERVICES = {
    "Binder": "https://mybinder.org",
    "Colab": "https://colab.research.google.com/github/",
    "dev container": "https://github.com/codespaces/new",
}
WORDS = {
    "Binder": "Nothing to install: JupyterLab in your browser, once its container is built, which can take some "
    "minutes. It has little memory, so set `profile` to `smoke`.",
    "Colab": "The student's notebooks; the first cell fetches the course and installs what is missing, in some "
    "minutes. If Colab then asks for a restart, do so, and run the notebook from its top.",
    "dev container": "GitHub Codespaces; or clone, open the folder in VS Code and choose *Reopen in Container*. Then "
    "`.venv/bin/microx lab` in its terminal, or open a notebook with the kernel of `.venv`.",
}
NOT_SET = (
    "This repository's address is not known to it yet, so the buttons lead to each service's own page, which asks for "
    "it. To have them lead to the course, set `repository` in `course.toml`, then run `microx gallery` and `microx "
    "exercises`."
)


def links(course: Course) -> dict[str, str]:
    """Return the address behind each button: the course there or, while its own is not set, the service's page."""
    if not course.repository:
        return SERVICES
    name = course.repository.removeprefix("https://github.com/")
    first = f"exercises/{course.notebooks[0].id}.ipynb"
    return {
        "Binder": f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/{first}",
        "Colab": f"https://colab.research.google.com/github/{name}/blob/HEAD/{first}",
        "dev container": f"https://codespaces.new/{name}",
    }


def buttons(course: Course) -> str:
    """Return the README's table of places to open the course in, in Markdown."""
    lines = ["| where | open it | what then |", "| --- | --- | --- |"]
    for where, address in links(course).items():
        button = f"[![Open in {where}]({BADGES[where]})]({address})"
        lines.append(f"| {where[0].upper()}{where[1:]} | {button} | {WORDS[where]} |")
    return "\n".join(lines if course.repository else [*lines, "", NOT_SET])


def installing_cell(repository: str) -> str:
    """Return the first cell of a student's notebook: it installs the course where it is missing, as on Colab.

    An installed package counts only from Python's next start on, so the cell puts the folder on the path, too.
    """
    address = repr(repository) if repository else 'input("The address of the course\'s repository: ")'
    return f"""\
# Where the course is not installed, on Colab for instance, this fetches and installs it. Elsewhere it does nothing.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("microx_utils") is None:
    if not os.path.isdir("microx"):
        subprocess.run(["git", "clone", "--depth", "1", {address}, "microx"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--editable", "microx"], check=True)
    sys.path.insert(0, os.path.abspath("microx"))
    os.chdir("microx/exercises")"""

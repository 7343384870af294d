"""A real JupyterLab and a real browser. `make test-browser` runs these tests; without it they are deselected."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from notebook_page import HEIGHT, WIDE, NotebookPage

from microx_utils.course.runner import KERNEL_ENVIRONMENT
from microx_utils.support import paths

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--no-sandbox",  # containers have none to offer
    "--disable-gpu",
    "--disable-dev-shm-usage",  # nor much shared memory
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MOST_OPEN = 2
"""Notebooks that stay open for the next test; each has a kernel with TensorFlow in it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the browser tests unless they are asked for, by `-m browser` or by their path."""
    named = [Path(each.split("::")[0]).resolve() for each in config.args]
    asked = "browser" in config.option.markexpr or any(each.is_relative_to(HERE) for each in named)
    mine = [item for item in items if item.get_closest_marker("browser")]
    if mine and not asked:
        config.hook.pytest_deselected(items=mine)
        items[:] = [item for item in items if item not in mine]


@pytest.fixture(scope="session")
def launch() -> "Iterator[Callable[..., Browser]]":
    """Starts headless Chromium, or one of its relatives, as installed on this machine, with more flags."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip('no Playwright: pip install -e ".[dev]"')
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no Chromium (apt-get install chromium) among {', '.join(BROWSERS)} on the PATH")
    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])


@pytest.fixture(scope="session")
def chromium(launch: "Callable[..., Browser]") -> "Iterator[Browser]":
    """The browser that most tests share. It has no camera."""
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What JupyterLab shows: copies of the notebooks, without outputs, their profile set to smoke."""
    folder = tmp_path_factory.mktemp("lab")
    for source in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(source, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                assert 'profile = "class"' in cell.source, source.name
                cell.source = cell.source.replace('profile = "class"', 'profile = "smoke"')
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / source.name)
    return folder


@pytest.fixture(scope="session")
def lab(lab_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab, without the settings and extensions of whoever runs this; its address.

    Caches go to MICROX_PROCESSED if that is set, else to a folder that all tests of the session share.
    """
    own = tmp_path_factory.mktemp("jupyter")
    homes = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    packages = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    processed = os.environ.get("MICROX_PROCESSED") or str(tmp_path_factory.mktemp("processed"))
    environment = os.environ | KERNEL_ENVIRONMENT | {name: str(own / folder) for name, folder in homes.items()}
    environment |= {"PYTHONPATH": packages, "MICROX_PROCESSED": processed, "JUPYTER_PREFER_ENV_PATH": "1"}
    _settle_in(own / "settings")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = [
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab_folder}",
        "--ServerApp.allow_root=True",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",  # the tests ask JupyterLab itself whether the kernel is idle
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = own / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(f"{address}/api/status", server, log)
            yield address
        finally:
            server.terminate()  # it shuts its kernels down
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _settle_in(settings: Path) -> None:
    """Write JupyterLab's settings: no question about news, no saving by itself."""
    for plugin, text in {
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
        "docmanager-extension/plugin": '{"autosave": false}',
    }.items():
        path = settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            urlopen(address).close()
        except URLError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def _opened(chromium: "Browser", lab: str) -> Iterator[Callable[[str], NotebookPage]]:
    """Opens a notebook and runs it, unless that is done already; the longest unused of too many is closed."""
    opened: dict[str, NotebookPage] = {}

    def open_notebook(name: str) -> NotebookPage:
        notebook = opened.pop(name, None)
        if notebook is None:
            while len(opened) >= MOST_OPEN:
                opened.pop(next(iter(opened))).close()
            page = chromium.new_page(viewport={"width": WIDE, "height": HEIGHT})
            notebook = NotebookPage(page, lab, f"{name}.ipynb")
            try:
                notebook.run_all()
            except BaseException:
                notebook.close()
                raise
        opened[name] = notebook
        return notebook

    yield open_notebook
    for notebook in opened.values():
        notebook.close()


@pytest.fixture
def open_notebook(_opened: Callable[[str], NotebookPage]) -> Iterator[Callable[[str], NotebookPage]]:
    """Return a function that opens a notebook by its id, all cells run; the test fails if the console has an error.

    Tests share an open notebook: a test begins with the widget as an earlier one of the same notebook left it.
    """
    used: list[NotebookPage] = []

    def open_one(name: str) -> NotebookPage:
        used.append(_opened(name))
        return used[-1]

    yield open_one
    errors = {notebook.name: notebook.take_errors() for notebook in used}
    assert not any(errors.values()), errors

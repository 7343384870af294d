"""Drive a notebook in JupyterLab as a reader does: run it, move sliders by key, choose, click, read, take pictures."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from microx_utils.support import cache, paths

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Page

SCREENSHOTS = "MICROX_SCREENSHOTS"
"""Environment variable: if set, `WidgetOnPage.screenshot` writes files."""
WIDE, NARROW = 1280, 800
HEIGHT = 900
ALLOWED_ERRORS: Mapping[str, str] = {}
"""What JupyterLab itself logs as an error: a regular expression, and why it is no fault of ours."""


class NotebookPage:
    """One notebook, open in one browser tab.

    Parameters
    ----------
    page
        A fresh tab. Its console errors and uncaught exceptions are collected from here on.
    address
        JupyterLab's address, without a slash at its end.
    name
        The notebook's file name in the server's folder.
    """

    def __init__(self, page: "Page", address: str, name: str) -> None:
        self.page, self.name = page, name
        self._errors: list[str] = []
        page.set_default_timeout(60_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self._errors.append(f"uncaught: {error}"))
        page.goto(f"{address}/doc/tree/{quote(name)}")
        page.wait_for_function(
            """() => window.jupyterapp?.shell.currentWidget?.context
                && window.jupyterapp.commands.hasCommand("notebook:run-all-cells")""",
            timeout=120_000,
        )
        page.evaluate(
            """async () => {
                const panel = window.jupyterapp.shell.currentWidget;
                await panel.context.ready;
                await panel.sessionContext.ready;
                const kernel = panel.sessionContext.session.kernel;
                await kernel.info;
                window.unanswered = new Set();
                kernel.anyMessage.connect((_, { msg, direction }) => {
                    if (direction === "send" && msg.channel === "shell") unanswered.add(msg.header.msg_id);
                    if (msg.header.msg_type === "status" && msg.content.execution_state === "idle")
                        unanswered.delete(msg.parent_header.msg_id);
                });
            }"""
        )

    def _heard(self, message: "ConsoleMessage") -> None:
        if message.type == "error" and not any(re.search(pattern, message.text) for pattern in ALLOWED_ERRORS):
            self._errors.append(f"{message.text} ({message.location.get('url', '')})")

    def take_errors(self) -> list[str]:
        """Return the errors in the browser's console since the last call."""
        errors, self._errors = self._errors, []
        return errors

    def run_all(self) -> None:
        """Run all cells, and wait for the last; AssertionError with the traceback of a cell that fails."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.settle(seconds=850)  # a notebook may train networks first
        failed = [
            f"{cell['id']}: {output['ename']}: {output['evalue']}\n" + "\n".join(output["traceback"])
            for cell in self.cells()
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]
        assert not failed, re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(failed))
        not_run = [cell["id"] for cell in self.cells() if cell.get("source") and cell.get("execution_count", 0) is None]
        assert not not_run, f"cells that did not run: {not_run}"

    def cells(self) -> list[dict[str, Any]]:
        """Return the notebook's cells as they are now, outputs included."""
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells")

    def settle(self, seconds: float = 120) -> None:
        """Wait until the kernel has dealt with whatever the page has sent, and the page has drawn the answers.

        An error of the page after so many seconds without an answer.

        A question to the kernel would not do: JupyterLab has a thread of its own in the kernel for widgets. Three
        times, because a control sends what it held back only when the kernel has dealt with its first message.
        """
        self.page.evaluate(
            """async (seconds) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const settled = async () => {
                    for (let time = 0; time < 3; time++) {
                        await kernel.requestKernelInfo();
                        while (window.unanswered.size) await new Promise((done) => setTimeout(done, 20));
                        await new Promise((done) => setTimeout(done, 60));
                        await new Promise((done) => requestAnimationFrame(done));
                    }
                };
                const late = new Promise((_, fail) => setTimeout(
                    () => fail(new Error(`the kernel has not answered for ${seconds} s: it is ${kernel.status}`)),
                    1000 * seconds,
                ));
                await Promise.race([settled(), late]);
            }""",
            seconds,
        )

    def widget(self, title: str) -> "WidgetOnPage":
        """Return the widget of that heading, scrolled into view; an error if there is none."""
        found = self.page.locator(".microx-widget").filter(has=self.page.get_by_text(title, exact=True)).first
        found.wait_for(state="attached")
        # JupyterLab lays out only what is near the window, so cells above change their height, and move it away again
        self.page.wait_for_function(
            """(root) => {
                root.scrollIntoView({ block: "start" });
                const { top } = root.getBoundingClientRect();
                return root.innerText !== "" && top >= 0 && top < window.innerHeight;
            }""",
            arg=found.element_handle(),
        )
        self.settle()
        return WidgetOnPage(self, found)

    def close(self) -> None:
        """Shut the kernel down and close the tab."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()


class WidgetOnPage:
    """A widget that is shown. `root` is its element, for whatever the methods don't cover."""

    def __init__(self, notebook: NotebookPage, root: "Locator") -> None:
        self.notebook, self.page, self.root = notebook, notebook.page, root

    def _control(self, kind: str, label: str) -> "Locator":
        """Return the control of an ipywidgets class, such as "widget-slider", with that label."""
        named = self.page.locator(".widget-label").get_by_text(label, exact=True)
        return self.root.locator(f".{kind}").filter(has=named)

    def press(self, label: str, key: str, times: int = 1) -> None:
        """Focus a slider's handle and press a key, such as ArrowRight, Home or PageUp."""
        handle = self.root.get_by_role("slider", name=label, exact=True)
        handle.focus()
        for _ in range(times):
            handle.press(key)
        self.notebook.settle()

    def reading(self, label: str) -> str:
        """Return the number shown beside a slider."""
        return self._control("widget-slider", label).locator(".widget-readout").inner_text()

    def choose(self, label: str, option: str) -> None:
        """Choose from a menu by what it shows."""
        self._control("widget-dropdown", label).get_by_role("combobox").select_option(label=option)
        self.notebook.settle()

    def tick(self, label: str, ticked: bool = True) -> None:
        """Tick a box, or clear it."""
        self.root.get_by_role("checkbox", name=label, exact=True).set_checked(ticked)
        self.notebook.settle()

    def click(self, name: str) -> None:
        """Click a button by what it shows."""
        self.root.get_by_role("button", name=name, exact=True).click()
        self.notebook.settle()

    def text(self) -> str:
        """Return all text that is shown."""
        return self.root.inner_text()

    def problem(self) -> str:
        """Return the error that is shown in place; empty if there is none."""
        alerts = self.root.get_by_role("alert")
        return alerts.inner_text() if alerts.count() else ""

    def picture(self, alt: str | None = None) -> "Locator":
        """Return the picture whose alt text contains `alt`; the first one, unless given."""
        pictures = self.root.locator("img")
        return (pictures if alt is None else self.root.get_by_alt_text(alt)).first

    def pixels_of(self, picture: "Locator") -> str:
        """Return a hash of what a picture shows, to tell whether it changed."""
        return picture.evaluate(
            """async (img) => {
                const bytes = await (await fetch(img.src)).arrayBuffer();
                const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
                return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
            }"""
        )

    def screenshot(self, name: str) -> None:
        """Check that nothing is cut off at 1280 and at 800 px and, with MICROX_SCREENSHOTS set, write both pictures.

        The wide one is the gallery's, figures/widgets/<name>.png; the narrow one is for looking at:
        build/widgets/<name>-800.png.
        """
        targets = {
            WIDE: paths.FIGURES / "widgets" / f"{name}.png",
            NARROW: paths.BUILD / "widgets" / f"{name}-800.png",
        }
        for width, target in targets.items():
            self._resize(width, HEIGHT)
            assert not self.cut_off(), f"at {width} px, these are wider than their place: {self.cut_off()}"
            if os.environ.get(SCREENSHOTS):
                self._save(target, width)
        self._resize(WIDE, HEIGHT)

    def _resize(self, width: int, height: float) -> None:
        self.page.set_viewport_size({"width": width, "height": round(height)})
        self.notebook.settle()

    def _save(self, target: Path, width: int) -> None:
        """Save a picture of a widget, from a window in which all of it is on the page at once."""
        whole = self.root.evaluate("(root) => root.getBoundingClientRect().height")
        self._resize(width, HEIGHT + whole)
        self.root.evaluate("(root) => root.scrollIntoView({ block: 'center' })")
        self.notebook.settle()
        self.page.mouse.move(0, 0)
        with cache.atomic_file(target) as temporary:
            temporary.write_bytes(self.root.screenshot(animations="disabled"))

    def cut_off(self) -> list[str]:
        """Return what isn't wholly seen, as tags with their classes.

        That is whatever reaches over the right edge of the widget's place on the page, and what is wider than an
        element around it that hides, rather than scrolls, what is too wide.
        """
        return self.root.evaluate(
            """(root) => {
                const edge = root.closest(".jp-OutputArea-output").getBoundingClientRect().right + 1;
                const over = Array.from(root.querySelectorAll("*")).filter((el) => {
                    const box = el.getBoundingClientRect();
                    const style = getComputedStyle(el);
                    if (box.width === 0 || style.visibility === "hidden") return false;
                    const hides = ["hidden", "clip"].includes(style.overflowX) && box.width > 1;
                    return box.right > edge || (hides && el.scrollWidth > el.clientWidth + 1);
                });
                return over.map((el) => `${el.tagName.toLowerCase()}.${el.getAttribute("class") ?? ""}`);
            }"""
        )

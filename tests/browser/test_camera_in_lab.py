"""The camera in notebook 17: a file in its place, a film as a fake camera, and whatever keeps a camera from working."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from notebook_page import HEIGHT, WIDE, NotebookPage, WidgetOnPage

from microx_utils.apply.stream import PROBLEMS
from microx_utils.video import read_frames
from microx_utils.widgets.camera import TOLD

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def with_camera(
    launch: "Callable[..., Browser]", lab: str, clip_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NotebookPage]:
    """The notebook in a browser whose camera shows a film: a face for two seconds, then nobody for two, and again."""
    film = tmp_path_factory.mktemp("film") / "film.mjpeg"
    pictures = []
    for frame in read_frames(clip_path)[0]:
        face = cv2.resize(frame, (480, 480), interpolation=cv2.INTER_CUBIC)
        pictures.append(cv2.copyMakeBorder(face, 0, 0, 80, 80, cv2.BORDER_CONSTANT, value=(120, 120, 120)))
    pictures += [np.full((480, 640, 3), 120, np.uint8)] * 60
    film.write_bytes(b"".join(cv2.imencode(".jpg", np.asarray(p)[:, :, ::-1])[1].tobytes() for p in pictures))
    flags = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    browser = launch(*flags)
    context = browser.new_context(viewport={"width": WIDE, "height": HEIGHT}, permissions=["camera"])
    notebook = NotebookPage(context.new_page(), lab, "17_live.ipynb")
    try:
        notebook.run_all()
        yield notebook
        assert notebook.take_errors() == []
    finally:
        notebook.close()
        browser.close()


def press(widget: WidgetOnPage, name: str) -> None:
    """Click a button without waiting for the kernel, which always has a picture to look at."""
    widget.root.get_by_role("button", name=name, exact=True).click()


def status(widget: WidgetOnPage) -> str:
    return widget.root.get_by_role("status").inner_text()


def wait(widget: WidgetOnPage, condition: str) -> None:
    """Wait for a condition in JavaScript of `seen` (the widget's numbers) and `said` (its status)."""
    widget.page.wait_for_function(
        f"""(root) => {{
            const seen = root.querySelector("[data-looked]")?.dataset ?? {{}};
            const said = root.querySelector("[role=status]").textContent;
            return {condition};
        }}""",
        arg=widget.root.element_handle(),
    )


def choose_source(widget: WidgetOnPage, place: int) -> None:
    widget.root.get_by_label("picture from").select_option(index=place)


def test_without_a_camera_it_is_said_and_a_file_stands_in(open_notebook: Callable[[str], NotebookPage]) -> None:
    widget = open_notebook("17_live").widget("Camera")
    press(widget, "start")
    wait(widget, 'said.startsWith("No camera was found")')
    choose_source(widget, 1)
    assert not widget.root.get_by_label("mirror").is_checked()
    press(widget, "start")
    wait(widget, "Number(seen.looked) > 40")
    press(widget, "stop")
    assert status(widget) == "Stopped."
    text = widget.text()
    assert "answer: " in text and "frames/s" in text and "left out" in text
    rows = widget.root.locator("table").first.locator("tbody tr").all_inner_texts()
    assert 97 <= sum(int(row.split()[-1].rstrip("%")) for row in rows) <= 103
    assert widget.root.locator("canvas").first.evaluate("(canvas) => canvas.width") > 100
    widget.screenshot("camera")


def test_a_camera_is_looked_at_one_picture_at_a_time(with_camera: NotebookPage) -> None:
    widget = with_camera.widget("Camera")
    widget.page.evaluate(
        """() => {
            window.onTheWay = { now: 0, most: 0 };
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.anyMessage.connect((_, { msg, direction }) => {
                const kind = msg.content?.data?.content?.kind;
                if (direction === "send" && kind === "frame") onTheWay.now += 1;
                if (direction === "recv" && kind === "moment") onTheWay.now -= 1;
                onTheWay.most = Math.max(onTheWay.most, onTheWay.now);
            });
        }"""
    )
    press(widget, "start")
    wait(widget, "Number(seen.looked) > 20")
    assert widget.page.evaluate("() => onTheWay.most") == 1
    wait(widget, f"said.includes({PROBLEMS['no face']!r})")
    wait(widget, "!seen.problems.includes('no face')")  # it may be slow: this browser draws without a graphics card
    press(widget, "this is my neutral face")
    wait(widget, f"said.includes({TOLD!r})")
    assert widget.root.get_by_label("mirror").is_checked()
    press(widget, "stop")
    assert not widget.cut_off()


def test_an_unplugged_camera_is_said(with_camera: NotebookPage) -> None:
    widget = with_camera.widget("Camera")
    widget.page.evaluate(
        """() => {
            const media = navigator.mediaDevices, real = media.getUserMedia.bind(media);
            media.getUserMedia = async (wanted) => (window.given = await real(wanted));
        }"""
    )
    press(widget, "start")
    wait(widget, "!said.startsWith('Starting') && window.given")
    widget.page.evaluate("() => given.getTracks()[0].dispatchEvent(new Event('ended'))")
    wait(widget, "said.includes('unplugged')")
    assert widget.page.evaluate("() => given.getTracks()[0].readyState") == "ended", "the camera's light stays on"
    widget.page.evaluate("() => delete navigator.mediaDevices.getUserMedia")


def test_refused_permission_is_said(with_camera: NotebookPage) -> None:
    widget = with_camera.widget("Camera")
    browser = widget.page.context.new_cdp_session(widget.page)
    place = {
        "browserContextId": browser.send("Target.getTargetInfo")["targetInfo"]["browserContextId"],
        "origin": widget.page.evaluate("() => location.origin"),
    }
    for setting in ("denied", "granted"):
        browser.send("Browser.setPermission", {"permission": {"name": "camera"}, "setting": setting, **place})
        press(widget, "start")
        wait(widget, "said.startsWith('Permission refused')" if setting == "denied" else "seen.problems !== undefined")
        assert widget.root.get_by_role("button", name="start", exact=True).is_visible() == (setting == "denied")
    press(widget, "stop")


def test_a_page_without_cameras_is_said(with_camera: NotebookPage) -> None:
    """As browsers have it on pages by plain http from another computer."""
    widget = with_camera.widget("Camera")
    hide = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true })"
    widget.page.evaluate(f"() => {{ {hide}; }}")
    press(widget, "start")
    wait(widget, "said.includes('https')")
    widget.page.evaluate("() => { delete navigator.mediaDevices; }")

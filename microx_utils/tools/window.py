"""A window in a program of its own, which imports OpenCV and nothing else of this package.

Once PyAV is loaded, OpenCV's windows on Linux hang: both bring a library of the same name (PyAV's issues 978 and 1050).
And where it can't reach a screen, OpenCV ends the whole program. So the window's program gets pictures by a pipe, and
answers each with the key that was pressed.
"""

import signal
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOSED = "closed"
"""What `Window.show` returns once the reader has closed the window."""


class Window:
    """A window that shows pictures: `with Window("title") as window: key = window.show(picture)`.

    Raises OSError, with what the window's program said, if no window can be opened.
    """

    def __init__(self, title: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        command = [sys.executable, __file__, title]
        self._program: subprocess.Popen[bytes] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        if self._hear() != "open":
            self._program.wait()
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").split("\n")
            self.close()
            raise OSError(next((line for line in said if line.strip()), "no window"))

    def show(self, picture: "NDArray[np.uint8]") -> str:
        """Show uint8 (H, W, 3), RGB; return the key that was pressed, "" for none, or CLOSED."""
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(struct.pack("<II", *picture.shape[:2]))
            self._program.stdin.write(picture.tobytes())
            self._program.stdin.flush()
            return self._hear()
        except BrokenPipeError:
            return CLOSED

    def _hear(self) -> str:
        """Return the next word of the window's program; CLOSED if it has ended."""
        assert self._program.stdout is not None
        line = self._program.stdout.readline().decode()
        return line.rstrip("\n") if line else CLOSED

    def close(self) -> None:
        """Close the window."""
        for pipe in (self._program.stdin, self._program.stdout, self._log):
            assert pipe is not None
            with suppress(BrokenPipeError):  # it has ended already
                pipe.close()
        self._program.wait()

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _main(title: str) -> None:
    import cv2
    import numpy as np

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program that sends the pictures
    cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)  # without a bar of buttons
    _say("open")
    source: Any = sys.stdin.buffer
    while len(head := source.read(8)) == 8:
        height, width = struct.unpack("<II", head)
        data = source.read(3 * height * width)
        if len(data) < 3 * height * width:
            return
        cv2.imshow(title, np.frombuffer(data, np.uint8).reshape(height, width, 3)[:, :, ::-1])
        key = cv2.waitKey(1)
        if cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
            _say(CLOSED)
            return
        _say(chr(key & 0xFF) if key >= 0 and (key & 0xFF) not in (10, 13) else "")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1])

"""A real kernel, as JupyterLab starts one."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


@dataclass
class Ran:
    """What one cell gave back."""

    status: str = ""
    error: str = ""
    name: str = ""
    text: str = ""
    data: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class Kernel:
    """One kernel and its client."""

    def __init__(self, folder: Path) -> None:
        #: Every message that came, of whatever cell: what any front end can see.
        self.heard: list[dict[str, Any]] = []
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str, *, answer: str | None = None, timeout: float = 60) -> Ran:
        """Run a cell to its end; `answer` is typed at a prompt."""
        return self.finish(self.start(code, stdin=answer is not None), answer=answer, timeout=timeout)

    def start(self, code: str, *, stdin: bool = False) -> str:
        """Start a cell and go on."""
        return self._client.execute(code, allow_stdin=stdin, stop_on_error=False)

    def finish(self, sent: str, *, answer: str | None = None, timeout: float = 60) -> Ran:
        """Wait for a cell that was started."""
        ran, began = Ran(), time.monotonic()
        while time.monotonic() < began + timeout:
            if answer is not None:
                try:
                    self.heard.append(self._client.get_stdin_msg(timeout=0.02))
                    self._client.input(answer)
                except queue.Empty:
                    pass
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            self.heard.append(message)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    ran.text += content["text"]
                case "execute_result" | "display_data":
                    ran.data.append(content["data"])
                    ran.text += content["data"].get("text/plain", "") + "\n"
                case "error":
                    ran.name, ran.error = content["ename"], "\n".join(content["traceback"])
                case "status" if content["execution_state"] == "idle":
                    break
        else:
            raise AssertionError(f"the cell did not end within {timeout} s")
        reply = self._client.get_shell_msg(timeout=10)
        while reply["parent_header"].get("msg_id") != sent:
            reply = self._client.get_shell_msg(timeout=10)
        self.heard.append(reply)
        ran.status, ran.seconds = reply["content"]["status"], time.monotonic() - began
        return ran

    def until(self, sent: str, text: str, *, timeout: float = 60) -> None:
        """Wait for this text of a cell that was started."""
        came, end = "", time.monotonic() + timeout
        while text not in came:
            assert time.monotonic() < end, f"the cell only said {came!r}"
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            self.heard.append(message)
            if message["parent_header"].get("msg_id") == sent and message["msg_type"] == "stream":
                came += message["content"]["text"]

    def ask(self, what: str, *args: Any, **more: Any) -> dict[str, Any]:
        """The reply to a request that runs no cell: complete, inspect, history."""
        sent = getattr(self._client, what)(*args, **more)
        reply = self._client.get_shell_msg(timeout=10)
        while reply["parent_header"].get("msg_id") != sent:
            reply = self._client.get_shell_msg(timeout=10)
        self.heard.append(reply)
        return dict(reply["content"])

    def interrupt(self) -> None:
        """What the Stop button does."""
        self._manager.interrupt_kernel()

    def pid(self) -> int:
        """The kernel's process."""
        return int(self._manager.provisioner.pid)  # type: ignore[union-attr]

    def close(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()


@contextmanager
def kernel(folder: Path, *cells: str) -> Iterator[Kernel]:
    """A kernel in which these cells have run well."""
    started = Kernel(folder)
    try:
        for cell in cells:
            ran = started.run(cell)
            assert ran.status == "ok", ran.error
        yield started
    finally:
        started.close()

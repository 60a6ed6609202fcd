"""Known secrets kept out of all that a shell shows, sends, logs and remembers; put up and taken away whole.

A kernel has one door for everything that leaves it, the sending of messages: output, errors, replies, widgets, what
other front ends are told of the input. A terminal has two, stdout and stderr.

What stays open: what another process or C code writes to the terminal that a kernel was started from; in a terminal,
what a thread prints while the prompt waits, and what `!command` prints; files that the user writes; the notebook file,
which keeps what was typed in its cells.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from siege_nb import masking
from siege_nb.magics.guard_history import History, redact

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Of each message what people see. All else is the protocol's own, and a secret may be spelt like one of its words.
SHOWN = {
    "display_data": ("data", "metadata"),
    "update_display_data": ("data", "metadata"),
    "execute_result": ("data", "metadata"),
    "error": ("ename", "evalue", "traceback"),
    "execute_reply": ("ename", "evalue", "traceback", "payload", "user_expressions"),
    "inspect_reply": ("data",),
    "complete_reply": ("matches", "metadata"),
    "history_reply": ("history",),
    "input_request": ("prompt",),
    "debug_reply": ("body",),
    "debug_event": ("body",),
}
#: Of a widget's message too: its state, and what it says in a manner of its own.
_COMM = ("state", "content")
#: Before these, what was held back of the text goes out: it stands above them.
_AFTER_TEXT = {"display_data", "execute_result", "error", "execute_reply", "input_request", "clear_output"}
#: How many cells' ends of text are remembered; each is shorter than a secret.
_FLOWS = 64

#: Sends the content of a message.
Said = Callable[[dict[str, Any]], Any]


class Guard:
    """What stands at the doors of one shell."""

    def __init__(self, ip: InteractiveShell) -> None:
        self._undo = ExitStack()
        kernel = getattr(ip, "kernel", None)
        if kernel is not None:
            self._replace(kernel.session, "send", Messages(kernel.session.send).send)
        else:
            self._guard_terminal(ip)
        self._replace(logging.Handler, "filter", _filter)
        if (manager := ip.history_manager) is not None:
            history = History(ip, manager)
            self._replace(manager, "store_inputs", history.store_inputs)
            self._replace(manager, "store_output", history.store_output)
            self._replace(manager, "_writeout_input_cache", history.write_lines)
            self._undo.callback(history.settle)  # of the cell that unloads us
            self._on(ip, "pre_execute", lambda: self._guard_log(ip, history))
            self._on(ip, "post_execute", history.settle)

    def _guard_log(self, ip: InteractiveShell, history: History) -> None:
        # At the first cell, when IPython builds it: the extension must load fast.
        if "log_write" not in vars(ip.logger):
            self._replace(ip.logger, "log_write", history.log_write_to(ip.logger.log_write))

    def close(self) -> None:
        """Leave everything as it was found."""
        self._undo.close()

    def _replace(self, place: Any, name: str, ours: Any) -> None:
        own = vars(place).get(name)
        setattr(place, name, ours)

        def back() -> None:
            if vars(place).get(name) != ours:
                return  # somebody has put theirs over it since
            if own is None:
                delattr(place, name)
            else:
                setattr(place, name, own)

        self._undo.callback(back)

    def _on(self, ip: InteractiveShell, event: str, call: Callable[[], None]) -> None:
        ip.events.register(event, call)
        self._undo.callback(ip.events.unregister, event, call)

    def _guard_terminal(self, ip: InteractiveShell) -> None:
        streams: dict[str, Stream] = {}

        def stand() -> None:  # before each cell: whoever redirects sys.stdout may put back another one than he found
            for name in ("stdout", "stderr"):
                if not isinstance(now := getattr(sys, name), Stream):
                    streams[name] = Stream(now)
                    setattr(sys, name, streams[name])

        def release() -> None:
            for stream in streams.values():
                stream.release()

        def back() -> None:
            atexit.unregister(release)
            for name, stream in streams.items():
                stream.open()
                if getattr(sys, name) is stream:
                    setattr(sys, name, stream.inner)

        stand()
        self._undo.callback(back)
        self._on(ip, "pre_execute", stand)
        self._on(ip, "post_execute", release)
        atexit.register(release)


class Messages:
    """What a kernel sends, masked."""

    def __init__(self, send: Callable[..., Any]) -> None:
        self._send = send
        #: The streams of cells of which something is held back, and how to send more of each.
        self._flows: dict[tuple[str, str], tuple[masking.Flow, Callable[[str], Any]]] = {}
        self._pid = os.getpid()

    def send(
        self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *rest: Any, **more: Any
    ) -> Any:
        """What Session.send does."""
        whole = isinstance(msg_or_type, dict)
        kind = msg_or_type["header"]["msg_type"] if whole else msg_or_type
        content = msg_or_type["content"] if whole else content

        def send(content: Any) -> Any:
            if whole:
                return self._send(stream, {**msg_or_type, "content": content}, None, parent, *rest, **more)
            return self._send(stream, msg_or_type, content, parent, *rest, **more)

        if kind == "stream":
            origin = (msg_or_type.get("parent_header") if whole else parent) or {}
            return self._stream(content, origin, send, lambda said: self._send(stream, "stream", said, origin, **more))
        if kind in _AFTER_TEXT:
            self._release()
        return send(_masked(kind, content) if isinstance(content, dict) else content)

    def _stream(self, content: dict[str, Any], origin: dict[str, Any], send: Said, send_later: Said) -> Any:
        if not self._flows and not masking.known():
            return send(content)
        name = content["name"]
        key = (origin.get("msg_id", ""), name)
        flow = self._flows.pop(key, (masking.Flow(), None))[0]
        text = flow.feed(content["text"])
        if os.getpid() != self._pid:
            text += flow.release()  # a forked child sends no reply that would let it go
        if not flow.idle():
            self._flows[key] = (flow, lambda text: send_later({"name": name, "text": text}))
        while len(self._flows) > _FLOWS:
            self._let_go(*self._flows.pop(next(iter(self._flows))))
        return send({**content, "text": text}) if text else None

    def _release(self) -> None:
        for flow, say in list(self._flows.values()):
            self._let_go(flow, say)

    def _let_go(self, flow: masking.Flow, say: Callable[[str], Any]) -> None:
        if text := flow.release():
            say(text)


def _masked(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    if kind == "execute_input":
        return {**content, "code": redact(content["code"])}
    if not masking.known():
        return content
    if kind in ("comm_open", "comm_msg"):
        data = content.get("data")
        return {**content, "data": _some(data, _COMM)} if isinstance(data, dict) else content
    return _some(content, SHOWN.get(kind, ()))


def _some(content: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return content | {field: masking.masked(content[field]) for field in fields if field in content}


class Stream:
    """A stream of a terminal that hides known secrets; in all else it is the stream that it stands before."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._flow: masking.Flow | None = masking.Flow()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, text: str) -> int:
        """Write what can be no part of a secret; hold back what may yet become one."""
        if self._flow is None or not isinstance(text, str):
            return self.inner.write(text)  # type: ignore[no-any-return]
        if passed := self._flow.feed(text):
            self.inner.write(passed)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def release(self) -> None:
        """Write what was held back."""
        if self._flow is not None and (held := self._flow.release()):
            self.inner.write(held)
            self.inner.flush()

    def open(self) -> None:
        """Hide nothing any more; whoever kept this stream can go on writing to it."""
        self.release()
        self._flow = None


_masking = masking.MaskingFilter()


def _filter(handler: logging.Handler, record: logging.LogRecord) -> Any:
    """The filter of every handler there is or will be: its own ones, then ours over what they let through."""
    kept = logging.Filterer.filter(handler, record)
    if kept:
        _masking.filter(kept if isinstance(kept, logging.LogRecord) else record)
    return kept

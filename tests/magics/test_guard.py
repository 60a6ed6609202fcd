"""Known secrets do not come out of a shell in a terminal, through no stream and no log; what guards it goes whole."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from siege_nb import masking
from siege_nb.magics.guard import Guard, Messages, Stream
from siege_nb.masking import MASK

CANARY = "kan4rien-v0gel'x"


@pytest.fixture(autouse=True)
def _known() -> object:
    masking.know(CANARY)
    yield
    masking.forget(CANARY)


@pytest.fixture
def shell() -> object:
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell(config=config)
    yield made
    made.restore_sys_module_state()


def state(ip: InteractiveShell) -> dict[str, object]:
    return {
        "stdout": sys.stdout,
        "stderr": sys.stderr,
        "handlers": {name: id(value) for name, value in vars(logging.Handler).items()},
        "history": sorted(vars(ip.history_manager)),
        "log": sorted(vars(ip.logger)),
        "events": {event: list(calls) for event, calls in ip.events.callbacks.items()},
        "magics": sorted(ip.magics_manager.magics["line"]),
        "shell": sorted(vars(ip)),
    }


def test_unloading_takes_every_guard_away(shell: InteractiveShell) -> None:
    shell.run_cell("1")
    before = state(shell)
    shell.run_line_magic("load_ext", "siege_nb")
    shell.run_cell("1")
    during = state(shell)
    changed = [name for name in before if before[name] != during[name]]
    shell.run_line_magic("unload_ext", "siege_nb")
    after = state(shell)
    assert changed == ["stdout", "stderr", "handlers", "history", "log", "events", "magics"]
    assert after == before


def test_who_has_replaced_a_guard_meanwhile_keeps_his_own(shell: InteractiveShell) -> None:
    outer = sys.stdout
    guard = Guard(shell)
    sys.stdout = theirs = io.StringIO()
    guard.close()
    assert sys.stdout is theirs
    sys.stdout = outer


def test_a_stream_that_was_put_back_is_guarded_from_the_next_cell_on(
    capsys: pytest.CaptureFixture[str], shell: InteractiveShell
) -> None:
    before = sys.stdout
    shell.run_cell("%load_ext siege_nb")
    shell.run_cell("import sys; sys.stdout = sys.stdout.inner")
    shell.run_cell(f"print({CANARY!r})")
    shell.run_cell("%unload_ext siege_nb")
    assert sys.stdout is before
    assert capsys.readouterr().out == f"{MASK}\n"


def test_a_terminal_hides_what_is_printed_displayed_and_raised(
    capsys: pytest.CaptureFixture[str], shell: InteractiveShell
) -> None:
    shell.run_line_magic("load_ext", "siege_nb")
    shell.user_ns["v"] = CANARY
    cells = ["print('printed', v)", "v", "{'a': [v]}", "import sys; n = sys.stderr.write('err ' + v)", "%xmode Verbose",
             "def f(a):\n    raise ValueError(a)\nf(v)", "%whos", "display(v)",
             "for char in 'cut ' + v + ' end\\n':\n    print(char, end='', flush=True)"]  # fmt: skip
    for cell in cells:
        shell.run_cell(cell)
    shell.run_line_magic("unload_ext", "siege_nb")
    out, err = capsys.readouterr()
    assert CANARY not in out + err
    assert repr(CANARY)[1:-1] not in out + err
    assert f"printed {MASK}\n" in out
    assert f"cut {MASK} end\n" in out
    assert f"err {MASK}" in err
    assert "ValueError" in out
    assert (out + err).count(MASK) >= len(cells) - 1


def test_what_was_held_back_is_there_at_the_end_of_the_cell(
    capsys: pytest.CaptureFixture[str], shell: InteractiveShell
) -> None:
    shell.run_cell("%load_ext siege_nb")  # within a cell IPython has put something of its own over stdout
    shell.run_cell("print('a bird is a kan', end='')")
    assert capsys.readouterr().out == "a bird is a kan"
    shell.run_cell("print('4rien', end='')")
    assert capsys.readouterr().out == "4rien"
    shell.run_cell(f"print({CANARY[8:]!r})")
    shell.run_line_magic("unload_ext", "siege_nb")
    assert capsys.readouterr().out == f"{MASK}\n", "the end of a secret that two cells had begun"


def test_a_stream_is_the_stream_it_stands_before() -> None:
    inner = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", write_through=True)
    stream = Stream(inner)
    assert stream.write(f"a {CANARY} b kan") == len(f"a {CANARY} b kan")
    stream.writelines(["4", "rien"])
    assert (stream.encoding, stream.isatty(), stream.closed, stream.buffer) == ("latin-1", False, False, inner.buffer)
    assert inner.buffer.getvalue() == f"a {MASK} b ".encode()  # type: ignore[attr-defined]
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
    stream.open()
    stream.write(CANARY)
    assert inner.buffer.getvalue() == f"a {MASK} b kan4rien{CANARY}".encode()  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        stream.write(5)  # type: ignore[arg-type]


class Sent(list):  # type: ignore[type-arg]
    def send(self, stream: object, kind: object, content: object = None, parent: object = None, **more: object) -> None:
        if isinstance(kind, dict):
            kind, content, parent = kind["header"]["msg_type"], kind["content"], kind["parent_header"]
        self.append((kind, content, (parent or {}).get("msg_id")))  # type: ignore[attr-defined]


def print_in(messages: Messages, cell: str, text: str) -> None:
    content = {"name": "stdout", "text": text}
    message = {"header": {"msg_type": "stream"}, "parent_header": {"msg_id": cell}, "content": content}
    messages.send(None, message, ident=b"stream.stdout")


def test_two_cells_that_print_at_once_keep_their_own() -> None:
    sent = Sent()
    messages = Messages(sent.send)
    for one, other in zip(CANARY, "0123456789abcdefghijkl", strict=False):
        print_in(messages, "one", one)
        print_in(messages, "other", other)
    messages.send(None, "execute_reply", {"status": "ok"}, {"msg_id": "one"})
    texts = [(cell, content["text"]) for kind, content, cell in sent if kind == "stream"]
    assert "".join(text for cell, text in texts if cell == "one") == MASK
    assert "".join(text for cell, text in texts if cell == "other") == "0123456789abcdef"


def test_a_display_comes_behind_the_text_before_it() -> None:
    sent = Sent()
    messages = Messages(sent.send)
    print_in(messages, "one", "a bird is a kan")
    messages.send(None, "display_data", {"data": {"text/plain": CANARY}}, {"msg_id": "one"})
    print_in(messages, "one", CANARY[3:])
    assert [content.get("text", content.get("data")) for _, content, _ in sent] == [
        "a bird is a ", "kan", {"text/plain": MASK}, MASK,
    ]  # fmt: skip


def test_words_of_the_protocol_are_left_alone() -> None:
    for word in ("error", "stdout", "status", "update", "traceback", "idle-state"):
        masking.know(word)
    sent = Sent()
    messages = Messages(sent.send)
    try:
        messages.send(None, "status", {"execution_state": "idle-state"})
        messages.send(None, "execute_reply", {"status": "error", "evalue": "an error", "traceback": ["x error"]})
        messages.send(None, "comm_msg", {"comm_id": "1", "data": {"method": "update", "state": {"value": "update"}}})
        print_in(messages, "one", "to stdout")
    finally:
        for word in ("error", "stdout", "status", "update", "traceback", "idle-state"):
            masking.forget(word)
    assert [content for _, content, _ in sent] == [
        {"execution_state": "idle-state"},
        {"status": "error", "evalue": f"an {MASK}", "traceback": [f"x {MASK}"]},
        {"comm_id": "1", "data": {"method": "update", "state": {"value": MASK}}},
        {"name": "stdout", "text": f"to {MASK}"},
    ]


def test_ends_of_text_do_not_pile_up() -> None:
    sent = Sent()
    messages = Messages(sent.send)
    for number in range(500):
        print_in(messages, str(number), "kan")
    assert len(messages._flows) <= 64
    messages.send(None, "execute_reply", {"status": "ok"})
    assert "".join(content["text"] for kind, content, _ in sent if kind == "stream") == "kan" * 500


CHANNELS = r"""
import asyncio, faulthandler, gc, logging, logging.config, logging.handlers, queue, sys, threading, warnings
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

config = Config()
config.HistoryManager.enabled = False
v = bytes.fromhex(sys.argv[1]).decode()  # nowhere in this text, which a traceback quotes

early = logging.StreamHandler()
logging.getLogger().addHandler(early)
apart = logging.getLogger("apart"); apart.propagate = False; apart.addHandler(logging.StreamHandler())
ip = InteractiveShell(config=config)
ip.run_line_magic("load_ext", "siege_nb")
from siege_nb import Secret
held = Secret(v)

def root(): logging.warning("root %s", v)
def child(): logging.getLogger("a.b.c").warning("child %s", {"password": v})
def alone(): apart.error("alone " + v)
def later():
    log = logging.getLogger("later"); log.propagate = False; log.addHandler(logging.FileHandler("later.log"))
    log.warning("later %r", v)
def configured():
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False,
        "handlers": {"h": {"class": "logging.FileHandler", "filename": "configured.log"}},
        "loggers": {"conf": {"handlers": ["h"], "level": "DEBUG", "propagate": False}}})
    logging.getLogger("conf").debug("configured %s", v)
def queued():
    q = queue.Queue(); log = logging.getLogger("queued"); log.propagate = False
    log.addHandler(logging.handlers.QueueHandler(q))
    listener = logging.handlers.QueueListener(q, logging.FileHandler("queued.log")); listener.start()
    log.error("queued %s", v); listener.stop()
def in_memory():
    log = logging.getLogger("memory"); log.propagate = False
    log.addHandler(logging.handlers.MemoryHandler(10, target=logging.FileHandler("memory.log")))
    log.error("in_memory %s", v); log.handlers[0].flush()
def extra():
    log = logging.getLogger("extra"); log.propagate = False; handler = logging.FileHandler("extra.log")
    handler.setFormatter(logging.Formatter("%(message)s %(dsn)s %(more)s")); log.addHandler(handler)
    log.error("extra", extra={"dsn": "postgresql://u:" + v + "@h", "more": [v]})
def excepted():
    try: raise ValueError(v)
    except ValueError: logging.getLogger("x").exception("excepted")
def bad_arguments(): logging.getLogger("bad").error("bad_arguments %d %d", v)
def last_resort():
    logging.getLogger().removeHandler(early); logging.getLogger("nobody").warning("last_resort %s", v)
    logging.getLogger().addHandler(early)
def sqlalchemy_echo():
    import sqlalchemy as sa
    with sa.create_engine("sqlite://", echo="debug").connect() as c:
        c.execute(sa.text("select :a, '" + v.replace("'", "''") + "' as sqlalchemy_echo"), {"a": v}).fetchall()
def httpx_log():
    import httpx
    logging.getLogger("httpx").setLevel(10)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    httpx.Client(transport=transport).get("http://httpx_log.example/", params={"token": v})
def warned(): warnings.warn("warned " + v)
def captured():
    logging.captureWarnings(True); warnings.warn("captured " + v); logging.captureWarnings(False)
def hooked():
    try: raise ValueError("hooked", v)
    except ValueError: sys.__excepthook__(*sys.exc_info())
def thread():
    def fail(secret): raise RuntimeError("thread " + secret)
    t = threading.Thread(target=fail, args=(v,)); t.start(); t.join()
def unraisable():
    class Odd:
        def __del__(self): raise ValueError("unraisable " + v)
    Odd(); gc.collect()
def task():
    async def fail(): raise ValueError("task " + v)
    async def main(): asyncio.ensure_future(fail()); await asyncio.sleep(0)
    asyncio.run(main()); gc.collect()
def loop_handler():
    async def main(): asyncio.get_running_loop().call_exception_handler({"message": "loop_handler " + v, "at": v})
    asyncio.run(main())
def faults():
    def inner(secret): faulthandler.dump_traceback(file=open("faults.log", "w"))
    inner(v); print("faults", "inner" in open("faults.log").read())
def at_exit():
    import atexit; atexit.register(lambda: print("at_exit", v))

for channel in sys.argv[2].split():
    globals()[channel]()
"""

NAMES = ["root", "child", "alone", "later", "configured", "queued", "in_memory", "extra", "excepted", "bad_arguments",
         "last_resort", "sqlalchemy_echo", "httpx_log", "warned", "captured", "hooked", "thread", "unraisable", "task",
         "loop_handler", "faults", "at_exit"]  # fmt: skip


def test_no_log_and_no_hook_tells_a_secret(tmp_path: Path) -> None:
    script = tmp_path / "channels.py"
    script.write_text(CHANNELS)
    command = [sys.executable, str(script), CANARY.encode().hex(), " ".join(NAMES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr + "".join(log.read_text() for log in tmp_path.glob("*.log"))
    silent = [name for name in NAMES if name not in told]
    print(f"{len(NAMES)} channels, {told.count(MASK)} masks")
    assert silent == []
    assert told.count(MASK) >= len(NAMES)
    assert "faults True" in told
    masked = masking.mask(told)
    assert masked == told
    assert "v0gel" not in told


def test_the_search_would_find_an_unguarded_channel(tmp_path: Path) -> None:
    script = tmp_path / "channels.py"
    script.write_text(CHANNELS.replace('ip.run_line_magic("load_ext", "siege_nb")', ""))
    command = [sys.executable, str(script), CANARY.encode().hex(), "root thread warned"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.count("v0gel") == 3

"""Known secrets in every spelling they turn up in, and how fast they are found."""

from __future__ import annotations

import base64
import codecs
import html
import io
import json
import logging
import random
import string
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator

import pytest

from siege_nb import masking
from siege_nb.masking import MASK, Flow, MaskingFilter, forget, is_mask, know, mask, masked

SEED = 20_240_607


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    before = dict(masking._known)
    for value in before:
        forget(value)
    yield
    for value in list(masking._known):
        forget(value)
    for value in before:
        know(value)


def texts(dice: random.Random, count: int, shortest: int = masking.SHORTEST) -> list[str]:
    alphabet = string.ascii_letters + string.digits + string.punctuation + " äßé日€😀"
    return ["".join(dice.choices(alphabet, k=dice.randint(shortest, 24))) for _ in range(count)]


def base64_at(offset: int, encode: Callable[[bytes], bytes]) -> Callable[[str, random.Random], str]:
    def spell(value: str, dice: random.Random) -> str:
        return encode(dice.randbytes(offset) + value.encode() + dice.randbytes(dice.randint(0, 5))).decode()

    return spell


def spelling(how: Callable[[str], str]) -> Callable[[str, random.Random], str]:
    return lambda value, dice: how(value)


ENCODINGS: dict[str, Callable[[str, random.Random], str]] = {
    "plain": spelling(str),
    "url": spelling(lambda v: urllib.parse.quote(v, safe="")),
    "url path": spelling(urllib.parse.quote),
    "url+": spelling(urllib.parse.quote_plus),
    "sqlalchemy url": spelling(lambda v: urllib.parse.quote(v, safe=" +")),
    "html": spelling(html.escape),
    "html but quotes": spelling(lambda v: html.escape(v, quote=False)),
    "json": spelling(json.dumps),
    "json utf-8": spelling(lambda v: json.dumps(v, ensure_ascii=False)),
    "repr": spelling(repr),
    "dict repr": spelling(lambda v: repr({"password": v})),
    "hex": spelling(lambda v: v.encode().hex()),
    "HEX": spelling(lambda v: v.encode().hex().upper()),
    "sql": spelling(lambda v: "'" + v.replace("'", "''") + "'"),
    "column name": spelling(lambda v: '"' + v.replace('"', '""') + '"'),
    "odbc": spelling(lambda v: "{" + v.replace("}", "}}") + "}"),
    "libpq": spelling(lambda v: "'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    **{f"base64 at {n}": base64_at(n, base64.b64encode) for n in range(3)},
    **{f"base64url at {n}": base64_at(n, base64.urlsafe_b64encode) for n in range(3)},
}


def core(encoded: str, name: str, value: str) -> str:
    """What of an encoded text tells the secret: for base64 the characters that hold nothing but its bits."""
    if not name.startswith("base64"):
        return encoded
    offset = int(name[-1])
    return encoded[(offset * 8 + 5) // 6 : (offset + len(value.encode())) * 8 // 6]


def test_two_thousand_secrets_in_every_spelling() -> None:
    dice = random.Random(SEED)
    missed: list[tuple[str, str]] = []
    checked = 0
    for value in texts(dice, 2000):
        know(value)
    for value in list(masking._known):
        spelled = {name: spell(value, dice) for name, spell in ENCODINGS.items()}
        for name, encoded in spelled.items():
            # Spaces around it: a neighbour must not finish another secret's spelling by chance.
            masked = mask(f"at {encoded} end")
            checked += 1
            if core(encoded, name, value) in masked or MASK not in masked:
                missed.append((name, value))
    print(f"{checked} spellings checked, {len(missed)} missed")
    assert checked >= 2000 * 14
    assert missed == []


def test_an_unknown_spelling_is_what_the_check_would_find() -> None:
    know("correct horse")
    assert "esroh tcerroc" in mask("esroh tcerroc")  # reversed: documented as not covered, and so the check can fail


def test_short_values_are_left_alone() -> None:
    for value in ("", "a", "root", "1234"):
        know(value)
    assert mask("root a 1234") == "root a 1234"
    know("12345")
    assert mask("1234 12345 123456") == f"1234 {MASK} {MASK}6"


def test_overlapping_secrets_hide_whole() -> None:
    for value in ("abcdefgh", "efghijkl", "cdefg", "ijklmnop"):
        know(value)
    assert mask("<abcdefghijklmnop>") == f"<{MASK}>"
    assert mask("<abcdefgh><efghijkl>") == f"<{MASK}><{MASK}>"


def test_a_forgotten_value_shows_again() -> None:
    know("rotated away")
    know("still in use")
    assert mask("rotated away") == MASK
    forget("rotated away")
    assert mask("rotated away, still in use") == f"rotated away, {MASK}"


def test_lone_surrogates_neither_fail_nor_leak() -> None:
    know("pa\ud800ss word")
    assert mask("at pa\ud800ss word") == f"at {MASK}"
    assert mask("an odd name \udcff") == "an odd name \udcff"
    assert mask(json.dumps("pa\ud800ss word")) == f'"{MASK}"'


def test_positions_are_characters_not_bytes() -> None:
    know("geheim€wort")
    assert mask("日本😀 geheim€wort ää") == f"日本😀 {MASK} ää"


@pytest.mark.parametrize(("text", "is_one"), [
    ("***", True), ("*", True), ("••••", True), ("●●●", True), (" *** ", True),
    ("", False), ("  ", False), ("**a**", False), ("a", False),
])  # fmt: skip
def test_what_counts_as_a_mask(text: str, is_one: bool) -> None:
    assert is_mask(text) is is_one


@pytest.mark.parametrize("count", [5, 50, 500])
def test_a_megabyte_is_masked_fast(count: int) -> None:
    dice = random.Random(SEED + count)
    values = texts(dice, count, shortest=12)
    for value in values:
        know(value)
    lines = ["select id, name, created from orders where id = 12345 and name like 'abc%';"] * 13_000
    for n, value in enumerate(values):
        lines[n * 20] = f"connect to host with {value} now"
    text = "\n".join(lines)
    mask("warm")
    took = min(_seconds(lambda: mask(text)) for _ in range(3))
    speed = len(text.encode()) / 1e6 / took
    print(f"{count} secrets: {speed:.0f} MB/s")
    assert mask(text).count(MASK) >= count
    assert speed >= 10


def test_building_for_500_secrets_is_cheap() -> None:
    dice = random.Random(SEED)
    values = texts(dice, 500, shortest=12)
    knowing = _seconds(lambda: [know(value) for value in values])
    building = _seconds(lambda: mask("first text"))
    know("one more secret")
    again = _seconds(lambda: mask("text"))
    idle = _seconds(lambda: mask("a short line of a log"))
    print(f"know 500: {knowing * 1e3:.1f} ms, build: {building * 1e3:.1f} ms, one more: {again * 1e3:.1f} ms, "
          f"a short text: {idle * 1e6:.1f} µs")  # fmt: skip
    assert building < 0.5
    assert again < 0.5


def test_a_matcher_that_was_built_meanwhile_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value comes to be known while the matcher without it is being built, as by a log line out of __del__."""
    import ahocorasick_rs

    def build(patterns: list[str]) -> object:
        built = real(patterns)
        know("known late")
        return built

    real = ahocorasick_rs.AhoCorasick
    know("known early")
    monkeypatch.setattr(ahocorasick_rs, "AhoCorasick", build)
    mask("builds")
    assert mask("known early, known late") == f"{MASK}, {MASK}"


def test_know_while_others_mask_is_not_lost() -> None:
    from concurrent.futures import ThreadPoolExecutor

    values = texts(random.Random(SEED), 300, shortest=10)

    def learn(value: str) -> bool:
        know(value)
        return value not in mask(f"at {value} end")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(learn, values))
    assert all(value not in mask(f"at {value} end") for value in values)


def _seconds(work: Callable[[], object]) -> float:
    """Of this thread's own computing: what else the machine does is not measured."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


@pytest.fixture
def logged() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(MaskingFilter())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(dsn)s", defaults={"dsn": ""}))
    log = logging.getLogger("tests.masking")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield log, stream
    log.removeHandler(handler)


CANARY = "s3cr3t canary"


def _fail() -> None:
    raise ValueError(f"cannot connect with {CANARY}")


def test_a_handler_masks_message_arguments_extras_traceback_and_stack(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    log, stream = logged
    know(CANARY)
    log.info("message " + CANARY)  # noqa: G003 - the careless caller is the case
    log.info("argument %s", CANARY)
    log.info("mapping %(a)r", {"a": {"b": CANARY}})
    log.info("bad arguments %d %s", CANARY)
    log.info("extra", extra={"dsn": f"postgresql://u:{urllib.parse.quote(CANARY)}@h/d"})
    log.info("stack", stack_info="s3cr3t canary" != "")  # a stack quotes its source lines
    try:
        _fail()
    except ValueError:
        log.exception("it failed")
    logging.getLogger("tests.masking.child").warning("child %s", CANARY)
    written = stream.getvalue()
    assert written.count(MASK) >= 7
    assert "Traceback" in written
    assert "ValueError" in written
    assert CANARY not in written
    assert urllib.parse.quote(CANARY) not in written
    assert "s3cr3t" not in written


def test_a_formatter_with_its_own_tracebacks_gets_no_raw_one() -> None:
    know(CANARY)
    try:
        _fail()
    except ValueError:
        record = logging.makeLogRecord({"msg": "it failed", "exc_info": sys.exc_info()})
    MaskingFilter().filter(record)
    assert record.exc_info is None
    assert CANARY not in str(vars(record))
    assert MASK in str(record.exc_text)


def test_without_secrets_text_is_given_back_as_it_is() -> None:
    text = "nothing to hide"
    assert mask(text) is text


def test_an_extra_that_is_no_text_is_masked_too() -> None:
    masking.know("canary-in-an-extra")
    record = logging.makeLogRecord({"msg": "x", "ctx": {"password": "canary-in-an-extra"}, "n": 5})
    masking.MaskingFilter().filter(record)
    assert "canary" not in str(vars(record))
    assert record.n == 5  # type: ignore[attr-defined]
    masking.forget("canary-in-an-extra")


def test_where_nothing_is_known_a_record_stays_as_it_is() -> None:
    record = logging.makeLogRecord({"msg": "took %s", "args": (5,), "exc_info": (None, None, None)})
    assert MaskingFilter().filter(record)
    assert (record.msg, record.args) == ("took %s", (5,))
    assert record.exc_info is not None


def cut(text: str, dice: random.Random, longest: int = 5) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = dice.randint(1, longest)
        yield text[at : at + size]
        at += size


def test_two_thousand_secrets_cut_into_pieces() -> None:
    dice = random.Random(SEED)
    values = texts(dice, 300, shortest=6)
    for value in values:
        know(value)
    leaked = cutting = 0
    for number in range(2000):
        value = dice.choice(values)
        text = f"row {number}: password={value} host=db-{number}\n"
        pieces = list(cut(text, dice))
        cutting += value not in pieces
        flow = Flow()
        shown = "".join(map(flow.feed, pieces)) + flow.release()
        leaked += value in shown
        assert shown == mask(text)
    print(f"{cutting} of 2000 were cut, {leaked} leaked")
    assert cutting >= 1900
    assert leaked == 0


def test_masking_each_piece_by_itself_would_leak() -> None:
    know("hunter22")
    assert "".join(mask(piece) for piece in ("hunt", "er22")) == "hunter22"


@pytest.mark.parametrize("alphabet", ["ab", "abc", "ab\n"])
def test_pieces_are_masked_as_the_whole_is(alphabet: str) -> None:
    """Secrets that overlap, begin alike and repeat themselves: of few letters, so most of a text is some secret."""
    dice = random.Random(SEED)
    held = 0
    for _ in range(400):
        values = {"".join(dice.choices(alphabet, k=dice.randint(5, 8))) for _ in range(4)}
        for value in values:
            know(value)
        text = "".join(dice.choices(alphabet, k=60))
        flow, shown = Flow(), []
        for piece in cut(text, dice):
            shown.append(flow.feed(piece))
            held += not flow.idle()
        assert "".join([*shown, flow.release()]) == mask(text), (values, text)
        for value in values:
            forget(value)
    assert held > 1000


def test_text_that_begins_no_secret_is_not_delayed() -> None:
    know("hunter22")
    flow = Flow()
    assert flow.feed("Continue? [y/N] ") == "Continue? [y/N] "
    assert flow.feed("10%\r") == "10%\r"
    assert flow.feed("the hu") == "the "
    assert flow.feed("man") == "human"
    assert flow.idle()


def test_a_secret_that_goes_on_after_a_release_is_not_shown_whole() -> None:
    know("hunter22")
    flow = Flow()
    assert flow.feed("at hunte") == "at "
    assert flow.release() == "hunte"
    assert flow.release() == ""
    assert flow.feed("r2") == ""
    assert flow.feed("2 end") == f"{MASK} end"
    assert flow.idle()


def test_a_flow_lets_go_of_what_is_secret_no_longer() -> None:
    know("hunter22")
    flow = Flow()
    flow.feed("hunter2")
    forget("hunter22")
    assert flow.feed("2 ") == "hunter22 "


def test_threads_that_write_at_once_lose_nothing() -> None:
    from concurrent.futures import ThreadPoolExecutor

    know("aaaaaaaaaab")  # whatever ends in an a is held back
    flow, written = Flow(), []

    def write(number: int) -> None:
        for _ in range(500):
            written.append(flow.feed(f"{number}a"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    shown = "".join([*written, flow.release()])
    assert {str(number): shown.count(str(number)) for number in range(8)} == {str(number): 500 for number in range(8)}
    assert shown.count("a") == 4000


def test_the_matcher_is_not_built_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    import ahocorasick_rs

    built = []
    real = ahocorasick_rs.AhoCorasick
    monkeypatch.setattr(ahocorasick_rs, "AhoCorasick", lambda patterns: built.append(1) or real(patterns))
    for value in texts(random.Random(SEED), 500, shortest=12):
        know(value)
    flow = Flow()
    flow.feed("warm")
    took = min(_seconds(lambda: flow.feed("some line of output, as a loop prints it\n")) for _ in range(200))
    free = min(_seconds(lambda: [flow.feed("x\n") for _ in range(100)]) for _ in range(5))
    for value in list(masking._known):
        forget(value)
    nothing = min(_seconds(lambda: [Flow().feed("x\n") for _ in range(1000)]) for _ in range(5))
    print(f"a line, 500 secrets: {took * 1e6:.1f} µs; two characters: {free * 1e4:.1f} µs; "
          f"no secret: {nothing * 1e3:.2f} µs")  # fmt: skip
    assert len(built) == 1
    assert took < 1e-3


RED, RESET = "\x1b[31m", "\x1b[39m"


@pytest.mark.parametrize(("text", "shown"), [
    (f"{RED}hunter22{RESET}", f"{RED}***{RESET}"),
    (f"at {RED}hun{RESET}ter22 end", f"at {RED}***{RESET} end"),
    (f"hunt{RED}e{RESET}r22{RED}x", f"***{RED}{RESET}{RED}x"),
    (f"{RED}no{RESET} secret", f"{RED}no{RESET} secret"),
    (f"{RED}a hunter22 b{RESET} {RED}hunter{RESET}22", f"{RED}a *** b{RESET} {RED}***{RESET}"),
])  # fmt: skip
def test_colours_within_a_secret_do_not_hide_it(text: str, shown: str) -> None:
    know("hunter22")
    assert mask(text) == shown


def test_html_colours_are_seen_through_too() -> None:
    know("hunter22")
    text = '<pre>at <span style="x">hun</span><b>a</b> <span>hun</span><span class="n">ter22</span></pre>'
    shown = '<pre>at <span style="x">hun</span><b>a</b> <span>***</span><span class="n"></span></pre>'
    assert mask(text) == shown


@pytest.mark.parametrize("text", [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWI...", "eyJhbGciOiJIUzI1NiIsInR5c…", "'eyJhbGciOiJIUz...adQssw5c'",
    "...KxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "token%3DeyJhbGciOiJIUzI1NiI...", "\x1b[31meyJhbGc\x1b[0miOiJI...",
])  # fmt: skip
def test_what_is_shortened_with_an_ellipsis_is_hidden(text: str) -> None:
    """By pandas in a frame, by pydoc, and by IPython for a local variable in Verbose mode."""
    know("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")
    shown = mask(text)
    assert "JhbG" not in shown
    assert "sw5c" not in shown
    assert MASK in shown


def test_a_row_of_dots_is_no_ellipsis_and_a_short_end_tells_nothing() -> None:
    know("hunter22")
    for text in ("hunter......", "hunt...", "...er22", "and so on ... hunter", "wait..."):
        assert mask(text) == text


@pytest.mark.parametrize("value", ["pass'wo\"rd", "pass\\word/ü", "pass'wörd\x07"])
def test_an_encoding_within_a_repr_or_json_is_hidden(value: str) -> None:
    know(value)
    sql = f"SELECT '{value.replace(chr(39), chr(39) * 2)}'"
    written = html.escape(value)
    for shown in (repr(sql), repr([sql + '"']), json.dumps(sql), repr(json.dumps(value)), repr({"a": written}),
                  json.dumps({"html": written}), json.dumps(value).replace("/", "\\/")):  # fmt: skip
        hidden = mask(f"at {shown} end")
        assert MASK in hidden
        assert "pass" not in hidden, shown
        assert "rd" not in hidden, shown


def test_data_is_masked_at_any_depth_and_pictures_are_not() -> None:
    know("hunter22")
    data = {
        "text/plain": "hunter22",
        "image/png": "hunter22",
        "image/svg+xml": "<text>hunter22</text>",
        "application/json": {"hunter22": [1, None, {"deep": ("hunter22",)}]},
        "application/vnd.vega.v5+json": {"data": [{"values": [{"hunter22": "x"}]}]},
        "hunter22": 1.5,
    }
    assert masked(data) == {
        "text/plain": MASK,
        "image/png": "hunter22",
        "image/svg+xml": f"<text>{MASK}</text>",
        "application/json": {MASK: [1, None, {"deep": [MASK]}]},
        "application/vnd.vega.v5+json": {"data": [{"values": [{MASK: "x"}]}]},
        "hunter22": 1.5,
    }
    assert data["text/plain"] == "hunter22", "what was given is changed"


#: What the first lines of masking.py own up to. Each is to leave this list when it is hidden after all.
NOT_HIDDEN: dict[str, Callable[[str], str]] = {
    "reversed": lambda v: v[::-1],
    "upper-cased": str.upper,
    "swapped case": str.swapcase,
    "cut in two": lambda v: f"{v[:6]}\n{v[6:]}",
    "spaced": " ".join,
    "wrapped by pprint": lambda v: f"'{v[:8]}'\n '{v[8:]}'",
    "shortened without an ellipsis": lambda v: v[:-1],
    "its first characters and dots": lambda v: f"{v[:4]}...",
    "URL-quoted twice": lambda v: urllib.parse.quote(urllib.parse.quote(v)),
    "base64 twice": lambda v: base64.b64encode(base64.b64encode(v.encode())).decode(),
    "rot13": lambda v: codecs.encode(v, "rot13"),
    "code points": lambda v: str([ord(char) for char in v]),
}


@pytest.mark.parametrize("name", NOT_HIDDEN)
def test_what_is_not_hidden(name: str) -> None:
    value = "corréct-horse/b4ttery%"
    know(value)
    changed = NOT_HIDDEN[name](value)
    assert mask(f"at {changed} end") == f"at {changed} end"


def test_a_long_secret_is_hidden_piece_by_piece_and_without_delay() -> None:
    for value in (_pem := "".join(chr(33 + (n * 7919) % 90) for n in range(3_333)), "x" * 10_000, "ab" * 50_000):
        masking.know(value)
        shown = masking.mask(f"<{value[:16_000]}>")
        assert shown.strip("<*>") == ""
        assert masking.mask(f"… {value[500:1500]} …").count(value[600:1400]) == 0
    assert masking.mask(f"key={_pem!r}".replace("\n", "\\n")).count(_pem[100:120]) == 0

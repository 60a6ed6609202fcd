"""A secret that came through siege_nb is in nothing that a kernel sends, whatever a cell does with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from siege_nb import masking
from tests.kernel.kernel import Kernel, kernel
from tests.kernel.test_canary import spellings

LOAD = "%load_ext siege_nb"
#: Quotes, a percent sign and braces, where IPython's colours cut a line of code; and the database's own quote.
CANARY = "kan4rien/v0gel'@{x}%s&\"=ü"
CORE = ("kan4rien/v0", "v0gel")

pytestmark = pytest.mark.fault

# Every cell has the value as `v`, and as the Secret `s`. {P} is how the cell says its own number: what must come out.
CELLS = {
    # text
    "print": "print(v)",
    "print repr": "print(repr(v), [v], {v: v}, (v,))",
    "print dsn": "print(f'postgresql://u:{quote(v)}@h/d', quote_plus(v), quote(v, safe=''))",
    "print encodings": "print(v.encode().hex(), base64.b64encode(v.encode()), base64.b64encode(b'u:' + v.encode()))",
    "print html": "print(html.escape(v), json.dumps(v), json.dumps(v, ensure_ascii=False))",
    "print sql": "print(\"ALTER USER x IDENTIFIED BY '\" + v.replace(\"'\", \"''\") + \"'\")",
    "stderr": "n = sys.stderr.write('to stderr ' + v + '\\n')",
    "one by one": "for char in 'x' + v + 'y\\n': print(char, end='', flush=True)",
    "two streams": "for char in v: n = sys.stdout.write(char), sys.stderr.write(char)",
    "no newline": "print('no newline', v, end='')",
    "writelines": "sys.stdout.writelines(['lines ', v[:9], v[9:], '\\n'])",
    "os.write": "n = os.write(1, ('os.write ' + v + '\\n').encode())",
    "__stdout__": "n = sys.__stdout__.write('original ' + v + '\\n'); sys.__stdout__.flush()",
    "subprocess": "p = subprocess.run(['printf', '%s', 'subprocess ' + v]); 1",
    "shell": "os.environ['V'] = v\n!printenv V",
    "shell output": "out = !printenv V\nout",
    "bash": "%%bash\nprintf '%s' \"$V\"",
    "env": "%env V",
    "all of env": "%env",
    "captured": "%%capture kept\nprint('captured', v)",
    "captured shown": "kept.show(); kept.stdout",
    "tee": "with contextlib.redirect_stdout(sys.stderr): print('redirected', v)",
    "thread": "t = threading.Thread(target=print, args=('thread', v)); t.start(); t.join()",
    "pieces from a thread": "def slow():\n    for char in v: print(char, end='', flush=True)\n"
                            "t = threading.Thread(target=slow); t.start(); t.join(); print()",
    "fork": "pid = os.fork()\nif pid == 0:\n    print('fork', v, flush=True); os._exit(0)\nn = os.waitpid(pid, 0)",
    "pprint": "pprint.pprint({'password': v})",
    "rich": "import rich; rich.print({'password': v, 's': s})",
    "await": "await asyncio.sleep(0)\nprint('await', v); v",
    "input prompt": "try: input('prompt ' + v)\nexcept Exception as e: print(type(e).__name__, e, v)",
    # results and displays
    "result": "v",
    "nested result": "{'a': [(v, {'b': v})]}",
    "Out": "Out",
    "exec result": "exec('v'); eval('v')",
    "display": "display(v, {'k': v})",
    "display html": "display(HTML('<b>' + html.escape(v) + '</b>'), Markdown('**' + v + '**'), Latex('$' + v + '$'))",
    "display json": "display(JSON({'k': {v: [v]}}))",
    "display svg": "display({'image/svg+xml': '<svg><text>' + html.escape(v) + '</text></svg>'}, raw=True)",
    "display javascript": "display(Javascript('let v = ' + json.dumps(v)))",
    "raw bundle": "display({'application/vnd.vega.v5+json': {'data': [{'values': [{'x': v}]}]}}, raw=True)",
    "metadata": "display({'text/plain': 'm'}, metadata={'note': v}, raw=True); v",
    "update": "h = display('first', display_id='one'); h.update(v)",
    "publish": "from IPython.display import publish_display_data; publish_display_data({'text/plain': v})",
    "frame": "import pandas as pd; frame = pd.DataFrame({'password': [v, v], v: [1, 2]}); frame",
    "frame text": "print(frame, frame.to_html(), frame.to_json(), frame.to_csv(), frame.to_dict())",
    "polars": "import polars as pl; pl.DataFrame({'password': [v]})",
    "styler": "frame.iloc[:, :1].to_dict('records')",
    "arrow": "import pyarrow as pa; pa.table({'password': [v]})",
    "dataclass": "@dataclasses.dataclass\nclass Login:\n    user: str\n    password: str\nLogin('u', v)",
    "namespace": "types.SimpleNamespace(password=v)",
    "odd repr": "class Odd:\n    def __repr__(self): return v\n    def _repr_html_(self): return '<i>' + v\nOdd()",
    "bad repr": "class Bad:\n    def __repr__(self): raise ValueError('bad ' + v)\nBad()",
    "secrets": "print(s, repr(s), vars, [s]); pd.DataFrame({'s': [s]})",
    "widget": "import ipywidgets as w; w.VBox([w.Text(value=v, description='text'), w.HTML('<b>' + v), w.Label(v)])",
    "set next input": "get_ipython().set_next_input('x = ' + repr(v)); 1",
    "pager": "get_ipython().run_line_magic('page', 'v'); v",
    "help": "def documented():\n    pass\ndocumented.__doc__ = 'doc ' + v\ndocumented?",
    "whos": "%whos",
    "who": "%who_ls",
    "psearch": "%pdoc v\nv",
    # errors
    "ValueError": "raise ValueError(v)",
    "KeyError": "{}[v]",
    "int": "int(v)",
    "locals": "def connect(user, password):\n    dsn = f'{user}:{password}'\n    return 1 / 0\nconnect('u', v)",
    "chained": "try:\n    int(v)\nexcept ValueError as e:\n    raise RuntimeError('outer ' + v) from e",
    "context": "try:\n    int(v)\nexcept ValueError:\n    {}[v]",
    "note": "e = ValueError('x'); e.add_note('note ' + v); raise e",
    "group": "raise ExceptionGroup('group ' + v, [ValueError(v), ExceptionGroup('in', [KeyError(v)])])",
    "assertion": "assert v == 'x', v",
    "SyntaxError": "compile('x = = ' + v, 'f', 'exec')",
    "exec error": "exec('1/0 # ' + repr(v))",
    "import": "__import__(v)",
    "open": "open('/nosuch/' + v)",
    "exit": "sys.exit('exit ' + v)",
    "in a source line": "def f(x): 1 / 0\nf(f\"a {v} b\")",
    "pydantic": "import pydantic\nclass M(pydantic.BaseModel):\n    port: int\nM(port=v)",
    "requests": "import requests; requests.get('http://127.0.0.1:1/x', params={'token': v}, auth=('u', v))",
    "requests url": "requests.get(f'http://u:{quote(v)}@127.0.0.1:1/x')",
    "httpx": "import httpx; httpx.get('http://127.0.0.1:1/x', params={'token': v}, headers={'X': v.encode().hex()})",
    "httpx status": "httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(500)))"
                    ".get('http://h/', params={'t': v}).raise_for_status()",
    "odbc": "import sqlalchemy as sa; sa.URL.create('mssql', 'u', v, 'h', query={'PWD': v})",
    "sqlalchemy url": "print(sa.URL.create('mssql', 'u', v, 'h').render_as_string(hide_password=False))",
    "sqlalchemy error": "sa.create_engine('sqlite://').connect().execute(sa.text('select nosuch, :a'), {'a': v})",
    "psycopg": "import psycopg; psycopg.connect(host='127.0.0.1', port=1, user='u', password=v)",
    "psycopg parse": "psycopg.conninfo.conninfo_to_dict('password=' + v + ' nosuch')",
    "mysql": "import mysql.connector; mysql.connector.connect(host='127.0.0.1', port=1, user='u', password=v)",
    "duckdb": "import duckdb; duckdb.sql(\"select '\" + v.replace(\"'\", \"''\") + \"' + nosuch\")",
    "duckdb attach": "duckdb.sql(\"attach '/nosuch/\" + v.replace(\"'\", \"''\") + \"' as x\")",
    "sqlite": "import sqlite3; sqlite3.connect(':memory:').execute('select ' + v)",
    "traceback print": "try: int(v)\nexcept ValueError: traceback.print_exc()",
    "thread error": "t = threading.Thread(target=int, args=(v,)); t.start(); t.join()",
    "unraisable": "class Gone:\n    def __del__(self): raise ValueError('gone ' + v)\nGone(); n = gc.collect()",
    "excepthook": "try: int(v)\nexcept ValueError: sys.excepthook(*sys.exc_info())",
    "ip traceback": "try: int(v)\nexcept ValueError: get_ipython().showtraceback()",
    "await error": "async def fail(): raise ValueError('await ' + v)\nawait fail()",
    "task error": "asyncio.get_running_loop().call_exception_handler({'message': 'loop ' + v})\nawait asyncio.sleep(0)",
    "tb": "%tb",
    # logs and warnings
    "warning": "warnings.warn('warned ' + v)",
    "log": "logging.getLogger('any').error('log %s', v)",
    "log to stdout": "logging.basicConfig(stream=sys.stdout, level=10, force=True); logging.info('log %s', [v])",
    "sqlalchemy echo": "with sa.create_engine('sqlite://', echo=True).connect() as c:\n"
                       "    c.execute(sa.text('select :a'), {'a': v})",
    "logging error": "logging.error('%d %s %s', v)",
    # the magics
    "sql bind": "%sql duck SELECT :v AS a",
    "sql text": "%sql duck SELECT 'x' || :v || 'y' AS a",
    "sql frame": "r = %sql duck SELECT :v AS password\nr.DataFrame()",
    "sql csv": "print(r.csv(), r.dicts(), list(r))",
    "sql error": "get_ipython().run_cell_magic('sql', 'duck', \"SELECT '\" + v.replace(\"'\", \"''\") + \"' + x\")",
    "sqlite bind": "%sql lite SELECT :v AS a",
    "sqlite error": "get_ipython().run_line_magic('sql', f\"lite SELECT '{sql(v)}' FROM nosuch\")",
    "sqlite token": "get_ipython().run_line_magic('sql', 'lite SELECT ' + v)",
    "sql cast": "%sql duck SELECT CAST(:v AS INTEGER)",
    "no such connection": "get_ipython().run_line_magic('conn', shlex.quote(v))",
    "on the line": "get_ipython().run_line_magic('conn', 'add x postgres password=' + shlex.quote(v))",
    "invalid": "from siege_nb import ClientProfile; ClientProfile.model_validate({'client_code': v, v: 1})",
}

IMPORTS = (
    "import asyncio, base64, contextlib, dataclasses, gc, getpass, html, json, logging, os, pprint, shlex, subprocess\n"
    "import sys, threading, traceback, types, warnings\nfrom urllib.parse import quote, quote_plus\n"
    "from IPython.display import *\nfrom siege_nb import Secret\ndef sql(text): return text.replace(\"'\", \"''\")"
)

#: Cells that change the value themselves before they show it.
UNFIXABLE = {
    "reversed": "print(v[::-1])",
    "upper-cased": "print(v.upper())",
    "spaced": "print(' '.join(v))",
    "cut by a newline": "print(v[:14]); print(v[14:])",
    "encoded twice": "print(quote(quote(v)))",
    "base64 twice": "print(base64.b64encode(base64.b64encode(v.encode())).decode())",
    "ANSI-split in pieces": "print(v[:14], end='\\x1b[31m', flush=True); print(v[14:])",
    "shortened": "print(v[:14])",
}


def leaks(messages: list[dict[str, Any]], value: str) -> list[str]:
    """The messages that tell a value in any spelling we know of; a stream is one text, as a front end shows it."""
    contents = [(m["msg_type"], m["content"]) for m in messages if m["msg_type"] != "stream"]
    for name in ("stdout", "stderr"):
        pieces = [m["content"]["text"] for m in messages if m["msg_type"] == "stream" and m["content"]["name"] == name]
        contents.append((name, {"text": "".join(pieces)}))
    told = [value, *CORE, *(spelling.decode("latin-1") for spelling in spellings(value))]
    return [f"{kind}: {text[-300:]}" for kind, content in contents for text in _texts(content)
            if any(spelling in text for spelling in told)]  # fmt: skip


def _texts(value: Any) -> list[str]:
    """The texts in a message, as a front end sees them: without the colours."""
    match value:
        case str():
            return [value, re.sub(r"\x1b\[[0-9;]*m", "", value)]
        case dict():
            return [text for pair in value.items() for part in pair for text in _texts(part)]
        case list():
            return [*(text for part in value for text in _texts(part)), *_texts("".join(map(str, value)))]
        case _:
            return []


def learned(folder: Path) -> Any:
    """A kernel that was told the value by a prompt."""
    return kernel(folder, LOAD, IMPORTS, "%conn add duck duckdb\n%conn add lite sqlite")


def tell(it: Kernel) -> None:
    ran = it.run("v = getpass.getpass(); s = Secret(v)", answer=CANARY)
    assert ran.status == "ok", ran.error
    it.heard.clear()


@pytest.mark.parametrize("mode", ["Context", "Verbose"])
def test_no_cell_tells_a_secret(mode: str, tmp_path: Path) -> None:
    assert len(CELLS) >= 60
    with learned(tmp_path) as it:
        tell(it)
        it.run(f"%xmode {mode}")
        leaked, masks, at = {}, 0, 0
        for name, cell in CELLS.items():
            it.run(cell)
            messages, at = it.heard[at:], len(it.heard)
            masks += masking.MASK in json.dumps([m["content"] for m in messages], default=str)
            if told := leaks(messages, CANARY):
                leaked[name] = told
        for what, args in {"inspect": ("v", 1), "complete": ("v.", 2), "history": ()}.items():
            it.ask(what, *args)
        leaked |= {"asked": told} if (told := leaks(it.heard[at:], CANARY)) else {}
        for name, cell in UNFIXABLE.items():
            ran = it.run(cell)
            assert masking.MASK not in ran.text, f"{name} is hidden after all"
    print(f"{mode}: {len(CELLS)} cells, {masks} of them would have told it, {len(leaked)} leaked")
    assert leaked == {}
    assert masks >= 0.8 * len(CELLS), "the cells no longer show what they should"


# Of a kernel that has a connection named db, made with the password; what it has in its hands is shown, too.
SERVED = {
    "saved": "%conn",
    "tested": "%conn test db",
    "used": "%conn db",
    "asked": "%sql db SELECT 1 AS one",
    "bound": "%sql db SELECT :v AS a",
    "syntax": "%sql db SELEC 1",
    "nosuch": "%sql db SELECT * FROM nosuch",
    "quoted": "get_ipython().run_line_magic('sql', f\"db SELECT * FROM nosuch WHERE x = '{sql(v)}'\")",
    "workspace": "ws = get_ipython().magics_manager.registry['SiegeMagics'].siege.workspace; ws, vars(ws)",
    "profile": "kept = ws.store.connections.find_named('db'); kept, kept.item, kept.item.connection_params",
    "lease": "lease = ws.lease('db'); lease, vars(lease)",
    "session": "session = lease.queryable; session, {name: getattr(session, name, None) for name in dir(session)}",
    "adapter": "session.adapter, vars(session.adapter), session.adapter.params, session.adapter.params.model_dump()",
    "url": "session.adapter.url(), repr(session.adapter.url()), str(session.adapter.url())",
    "url in the open": "session.adapter.url().render_as_string(hide_password=False)",
    "engine": "session.engine(), session.engine().url, session.engine().connect().exec_driver_sql('SELECT nosuch')",
    "driver": "session.connection, vars(type(session.connection)), getattr(session.connection, '__dict__', '')",
    "in a frame": "def fail(session, password): return session.execute('SELEC 1', {'a': password})\nfail(session, v)",
    "closed": "%conn close --all",
    "gone": "session.execute('SELECT 1', {})",
    "wrong database": "{wrong_database}",
    "refused": "{refused}",
    "raw driver": "{raw}",
}


@pytest.mark.parametrize("mode", ["Context", "Verbose"])
@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_no_server_driver_or_session_tells_its_password(
    kind: str, mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue({"postgres": "postgres", "mysql": "mariadb"}[kind])
    role, literal = f"leaks_{mode.lower()}", "'" + CANARY.replace("'", "''") + "'"
    database = server.database_for(f"leaks {kind} {mode}")
    if kind == "postgres":
        server.sql(f"DROP ROLE IF EXISTS {role}")
        server.sql(f"CREATE ROLE {role} LOGIN PASSWORD {literal}")
        change = f"ALTER ROLE {role} PASSWORD 'another'"
        raw = f"import psycopg; psycopg.connect(host='{server.host}', port={server.port}, user='{role}', password=v)"
    else:
        server.sql(f"DROP USER IF EXISTS {role}")
        server.sql(f"CREATE USER {role} IDENTIFIED BY {literal}")
        server.sql(f"GRANT ALL ON {database}.* TO {role}")
        change = f"ALTER USER {role} IDENTIFIED BY 'another'"
        raw = f"import mysql.connector as m; m.connect(host='localhost', port={server.port}, user='{role}', password=v)"
    where = f"{kind} host={server.host} username={role}"
    changes = {
        "{wrong_database}": f"%conn add db2 {where} port={server.port} database=nosuch\n%conn db2",
        "{refused}": f"%conn add db3 {where} port=1 database=d\n%conn db3",
        "{raw}": raw,
    }
    with learned(tmp_path) as it:
        tell(it)
        added = it.run(f"%conn add db {where} port={server.port} database={database}", answer=CANARY)
        assert added.status == "ok", added.error
        it.run(f"%xmode {mode}")
        ran = {name: it.run(changes.get(cell, cell), answer=CANARY) for name, cell in SERVED.items()}
        failed = {name for name, result in ran.items() if result.status == "error"}
        server.sql(change)
        refused = it.run("%conn db")
        assert refused.name == "AuthError", refused.error
        it.run(raw)
    told = leaks(it.heard, CANARY)
    masks = sum(masking.MASK in json.dumps(message["content"], default=str) for message in it.heard)
    print(f"{kind} {mode}: {len(SERVED)} cells, {sorted(failed)} failed, {masks} messages had it, {len(told)} leaked")
    assert told == []
    assert {"syntax", "nosuch", "quoted", "in a frame", "gone", "wrong database", "refused"} <= failed
    assert not failed & {"saved", "tested", "used", "asked", "bound", "workspace", "profile", "lease", "session"}
    assert masks >= 3


def test_the_search_finds_what_an_unguarded_kernel_tells(tmp_path: Path) -> None:
    with kernel(tmp_path, IMPORTS) as it:
        it.run("v = getpass.getpass(); s = v", answer=CANARY)
        found = 0
        names = ["print", "one by one", "result", "display json", "ValueError", "locals", "thread error", "log",
                 "widget", "shell"]  # fmt: skip
        it.run("%xmode Verbose")
        for name in names:
            it.heard.clear()
            it.run(CELLS[name])
            found += bool(leaks(it.heard, CANARY))
    assert found == len(names)


def test_two_thousand_prints_cut_into_pieces(tmp_path: Path) -> None:
    code = """
import random, sys, time
dice = random.Random(5)
for number in range(2000):
    text, at = f"row {number}: password={v} host=db\\n", 0
    while at < len(text):
        size = dice.randint(1, 5)
        sys.stdout.write(text[at:at + size]); sys.stdout.flush() if number % 10 == 0 else None
        at += size
"""
    with learned(tmp_path) as it:
        tell(it)
        ran = it.run(code, timeout=120)
        streams = sum(message["msg_type"] == "stream" for message in it.heard)
        assert ran.text == "".join(f"row {number}: password=*** host=db\n" for number in range(2000))
        assert streams > 1000, "nothing was cut"
        assert leaks(it.heard, CANARY) == []
    print(f"{streams} messages")


def test_a_prompt_without_a_newline_is_there_while_the_cell_still_runs(tmp_path: Path) -> None:
    """The cell waits for a file that is made only when its prompt has come."""
    code = """
import time
print('Continue? [y/N] ', end='', flush=True)
while not os.path.exists('go'): time.sleep(0.01)
print('yes')
"""
    with learned(tmp_path) as it:
        tell(it)
        sent = it.start(code)
        it.until(sent, "Continue? [y/N] ")
        (tmp_path / "go").touch()
        assert it.finish(sent).text == "yes\n"

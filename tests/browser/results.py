"""Notebooks made for one test, in a real JupyterLab."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import nbformat
from playwright.sync_api import Browser, Page

from tests.browser.lab import Lab, Seen

_RUN_ALL = """() => { window.ran = false;
    jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true; }); }"""

SETUP = """%load_ext siege_nb
import tempfile
scratch = tempfile.mkdtemp(prefix="siege-results-")
%client dir {scratch}/profiles
%conn add lite sqlite database={scratch}/lite.sqlite create=true
%conn lite"""


@contextmanager
def ran(lab: Lab, chromium: Browser, name: str, *cells: str, height: int = 4600) -> Iterator[tuple[Page, Seen]]:
    """A notebook of these cells, all of them run; what each shows is in its output area."""
    written = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(cell) for cell in [SETUP, *cells]],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},  # else it would be asked for
    )
    request = urllib.request.Request(
        f"{lab.base}/api/contents/{name}",
        data=json.dumps({"type": "notebook", "format": "json", "content": written}).encode(),
        headers={"Authorization": f"token {lab.token}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30):
        pass
    lab.set("@jupyterlab/notebook-extension/tracker", {"windowingMode": "none", "maxNumberOutputs": 1000})
    with lab.notebook(chromium, name, height=height) as (page, seen):
        page.on("request", lambda request: "xss" in request.url and seen.offsite.append(request.url))
        page.on("dialog", lambda dialog: (seen.errors.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.evaluate(_RUN_ALL)
        page.wait_for_function("window.ran", timeout=120_000)
        # The last output may come after the last reply.
        page.locator(".jp-OutputArea-output").get_by_text("That was all.", exact=True).wait_for(timeout=60_000)
        yield page, seen

"""How far a cell is, as a notebook is told it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.kernel.kernel import Kernel, kernel
from tests.kernel.test_stop import LOAD, LONG


def displays(it: Kernel) -> list[dict[str, Any]]:
    """What was sent to be displayed, or to take the place of it, since this was last asked."""
    sent = [each for each in it.heard if each["msg_type"] in ("display_data", "update_display_data")]
    it.heard.clear()
    return [{"kind": each["msg_type"], **each["content"]} for each in sent]


def test_a_long_statement_is_told_of_twice_a_second_at_most_and_a_short_one_never(tmp_path: Path) -> None:
    with kernel(tmp_path, LOAD, "%conn add it duckdb", "%conn it", "%sql SELECT 1") as it:
        displays(it)  # the first one waits for pyarrow
        assert it.run("%sql SELECT 1").status == "ok"
        assert displays(it) == []

        ran = it.run(f"%%sql --timeout 4\nSELECT 1;\n{LONG['duckdb']}")
        assert "Timed out after 4 s" in ran.error
        first, *updates, last = displays(it)
        assert first["kind"] == "display_data"
        assert 1 <= len(updates) <= 4
        assert {each["kind"] for each in [*updates, last]} == {"update_display_data"}
        assert len({each["transient"]["display_id"] for each in [first, *updates, last]}) == 1
        for each in [first, *updates]:
            text = each["data"]["text/plain"]
            assert text.startswith("it · statement 2 of 2 · "), text
            assert text.endswith("%"), text
        assert set(last["data"].values()) == {""}

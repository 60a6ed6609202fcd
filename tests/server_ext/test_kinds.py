"""GET siege/api/kinds."""

from __future__ import annotations

import threading
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from siege_nb import adapters, masking
from siege_nb.adapters.base import Adapter, Params
from siege_nb.declare import Secret
from siege_nb.query.session import Session
from tests.server_ext.conftest import told

CANARY = "tr0ub4dor-canary"


class FarParams(Params):
    """Something far away."""

    password: Secret


class FarAdapter(Adapter[FarParams]):
    """Its driver is nowhere to be had."""

    kind, title, aliases, extra = "far", "Far away", ("Faraway",), "far"
    drivers = ("siege_nb_has_no_such_driver",)
    params_type = FarParams

    def open(self, host: Any) -> Session:
        raise NotImplementedError


class OddAdapter(FarAdapter):
    """Breaks when its driver is asked for."""

    kind = "odd"

    @classmethod
    def require_driver(cls) -> None:
        raise ZeroDivisionError(CANARY)


@pytest.fixture
def plug_in(monkeypatch):
    """`plug_in(name, "module:Class")` registers a kind as an installed package would."""
    known = dict(adapters._registered())
    monkeypatch.setattr(adapters, "_registered", lambda: known)

    def add(name: str, value: str) -> None:
        known[name] = EntryPoint(name, value, adapters.GROUP)

    return add


async def test_every_kind_says_what_a_form_must_ask(ask):
    answer = await ask("siege/api/kinds")
    assert answer.code == 200
    said = told(answer)
    assert said["broken"] == []
    kinds = {kind["kind"]: kind for kind in said["kinds"]}
    assert sorted(kinds) == adapters.kinds()
    for name, kind in kinds.items():
        assert sorted(kind) == ["aliases", "install", "kind", "reason", "schema", "title", "usable"]
        assert kind["schema"] == adapters.load(name).params_type.model_json_schema()
        assert kind["usable"] is (not kind["install"])
    for name in ("duckdb", "sqlite"):
        assert kinds[name]["usable"]
    assert kinds["duckdb"]["schema"]["properties"]["database"]["x-endpoint"] is True


async def test_a_kind_without_its_driver_says_how_to_install_it(ask, plug_in):
    plug_in("far", f"{__name__}:FarAdapter")
    (far,) = (kind for kind in told(await ask("siege/api/kinds"))["kinds"] if kind["kind"] == "far")
    assert (far["title"], far["aliases"], far["usable"]) == ("Far away", ["Faraway"], False)
    assert far["install"] == "%pip install 'siege-nb[far]'"
    assert "siege_nb_has_no_such_driver" in far["reason"]
    assert far["schema"]["properties"]["password"]["writeOnly"] is True


async def test_a_broken_plug_in_is_named_and_hides_no_other(ask, plug_in):
    plug_in("ghost", "siege_nb_has_no_such_module:Adapter")
    plug_in("odd", f"{__name__}:OddAdapter")
    masking.know(CANARY)
    answer = await ask("siege/api/kinds")
    masking.forget(CANARY)
    said = told(answer)
    assert "duckdb" in [kind["kind"] for kind in said["kinds"]]
    reasons = {plug_in["kind"]: plug_in["reason"] for plug_in in said["broken"]}
    assert sorted(reasons) == ["ghost", "odd"]
    assert "No module named 'siege_nb_has_no_such_module'" in reasons["ghost"]
    assert reasons["odd"] == "ZeroDivisionError: ***"


async def test_drivers_are_imported_in_a_thread_of_ours(ask, plug_in, monkeypatch):
    seen = []
    monkeypatch.setattr(OddAdapter, "require_driver", lambda: seen.append(threading.current_thread().name))
    plug_in("odd", f"{__name__}:OddAdapter")
    await ask("siege/api/kinds")
    (name,) = seen
    assert name.startswith("siege_")

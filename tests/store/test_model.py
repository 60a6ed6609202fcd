"""Whatever is done in whatever order, through two handles and with crashes: the disk is what a dict would be."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from siege_nb.errors import ConflictError, NotFoundError
from siege_nb.models.client import ClientProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.state import Directory
from siege_nb.state.files import Folder
from siege_nb.store import Kept, Store, account
from tests.store.profiles import client, counted, leftovers, noted

CODES = ("ONE", "TWO", "three", "Four")
PROJECT = "P1"

codes = st.sampled_from(CODES)
handles = st.sampled_from((0, 1))
texts = st.sampled_from(("", "a", "b", "ü"))
#: What was done, over all runs: a machine that does nothing proves nothing.
done: Counter[str] = Counter()


class CrashError(BaseException):
    """The process dies here: nothing after it runs, no cleaning up either."""


@contextmanager
def crash_at_rename(number: int) -> Iterator[list[int]]:
    """The n-th rename from here on kills the writer; gives whether it came to that."""
    calls, fired, real = 0, list[int](), Folder.replace

    def rename(self: Folder, name: str, target: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            fired.append(calls)
            raise CrashError
        real(self, name, target)

    with mock.patch.object(Folder, "replace", rename), mock.patch.object(Folder, "drop", return_value=None):
        yield fired


@dataclass(frozen=True)
class Told:
    """What the model knows of a client."""

    notes: str
    count: int
    projects: tuple[str, ...]
    revision: int


def told(kept: Kept[ClientProfile]) -> Told:
    item = kept.item
    return Told(item.metadata.notes, item.metadata.project_count, tuple(item.project_associations), kept.revision)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="siege-", dir=shm()))
        self.stores = [Store(Directory(self.path, fsync=False)) for _ in range(2)]
        self.stores[0].projects.put(ProjectProfile(project_code=PROJECT))
        self.model: dict[str, Told] = {}
        #: What somebody read some time ago, and what was there then.
        self.held: dict[str, Kept[ClientProfile]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.path)

    def twin(self, code: str) -> bool:
        return any(other != code and other.casefold() == code.casefold() for other in self.model)

    def attempt(self, what: str, possible: bool, act: Callable[[], object], error: type[Exception]) -> bool:
        """Do it; whether it worked, which the model knows beforehand."""
        if not possible:
            with pytest.raises(error):
                act()
            done[f"{what} refused"] += 1
            return False
        act()
        done[what] += 1
        return True

    @rule(handle=handles, code=st.sampled_from((*CODES, "one", "FOUR")), notes=texts)
    def create(self, handle: int, code: str, notes: str) -> None:
        clients, free = self.stores[handle].clients, code not in self.model and not self.twin(code)
        if self.attempt("create", free, lambda: clients.put(noted(client(code), notes), expected=""), ConflictError):
            self.model[code] = Told(notes, 0, (), 1)

    @rule(handle=handles, code=codes)
    def update(self, handle: int, code: str) -> None:
        clients = self.stores[handle].clients
        if self.attempt("update", code in self.model, lambda: clients.update(code, counted), NotFoundError):
            old = self.model[code]
            self.model[code] = replace(old, count=old.count + 1, revision=old.revision + 1)

    @rule(handle=handles, code=codes, notes=texts)
    def patch(self, handle: int, code: str, notes: str) -> None:
        clients = self.stores[handle].clients
        if self.attempt(
            "patch", code in self.model, lambda: clients.update(code, lambda c: noted(c, notes)), NotFoundError
        ):
            old = self.model[code]
            self.model[code] = old if old.notes == notes else replace(old, notes=notes, revision=old.revision + 1)

    @rule(handle=handles, code=codes)
    def remove(self, handle: int, code: str) -> None:
        clients = self.stores[handle].clients
        if self.attempt("remove", code in self.model, lambda: clients.remove(code), NotFoundError):
            del self.model[code]

    @rule(handle=handles, code=codes, new=st.sampled_from((*CODES, "one")))
    def rename(self, handle: int, code: str, new: str) -> None:
        clients = self.stores[handle].clients
        if code not in self.model:
            with pytest.raises(NotFoundError):
                clients.update(code, lambda c: c.model_copy(update={"client_code": new}))
        else:
            # Another spelling of its own code is its twin as well: the old file stands until the new one does.
            possible = new == code or (new not in self.model and not self.twin(new))
            act = lambda: clients.update(code, lambda c: c.model_copy(update={"client_code": new}))  # noqa: E731
            if self.attempt("rename", possible, act, ConflictError) and new != code:
                old = self.model.pop(code)
                self.model[new] = replace(old, revision=old.revision + 1)

    @rule(handle=handles, code=codes, project=st.sampled_from((PROJECT, "NONE")))
    def associate(self, handle: int, code: str, project: str) -> None:
        store, possible = self.stores[handle], code in self.model and project == PROJECT
        if self.attempt("associate", possible, lambda: account.associate(store, code, project), NotFoundError):
            old = self.model[code]
            if project not in old.projects:
                projects = (*old.projects, project)
                self.model[code] = replace(old, projects=projects, count=len(projects), revision=old.revision + 1)

    @precondition(lambda self: self.model)
    @rule(handle=handles, data=st.data())
    def read(self, handle: int, data: Any) -> None:
        code = data.draw(st.sampled_from(sorted(self.model)))
        self.held[code] = self.stores[handle].clients.find(code)

    @precondition(lambda self: self.held)
    @rule(handle=handles, data=st.data(), notes=texts)
    def cas(self, handle: int, data: Any, notes: str) -> None:
        code = data.draw(st.sampled_from(sorted(self.held)))
        held, clients = self.held[code], self.stores[handle].clients
        possible = self.model.get(code) == told(held) and clients.find(code).version == held.version
        act = lambda: clients.put(noted(held.item, notes), expected=held.version)  # noqa: E731
        if self.attempt("cas", possible, act, ConflictError):
            old = self.model[code]
            self.model[code] = replace(old, notes=notes, revision=old.revision + 1)

    @precondition(lambda self: self.model)
    @rule(handle=handles, data=st.data(), at=st.sampled_from((1, 2)), new=codes)
    def crash(self, handle: int, data: Any, at: int, new: str) -> None:
        """Before the first rename nothing has been done; a rename to another code is done from the second one on."""
        code = data.draw(st.sampled_from(sorted(self.model)))
        old, clients = self.model[code], self.stores[handle].clients
        moves = new not in self.model and not self.twin(new)

        def work(profile: ClientProfile) -> ClientProfile:
            return counted(profile).model_copy(update={"client_code": new} if moves else {})

        with crash_at_rename(at) as fired:
            try:
                clients.update(code, work)
            except CrashError:
                pass
        done[f"crash {at} fired"] += len(fired)
        if not fired or at == 2:
            del self.model[code]
            self.model[new if moves else code] = replace(old, count=old.count + 1, revision=old.revision + 1)
        if fired:
            # Whoever comes next finishes or drops what was begun.
            self.stores[1 - handle].directory.change(lambda change: None)
            assert leftovers(self.path) == []

    @invariant()
    def the_disk_is_the_model(self) -> None:
        found = {}
        for path in self.path.glob("client_*"):
            document = json.loads(path.read_text())
            metadata = document["metadata"]
            found[document["client_code"]] = Told(
                metadata["notes"], metadata["project_count"], tuple(document["project_associations"]),
                document["_siege"]["rev"],
            )  # fmt: skip
            assert path.name == f"client_{document['client_code']}.json"
        assert found == self.model
        for store in self.stores:
            rows = {row.key: row.summary["project_count"] for row in store.clients.rows()}
            assert rows == {code: known.count for code, known in self.model.items()}
        done["steps"] += 1


def shm() -> str | None:
    """A directory in memory, where there is one: what is tested is order, not the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def run(examples: int) -> None:
    done.clear()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=50, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    print(dict(done))
    for what in ("create", "update", "patch", "remove", "rename", "associate", "cas", "crash 1 fired", "crash 2 fired"):
        assert done[what] >= examples // 4, what
    for what in ("create", "rename", "cas"):
        assert done[f"{what} refused"] >= examples // 8, what
    assert done["steps"] >= examples * 20


def test_disk_and_model_agree_after_each_step() -> None:
    run(400)

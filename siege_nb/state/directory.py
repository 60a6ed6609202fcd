"""One config directory: what stands in it, and how it is changed."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple, TypeVar

from siege_nb.errors import AccessError, SiegeError
from siege_nb.state import journal, records
from siege_nb.state.audit import Audit
from siege_nb.state.change import GENERATION, Change
from siege_nb.state.files import Folder, explain, make, read_start, read_whole, split, told, trust
from siege_nb.state.journal import Step
from siege_nb.state.lock import busy, exclusive, held_by_me
from siege_nb.state.shield import shielded

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds in which a record that changes nothing must have had the lock.
WITNESS = 2.0


class Identity(NamedTuple):
    """Which file stands under a name, and in which state. The same identity may still hide two quick writes."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class Directory:
    """A config directory. Readers take no lock; each change is made under the lock, whole or not at all.

    With an `audit`, every change is in its log before it is made, or is not made. `fsync=False` is for tests: changes
    are still atomic, but do not outlive a power cut.
    """

    def __init__(
        self, path: Path | str, *, fsync: bool = True, patience: float = 10.0, audit: Audit | None = None
    ) -> None:
        self.path = Path(path).absolute()
        self._base = str(self.path)
        self._fsync = fsync
        self._patience = patience
        self.audit = audit
        self._trusted: set[str] = set()
        self._swept = False

    def generation(self) -> int:
        """A number that grows with every change made through a Directory, in any process. Costs one small read."""
        try:
            return _number(read_start(f"{self._base}/{GENERATION}"))
        except OSError as error:
            raise explain(error, self.path / GENERATION, "read") from error

    def identity(self, name: str) -> Identity | None:
        """Which file stands under a name, or None. Costs one stat."""
        split(name)
        try:
            found = os.lstat(f"{self._base}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain(error, self.path / name, "read") from error
        return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def read(self, name: str) -> bytes | None:
        """A file as it is now, old or new but never half; None when there is none."""
        folder, _ = split(name)
        with told(f"{self._base}/{name}", "read"):
            self._trust(folder)
            return read_whole(f"{self._base}/{name}")

    def names(self, prefix: str, suffix: str = "") -> list[str]:
        """The names that begin and end so, sorted: names("connections/connection_", ".json")."""
        folder, slash, start = prefix.rpartition("/")
        with told(self.path / folder, "read"):
            self._trust(folder)
            try:
                found = os.listdir(f"{self._base}/{folder}")
            except FileNotFoundError:
                return []
        return sorted(folder + slash + name for name in found if name.startswith(start) and name.endswith(suffix))

    def identities(self, prefix: str, suffix: str = "") -> dict[str, Identity]:
        """Which file stands under each name that begins and ends so, and in which state. Costs one stat a file."""
        folder, slash, start = prefix.rpartition("/")
        above = folder + slash
        found: dict[str, Identity] = {}
        with told(self.path / folder, "read"):
            self._trust(folder)
            try:
                entries = os.scandir(f"{self._base}/{folder}")
            except FileNotFoundError:
                return found
            with entries:
                for entry in entries:
                    if (name := entry.name).startswith(start) and name.endswith(suffix):
                        try:
                            s = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:  # removed since the folder was read
                            continue
                        found[above + name] = Identity(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        return found

    def change(self, work: Callable[[Change], T], *, act: str = "change") -> T:
        """What `work` gives, once all that it staged is on the disk; if it raises, nothing is changed.

        It runs under the directory's lock in a thread of its own: an interrupt is raised when the outcome is known.
        ConflictError when the lock is not had within `patience`. `act` is what the audit log calls it.
        """

        def whole(change: Change) -> T:
            result = work(change)
            if change._staged:
                with self._recorded(change._root, act, change._targets):
                    self._commit(change)
            return result

        return self._shielded(whole, self._patience)

    def witness(self, act: str, *targets: str) -> None:
        """Record in the audit log what changes nothing here; if that cannot be done in 2 s, it raises."""
        if (audit := self.audit) is not None:
            self._shielded(lambda change: audit.witness(change._root, act, targets, fsync=self._fsync), WITNESS)

    def accept(self, name: str) -> None:
        """Record in the audit log that a file is meant to be what it is now, whoever put it there."""
        if (audit := self.audit) is not None:
            self._shielded(lambda c: audit.accept(c._root, name, c.read(name), fsync=self._fsync), WITNESS)

    def _shielded(self, work: Callable[[Change], T], patience: float) -> T:
        if held_by_me(self._base):
            raise RuntimeError(f"A change of {self.path} within a change of it would wait for itself.")
        return shielded(lambda: self._alone(patience), work, patience=patience, overdue=lambda: busy(self._base))

    def _recorded(
        self, root: Folder, act: str, targets: Callable[[records.Key], list[records.Target]]
    ) -> AbstractContextManager[None]:
        if self.audit is None:
            return nullcontext()
        return self.audit.recorded(root, act, targets, fsync=self._fsync)

    @contextmanager
    def _alone(self, patience: float) -> Iterator[Change]:
        with ExitStack() as stack:
            with told(self.path, "changed"):
                try:
                    root = Folder(self._base, fsync=self._fsync)
                except FileNotFoundError:
                    make(self.path, fsync=self._fsync)
                    root = Folder(self._base, fsync=self._fsync)
                stack.callback(root.close)
                died = stack.enter_context(exclusive(root, patience))
                self._recover(root)
                if died or not self._swept:
                    self._sweep(root)
                generation = root.read(GENERATION)
                if generation is None:
                    # Once it has its room on the disk, counting on cannot fail for want of it.
                    root.overwrite(GENERATION, _written(0))
            yield Change(self, root, _number(generation))

    def _commit(self, change: Change) -> None:
        """The one place where files change."""
        steps: list[Step] = []
        folders = {"": change._root}
        with ExitStack() as stack:
            try:
                for name, data in change._staged.items():
                    with told(f"{self._base}/{name}", "removed" if data is None else "written"):
                        steps += self._prepared(name, data, folders, stack)
                if len(steps) > 1:
                    with told(self.path, "changed"):
                        for opened in folders.values():
                            opened.sync()
                        journal.write(change._root, steps)
                elif steps:
                    with told(f"{self._base}/{steps[0].name}", "written" if steps[0].staged else "removed"):
                        journal.perform(steps, folders)
            except BaseException:
                # A journal that stands will be followed: it must find what it speaks of.
                if change._root.status(journal.JOURNAL) is None:
                    for name, staged in steps:
                        if staged is not None:
                            folders[split(name)[0]].drop(staged)
                raise
            if steps:
                self._finish(change._root, steps, folders, change.generation)

    def _prepared(
        self, name: str, data: bytes | None, folders: dict[str, Folder], stack: ExitStack
    ) -> Iterator[Step]:
        folder, file = split(name)
        if folder not in folders:
            below = folders[""].below(folder, create=data is not None)
            if below is None:
                return
            folders[folder] = stack.enter_context(closing(below))
        found = folders[folder].status(file)
        if found is not None and not stat.S_ISREG(found.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
            raise AccessError(f"{self.path / name} was not changed: it is {what}.")
        if data is not None:
            yield Step(name, folders[folder].stage(data))
        elif found is not None:
            yield Step(name, None)

    def _finish(self, root: Folder, steps: list[Step], folders: dict[str, Folder], generation: int) -> None:
        """From here on the change has been made; what fails now is told as that."""
        several = len(steps) > 1
        try:
            if several:
                journal.perform(steps, folders)
            # Before the syncs: it tells those who live now, and no process outlives the power cut they are against.
            root.overwrite(GENERATION, _written(generation + 1))
            for folder in {split(step.name)[0] for step in steps} & folders.keys():
                folders[folder].sync()  # the root only where a name in it has changed
            if several:
                journal.erase(root)
        except OSError as error:
            what = "will be finished by the next one" if several else "may not outlive a power cut"
            raise SiegeError(
                f"{self.path / steps[0].name} was changed, but the disk did not confirm it ({error.strerror}); "
                f"the change {what}.",
                hint="Read it again to see what it is now.",
            ) from error

    def _recover(self, root: Folder) -> None:
        """Finish what a writer left undone between its journal and its end."""
        steps = journal.read(root)
        if not steps:
            return
        with ExitStack() as stack:
            folders = {"": root}
            for folder in {split(step.name)[0] for step in steps} - {""}:
                below = root.below(folder, create=False)
                if below is not None:
                    folders[folder] = stack.enter_context(closing(below))
            with self._recorded(root, "recover", lambda key: journal.targets(steps, folders, key)):
                journal.perform(steps, folders, again=True)
                root.overwrite(GENERATION, _written(_number(root.read(GENERATION)) + 1))
                for opened in folders.values():
                    opened.sync()
                journal.erase(root)
        names = ", ".join(step.name for step in steps)
        logger.warning("%s: a change that was cut short has been finished: %s", self.path, names)

    def _sweep(self, root: Folder) -> None:
        root.sweep()
        for name in root.folders():
            try:
                below = root.below(name, create=False)
            except PermissionError as error:  # where we may not look, nothing of ours was left
                logger.warning("%s", error)
                continue
            if below is not None:
                with closing(below):
                    below.sweep()
        self._swept = True

    def _trust(self, folder: str) -> None:
        """Look once whose folder this is; and when it is the first one, whether a change was cut short."""
        if folder in self._trusted:
            return
        if folder:
            self._trust("")
        path = self.path / folder
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return
        trust(path, status)
        self._trusted.add(folder)
        if not folder and os.path.lexists(path / journal.JOURNAL):
            try:
                self.change(lambda change: None)
            except SiegeError as error:
                logger.warning("%s: a change was cut short and cannot be finished now: %s", path, error)


def _written(generation: int) -> bytes:
    return f"{generation:020d}\n".encode()


def _number(raw: bytes | None) -> int:
    # Damaged means nobody can have relied on it: counting begins anew.
    text = (raw or b"").strip()
    return int(text) if text.isdigit() and len(text) <= 20 else 0

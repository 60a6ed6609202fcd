"""A new key for everything: each token sealed anew in its place, the old key kept for as long as anything needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from siege_nb.declare import Reference, Secret, secrets_of, unstructure
from siege_nb.errors import TamperedError, VaultError
from siege_nb.models.stamps import now
from siege_nb.store import document
from siege_nb.vault import Rotation, Vault, rotation
from siege_nb.vault.ring import Ring
from tests.vault.conftest import CANARY, MakeVault, Params, full, shown

CONNECTION, DATABASE = "connections/connection_prod.json", "database_dw.json"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """What to add to the time."""
    added = [timedelta()]
    monkeypatch.setattr("siege_nb.vault.now", lambda: now() + added[0])
    return added


def write(vault: Vault, file: str, data: dict[str, Any], revision: int = 3) -> None:
    raw = document.write(data, revision, file)
    vault._directory.change(lambda change: change.write(file, raw))


def fill(vault: Vault) -> None:
    """A connection of a kind that nobody has, a database, and a shared credential: six tokens."""
    params = unstructure(vault.seal(full().model_copy(update={"headers": {"a.b": Secret("header-5")}}),
                                    kind="connection", ident="prod"))  # fmt: skip
    token = vault.seal(full().authentication, kind="database", ident="dw").password.at_rest()
    write(vault, CONNECTION, {"connection_id": "prod", "connection_type": "unheard-of", "connection_params": params})
    write(vault, DATABASE, {"name": "dw", "password": token, "port": 5432})
    vault.share("warehouse", Secret(CANARY))


def read(vault: Vault, file: str) -> document.Document:
    raw = vault._directory.read(file)
    assert raw is not None
    return document.read(raw, file)


def all_open(vault: Vault) -> bool:
    """Every secret of `fill` is what it was."""
    params = read(vault, CONNECTION).data["connection_params"]
    found = {
        "authentication.password": params["authentication"]["password"], "token": params["token"],
        "headers.a.b": params["headers"]["a.b"], "hops.0.password": params["hops"][0]["password"],
        "hops.1.password": params["hops"][1]["password"],
    }  # fmt: skip
    texts = [
        vault.resolve(Reference(written), kind="connection", ident="prod", path=path).reveal()
        for path, written in found.items()
    ]
    token = read(vault, DATABASE).data["password"]
    texts.append(vault.resolve(Reference(token), kind="database", ident="dw", path="password").reveal())
    texts.append(vault.resolve("vault:warehouse", kind="x", ident="y", path="z").reveal())
    return texts == ["pass-word-1", "token-2", "header-5", "pass-word-1", "hop-4", "pass-word-1", CANARY]


def rotate(vault: Vault, *, finish: bool = False) -> Rotation:
    return vault.rotate(document, finish=finish)


def states(tmp_path: Path) -> list[str]:
    return [entry.state for entry in Ring.parse((tmp_path / "config" / "ring.json").read_bytes()).keys.values()]


def test_everything_is_sealed_anew_and_the_old_key_destroyed(
    vault: Vault, make_vault: MakeVault, tmp_path: Path, clock: list[timedelta]
) -> None:
    fill(vault)
    old = vault.status()[0].name
    before = read(vault, CONNECTION)
    reader = make_vault()
    assert all_open(reader)
    done = rotate(vault)
    assert (done.resealed, done.destroyed) == (7, ())
    assert done.keys == {old: "decrypt-only", done.primary: "active"}
    assert "what others are saving now" in done.kept_for[old][0]
    after = read(vault, CONNECTION)
    assert (after.revision, before.revision) == (4, 3)
    assert after.sum != before.sum
    assert {k: v for k, v in after.data.items() if k != "connection_params"} == {
        k: v for k, v in before.data.items() if k != "connection_params"
    }
    assert all_open(reader)
    assert all_open(make_vault())

    clock[0] = rotation.SETTLING
    done = rotate(vault, finish=True)
    assert (done.resealed, done.destroyed, done.kept_for) == (0, (old,), {})
    assert states(tmp_path) == ["destroyed", "active"]
    assert old not in vault._keys.for_opening().keys
    assert all_open(make_vault())
    assert [key.tokens for key in vault.status()] == [0, 7]


def test_nothing_that_did_not_change_is_written(vault: Vault, tmp_path: Path) -> None:
    fill(vault)
    write(vault, "connections/connection_bare.json", {"connection_id": "bare", "connection_params": {"host": "h"}})
    files = [tmp_path / "config" / name for name in ("connections/connection_bare.json", CONNECTION)]
    before = [file.read_bytes() for file in files]
    rotate(vault)
    assert [file.read_bytes() == was for file, was in zip(files, before, strict=True)] == [True, False]
    once = files[1].read_bytes()
    rotate(vault, finish=True)
    assert files[1].read_bytes() == once


def test_each_rotation_has_a_key_of_its_own(vault: Vault, make_vault: MakeVault, clock: list[timedelta]) -> None:
    fill(vault)
    primaries = set()
    for n in range(5):
        clock[0] += rotation.SETTLING
        done = rotate(vault)
        assert done.resealed == 7
        assert len(done.destroyed) == (1 if n else 0)
        primaries.add(done.primary)
    assert len(primaries) == 5
    assert all_open(make_vault())


def test_one_that_was_cut_short_is_finished_and_not_begun_again(vault: Vault, make_vault: MakeVault) -> None:
    fill(vault)
    opened = vault._keys.update(lambda o: o.ring.added(o.wrapping, now()))
    assert all_open(make_vault())
    done = rotate(make_vault())
    assert (done.resealed, done.primary) == (7, opened.ring.primary)
    assert sorted(done.keys.values()) == ["active", "decrypt-only"]
    assert rotate(make_vault()).primary != opened.ring.primary


CORRUPT = f"{CONNECTION}.corrupt-20240101T000000000000Z"


@pytest.mark.parametrize("copy", [
    CORRUPT, "notes.txt", ".tmp-0123456789abcdef", ".journal.corrupt-1", "connections/sub/deep/er.bak",
    "credentials/other.json",
])  # fmt: skip
def test_a_key_that_any_file_needs_is_kept_and_the_file_named(
    vault: Vault, tmp_path: Path, clock: list[timedelta], copy: str
) -> None:
    fill(vault)
    old = vault.status()[0].name
    file = tmp_path / "config" / copy
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * 3000 + (tmp_path / "config" / CONNECTION).read_bytes())
    for _ in range(2):
        done = rotate(vault, finish=len(clock) > 1)
        assert done.kept_for == {old: (copy,)}
        assert done.keys[old] == "decrypt-only"
        assert done.destroyed == ()
        clock[0] += timedelta(days=400)
        clock.append(clock[0])
    file.unlink()
    assert rotate(vault, finish=True).destroyed == (old,)
    assert all_open(vault)


def test_a_file_that_cannot_be_read_keeps_every_old_key(
    vault: Vault, tmp_path: Path, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(vault)
    old = vault.status()[0].name
    rotate(vault)
    clock[0] = timedelta(days=1)
    (tmp_path / "config" / "backup").mkdir()
    (tmp_path / "config" / "backup" / "closed").write_bytes(b"")
    kids = rotation.holders.__globals__["_kids"]

    def closed(path: Path) -> Iterator[str]:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return kids(path)

    monkeypatch.setitem(rotation.holders.__globals__, "_kids", closed)
    assert rotate(vault, finish=True).kept_for == {old: ("backup/closed",)}


def test_what_cannot_be_read_or_opened_is_left_as_it_is(
    vault: Vault, tmp_path: Path, clock: list[timedelta], caplog: pytest.LogCaptureFixture
) -> None:
    fill(vault)
    old = vault.status()[0].name
    config = tmp_path / "config"
    moved = config / "connections" / "connection_moved.json"
    moved.write_bytes((config / CONNECTION).read_bytes())
    torn = config / "database_torn.json"
    torn.write_bytes((config / DATABASE).read_bytes()[:-40])
    kept = [moved.read_bytes(), torn.read_bytes()]
    assert rotate(vault).resealed == 7
    assert [moved.read_bytes(), torn.read_bytes()] == kept
    assert "database_torn.json was left as it is" in caplog.text
    clock[0] = timedelta(days=1)
    assert rotate(vault, finish=True).kept_for == {old: ("connections/connection_moved.json", "database_torn.json")}
    token = read(vault, "connections/connection_moved.json").data["connection_params"]["token"]
    with pytest.raises(TamperedError):
        vault.resolve(Reference(token), kind="connection", ident="moved", path="token")


def test_who_sealed_with_the_old_key_and_saves_late_loses_nothing(
    vault: Vault, make_vault: MakeVault, clock: list[timedelta]
) -> None:
    """A seal before the rotation, a save after it: the next one seals that anew before it destroys the key."""
    fill(vault)
    late = make_vault()
    params = unstructure(late.seal(full().model_copy(update={"headers": {}}), kind="connection", ident="late"))
    first = rotate(vault)
    file = "connections/connection_late.json"
    write(late, file, {"connection_id": "late", "connection_params": params})
    assert shown_token(make_vault(), file, "late") == "token-2"
    clock[0] = rotation.SETTLING
    done = rotate(vault, finish=True)
    assert (done.resealed, len(done.destroyed)) == (4, 1)
    assert shown_token(make_vault(), file, "late") == "token-2"
    assert first.primary == done.primary


def test_what_was_held_in_hand_over_a_rotation_is_sealed_anew_or_refused(
    vault: Vault, make_vault: MakeVault, clock: list[timedelta]
) -> None:
    """A form that was open all the while: saving its old token would bring back what only the old key opens."""
    model = full().model_copy(update={"headers": {}})
    held = make_vault().seal(model, kind="connection", ident="prod")
    assert vault.seal(held, kind="connection", ident="prod") == held
    done = rotate(vault)
    again = make_vault().seal(held, kind="connection", ident="prod")
    assert all(done.primary in str(secret.at_rest()) for _, secret in secrets_of(again))
    assert shown(make_vault().open(again, kind="connection", ident="prod")) == shown(model)
    assert make_vault().seal(held, kind="connection", ident="elsewhere") == held  # it opens there neither way
    clock[0] = rotation.SETTLING
    rotate(vault, finish=True)
    with pytest.raises(VaultError, match=r"authentication\.password has been sealed anew since it was read"):
        make_vault().seal(held, kind="connection", ident="prod")
    assert shown(make_vault().open(again, kind="connection", ident="prod")) == shown(model)


def test_a_mark_tells_secrets_apart_and_not_the_keys_that_sealed_them(vault: Vault) -> None:
    def marked(model: Params) -> Params:
        return vault.marked(model, kind="connection", ident="prod")

    model = full()
    sealed = vault.seal(model, kind="connection", ident="prod")
    rotate(vault)
    anew = vault.seal(sealed, kind="connection", ident="prod")
    assert anew != sealed
    assert marked(anew) == marked(sealed)
    other = vault.seal(model.model_copy(update={"token": Secret("token-3")}), kind="connection", ident="prod")
    assert marked(other) != marked(sealed)
    assert marked(sealed.model_copy(update={"host": "elsewhere"})) != marked(sealed)
    assert "pass-word" not in str({path: vars(type(s)) and s._value() for path, s in secrets_of(marked(sealed))})
    moved = vault.marked(sealed, kind="connection", ident="elsewhere")
    assert moved == sealed  # what does not open is what is written


def shown_token(vault: Vault, file: str, ident: str) -> str:
    written = read(vault, file).data["connection_params"]["token"]
    return vault.resolve(Reference(written), kind="connection", ident=ident, path="token").reveal()


def test_a_save_in_the_middle_of_the_count_keeps_the_key(
    vault: Vault, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between counting and destroying someone saves a token of the old key: it is counted again."""
    fill(vault)
    old = vault.status()[0].name
    raw = vault._directory.read(CONNECTION)
    assert raw is not None
    rotate(vault)
    clock[0] = timedelta(days=1)
    real, saved = rotation.holders, list[str]()

    def count_then_save(directory: Path) -> Any:
        found = real(directory)
        if not saved:
            saved.append("late.json")
            vault._directory.change(lambda change: change.write("late.json", raw))
        return found

    monkeypatch.setattr(rotation, "holders", count_then_save)
    done = rotate(vault, finish=True)
    assert saved
    assert done.kept_for == {old: ("late.json",)}


def test_two_at_once_rotate_once(vault: Vault, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(vault)
    real, others = rotation.reseal_all, list[Rotation]()

    def other_first(*args: Any) -> int:
        if not others:
            others.append(None)  # type: ignore[arg-type]
            others[0] = rotate(make_vault())
        return real(*args)

    monkeypatch.setattr(rotation, "reseal_all", other_first)
    done = rotate(vault)
    assert (others[0].resealed, done.resealed) == (7, 0)
    assert others[0].primary == done.primary
    assert all_open(make_vault())


def test_another_key_that_comes_in_between_is_the_one_that_seals(
    vault: Vault, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a file and the lock another rotation begins: nothing is sealed with the key of before."""
    fill(vault)
    real, others = vault._keys.for_sealing, list[str]()

    def other_first(count: int = 1) -> Any:
        found = real(count)
        if not others:
            others.append(make_vault()._keys.update(lambda o: o.ring.added(o.wrapping, now())).ring.primary)
        return found

    monkeypatch.setattr(vault._keys, "for_sealing", other_first)
    done = rotate(vault)
    assert (done.primary, done.resealed) == (others[0], 7)
    assert all_open(make_vault())


def test_the_first_rotation_may_be_the_first_thing(vault: Vault, tmp_path: Path) -> None:
    done = rotate(vault)
    assert (done.resealed, list(done.keys.values()), done.kept_for) == (0, ["active"], {})
    assert states(tmp_path) == ["active"]


def test_a_key_in_memory_is_not_rotated(make_vault: MakeVault) -> None:
    with pytest.raises(VaultError, match="ends with the process"):
        rotate(make_vault("memory"))


def test_a_rotation_makes_no_secret_known(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 secrets more in the masks would slow down every line that is printed."""
    fill(vault)
    known = []
    monkeypatch.setattr("siege_nb.masking.know", known.append)
    rotate(vault)
    assert known == []


def test_status_names_the_files_of_each_key(vault: Vault) -> None:
    assert vault.status() == []
    fill(vault)
    (key,) = vault.status()
    assert key.primary
    assert dict(key.files) == {CONNECTION: 5, DATABASE: 1, "credentials/warehouse.json": 1}
    assert key.tokens == 7
    rotate(vault)
    assert [(key.written.state, key.tokens) for key in vault.status()] == [("decrypt-only", 0), ("active", 7)]


@pytest.mark.parametrize("cut", [0, 1, 13, 21, 22])
def test_a_token_across_two_readings_is_counted_once(tmp_path: Path, cut: int) -> None:
    from siege_nb.vault.places import holders

    token = b"encrypted:v2.kEyName1." + b"0" * 24
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) - cut) + token + b"y" * (1 << 20) + token)
    assert holders(tmp_path) == {"kEyName1": {"large": 2}}


def test_json_that_spells_a_token_otherwise_is_sealed_anew_too(vault: Vault, tmp_path: Path) -> None:
    fill(vault)
    file = tmp_path / "config" / CONNECTION
    raw = file.read_bytes().replace(b"encrypted:v2", b"encrypted:\\u0076\\u0032")
    data = json.loads(raw)
    assert data["connection_params"]["token"].startswith("encrypted:v2.")
    file.write_bytes(raw)
    assert rotate(vault).resealed == 7
    assert all_open(vault)


def test_a_copy_put_back_after_its_key_was_destroyed_can_be_saved_and_entered_again(
    vault: Vault, make_vault: MakeVault, tmp_path: Path, clock: list[timedelta]
) -> None:
    fill(vault)
    old = (tmp_path / "config" / CONNECTION).read_bytes(), (tmp_path / "config" / DATABASE).read_bytes()
    rotate(vault)
    clock[0] = rotation.SETTLING
    assert rotate(vault, finish=True).destroyed
    held = full().authentication.model_copy(
        update={"password": Reference(document.read(old[1], DATABASE).data["password"])}
    )
    with pytest.raises(VaultError, match="has been sealed anew since it was read"):
        vault.seal(held, kind="database", ident="dw")
    (tmp_path / "config" / DATABASE).write_bytes(old[1])
    assert make_vault().seal(held, kind="database", ident="dw") == held
    with pytest.raises(TamperedError, match="Enter it again"):
        vault.open(held, kind="database", ident="dw")
    anew = vault.seal(full().authentication, kind="database", ident="dw")
    assert vault.open(anew, kind="database", ident="dw") == full().authentication
    for place in ({"kind": "connection", "ident": "dw"}, {"kind": "database", "ident": "other"}):
        with pytest.raises(VaultError, match="has been sealed anew"):  # it is not what stands there
            vault.seal(held, **place)


def test_an_editors_copy_keeps_the_key_and_is_named(
    vault: Vault, tmp_path: Path, clock: list[timedelta]
) -> None:
    fill(vault)
    copies = tmp_path / "config" / ".ipynb_checkpoints"
    copies.mkdir()
    copies.chmod(0o775)
    (copies / "dw-checkpoint.json").write_bytes((tmp_path / "config" / DATABASE).read_bytes())
    first = rotate(vault).primary
    clock[0] = rotation.SETTLING
    done = rotate(vault, finish=True)
    assert (done.primary, done.destroyed) == (first, ())
    assert [*done.kept_for.values()] == [(".ipynb_checkpoints/dw-checkpoint.json",)]
    (copies / "dw-checkpoint.json").unlink()
    assert len(rotate(vault, finish=True).destroyed) == 1

"""%conn list, show, tests and history: what there is, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from siege_nb.declare import secrets_of
from siege_nb.facts import Use
from siege_nb.magics import guests
from siege_nb.magics.about import parameters, whereabouts
from siege_nb.magics.shell import Shell, damaged
from siege_nb.magics.words import one
from siege_nb.models.connection import ConnectionProfile
from siege_nb.show import Shown, badge, count, facts, listing, stacked
from siege_nb.store import Row


def overview(shell: Shell, rest: list[str]) -> Shown:
    """Every connection, or those in which a text occurs; whose it is, and whether a session is open.

    Below them stand those of this kernel only.
    """
    text = " ".join(rest).casefold()
    connections, uses = shell.workspace.store.connections, shell.workspace.facts.uses()
    rows = [(shell.spoken(row.scope, row.name), row) for row in connections.rows() if _has(row, text)]
    shown = [_line(shell, name, row, uses.get(row.key, Use())) for name, row in sorted(rows, key=_by_name)]
    summary = count(len(shown), "connection") + damaged(connections)
    saved = listing(("", "name", "kind", "client", "environment", "session", "last used"), shown, summary)
    return stacked(saved, Shown("", "") if text else guests.listed(shell))


def _by_name(named: tuple[str, Row]) -> tuple[bool, str]:
    return "/" in named[0], named[0].casefold()  # the client's own first


def _has(row: Row, text: str) -> bool:
    said = row.summary
    words = [row.name, row.scope, said["connection_type"], said["client_code"], said["environment"], said["status"],
             *_tags(said)]  # fmt: skip
    return any(text in str(word).casefold() for word in words if word)


def _tags(said: Mapping[str, Any]) -> list[Any]:
    tags = said["tags"]
    return tags if isinstance(tags, list) else []


def _line(shell: Shell, name: str, row: Row, use: Use) -> tuple[Any, ...]:
    said, current = row.summary, "●" if row.key == shell.connection else ""
    state, used = shell.workspace.state(row.key), moment(use.used)
    client, environment = said["client_code"] or "", said["environment"]
    return current, name, str(said["connection_type"] or ""), str(client), badge(environment), state, used


def show(shell: Shell, rest: list[str]) -> Shown:
    """All that is known of one connection, or of the current one; of its secrets only where they are."""
    found = shell.named(one(rest, "%conn show NAME")) if rest else shell.needed()
    profile, workspace = shell.workspace.find(found), shell.workspace
    said, tests = profile.metadata, workspace.facts.tests(profile.connection_id, 1)
    known: dict[str, Any] = {
        "kind": profile.connection_type,
        "client": profile.client_code,
        "workspace": profile.workspace,
        "environment": badge(profile.environment) if profile.environment else "",
        **dict(parameters(profile.connection_params)),
        "tags": ", ".join(profile.tags),
        "notes": profile.notes,
        "owner": profile.owner,
        "visibility": profile.visibility,
        "secrets": _security(profile),
        "connect by itself": "yes, with its client" if said.auto_connect else "",
        "time-out": f"{said.timeout} s, {said.retry_attempts} retries",
        "session": workspace.state(profile.connection_id),
        "created": moment(said.created_date),
        "last used": moment(said.last_used),
        "last connected": moment(said.last_connected),
        "sessions so far": said.connection_count or "",
        "health": said.health,
        "last test": f"{'ok' if tests[0].ok else 'failed'}, {moment(tests[0].at)}" if tests else "",
        "id": profile.connection_id,
    }
    return facts(profile.qualified, {name: value for name, value in known.items() if value not in ("", None)})


def _security(profile: ConnectionProfile) -> str:
    places = [whereabouts(secret) for _, secret in secrets_of(profile.connection_params)]
    if "missing" in places:
        return f"not all are here: %conn secret {profile.name} enters them"
    return "sealed with aes-256-gcm" if "sealed" in places else "only referred to" if places else "none"


def tests(shell: Shell, rest: list[str]) -> Shown:
    """How the tests of a connection went, the newest first."""
    profile = shell.named(one(rest, "%conn tests NAME")) if rest else shell.needed()
    found = shell.workspace.tests(profile)
    rows = [(moment(t.at), "ok" if t.ok else "failed", f"{t.milliseconds:.0f} ms", t.problem, t.message) for t in found]
    well = sum(tried.ok for tried in found)
    summary = f"{shell.spoken(profile.scope, profile.name)} · {well} of {count(len(rows), 'test')} ok"
    return listing(("when", "result", "latency", "problem", "message"), rows, summary)


def history(shell: Shell, rest: list[str]) -> Shown:
    """Who did what to a connection and when, the oldest first; values are never recorded."""
    profile = shell.named(one(rest, "%conn history NAME")) if rest else shell.needed()
    records = shell.workspace.history(profile)
    file = shell.workspace.store.connections.shape.file(profile.connection_id)
    rows = []
    for record in records:
        revision = next((target.after for target in record.targets if target.name == file), None)
        rows.append((moment(datetime.fromisoformat(record.ts)), record.actor, record.act, record.outcome,
                     "" if revision is None else revision))  # fmt: skip
    summary = f"{shell.spoken(profile.scope, profile.name)} · {count(len(rows), 'record')}"
    return listing(("when", "who", "act", "outcome", "revision"), rows, summary)


def moment(at: datetime | None) -> str:
    """A time as people here read it, in UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

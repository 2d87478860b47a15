"""`byreturn bundle`: what those who support the operator need to know, with no secret and nothing of people.

Only what is named here comes in: columns, fields, words of our own. On top of that every text passes `Codes.hide`,
which puts a code in the place of each address.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from zoneinfo import available_timezones

import httpx
import sqlalchemy as sa
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from blocks import (
    AlertChannel,
    Database,
    DeskBlock,
    DeskKeys,
    GoogleService,
    GoogleUser,
    ImapMailbox,
    MicrosoftApp,
    MicrosoftUser,
    MistralApi,
    PackStorage,
    PasswordCredentials,
    SmtpServer,
)
from byreturn.doctor import examine
from desk.errors import ByreturnError
from desk.policy import Policy, is_section, take_fingerprint
from store.engine import reading
from store.mailboxes import list_mailboxes
from store.troubles import alerts, incidents, list_quarantine
from tasks.opening import open_database

ADDRESS = re.compile(r"""(?:"[^"]*"|[^\s@<>"'(),;:\[\]]+)@[^\s@<>"'(),;:\[\]]+""")
SPAN_OR_CLOCK = re.compile(r"(?:\d+[dhms])+|\d\d:\d\d-\d\d:\d\d|")
SHORT_CODE = re.compile(r"[a-z]{2}|[A-Z]{2,3}")  # languages and countries
LAST_RUNS = 20
LAST_INCIDENTS = 500

KINDS: tuple[type[DeskBlock], ...] = (
    Database, PackStorage, DeskKeys, SmtpServer, MistralApi, AlertChannel, ImapMailbox,
    PasswordCredentials, MicrosoftApp, MicrosoftUser, GoogleUser, GoogleService,
)  # fmt: skip
OPEN_FIELDS = frozenset({"host", "provider", "security", "after_intake", "model", "block_type_slug"})
MAILBOX_COLUMNS = (
    "id", "name", "status", "error_code", "remedy", "kept", "kept_last", "withheld", "set_aside", "lag_seconds",
    "failures", "slowness", "interval_minutes", "since", "last_sync_at", "last_good_at", "next_due_at",
)  # fmt: skip

NEVER = """\
Not in it, whatever happened: mails and letters, their texts, subjects and attachments; addresses and names of people;
causes of incidents; passwords, tokens, keys and users of accounts; the words of the policy that are yours.
Mailboxes and blocks bear the names that you gave them. Codes such as address-1 mean the same in all its files.
Look through it before you pass it on.
"""


@dataclass(frozen=True, slots=True)
class Codes:
    """What stands in the place of a text that is not passed on: the same code for the same text."""

    known: dict[str, str] = field(default_factory=dict)

    def name(self, kind: str, text: str) -> str:
        return self.known.setdefault(text.lower(), f"{kind}-{len(self.known) + 1}")

    def hide(self, value: Any) -> Any:
        """The value, at any depth, with a code in the place of each address."""
        return change_texts(value, lambda text: ADDRESS.sub(lambda found: self.name("address", found[0]), text))


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the bundle; `make` gives what JSON can hold. Most lean on Prefect, which has our blocks."""

    name: str
    what: str
    make: Callable[[Codes], Any]
    leans: bool = True


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with each of its texts changed, keys of mappings too."""
    if isinstance(value, Mapping):
        return {change(str(key)): change_texts(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [change_texts(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def make_bundle(now: datetime) -> tuple[bytes, tuple[str, ...]]:
    """The zip's bytes, and for each file that could not be made its name and why."""
    codes, reach = Codes(), ask_prefect()
    made = {one.name: make_member(one, codes, reach) for one in MEMBERS}
    left_out = tuple(f"{name}: {said}" for name, (_, said) in made.items() if said)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("MANIFEST.txt", write_manifest(now, made))
        for name, (text, said) in made.items():
            if not said:
                bundle.writestr(name, text)
    return file.getvalue(), left_out


def make_member(member: Member, codes: Codes, reach: str) -> tuple[str, str]:
    """Its text, or why there is none: bundles are made when something is broken, so nothing may hold one up."""
    if member.leans and reach:
        return "", reach
    try:
        held = codes.hide(member.make(codes))
        return json.dumps(held, ensure_ascii=False, indent=2, default=write_time), ""
    except Exception as trouble:  # noqa: BLE001 - see above; what is said of it names no value
        return "", codes.hide(name_trouble(trouble))


def write_time(value: object) -> str:
    if not isinstance(value, date):  # an instant is one too
        raise TypeError(f"{type(value).__name__} in a bundle")
    return value.isoformat()


def name_trouble(trouble: Exception) -> str:
    """Our own errors in their words, which are clean; others by kind."""
    table: tuple[tuple[type[Exception], str], ...] = (
        (ByreturnError, str(trouble)),
        (httpx.HTTPStatusError, "the Prefect server refuses us"),
        (httpx.TransportError, "the Prefect server is out of reach"),
        (DBAPIError, "the desk's database is out of reach"),
    )
    return next((said for kind, said in table if isinstance(trouble, kind)), type(trouble).__name__)


def ask_prefect() -> str:
    """Why Prefect can't be asked; empty when it can."""
    with get_client(sync_client=True) as client:
        trouble = client.api_healthcheck()
    return name_trouble(trouble) if trouble else ""


def write_manifest(now: datetime, made: Mapping[str, tuple[str, str]]) -> str:
    lines = [f"Byreturn {version('byreturn')}, support bundle of {now:%Y-%m-%d %H:%M} UTC", ""]
    for one in MEMBERS:
        said = made[one.name][1]
        lines.append(f"{one.name}: LEFT OUT, {said}" if said else f"{one.name}: {one.what}")
    return "\n".join([*lines, "", NEVER])


# --- its files ----------------------------------------------------------------------------------------------


def tell_versions(_: Codes) -> dict[str, str]:
    return {
        "byreturn": version("byreturn"),
        "prefect": version("prefect"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def tell_database(_: Codes) -> dict[str, Any]:
    """Dialect and version, and how many rows there are of each table and state."""
    engine = open_database()
    with reading(engine) as connection:
        counts = {one.name: count_table(connection, one) for one in SQLModel.metadata.sorted_tables}
        known = connection.dialect.server_version_info or ()
    return {"dialect": engine.dialect.name, "version": ".".join(map(str, known)), "rows": counts}


def count_table(connection: sa.Connection, table: sa.Table) -> int | dict[str, int]:
    word = next((table.c[name] for name in ("state", "status") if name in table.c), None)
    if word is None:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
    rows = connection.execute(sa.select(word, sa.func.count()).group_by(word).order_by(word))
    return {str(row[0]): int(row[1]) for row in rows}


def tell_findings(_: Codes) -> list[dict[str, Any]]:
    return [asdict(one) for one in examine()]


def tell_mailboxes(_: Codes) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in MAILBOX_COLUMNS} for one in list_mailboxes(open_database())]


def tell_quarantine(_: Codes) -> list[dict[str, Any]]:
    return [asdict(one) for one in list_quarantine(open_database())]


def tell_alerts(_: Codes) -> list[dict[str, Any]]:
    columns = [alerts.c[name] for name in ("key", "code", "raised_at", "told_at", "ended_at")]
    return read_rows(sa.select(*columns).order_by(alerts.c.raised_at))


def tell_incidents(_: Codes) -> list[dict[str, Any]]:
    """Without their causes, which tell of people."""
    columns = [incidents.c[name] for name in ("id", "at", "place", "error_type")]
    return read_rows(sa.select(*columns).order_by(incidents.c.at.desc()).limit(LAST_INCIDENTS))


def read_rows(query: sa.Select[Any]) -> list[dict[str, Any]]:
    with reading(open_database()) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def tell_runs(_: Codes) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        flows = {one.id: one.name for one in client.read_flows()}
        runs = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=LAST_RUNS)
    return [
        {
            "id": str(one.id), "flow": flows.get(one.flow_id, ""), "state": one.state_name,
            "expected": one.expected_start_time, "started": one.start_time, "ended": one.end_time,
        }
        for one in runs
    ]  # fmt: skip


def tell_blocks(_: Codes) -> dict[str, Any]:
    with get_client(sync_client=True) as client:
        found = {
            kind.get_block_type_slug(): client.read_block_documents_by_type(
                kind.get_block_type_slug(), include_secrets=False
            )
            for kind in KINDS
        }
    return {f"{slug}/{one.name}": mask_fields(one.data) for slug, many in found.items() for one in many if one.name}


def mask_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a block: numbers, switches and words of ours as they are, of all else whether it is set."""
    return {name: mask_value(name, value) for name, value in data.items()}


def mask_value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and not name.endswith("_keys"):
        return mask_fields(value)
    if value is None or isinstance(value, bool | int | float) or name in OPEN_FIELDS:
        return value
    return "set" if value else "unset"


# --- the policy ---------------------------------------------------------------------------------------------


def tell_policy(codes: Codes) -> dict[str, Any]:
    text = Path(os.environ.get("BYRETURN_POLICY", "policy.yaml")).read_text(encoding="utf-8")
    return {"version": take_fingerprint(text), "structure": hide_words(yaml.safe_load(text), codes)}


def hide_words(data: Any, codes: Codes) -> Any:
    """The policy's structure: our own words, numbers and times as they are, all else as codes."""
    return change_texts(data, lambda text: text if is_ours(text) else codes.name("text", text))


def is_ours(text: str) -> bool:
    shaped = SPAN_OR_CLOCK.fullmatch(text) or SHORT_CODE.fullmatch(text) or text.isdecimal()
    return bool(shaped) or text in list_words() or text in available_timezones()


@lru_cache(maxsize=1)
def list_words() -> frozenset[str]:
    """Every key that the policy knows, and every word of its closed sets."""
    return frozenset(walk_words(Policy))


def walk_words(kind: Any) -> Iterator[str]:
    if is_section(kind):
        for name, one in kind.model_fields.items():
            yield name
            yield from walk_words(one.annotation)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from (str(one.value) for one in kind)
    elif get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    else:
        for inner in get_args(kind):
            yield from walk_words(inner)


MEMBERS: Sequence[Member] = (
    Member("versions.json", "versions of Byreturn, Prefect, Python and the system", tell_versions, leans=False),
    Member("policy.json", "the policy's version and structure, its own words as codes", tell_policy, leans=False),
    Member("findings.json", "what `byreturn doctor` finds", tell_findings),
    Member("blocks.json", "fields of the blocks, and of most of them only whether they are set", tell_blocks),
    Member("runs.json", f"the last {LAST_RUNS} flow runs: flow, state, times", tell_runs),
    Member("database.json", "the database's kind and version, rows per table and state", tell_database),
    Member("mailboxes.json", "state of each mailbox, without its address", tell_mailboxes),
    Member("quarantine.json", "mails set aside: ids and causes", tell_quarantine),
    Member("alerts.json", "alarms: keys, codes, times", tell_alerts),
    Member("incidents.json", "incidents: id, time, place and kind of error, no cause", tell_incidents),
)

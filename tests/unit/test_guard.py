"""The edge of every task and flow: what passes tells the place and an id, and of people nothing."""

from __future__ import annotations

import inspect
import smtplib
import stat
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.utilities.callables import parameter_schema
from pydantic import AwareDatetime

import tasks.guard
from desk.errors import (
    BlockError,
    ByreturnError,
    ClaimLost,
    Incident,
    MailTrouble,
    SignInRefused,
    Throttled,
)
from store.engine import open_engine, writing
from store.migrate import migrate_store
from store.troubles import read_incident
from tasks.guard import clean_error, guarded

PERSON = "Léa Martin"
ADDRESS = "lea.martin@ecole.example"
PLACE = "read mails"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The guard's database, a file of its own."""
    opened = open_engine(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate_store(opened)
    monkeypatch.setattr(tasks.guard, "open_database", lambda: opened)
    return opened


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the desk keeps files, while its database can't be opened."""

    def refuse() -> sa.Engine:
        raise BlockError("byreturn-database/byreturn does not exist")

    monkeypatch.setattr(tasks.guard, "open_database", refuse)
    monkeypatch.setenv("BYRETURN_HOME", str(tmp_path))
    return tmp_path


def refuse_recipient() -> None:
    raise smtplib.SMTPRecipientsRefused({ADDRESS: (550, PERSON.encode())})


def chain_errors() -> None:
    try:
        refuse_recipient()
    except smtplib.SMTPException as cause:
        raise ValueError(PERSON) from cause


def fail_while_failing() -> None:
    try:
        refuse_recipient()
    finally:
        raise KeyError(ADDRESS)


def break_unique_key() -> None:
    with sa.create_engine("sqlite://", poolclass=sa.NullPool).connect() as connection:
        connection.execute(sa.text("CREATE TABLE contact (address TEXT UNIQUE)"))
        for _ in range(2):
            connection.execute(sa.text("INSERT INTO contact VALUES (:address)"), {"address": ADDRESS})


FAILURES: tuple[tuple[Callable[[], None], str], ...] = (
    (refuse_recipient, "SMTPRecipientsRefused"),
    (chain_errors, "ValueError"),
    (fail_while_failing, "KeyError"),
    (break_unique_key, "IntegrityError"),
)


def fail_guarded(function: Callable[[], None]) -> ByreturnError:
    """What comes out at the edge."""
    with pytest.raises(ByreturnError) as caught:
        guarded(PLACE)(function)()
    return caught.value


def tell_all(error: BaseException) -> str:
    """Everything that Prefect would store of an exception."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(vars(error))


def name_incident_of(error: ByreturnError) -> str:
    return error.detail.split(" ")[0]


@pytest.mark.parametrize(("function", "kind"), FAILURES)
def test_any_failure_becomes_an_incident_that_tells_of_nobody(
    engine: sa.Engine, function: Callable[[], None], kind: str
) -> None:
    error = fail_guarded(function)
    assert type(error) is Incident
    assert error.detail == f"{name_incident_of(error)} in {PLACE} ({kind})"
    assert error.__cause__ is None
    assert error.__context__ is None
    assert PERSON not in tell_all(error)
    assert ADDRESS not in tell_all(error)


@pytest.mark.parametrize(("function", "kind"), FAILURES)
def test_its_cause_is_kept_in_our_database_under_its_id(
    engine: sa.Engine, function: Callable[[], None], kind: str
) -> None:
    error = fail_guarded(function)
    kept = read_incident(engine, name_incident_of(error))
    assert kept is not None
    assert (kept.place, kept.error_type) == (PLACE, kind)
    assert function.__name__ in kept.cause
    assert name_incident_of(error) in error.remedy


def test_a_chain_is_kept_whole(engine: sa.Engine) -> None:
    kept = read_incident(engine, name_incident_of(fail_guarded(chain_errors)))
    assert kept is not None
    assert "SMTPRecipientsRefused" in kept.cause
    assert ADDRESS in kept.cause
    assert PERSON in kept.cause


OWN = (
    SignInRefused("imap.example:993 does not take this user and secret"),
    Throttled("asks for a pause", retry_after=timedelta(seconds=7)),
    MailTrouble("pack damaged"),
    ClaimLost("conversation 7"),
)


@pytest.mark.parametrize("own", OWN, ids=lambda one: type(one).__name__)
def test_an_error_of_the_house_passes_as_it_is(engine: sa.Engine, own: ByreturnError) -> None:
    def fail() -> None:
        raise own

    assert fail_guarded(fail) is own
    assert not find_incidents(engine)


def test_an_error_of_the_house_loses_what_it_was_raised_from_and_that_is_kept(engine: sa.Engine) -> None:
    def fail() -> None:
        try:
            refuse_recipient()
        except smtplib.SMTPException as cause:
            raise MailTrouble("no way") from cause

    error = fail_guarded(fail)
    assert type(error) is MailTrouble
    assert (error.__cause__, error.__context__) == (None, None)
    assert ADDRESS not in tell_all(error)
    (kept,) = find_incidents(engine)
    assert ADDRESS in kept


def find_incidents(engine: sa.Engine) -> list[str]:
    with writing(engine) as connection:
        return list(connection.execute(sa.text("SELECT cause FROM incident")).scalars())


def test_when_the_database_is_the_trouble_a_private_file_keeps_the_cause(home: Path) -> None:
    error = fail_guarded(chain_errors)
    file = home / "incidents" / f"{name_incident_of(error)}.txt"
    assert type(error) is Incident
    assert ADDRESS in file.read_text(encoding="utf-8")
    assert PLACE in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert ADDRESS not in tell_all(error)


def test_a_cause_cleaned_outside_a_guard_is_as_clean(engine: sa.Engine) -> None:
    try:
        chain_errors()
    except ValueError as cause:
        error = clean_error(PLACE, cause)
    assert PERSON not in tell_all(error)
    assert ADDRESS not in tell_all(error)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_who_stops_the_run_is_not_held_up(engine: sa.Engine, stop: type[BaseException]) -> None:
    def halt() -> None:
        raise stop

    with pytest.raises(stop):
        guarded(PLACE)(halt)()
    assert not find_incidents(engine)


def plan_day(names: list[str], first_day: date | None = None, at: AwareDatetime | None = None) -> int:
    """Plan a day.

    Args:
        names: Whose day.
    """
    return len(names)


def test_a_guarded_function_does_what_it_did() -> None:
    run = guarded(PLACE)(plan_day)
    assert run(["a", "b"], at=datetime.now(UTC)) == 2
    assert (run.__name__, run.__doc__, run.__module__) == (plan_day.__name__, plan_day.__doc__, plan_day.__module__)


def test_prefect_makes_the_same_run_form_of_a_guarded_function() -> None:
    run = guarded(PLACE)(plan_day)
    form = parameter_schema(run).model_dump()
    assert form == parameter_schema(plan_day).model_dump()
    assert form["required"] == ["names"]
    assert [one.annotation for one in inspect.signature(run).parameters.values()] == [
        list[str],
        date | None,
        AwareDatetime | None,
    ]


FORMS = (
    ("sync_inbox", {"mailboxes": "array"}),
    ("classify_and_reply", {"at": "date-time"}),
    ("daily_digest", {"readers": "array", "first_day": "date", "last_day": "date", "at": "date-time"}),
    ("escalation_sweep", {"at": "date-time", "dry_run": "boolean"}),
    ("retention_cleanup", {"at": "date-time", "dry_run": "boolean"}),
)


@pytest.mark.parametrize(("name", "fields"), FORMS)
def test_each_flow_has_a_run_form_with_types(name: str, fields: dict[str, str]) -> None:
    flow = getattr(__import__(f"flows.{name}", fromlist=[name]), name)
    properties = parameter_schema(flow.fn).model_dump()["properties"]
    assert {field: _tell_type(shape) for field, shape in properties.items()} == fields


def _tell_type(shape: dict[str, object]) -> str:
    """The format or type that the form shows, of the first choice where None is another."""
    choices = shape.get("anyOf", [shape])
    assert isinstance(choices, list)
    return str(choices[0].get("format", choices[0].get("type")))

"""`byreturn`: look at the desk, mend it, and set it up. What runs by schedule are flows, not commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from byreturn import certificates, evaluation, faq, judging, knowledge, learning, letters, quarantine
from byreturn.files import write_private
from byreturn.show import CONSOLE, show_rows
from desk.errors import ByreturnError, ConfigurationError
from desk.facts import Status
from desk.policy import read_policy

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
policy_app = typer.Typer(no_args_is_help=True, help="The organisation's own choices.")
keys_app = typer.Typer(no_args_is_help=True, help="The desk's keys.")
app.add_typer(policy_app, name="policy")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(knowledge.app, name="articles")
app.add_typer(keys_app, name="keys")
app.add_typer(letters.app, name="letters")
app.add_typer(certificates.app, name="certificates")
app.add_typer(faq.app, name="faq")
app.command("evaluate")(evaluation.evaluate)
learning.add_commands(app)
judging.add_commands(app)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def main() -> None:
    """The entry: what the operator can mend is said with its remedy and exit status 2, never a traceback."""
    try:
        app(prog_name="byreturn")
    except Exception as trouble:  # noqa: BLE001 - the edge; what nobody foresaw is raised again
        print(f"byreturn: {tell_trouble(trouble)}", file=sys.stderr)
        sys.exit(2)


def tell_trouble(trouble: Exception) -> str:
    """Our own errors speak for themselves; those of others are named without their words, which may tell secrets."""
    import httpx
    from sqlalchemy.exc import OperationalError

    table: tuple[tuple[type[Exception], str], ...] = (
        (ByreturnError, str(trouble)),
        (httpx.HTTPStatusError, "the Prefect server refuses us. Check PREFECT_API_AUTH_STRING."),
        (httpx.TransportError, "the Prefect server is out of reach. Check PREFECT_API_URL and whether it runs."),
        (OperationalError, "the desk's database is out of reach. `byreturn doctor` says more."),
    )
    for kind, said in table:
        if isinstance(trouble, kind):
            return said
    raise trouble


@app.command()
def setup() -> None:
    """Make what one machine can do without being told, and the alarms; then say what is left to fill in."""
    from byreturn.doctor import examine
    from deployments.automations import install_automations
    from deployments.setup import fill_gaps

    made = fill_gaps(Path(os.environ.get("BYRETURN_HOME", ".byreturn")))
    for slug in made:
        CONSOLE.print(f"Made {slug}/byreturn.")
    if "byreturn-desk-keys" in made:
        CONSOLE.print("The desk keys are new: export them now with `byreturn keys export FILE`, lock the file away.")
    findings = examine()
    if any(one.what.endswith("alert-channel") and one.ok for one in findings):
        CONSOLE.print(f"Alarms: {', '.join(install_automations())}.")
    show_rows([one for one in findings if not one.ok], False, "Nothing is left to do.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check every block, the database, the keys and the policy; says what to do about each fault."""
    from byreturn.doctor import examine

    found = examine()
    show_rows(found, as_json, "Nothing to check yet.")
    raise typer.Exit(0 if all(one.ok for one in found) else 1)


@app.command()
def mailboxes(as_json: Json = False) -> None:
    """State of every mailbox: last and next visit, mails kept, withheld and set aside, error and remedy."""
    from byreturn.mailboxes import describe_mailbox
    from store.mailboxes import list_mailboxes
    from tasks.opening import open_database

    lines = [describe_mailbox(one) for one in list_mailboxes(open_database())]
    show_rows(lines, as_json, "No mailbox was synced yet.")


@app.command()
def sync(
    names: Annotated[list[str] | None, typer.Argument(help="Mailboxes to visit now; none: all that are due.")] = None,
    as_json: Json = False,
) -> None:
    """Run sync-inbox once, here and now, and tell what each mailbox gave; exit status 1 when one is not well."""
    from flows.sync_inbox import sync_inbox

    state = sync_inbox(mailboxes=names or [], return_state=True)
    mailboxes(as_json)
    raise typer.Exit(0 if state.is_completed() else 1)


@app.command()
def mails(as_json: Json = False) -> None:
    """What became of every mail, by id: verdict, reason, ticket."""
    from store.views import list_mails
    from tasks.opening import open_store

    show_rows(list_mails(open_store()), as_json, "No mail yet.")


@app.command()
def tickets(as_json: Json = False) -> None:
    """Every ticket with its deadlines."""
    from store.views import list_tickets
    from tasks.opening import open_store

    show_rows(list_tickets(open_store()), as_json, "No ticket yet.")


@app.command()
def read(file: Annotated[Path, typer.Argument(help="An .eml file.")], as_json: Json = False) -> None:
    """How the desk reads a mail: its kind and why, what was written now, files. Changes and looks up nothing."""
    from byreturn.reading import show_mail

    show_mail(file, as_json)


@app.command()
def status(number: str, status: Status) -> None:
    """Set a ticket's status, as a person who has handled it."""
    from store.cases import change_status
    from tasks.opening import open_store

    known = change_status(open_store(), number, status, "by-hand", datetime.now(UTC))
    _tell(known, f"{number}: {status}", f"There is no ticket {number}.")


@app.command()
def hold(number: str, reason: Annotated[str, typer.Option(help="Why, for the register.")]) -> None:
    """Legal hold: nothing of this ticket is erased until it is released."""
    from store.retention import hold_ticket
    from tasks.opening import open_store

    _tell(
        hold_ticket(open_store(), number, reason, datetime.now(UTC)),
        f"{number} is held.",
        f"There is no ticket {number}.",
    )


@app.command()
def release(number: str) -> None:
    """End a ticket's legal hold."""
    from store.retention import release_ticket
    from tasks.opening import open_store

    _tell(
        release_ticket(open_store(), number, datetime.now(UTC)),
        f"{number} is released.",
        f"{number} is not held.",
    )


@app.command()
def incident(incident_id: str) -> None:
    """The whole cause behind an incident. It may tell of people: look at it, don't pass it on."""
    from store.troubles import read_incident
    from tasks.opening import open_database

    found = read_incident(open_database(), incident_id)
    if found is None:
        raise ConfigurationError(f"no incident {incident_id}", remedy="Incidents go with the logs' retention.")
    CONSOLE.print(f"{found.at:%Y-%m-%d %H:%M:%S} UTC, {found.place}, {found.error_type}\n{found.cause}")


@app.command()
def migrate() -> None:
    """Bring the database to the current schema."""
    from blocks import Database, load_block
    from store.engine import open_engine
    from store.migrate import migrate_store
    from tasks.opening import DESK

    migrate_store(open_engine(load_block(Database, DESK).url.get_secret_value()))
    CONSOLE.print("The database is up to date.")


@app.command("replay-erasures")
def replay_erasures() -> None:
    """After restoring a backup: erase again what had been erased since."""
    from store.retention import replay_journal
    from tasks.opening import open_store

    CONSOLE.print(f"{replay_journal(open_store(), datetime.now(UTC))} mails erased again.")


@app.command()
def bundle(
    file: Annotated[Path | None, typer.Argument(help="Where to, a .zip; it must not exist.")] = None,
) -> None:
    """Write a zip for those who support you: versions, findings, states and counts; no secret, nothing of people."""
    from byreturn.bundle import make_bundle

    now = datetime.now(UTC)
    target = file or Path(f"byreturn-bundle-{now:%Y%m%dT%H%M%S}.zip")
    content, left_out = make_bundle(now)
    write_private(target, content)
    CONSOLE.print(f"The bundle is {target}; look at its MANIFEST.txt before you pass it on.")
    for said in left_out:
        CONSOLE.print(f"Left out: {said}")


@policy_app.command("check")
def check_policy(path: Annotated[Path, typer.Argument(help="The file.")] = Path("policy.yaml")) -> None:
    """Name every fault with its key, its line and what is allowed."""
    from tasks.opening import check_letters

    policy = read_policy(path)
    check_letters(policy)
    CONSOLE.print(
        f"{path} is fine: {len(policy.categories)} categories, {len(policy.routes)} routes, "
        f"version {policy.fingerprint}."
    )


@keys_app.command("export")
def export_keys(file: Annotated[Path, typer.Argument(help="Where to; it must not exist.")]) -> None:
    """Write the desk's keys in clear, for escrow: lock the file away, apart from the backups."""
    from blocks import DeskKeys, load_block
    from tasks.opening import DESK

    write_private(file, load_block(DeskKeys, DESK).export().encode("ascii"))
    CONSOLE.print(f"The keys are in {file}. Who has them can read every kept mail.")


@keys_app.command("restore")
def restore_keys(file: Annotated[Path, typer.Argument(help="An export.")]) -> None:
    """Save an export as the desk's keys block."""
    from blocks import DeskKeys
    from tasks.opening import DESK

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{file} is no readable export of keys") from None
    DeskKeys.restore(text).save(DESK, overwrite=True)
    CONSOLE.print("The keys are restored; run `byreturn doctor`.")


def _tell(done: bool, good: str, bad: str, say: Callable[[str], None] = CONSOLE.print) -> None:
    if not done:
        raise ConfigurationError(bad.rstrip("."))
    say(good)


if __name__ == "__main__":
    main()

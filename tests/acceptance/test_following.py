"""Following letters with the whole desk: an agent answers from a mail client, and what the desk had ready goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from blocks.folders import find_sent
from demo.house import MAILBOXES, flush_prefect
from demo.servers import open_mailbox
from tasks.following import Followed
from tests.acceptance.agents import (
    OWN_WORDS,
    PERSON,
    SENT,
    Desk,
    desk,
    dovecot,
    edit,
    empty,
    invoice,
    keep_sent,
    lose_contact,
    parse,
    read_draft,
    read_text,
    save_mailbox,
    work,
)
from tests.acceptance.artifacts import read_latest, read_table
from tests.acceptance.scene import PASSWORD, Scene
from tests.acceptance.test_privacy import dump_prefect
from tests.dovecot import run_dovecot
from tests.stores import look_up

__all__ = ["desk", "dovecot", "empty"]  # fixtures


@pytest.fixture
def drafted(desk: Desk) -> Desk:
    """The desk has laid one draft."""
    desk.receive(invoice())
    assert look_up(desk.store, "letter", "state", purpose="draft") == ["drafted"]
    return desk


def read_state(desk: Desk) -> tuple[str, str]:
    (state,), (reason,) = (look_up(desk.store, "letter", name, purpose="draft") for name in ("state", "reason"))
    return state, reason


def test_a_draft_that_waits_is_left_alone(drafted: Desk) -> None:
    assert drafted.follow() == Followed("support")
    work()
    assert len(drafted.read("Drafts")) == 1


def test_the_draft_of_an_agent_who_is_faster_is_withdrawn(drafted: Desk) -> None:
    keep_sent(drafted, edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>", References=""))
    (answer,) = drafted.follow().answers
    assert answer.kind == "rewritten"
    assert look_up(drafted.store, "ticket", "status") == ["solution_proposed"]
    work()
    assert drafted.read("Drafts") == []
    assert read_state(drafted) == ("withdrawn", "agent")
    work()
    assert drafted.read("Drafts") == []


@pytest.mark.parametrize("header_id", ["<new@client.example>", None])
def test_a_draft_that_was_sent_as_it_is_confirms_its_category(drafted: Desk, header_id: str | None) -> None:
    draft = read_draft(drafted)
    keep_sent(drafted, edit(draft, read_text(draft), **({"Message_ID": header_id} if header_id else {})))
    assert [one.kind for one in drafted.follow().answers] == ["sent"]
    assert drafted.follow().answers == ()
    (text,) = look_up(drafted.store, "correction", "text")
    assert "montant de notre facture" in text
    assert "Camille" not in text


def test_a_draft_that_an_agent_is_writing_on_stays(drafted: Desk) -> None:
    draft = read_draft(drafted)
    with drafted.open("Drafts") as client:
        client.delete_messages(client.search("ALL"))
        client.expunge()
    edited = edit(draft, OWN_WORDS)  # under the draft's own Message-ID
    drafted.dovecot.deliver(drafted.user, edited, folder="Drafts")
    keep_sent(drafted, edit(draft, OWN_WORDS, Message_ID="<own@client.example>"))
    drafted.follow()
    work()
    assert drafted.read("Drafts") == [edited]
    assert read_state(drafted) == ("drafted", "edited")


def test_our_own_acknowledgement_among_the_sent_mail_is_no_answer(drafted: Desk) -> None:
    (told,) = [one.raw for one in drafted.scene.sink.accepted if b"camille@" in one.raw.split(b"Subject")[0]]
    assert parse(told)["In-Reply-To"] == parse(invoice())["Message-ID"]
    keep_sent(drafted, told)
    assert drafted.follow().answers == ()


def test_an_answer_in_the_minutes_before_the_desk_looked_is_followed(desk: Desk) -> None:
    asked = parse(invoice())
    now = format_datetime(datetime.now(UTC))
    told = {"From": MAILBOXES["support"], "To": str(asked["From"]), "Message_ID": "<own@client.example>", "Date": now}
    keep_sent(desk, edit(asked, OWN_WORDS, **told, In_Reply_To=str(asked["Message-ID"])))
    assert desk.follow().answers == ()
    desk.receive(invoice())
    assert len(desk.follow().answers) == 1
    work()
    assert desk.read("Drafts") == []


def test_mail_from_before_the_desk_came_is_not_looked_at(drafted: Desk) -> None:
    old = edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>")
    with drafted.open(SENT) as client:
        client.append(SENT, old, msg_time=datetime.now(UTC) - timedelta(days=3))
    assert drafted.follow().answers == ()


def test_sent_folders_are_told_by_flag_and_else_by_name(drafted: Desk) -> None:
    with drafted.open("Sent") as client:
        assert find_sent(client) == [SENT]
    with open_mailbox(drafted.scene.imap, "contact") as client:
        assert find_sent(client) == ["Sent"]


# --- the flow ------------------------------------------------------------------------------------------------


def run_following() -> State[Any]:
    from flows.follow_letters import follow_letters

    state: State[Any] = follow_letters(return_state=True)
    return state


def test_a_run_shows_what_agents_answered_and_names_nobody(drafted: Desk) -> None:
    keep_sent(drafted, edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>"))
    state = run_following()
    assert (state.is_completed(), state.message) == (True, "1 answered by agents")
    (row,) = read_table("agent-letters")
    (message_id,), (letter_id,) = (
        look_up(drafted.store, "message", "id"), look_up(drafted.store, "letter", "id", purpose="draft"),
    )  # fmt: skip
    assert row == {
        "mailbox": "support", "ticket_id": 1, "message_id": message_id, "letter_id": letter_id, "kind": "rewritten",
    }  # fmt: skip
    assert read_latest("following") == 100.0
    assert run_following().message == "nothing new"
    flush_prefect()
    held = dump_prefect(drafted.scene.house.home)
    assert [word for word in (PERSON, "ecole-3.example", "comptabilité", "own@client") if word in held] == []


def test_a_mailbox_that_is_down_hides_no_other(drafted: Desk) -> None:
    keep_sent(drafted, edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>"))
    with lose_contact(drafted.scene):
        state = run_following()
    assert state.name == "Partial"
    assert str(state.message).startswith("1 answered by agents; contact: network.")


def test_a_mailbox_without_a_folder_for_sent_mail_is_told_of_until_it_has_one(empty: Scene) -> None:
    with run_dovecot({"bare": PASSWORD}) as server:
        save_mailbox("bare", server.port)
        bare = Desk(empty, server, "bare")
        for _ in range(2):
            assert bare.follow() == Followed("support")
        assert look_up(empty.store, "alert", "key") == ["sent:support"]
        assert look_up(empty.store, "alert", "ended_at") == [None]
        with bare.open("Sent"):
            bare.follow()
        assert look_up(empty.store, "alert", "ended_at") != [None]

"""What keeps letters from going out by themselves, as the store tells it: caps, also of many mails and workers at once,
suppressed addresses, people of ours who have a case, crowds; and that no letter tells one person of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from desk.errors import StaleDecision
from desk.facts import Status
from desk.policy import Policy, load_policy
from store.cases import change_status
from store.engine import reading, writing
from store.messages import Waiting, release_claims
from store.outcomes import carry_all
from tasks.deciding import Drawn, Hold, draw_up, open_ears
from tasks.hearing import Heard, gather
from tests.integration.test_threading import (
    ADA,
    AGENT,
    EVE,
    NOW,
    OURS,
    Office,
    office,
    tell_text,
    write,
)
from tests.stores import LEASE, add_mailbox, look_up, run_together, tables

__all__ = ["office"]  # a fixture

TEXT = (Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8")


def set_caps(**caps: str) -> Policy:
    """The organisation's policy with other caps, as they are written there."""
    text = TEXT.replace("agents: []", f"agents: [{AGENT}]")
    for name, value in caps.items():
        before = next(line for line in text.splitlines() if line.startswith(f"  {name}:"))
        text = text.replace(before, f"  {name}: {value}")
    return load_policy(text)


def cap(office: Office, **caps: str) -> None:
    office.desk = replace(office.desk, policy=set_caps(**caps))


def write_many(count: int) -> list[bytes]:
    return [write(f"person{number}@school{number}.example") for number in range(count)]


def count_purposes(office: Office, *, automatic: bool = True) -> Counter[str]:
    return Counter(look_up(office.store, "letter", "purpose", automatic=automatic))


def list_reasons(office: Office) -> Counter[str]:
    return Counter(look_up(office.store, "message", "reason"))


# --- caps of a mailbox and of all ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["letters_per_mailbox", "letters_in_all"])
def test_mails_of_one_batch_do_not_go_beyond_a_cap_together(office: Office, name: str) -> None:
    cap(office, **{name: "{1h: 3}"})
    office.receive_all(*write_many(8))
    assert count_purposes(office)["acknowledgement"] == 3
    assert count_purposes(office, automatic=False) == {"draft": 8, "handover": 8}
    office.receive_all(write(ADA))
    assert count_purposes(office).total() == 3


def test_each_mailbox_has_its_own_cap(office: Office) -> None:
    cap(office, letters_per_mailbox="{1h: 2}")
    office.receive_all(*write_many(4))
    other = add_mailbox(office.store, "contact")
    first, office.mailbox = office.mailbox, other
    office.desk = replace(office.desk, addresses={first: OURS, other: "contact@atelier.example"})
    office.receive_all(write(ADA), write(EVE), write("paul@school.example"))
    told = zip(
        look_up(office.store, "letter", "mailbox_id", automatic=True),
        look_up(office.store, "letter", "purpose", automatic=True),
        strict=True,
    )
    assert Counter(told) == {(first, "acknowledgement"): 2, (other, "acknowledgement"): 2}


def test_letters_older_than_the_span_count_no_more(office: Office) -> None:
    cap(office, letters_per_mailbox="{1h: 2}")
    office.receive_all(*write_many(2))
    letter = tables()["letter"]
    for age, sent in ((timedelta(hours=1) - timedelta(seconds=1), 2), (timedelta(hours=1), 3)):
        with writing(office.store.engine) as connection:
            old = sa.update(letter).where(letter.c.id.in_(look_up(office.store, "letter", "id", automatic=True)[:2]))
            connection.execute(old.values(created_at=NOW - age))
        office.receive(write(ADA if sent == 2 else EVE))
        assert count_purposes(office).total() == sent


def draw(office: Office, *raws: bytes) -> list[Drawn]:
    """Mails decided by as many workers, none of which has committed."""
    drawn = []
    for waiting in office.take_in(*raws):
        office.desk.sent.forget()
        drawn.append(draw_up(office.desk, hear(office, waiting), NOW))
    return drawn


def hear(office: Office, waiting: Waiting) -> Heard:
    with open_ears(office.desk, [waiting], Hold(office.desk, "worker", NOW + LEASE), NOW) as ears:
        return ears(waiting)


@pytest.mark.parametrize(
    ("name", "sender"),
    [("letters_per_mailbox", EVE), ("letters_in_all", EVE), ("letters_per_sender", ADA)],
)
def test_a_worker_whose_letter_would_break_a_cap_that_held_when_it_decided_decides_again(
    office: Office, name: str, sender: str
) -> None:
    cap(office, **{name: "{1h: 1}"})
    first, second = draw(office, write(ADA, "Une"), write(sender, "Deux"))
    carry_all(office.store, [first.work], NOW + LEASE)
    with pytest.raises(StaleDecision):
        carry_all(office.store, [second.work], NOW + LEASE)
    assert count_purposes(office).total() == 1


def test_workers_that_commit_at_once_stop_at_the_cap(office: Office) -> None:
    cap(office, letters_in_all="{1h: 3}", letters_per_mailbox="{1h: 3}")
    drawn = draw(office, *write_many(8))

    def commit(one: Drawn) -> bool:
        try:
            carry_all(office.store, [one.work], NOW + LEASE)
        except StaleDecision:
            return False
        return True

    assert sum(run_together(*(partial(commit, one) for one in drawn))) == 3
    assert count_purposes(office).total() == 3


@pytest.mark.parametrize("proven", [True, False])
def test_a_flood_under_one_name_brings_that_person_no_more_than_the_caps_allow(office: Office, proven: bool) -> None:
    raws = [write(ADA, f"Panne {number}", proven=proven) for number in range(200)]
    office.receive_all(*raws)
    assert count_purposes(office).total() == 3
    assert len(office.tickets) == 200


# --- whom letters come back from -------------------------------------------------------------------------------------


def suppress(office: Office, address: str, until: datetime | None) -> None:
    row = {"address": address, "reason": "bounced", "code": "5.1.1", "since": NOW, "until": until}
    with writing(office.store.engine) as connection:
        connection.execute(sa.insert(tables()["suppression"]).values(**row))


@pytest.mark.parametrize(
    ("until", "written"), [(None, 0), (NOW + timedelta(seconds=1), 0), (NOW, 1), (NOW - timedelta(days=1), 1)]
)
def test_nobody_is_written_to_whose_letters_come_back_until_that_is_over(
    office: Office, until: datetime | None, written: int
) -> None:
    suppress(office, ADA, until)
    office.receive(write(ADA.upper()))
    assert count_purposes(office).total() == written


def test_where_the_answer_would_go_decides(office: Office) -> None:
    suppress(office, "office@school.example", None)
    office.receive(write(ADA, "Panne", "Reply-To: office@school.example"))
    assert count_purposes(office).total() == 0


# --- a person of ours has the case -----------------------------------------------------------------------------------


def answer_as_agent(office: Office, number: str) -> None:
    assert office.receive(write(AGENT, f"Re: [#{number}] Panne")) == "appended"


def name_first(office: Office) -> str:
    return f"References: {look_up(office.store, 'message', 'header_id')[0]}"


def is_active(office: Office, *fields: str) -> bool:
    """Whether facts say so of one more mail, of somebody unproven."""
    raw = write(ADA, "Encore", *fields, proven=False)
    (waiting,) = office.take_in(raw)
    heard = hear(office, waiting)
    facts = gather(office.desk, waiting, heard.opened.mail, heard.answers, NOW)
    with writing(office.store.engine) as connection:  # it is asked about, not decided
        message = tables()["message"]
        connection.execute(sa.update(message).where(message.c.id == waiting.id).values(state="decided"))
    release_claims(office.store, "worker")
    return facts.agent_active


def test_a_person_of_ours_who_answered_on_an_open_ticket_has_the_case(office: Office) -> None:
    office.receive(write(ADA))
    number = office.tickets[0][0]
    assert not is_active(office, name_first(office))
    answer_as_agent(office, number)
    assert is_active(office, name_first(office))
    assert not is_active(office)
    change_status(office.store, number, Status.CLOSED, "set", NOW)
    assert not is_active(office, name_first(office))


@pytest.mark.parametrize("on", ["ticket_id", "message_id"])
def test_so_has_who_answered_from_the_mail_client(office: Office, on: str) -> None:
    office.receive(write(ADA))
    row = {"ref": "r", "mailbox_id": office.mailbox, "at": NOW, "text": "", on: 1}
    if on == "message_id":  # an answer to a mail without a ticket
        with writing(office.store.engine) as connection:
            connection.execute(sa.update(tables()["message"]).values(ticket_id=None))
    assert not is_active(office, name_first(office))
    with writing(office.store.engine) as connection:
        connection.execute(sa.insert(tables()["agent_letter"]).values(**row))
    assert is_active(office, name_first(office))
    assert not is_active(office)


def test_nobody_writes_by_itself_over_a_person_of_ours(office: Office) -> None:
    office.receive(write(ADA))
    answer_as_agent(office, office.tickets[0][0])
    before = count_purposes(office)
    assert office.receive(write(ADA, "Encore", name_first(office), proven=False)) == "handed_over"
    assert count_purposes(office) == before
    assert list_reasons(office)["agent"] == 2


# --- crowds and copies -----------------------------------------------------------------------------------------------


def test_a_thread_that_many_write_in_is_a_crowd(office: Office) -> None:
    office.receive(write("first@storm.example"))
    for number in range(6):
        office.receive(write(f"person{number}@storm.example", "Re: Panne", name_first(office)))
    assert list_reasons(office) == {"mode": 7}  # the category's drafts; a crowd gets no acknowledgement beside them
    assert count_purposes(office)["acknowledgement"] == 5


def test_people_who_wrote_there_long_ago_are_no_crowd(office: Office) -> None:
    office.receive(write("first@storm.example"))
    for number in range(5):
        office.receive(write(f"person{number}@storm.example", "Re: Panne", name_first(office)))
    with writing(office.store.engine) as connection:
        connection.execute(sa.update(tables()["message"]).values(received_at=NOW - timedelta(days=1)))
    before = count_purposes(office).total()
    office.receive(write("late@storm.example", "Re: Panne", name_first(office)))
    assert count_purposes(office).total() == before + 1


@pytest.mark.parametrize(
    ("to", "fields", "written"),
    [
        (OURS, (), 1),
        ("info@atelier.example", (), 1),
        ("office@school.example", (f"Cc: {OURS}",), 0),
        ("office@school.example", (), 0),
        ("undisclosed-recipients:;", (), 0),
        ("help@old-name.example", ("Delivered-To: help@old-name.example",), 1),
        (f"office@school.example, {OURS}", (), 1),
    ],
)
def test_only_a_mail_that_was_sent_to_us_is_acknowledged(
    office: Office, to: str, fields: tuple[str, ...], written: int
) -> None:
    office.receive(write(ADA, "Panne", *fields, to=to))
    assert count_purposes(office).total() == written
    assert len(office.tickets) == 1


@pytest.mark.parametrize("reply_to", [OURS, "support+x@atelier.example", "administration@atelier.example"])
def test_an_answer_never_goes_to_ourselves(office: Office, reply_to: str) -> None:
    office.receive(write("someone@atelier.example", "Panne", f"Reply-To: {reply_to}"))
    assert count_purposes(office).total() == 0


# --- another requester's data ----------------------------------------------------------------------------------------


def write_person(number: int) -> bytes:
    """Alike in everything but what tells who it is."""
    text = (
        f"Bonjour,\n\nL'application plante.\n\n-- \nPerson{number:03d} Surname{number:03d}\nTél. 02 97 00 0{number:03d}"
    )
    return write(f"Person{number:03d} Surname{number:03d} <person{number:03d}@school.example>", "Panne", text=text)


def tell_person(number: int) -> set[str]:
    return {f"person{number:03d}", f"surname{number:03d}", f"2970000{number:03d}", f"00 0{number:03d}"}


def list_letters(office: Office) -> Iterator[tuple[str, str]]:
    """Whose mail caused it, and all that it says."""
    letter, message = tables()["letter"], tables()["message"]
    contact = tables()["contact"]
    query = (
        sa.select(contact.c.address, letter.c.purpose)
        .join(message, message.c.contact_id == contact.c.id)
        .join(letter, letter.c.message_id == message.c.id)
        .order_by(letter.c.id)
    )
    with reading(office.store.engine) as connection:
        rows = connection.execute(query).all()
    by_purpose = {purpose: iter(office.read_letters(purpose)) for purpose in {row.purpose for row in rows}}
    for address, purpose in rows:
        found = next(by_purpose[purpose])
        yield address, f"{found}\n{tell_text(found)}".lower()


def test_no_letter_tells_of_another_who_asked_the_same_at_the_same_time(office: Office) -> None:
    people = range(1, 25)
    office.receive_all(*map(write_person, people))
    numbers = {one[2]: one[0] for one in office.tickets}
    told = list(list_letters(office))
    assert Counter(address for address, _ in told) == {f"person{number:03d}@school.example": 3 for number in people}
    for address, text in told:
        others = {word for number in people if f"person{number:03d}" not in address for word in tell_person(number)}
        assert [word for word in others if word in text] == []
        assert {number for who, number in numbers.items() if number in text} == {numbers[address]}


def test_who_uses_another_s_token_gets_a_ticket_linked_to_it_and_hears_nothing_of_it(office: Office) -> None:
    office.receive(write_person(1))
    (mine,) = office.tickets
    (letter,) = office.read_letters("acknowledgement")
    fields = (f"References: {letter['Message-ID']}",)
    office.receive(write(EVE, f"Re: [#{mine[0]}] Panne", *fields, to=str(letter["Reply-To"])))
    _, other = office.tickets
    assert other[3] == look_up(office.store, "ticket", "id", number=mine[0])[0]
    texts = [text for address, text in list_letters(office) if address == EVE and "à : eve" not in text]
    assert len(texts) == 3
    for text in texts:
        assert [word for word in tell_person(1) if word in text] == []

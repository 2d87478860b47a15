"""Every sample mail through the real flows: its outcome is as its twin says."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from demo.house import MAILBOXES
from demo.once import MORNING
from demo.samples import list_samples
from demo.servers import read_folder
from demo.summary import compare_samples
from tests.acceptance.scene import House, Scene, open_scene

SAMPLES = list_samples()


DELIVERED = {name: [one.name for one in SAMPLES if name in one.mailboxes] for name in MAILBOXES}


@pytest.fixture(scope="module")
def played(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All samples delivered, and the desk has worked on them; only one test lets it work again."""
    with open_scene(house, tmp_path_factory.mktemp("played")) as scene:
        for name in MAILBOXES:
            scene.deliver((one.raw for one in SAMPLES if name in one.mailboxes), name)
        scene.sync()
        scene.work(at=MORNING)
        yield scene


def sent(scene: Scene) -> list[EmailMessage]:
    parsed = (email.message_from_bytes(one.raw, policy=email.policy.default) for one in scene.sink.accepted)
    return [one for one in parsed if isinstance(one, EmailMessage)]


def read_drafts(scene: Scene) -> list[bytes]:
    return [raw for name in MAILBOXES for raw in read_folder(scene.imap, name, "Drafts").values()]


def test_there_are_enough_samples_french_first() -> None:
    assert len(SAMPLES) >= 30
    assert sum(one.language == "fr" for one in SAMPLES) > len(SAMPLES) / 2


def test_every_sample_comes_out_as_its_twin_says(played: Scene) -> None:
    compared = compare_samples(played.store, SAMPLES, DELIVERED)
    wrong = {one.sample.name: one.differences for one in compared if one.differences}
    assert not wrong
    assert len(compared) == len(SAMPLES)


def test_working_again_changes_nothing_and_sends_nothing(played: Scene) -> None:
    before, letters, drafts = played.mails, len(played.sink.accepted), read_drafts(played)
    played.sync()
    played.work(at=MORNING)
    assert played.mails == before
    assert len(played.sink.accepted) == letters
    assert read_drafts(played) == drafts


def test_one_mail_to_two_mailboxes_is_one_message_and_two_mails_with_one_id_stay_two(played: Scene) -> None:
    by_name = {
        (box, name): view
        for box in MAILBOXES
        for name, view in zip(DELIVERED[box], [one for one in played.mails if one.mailbox == box], strict=True)
    }
    both = {view.message_id for (_, name), view in by_name.items() if name == "08-both-mailboxes"}
    original, stolen = by_name["support", "02-timetable-weeks"], by_name["support", "17-reused-message-id"]
    assert len(both) == 1
    assert original.message_id != stolen.message_id
    assert original.number != stolen.number


def test_letters_to_requesters_are_threaded_marked_automatic_and_in_two_shapes(played: Scene) -> None:
    ours = tuple(f"@{address.partition('@')[2]}" for address in MAILBOXES.values())
    outside = [letter for letter in sent(played) if not str(letter["To"]).endswith(ours)]
    assert outside
    for letter in outside:
        assert letter["Auto-Submitted"] in ("auto-replied", "auto-generated")
        assert letter.get_body(("plain",)) is not None
        assert letter.get_body(("html",)) is not None
        assert letter["Subject"].startswith("Re: [#2026-")
    unthreaded = [letter for letter in outside if not letter["In-Reply-To"]]
    assert len(unthreaded) == 1  # to the one mail that has no Message-ID


def test_nobody_gets_a_letter_who_must_not(played: Scene) -> None:
    silent = [one for one in SAMPLES if one.verdict in ("ignored", "held")]
    reached = Counter(address for one in played.sink.accepted for address in one.recipients)
    senders = {str(email.message_from_bytes(one.raw)["From"]).rpartition("<")[2].rstrip(">") for one in silent}
    answered = {
        str(email.message_from_bytes(one.raw)["From"]).rpartition("<")[2].rstrip(">")
        for one in SAMPLES
        if one.verdict not in ("ignored", "held")
    }
    assert not (senders - answered) & set(reached)


def test_drafts_lie_in_their_mailbox_once_and_the_inbox_looks_untouched(played: Scene) -> None:
    drafted = [one for one in played.letters if one.purpose == "draft"]
    laid = read_drafts(played)
    ids = [email.message_from_bytes(raw)["Message-ID"] for raw in laid]
    assert len(laid) == len(drafted) == len(set(ids))
    assert {one.state for one in drafted} == {"drafted"}


@pytest.mark.parametrize("mailbox", sorted(MAILBOXES))
def test_intake_leaves_every_flag_as_it_was(played: Scene, mailbox: str) -> None:
    from demo.servers import open_mailbox

    with open_mailbox(played.imap, mailbox) as client:
        client.select_folder("INBOX", readonly=True)
        flags = client.get_flags(client.search("ALL"))
    assert flags
    assert all(b"\\Seen" not in one for one in flags.values())

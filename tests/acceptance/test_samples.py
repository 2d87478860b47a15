"""Every sample mail through the real flows: its outcome is as its twin says."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from email.message import EmailMessage

import pytest

from demo.house import MAILBOXES
from demo.once import MORNING
from demo.samples import list_samples
from demo.servers import read_folder
from demo.summary import compare_samples
from tests.acceptance.scene import Scene

SAMPLES = list_samples()


def play(scene: Scene) -> dict[str, list[str]]:
    """Deliver all samples and let the desk work on them."""
    delivered = {name: [one.name for one in SAMPLES if name in one.mailboxes] for name in MAILBOXES}
    for name in MAILBOXES:
        scene.deliver((one.raw for one in SAMPLES if name in one.mailboxes), name)
    scene.sync()
    scene.work(at=MORNING)
    return delivered


def sent(scene: Scene) -> list[EmailMessage]:
    parsed = (email.message_from_bytes(one.raw, policy=email.policy.default) for one in scene.sink.accepted)
    return [one for one in parsed if isinstance(one, EmailMessage)]


def test_there_are_enough_samples_french_first() -> None:
    assert len(SAMPLES) >= 30
    assert sum(one.language == "fr" for one in SAMPLES) > len(SAMPLES) / 2


def test_every_sample_comes_out_as_its_twin_says(scene: Scene) -> None:
    compared = compare_samples(scene.store, SAMPLES, play(scene))
    wrong = {one.sample.name: one.differences for one in compared if one.differences}
    assert not wrong
    assert len(compared) == len(SAMPLES)


def test_working_again_changes_nothing_and_sends_nothing(scene: Scene) -> None:
    play(scene)
    before, letters = scene.mails, len(scene.sink.accepted)
    scene.sync()
    scene.work(at=MORNING)
    assert scene.mails == before
    assert len(scene.sink.accepted) == letters


def test_one_mail_to_two_mailboxes_is_one_message_and_two_mails_with_one_id_stay_two(scene: Scene) -> None:
    delivered = play(scene)
    by_name = {
        (box, name): view
        for box in MAILBOXES
        for name, view in zip(delivered[box], [one for one in scene.mails if one.mailbox == box], strict=True)
    }
    both = {view.message_id for (_, name), view in by_name.items() if name == "08-both-mailboxes"}
    original, stolen = by_name["support", "02-timetable-weeks"], by_name["support", "17-reused-message-id"]
    assert len(both) == 1
    assert original.message_id != stolen.message_id
    assert original.number != stolen.number


def test_letters_to_requesters_are_threaded_marked_automatic_and_in_two_shapes(scene: Scene) -> None:
    play(scene)
    ours = tuple(f"@{address.partition('@')[2]}" for address in MAILBOXES.values())
    outside = [letter for letter in sent(scene) if not str(letter["To"]).endswith(ours)]
    assert outside
    for letter in outside:
        assert letter["Auto-Submitted"] in ("auto-replied", "auto-generated")
        assert letter.get_body(("plain",)) is not None
        assert letter.get_body(("html",)) is not None
        assert letter["Subject"].startswith("Re: [#2026-")
    unthreaded = [letter for letter in outside if not letter["In-Reply-To"]]
    assert len(unthreaded) == 1  # to the one mail that has no Message-ID


def test_nobody_gets_a_letter_who_must_not(scene: Scene) -> None:
    play(scene)
    silent = [one for one in SAMPLES if one.verdict in ("ignored", "held")]
    reached = Counter(address for one in scene.sink.accepted for address in one.recipients)
    senders = {str(email.message_from_bytes(one.raw)["From"]).rpartition("<")[2].rstrip(">") for one in silent}
    answered = {
        str(email.message_from_bytes(one.raw)["From"]).rpartition("<")[2].rstrip(">")
        for one in SAMPLES
        if one.verdict not in ("ignored", "held")
    }
    assert not (senders - answered) & set(reached)


def test_drafts_lie_in_their_mailbox_once_and_the_inbox_looks_untouched(scene: Scene) -> None:
    play(scene)
    scene.work(at=MORNING)
    drafted = [one for one in scene.letters if one.purpose == "draft"]
    laid = [raw for name in MAILBOXES for raw in read_folder(scene.imap, name, "Drafts").values()]
    ids = [email.message_from_bytes(raw)["Message-ID"] for raw in laid]
    assert len(laid) == len(drafted) == len(set(ids))
    assert {one.state for one in drafted} == {"drafted"}


@pytest.mark.parametrize("mailbox", sorted(MAILBOXES))
def test_intake_leaves_every_flag_as_it_was(scene: Scene, mailbox: str) -> None:
    from demo.servers import open_mailbox

    play(scene)
    with open_mailbox(scene.imap, mailbox) as client:
        client.select_folder("INBOX", readonly=True)
        flags = client.get_flags(client.search("ALL"))
    assert flags
    assert all(b"\\Seen" not in one for one in flags.values())

"""Mails that one of our people passes on: a request of whoever wrote them first."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from desk.facts import Facts, Trust
from desk.mail import Address, Mail
from desk.signals import is_unread
from desk.tokens import list_bases

_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\\[\]]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}")


def find_writer(mail: Mail, own: Collection[str]) -> Address | None:
    """Who wrote the mail that this one passes on, where it can be their request: somebody else who reads mail.

    `own` holds our addresses. What it tells is the passer's word, so believe it of one of our people only.
    """
    told = mail.forwarded.sender if mail.forwarded else Address("", "")
    ours = not set(own).isdisjoint(list_bases(told.address))
    return None if ours or is_unread(told.address) or not _ADDRESS.fullmatch(told.address) else told


def is_passed_on(facts: Facts) -> bool:
    """Whether one of our people, proven, sent in another's request; what joins a ticket belongs there in any case."""
    proven = facts.from_agent and facts.trust is Trust.VERIFIED
    return proven and facts.passed_on_for is not None and facts.joined is None


def hear_writer(mail: Mail, facts: Facts) -> Mail:
    """The mail that is judged and answered: the one passed on, as its writer wrote it, else the mail itself.

    Its Message-ID is unknown, so answers name none.
    """
    told = mail.forwarded
    if told is None or facts.passed_on_for is None or not is_passed_on(facts):
        return mail
    return replace(
        mail,
        message_id="",
        references=(),
        sender=facts.passed_on_for,
        reply_to=(),
        subject=told.subject or mail.subject,
        text=told.text or mail.text,
        reply_text=told.text or mail.reply_text,
    )

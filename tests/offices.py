"""A desk that sends, for tests: its store and policy, a scripted SMTP server, a clock of the test's own."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from blocks import SmtpServer
from blocks.sharing import FileSharing
from desk.mail import Address
from desk.policy import Policy, read_policy
from letters.compose import Part, compose_letter
from letters.render import Rendered
from store.memory import Store
from store.views import list_letters
from tasks.sending import Office, SendCount, send_chunk
from tests.stores import NOW, PERSON

SENDER = "support@atelier.example"
TEXT, PAGE = "Bonjour Léa,\nvoici.\n", "<html><body><p>Bonjour Léa, voici.</p></body></html>"


def change_policy(policy: Policy | None = None, **sections: dict[str, Any]) -> Policy:
    """The organisation's policy with other values in some sections."""
    known = policy or read_policy(Path("policy.yaml"))
    changed = {name: getattr(known, name).model_copy(update=values) for name, values in sections.items()}
    return known.model_copy(update=changed)


def write_body(name: str = "letter", *files: Part, html: bool = True, recipients: tuple[str, ...] = (PERSON,)) -> bytes:
    """A letter as the desk writes them."""
    return compose_letter(
        Rendered("Votre demande", TEXT, PAGE),
        message_id=f"<{name}@mail.example>",
        sender=Address("Atelier", SENDER),
        recipients=recipients,
        date=NOW,
        html=html,
        attachments=files,
    )


def read_letter(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


@dataclass
class Desk:
    """Sends to one server; `now` is its clock, `told` what the operator heard."""

    store: Store
    server: SmtpServer
    policy: Policy = field(default_factory=change_policy)
    sharing: FileSharing | None = None
    now: datetime = NOW
    told: list[str] = field(default_factory=list)

    @property
    def office(self) -> Office:
        return Office(self.store, self.policy, lambda: self.server, lambda: self.sharing, lambda: self.now)

    @property
    def states(self) -> list[str]:
        return [one.state for one in list_letters(self.store)]

    def send(self, limit: int = 100) -> SendCount:
        return send_chunk(self.office, limit)

    def send_later(self, span: timedelta) -> SendCount:
        self.now += span
        return self.send()

    def send_all(self) -> list[SendCount]:
        """As the flow does it: until nothing waits or SMTP is down."""
        counts = [self.send()]
        while counts[-1].claimed and not counts[-1].error_code:
            counts.append(self.send())
        return counts


def open_block(port: int) -> SmtpServer:
    """For a server of a test on this machine."""
    return SmtpServer(host="127.0.0.1", port=port, security="none", sender=SENDER)

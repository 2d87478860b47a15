"""How the operator is told that something is wrong: a mail, a webhook, or both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from typing import ClassVar, Self, cast

import httpx
from prefect.blocks.abstract import NotificationBlock, NotificationError
from pydantic import Field, SecretStr, model_validator

from blocks.answers import translate_talk
from blocks.base import Checked, DeskBlock
from blocks.smtp import SmtpServer
from desk.errors import BlockError, ByreturnError, NetworkTrouble, ProtocolTrouble

WEBHOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """`key` names the cause, so that receivers can fold repeats."""

    subject: str
    body: str
    key: str = ""


Way = Callable[[Alarm], str]


class AlertChannel(DeskBlock, NotificationBlock):
    """Where alarms go. Prefect automations use it as a notification block, our flows by `send_alert`."""

    _block_type_name: ClassVar[str | None] = "Byreturn alert channel"
    _block_type_slug: ClassVar[str | None] = "byreturn-alert-channel"
    _description: ClassVar[str | None] = "Where alarms go: mail, webhook or both. For flows and Prefect automations."

    smtp: SmtpServer | None = Field(default=None, title="SMTP server", description="Empty: no mail is sent.")
    recipients: list[str] = Field(default=[], title="Recipients", description="The operators' addresses.")
    webhook_url: SecretStr = Field(
        default=SecretStr(""),
        title="Webhook URL",
        description="Gets a POST of JSON with text, subject, body and key; Slack and Mattermost take it.",
    )

    @model_validator(mode="after")
    def need_a_way(self) -> Self:
        if not self.ways:
            raise BlockError(
                "there is neither a webhook nor an SMTP server with recipients",
                remedy="Fill in webhook_url, or smtp and recipients.",
            )
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways an alarm goes."""
        mail = [self._send_mail] if self.smtp and self.recipients else []
        hook = [self._post_hook] if self.webhook_url.get_secret_value() else []
        return (*mail, *hook)

    def send_alert(self, subject: str, body: str, key: str = "") -> Checked:
        """Send by every way; `key` names the alarm's cause, so that receivers can fold repeats.

        One way that works is enough: what went wrong beside it is in `detail`. Raises the first trouble, a
        ConnectionTrouble or ConfigurationError, when none works.
        """
        outcomes = [try_way(way, Alarm(subject, body, key)) for way in self.ways]
        failures = [outcome for outcome in outcomes if isinstance(outcome, ByreturnError)]
        if len(failures) == len(outcomes):
            raise failures[0]
        faults = [str(outcome) for outcome in outcomes if outcome]
        return Checked(not faults, "; ".join(faults) or "sent")

    async def notify(self, body: str, subject: str | None = None) -> None:
        """What Prefect's automations call, in the server's own process. Raises NotificationError."""
        try:
            await asyncio.to_thread(self.send_alert, subject or "Byreturn", body)
        except ByreturnError as trouble:
            raise NotificationError(str(trouble)) from None

    def check(self) -> Checked:
        """Check the SMTP server, raising as it does; a webhook can't be tried without ringing"""
        mail = self.smtp.check().detail if self.smtp and self.recipients else "no mail"
        hook = "a webhook, tried with the first alarm" if self.webhook_url.get_secret_value() else "no webhook"
        return Checked(True, f"{mail}; {hook}")

    def _send_mail(self, alarm: Alarm) -> str:
        server = cast(SmtpServer, self.smtp)  # `ways` names this way only when there is one
        letter = compose_alarm(alarm, server.sender, self.recipients)
        with server.connect() as client, translate_talk(server.place):
            refused = client.send_message(letter, server.sender, self.recipients)
        return f"{server.place} refused {len(refused)} of {len(self.recipients)} recipients" if refused else ""

    def _post_hook(self, alarm: Alarm) -> str:
        try:
            reply = httpx.post(self.webhook_url.get_secret_value(), json=describe_alarm(alarm), timeout=WEBHOOK_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise NetworkTrouble("the webhook is out of reach") from None
        if not reply.is_success:
            raise ProtocolTrouble(f"the webhook answered {reply.status_code}", remedy="Check its URL in the block.")
        return ""


def try_way(way: Way, alarm: Alarm) -> str | ByreturnError:
    """What went wrong beside a delivery, or the error that prevented it; empty when all is well."""
    try:
        return way(alarm)
    except ByreturnError as trouble:
        return trouble


def describe_alarm(alarm: Alarm) -> dict[str, str]:
    """The webhook's JSON; Slack and Mattermost show `text`."""
    return {"text": f"{alarm.subject}\n\n{alarm.body}", **asdict(alarm)}


def compose_alarm(alarm: Alarm, sender: str, recipients: list[str]) -> EmailMessage:
    """A plain mail that no machine answers (RFC 3834 §5)."""
    letter = EmailMessage(policy=SMTP)
    letter["From"], letter["To"] = sender, ", ".join(recipients)
    letter["Subject"] = " ".join(alarm.subject.split())
    letter["Date"], letter["Message-ID"] = localtime(), make_msgid(domain=sender.rpartition("@")[2])
    letter["Auto-Submitted"], letter["X-Auto-Response-Suppress"] = "auto-generated", "OOF, AutoReply"
    letter["X-Byreturn-Alarm"] = " ".join(alarm.key.split()) or "-"
    letter.set_content(alarm.body)
    return letter

"""What every kind of credential can do: sign in to a mail server, and say how it is mended."""

from __future__ import annotations

import smtplib
from abc import ABC, abstractmethod
from datetime import date
from typing import Annotated, Any

from imapclient import IMAPClient
from pydantic import Field, model_validator

from blocks.answers import REFUSED, Answer
from blocks.base import DeskBlock

SecretEnd = Annotated[
    date | None,
    Field(
        title="Secret ends on",
        description="Last day on which the secret works, if it ends by itself: you are warned two weeks ahead.",
    ),
]


class MailCredentials(DeskBlock, ABC):
    """Who signs in. Both ways raise the mail libraries' own errors."""

    @model_validator(mode="before")
    @classmethod
    def know_shape(cls, values: Any) -> Any:
        """Refuse the fields of another kind: where a mailbox refers to saved credentials, Prefect does not say
        which kind they are, and the kinds are told apart by their fields alone."""
        foreign = set(values) - {*cls.model_fields, "block_type_slug"} if isinstance(values, dict) else set()
        if foreign:
            raise ValueError("fields of another kind of credentials")
        return values

    @property
    def refusal(self) -> Answer:
        """What it means when a mail server does not take these credentials."""
        return REFUSED

    @property
    def renewal(self) -> str:
        """Where the secret is made anew before it ends: one or two sentences for the operator."""
        return "Make a new one in the provider's account settings and put it, with its last day, into the block."

    @abstractmethod
    def enter_imap(self, client: IMAPClient) -> None:
        """Sign in to a connected IMAP server (RFC 9051 §6.2)."""

    @abstractmethod
    def enter_smtp(self, client: smtplib.SMTP) -> None:
        """Sign in to a connected SMTP server (RFC 4954)."""

"""Who signs in to a mail server, and how.

Each kind of credential knows its own way to sign in, so the mail blocks never ask which kind they hold. They
nest `Credentials`; further kinds (OAuth2 of Microsoft and Google) join that union. Documents saved before
still load, since Prefect keeps each nested document's block type beside it and pydantic chooses by that.
"""

from __future__ import annotations

import smtplib
from abc import ABC, abstractmethod
from typing import ClassVar

from imapclient import IMAPClient
from pydantic import Field, SecretStr

from blocks.base import DeskBlock


class MailCredentials(DeskBlock, ABC):
    """What every kind of credential can do. Both raise the mail libraries' own errors."""

    @abstractmethod
    def enter_imap(self, client: IMAPClient) -> None:
        """Sign in to a connected IMAP server (RFC 9051 §6.2)."""

    @abstractmethod
    def enter_smtp(self, client: smtplib.SMTP) -> None:
        """Sign in to a connected SMTP server (RFC 4954)."""


class PasswordCredentials(MailCredentials):
    """User and password (or app password) of a mail account."""

    _block_type_name: ClassVar[str | None] = "Byreturn password"
    _block_type_slug: ClassVar[str | None] = "byreturn-password-credentials"
    _description: ClassVar[str | None] = "User and password, or app password, of a mail account."

    user: str = Field(
        title="User", min_length=1, description="Usually the whole address, e.g. support@atelier.example."
    )
    password: SecretStr = Field(
        title="Password",
        description="Gmail and Yahoo: an app password, made in the account's security settings.",
    )

    def enter_imap(self, client: IMAPClient) -> None:
        client.login(self.user, self.password.get_secret_value())

    def enter_smtp(self, client: smtplib.SMTP) -> None:
        client.login(self.user, self.password.get_secret_value())


Credentials = PasswordCredentials  # to become a union: PasswordCredentials | MicrosoftCredentials | …

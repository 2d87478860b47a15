"""Who signs in to a mail server, and how.

Each kind of credential knows its own way to sign in, so the mail blocks never ask which kind they hold: they
nest `Credentials`. Documents saved before a kind joined that union still load, since pydantic chooses by the block
type where Prefect keeps it beside the data, and by the fields where it does not: no two kinds may fit each other's.
"""

from __future__ import annotations

import smtplib
from typing import ClassVar

from imapclient import IMAPClient
from pydantic import Field, SecretStr

from blocks.gmail import GoogleService, GoogleUser
from blocks.microsoft import MicrosoftApp, MicrosoftUser
from blocks.signin import MailCredentials, SecretEnd

__all__ = ["Credentials", "MailCredentials", "PasswordCredentials"]


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
    secret_expires: SecretEnd = None

    def enter_imap(self, client: IMAPClient) -> None:
        client.login(self.user, self.password.get_secret_value())

    def enter_smtp(self, client: smtplib.SMTP) -> None:
        client.login(self.user, self.password.get_secret_value())


Credentials = PasswordCredentials | MicrosoftApp | MicrosoftUser | GoogleUser | GoogleService

"""Microsoft 365 by OAuth2: as an app of its own, or on behalf of a user who consented once.

Source: "Authenticate an IMAP, POP or SMTP connection using OAuth", learn.microsoft.com/exchange/client-developer
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from blocks.answers import Answer
from blocks.oauth import (
    CONSENT,
    SECRETS,
    OAuthCredentials,
    RefreshCredentials,
    Token,
    TokenUrl,
    name_place,
    need_extra,
    open_web,
    read_refusal,
    read_token,
    refuse_with,
)
from blocks.signin import SecretEnd
from desk.errors import BlockError

WORLD = "https://login.microsoftonline.com"
EVERY = "https://outlook.office365.com/.default"  # what was granted to the app: IMAP.AccessAsApp, SMTP.SendAsApp
USERS = ["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"]
SHARED = ("common", "organizations", "consumers")

TENANT = r"^[A-Za-z0-9.-]+$"
AUTHORITY = "Advanced: the sign-in server of a sovereign cloud."


class MicrosoftCredentials(OAuthCredentials, ABC):
    """What both ways share: an app registered in Entra, asked through msal."""

    @abstractmethod
    def ask_token(self, msal: Any, options: dict[str, Any]) -> dict[str, Any]:
        """msal's answer: a token, or error and error_description."""

    @property
    @abstractmethod
    def site(self) -> str:
        """URL of the tenant."""

    def fetch_token(self, now: datetime) -> Token:
        msal, place = need_extra("msal", "microsoft"), name_place(self.site)
        with open_web(self.site) as web:
            try:
                answer = self.ask_token(msal, describe_site(self.site, web))
            except ValueError as failure:  # msal's, when it finds no such tenant
                raise read_refusal(str(failure), place) from None
        return read_token(answer, place, now)


def describe_site(site: str, web: httpx.Client) -> dict[str, Any]:
    """msal's options; it wants https in every URL, so `open_web` steps down where that is allowed."""
    _, _, rest = site.partition("://")
    return {"authority": f"https://{rest}", "http_client": web, "instance_discovery": False}


class MicrosoftApp(MicrosoftCredentials):
    """An app that reads and sends for a mailbox by itself (client credentials, RFC 6749 §4.4)."""

    _block_type_name: ClassVar[str | None] = "Byreturn Microsoft app"
    _block_type_slug: ClassVar[str | None] = "byreturn-microsoft-app"
    _description: ClassVar[str | None] = "Microsoft 365 by OAuth2, app-only: an app with rights on the mailbox."

    tenant: str = Field(title="Tenant", pattern=TENANT, description="Directory (tenant) ID, from the app's Overview.")
    client_id: str = Field(title="Client ID", min_length=1, description="Application (client) ID, from the Overview.")
    client_secret: SecretStr = Field(
        title="Client secret", description="Its value, not its ID; under Certificates & secrets."
    )
    secret_expires: SecretEnd = None
    scopes: list[str] = Field(default=[EVERY], title="Scopes", min_length=1, description="Advanced: as proposed.")
    authority: TokenUrl = Field(default=WORLD, title="Authority", description=AUTHORITY)

    @model_validator(mode="after")
    def need_tenant(self) -> Self:
        if self.tenant.lower() in SHARED:
            raise BlockError("an app signs in to one tenant", remedy="Enter the Directory (tenant) ID.")
        return self

    @property
    def site(self) -> str:
        return f"{self.authority}/{self.tenant}"

    @property
    def refusal(self) -> Answer:
        return refuse_with(
            "In Exchange PowerShell: New-ServicePrincipal for the app, then Add-MailboxPermission with FullAccess for "
            "it on the mailbox; and IMAP and authenticated SMTP must be on for the mailbox. It takes up to an hour."
        )

    @property
    def renewal(self) -> str:
        return SECRETS

    def ask_token(self, msal: Any, options: dict[str, Any]) -> dict[str, Any]:
        secret = self.client_secret.get_secret_value()
        app = msal.ConfidentialClientApplication(self.client_id, client_credential=secret, **options)
        return dict(app.acquire_token_for_client(self.scopes))


class MicrosoftUser(MicrosoftCredentials, RefreshCredentials):
    """A user's own mailbox, by the refresh token of one sign-in (RFC 6749 §6)."""

    _block_type_name: ClassVar[str | None] = "Byreturn Microsoft user"
    _block_type_slug: ClassVar[str | None] = "byreturn-microsoft-user"
    _description: ClassVar[str | None] = "Microsoft 365 by OAuth2, delegated: the consent of a user, renewed by itself."

    tenant: str = Field(
        default="organizations", title="Tenant", pattern=TENANT, description="Directory (tenant) ID, or as proposed."
    )
    client_id: str = Field(title="Client ID", min_length=1, description="Application (client) ID, from the Overview.")
    secret_expires: SecretEnd = None
    scopes: list[str] = Field(default=USERS, title="Scopes", min_length=1, description="Advanced: as consented to.")
    authority: TokenUrl = Field(default=WORLD, title="Authority", description=AUTHORITY)

    @property
    def site(self) -> str:
        return f"{self.authority}/{self.tenant}"

    @property
    def refusal(self) -> Answer:
        return refuse_with(
            "The user who consented must own the mailbox or have FullAccess to it, and IMAP and authenticated SMTP "
            "must be on for it: Microsoft 365 admin centre, Users, Mail, Manage email apps."
        )

    @property
    def renewal(self) -> str:
        return CONSENT

    def ask_token(self, msal: Any, options: dict[str, Any]) -> dict[str, Any]:
        app = msal.PublicClientApplication(self.client_id, **options)
        return dict(app.acquire_token_by_refresh_token(self.refresh_token.get_secret_value(), self.scopes))

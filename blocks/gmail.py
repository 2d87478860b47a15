"""Gmail by OAuth2: on behalf of a user who consented once, or as a service account for a user of the domain.

Source: developers.google.com/identity/protocols/oauth2 (web server; service account). Not named google: Prefect may
put this folder first on sys.path.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from blocks.answers import Answer
from blocks.oauth import (
    CONSENT,
    DELEGATION,
    LIFETIME,
    OAuthCredentials,
    RefreshCredentials,
    Token,
    TokenUrl,
    check_url,
    name_place,
    need_extra,
    open_web,
    read_refusal,
    refuse_with,
)
from blocks.signin import SecretEnd
from desk.errors import BlockError

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
MAIL = ["https://mail.google.com/"]  # the one scope that IMAP and SMTP take
KEY_FIELDS = ("client_email", "private_key", "token_uri")


@dataclass(frozen=True, slots=True)
class Reply:
    """What google-auth wants to know of an HTTP response."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class GoogleCredentials(OAuthCredentials, ABC):
    """What both ways share: google-auth, asked over our own client."""

    @abstractmethod
    def make_grant(self) -> Any:
        """google-auth's credentials, not refreshed yet."""

    @property
    @abstractmethod
    def endpoint(self) -> str:
        """URL of the token endpoint."""

    def fetch_token(self, now: datetime) -> Token:
        trouble = need_extra("google.auth.exceptions", "google").GoogleAuthError
        with open_web(self.endpoint) as web:
            try:
                grant = self.make_grant()
                grant.refresh(carry_requests(web))
            except (trouble, ValueError) as failure:  # the latter when the key is no key
                raise read_refusal(str(failure), name_place(self.endpoint)) from None
        ends_at = grant.expiry.replace(tzinfo=UTC) if grant.expiry else now + timedelta(seconds=LIFETIME)
        return Token(grant.token, ends_at, getattr(grant, "refresh_token", "") or "")


def carry_requests(web: httpx.Client) -> Callable[..., Reply]:
    """google-auth's transport over our client."""

    def send(url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **_: object) -> Reply:
        reply = web.request(method, url, content=body, headers=headers)
        return Reply(reply.status_code, reply.headers, reply.content)

    return send


class GoogleUser(GoogleCredentials, RefreshCredentials):
    """A user's own mailbox, by the refresh token of one sign-in (RFC 6749 §6)."""

    _block_type_name: ClassVar[str | None] = "Byreturn Google user"
    _block_type_slug: ClassVar[str | None] = "byreturn-google-user"
    _description: ClassVar[str | None] = "Gmail by OAuth2: the consent of a user, renewed by itself."

    client_id: str = Field(title="Client ID", min_length=1, description="Of the OAuth client in the Cloud console.")
    client_secret: SecretStr = Field(title="Client secret", description="Of the same OAuth client.")
    secret_expires: SecretEnd = None
    token_uri: TokenUrl = Field(default=TOKEN_URI, title="Token endpoint", description="Advanced: as proposed.")

    @property
    def endpoint(self) -> str:
        return self.token_uri

    @property
    def refusal(self) -> Answer:
        return refuse_with("`user` must be the very address that consented, and IMAP must be on in Gmail's settings.")

    @property
    def renewal(self) -> str:
        return CONSENT

    def make_grant(self) -> Any:
        oauth2 = need_extra("google.oauth2.credentials", "google")
        secret, refresh = self.client_secret.get_secret_value(), self.refresh_token.get_secret_value()
        return oauth2.Credentials(
            None, refresh_token=refresh, token_uri=self.token_uri, client_id=self.client_id, client_secret=secret
        )


class GoogleService(GoogleCredentials):
    """A service account that acts for a user of the domain (RFC 7523; domain-wide delegation)."""

    _block_type_name: ClassVar[str | None] = "Byreturn Google service account"
    _block_type_slug: ClassVar[str | None] = "byreturn-google-service"
    _description: ClassVar[str | None] = "Google Workspace by OAuth2: a service account with domain-wide delegation."

    key_json: SecretStr = Field(title="Key", description="The whole JSON file of the service account's key.")
    secret_expires: SecretEnd = None
    token_uri: str = Field(default="", title="Token endpoint", description="Advanced. Empty: the one in the key.")

    @model_validator(mode="after")
    def know_key(self) -> Self:
        if not all(isinstance(self.key.get(name), str) for name in KEY_FIELDS):
            raise BlockError("key_json is no service account's key", remedy="Paste the whole JSON file that was made.")
        check_url(self.endpoint)
        return self

    @property
    def key(self) -> dict[str, Any]:
        try:
            found = json.loads(self.key_json.get_secret_value())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def endpoint(self) -> str:
        return self.token_uri or str(self.key["token_uri"])

    @property
    def refusal(self) -> Answer:
        return refuse_with(f"The user needs Gmail with IMAP switched on. {DELEGATION}")

    @property
    def renewal(self) -> str:
        return "In the Google Cloud console under IAM & Admin, Service Accounts, Keys, make a new JSON key."

    def make_grant(self) -> Any:
        service = need_extra("google.oauth2.service_account", "google")
        key = self.key | {"token_uri": self.endpoint}
        return service.Credentials.from_service_account_info(key, scopes=MAIL, subject=self.user)

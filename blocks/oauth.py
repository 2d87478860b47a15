"""Tokens instead of passwords: fetched when needed, kept in memory until shortly before they end, shown by XOAUTH2.

Nothing of a token is ever logged, nor what a token endpoint says of a refusal: it names users and apps.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from threading import Lock
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from imapclient import IMAPClient
from imapclient.exceptions import LoginError
from prefect.exceptions import PrefectException
from prefect.logging import get_logger
from pydantic import AfterValidator, Field, SecretStr

from blocks.answers import REFUSED, Answer
from blocks.base import swap_secret
from blocks.presets import is_loopback, make_context
from blocks.signin import MailCredentials
from desk.errors import BlockError, ConfigurationError, NetworkTrouble, ProtocolTrouble, SignInRefused, Throttled

MECHANISM = "XOAUTH2"  # of Google and Microsoft: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
EARLY = timedelta(minutes=5)  # a token is renewed so long before it ends
LIFETIME = 3600  # seconds, when the endpoint does not say (RFC 6749 §5.1 lets it)
WEB_SECONDS = 10.0

APP = "In the Entra admin centre under App registrations, open the app"
SECRETS = f"{APP}, Certificates & secrets: make a new client secret and put its value and its last day into the block."
CONSENT = "Sign in as that user anew and put the new refresh token into the block; docs/operate.md, 4, says how."
GOOGLE_CLIENT = "Compare with Google Cloud console, APIs & Services, Credentials."
DELEGATION = (
    "In the Google Admin console under Security, Access and data control, API controls, Domain-wide delegation, "
    "allow the service account's client ID the scope https://mail.google.com/."
)

# What token endpoints say, read from top to bottom: the first pattern found decides. Sources: Microsoft's list of
# AADSTS codes (learn.microsoft.com/entra/identity-platform/reference-error-codes), Google's OAuth 2.0 pages for web
# servers and service accounts, RFC 6749 §5.2.
TOKEN_ANSWERS: tuple[tuple[str, Answer], ...] = (
    (r"AADSTS7000222\b", Answer(SignInRefused, "says that the client secret has expired", SECRETS)),
    (r"AADSTS7000215\b", Answer(SignInRefused, "says that the client secret is wrong",
                                f"Enter the secret's value, not its ID. {SECRETS}")),
    (r"AADSTS(700016|7000112)\b", Answer(ConfigurationError, "knows no such app, or it is switched off",
                                         f"{APP} and compare client_id and tenant with its Overview.")),
    (r"AADSTS(90002|90013|900021|900023)\b|Unable to get authority configuration",
     Answer(ConfigurationError, "knows no such tenant", f"{APP} and copy the Directory (tenant) ID into the block.")),
    (r"AADSTS(500011|70011|650053)\b|invalid_scope",
     Answer(ConfigurationError, "does not know the scope", "Empty the block's scopes field, or correct it.")),
    (r"AADSTS(65001|65004|65005)\b", Answer(SignInRefused, "says that nobody consented, or no longer does",
                                            f"{APP}, API permissions: grant admin consent. {CONSENT}")),
    (r"AADSTS50034\b", Answer(SignInRefused, "knows no such user in this tenant",
                              "Correct user and tenant in the block, or make the account in Microsoft 365.")),
    (r"AADSTS50057\b", Answer(SignInRefused, "says that the account is switched off",
                              "Switch it on in the Microsoft 365 admin centre under Users.")),
    (r"AADSTS(50055|50056|50126|50173)\b", Answer(SignInRefused, "says that the user's password has changed", CONSENT)),
    (r"AADSTS(50053|50196)\b", Answer(Throttled, "has seen too many tries")),
    (r"AADSTS(50072|50074|50076|50079|50158|53000|53001|53003|530003)\b",
     Answer(SignInRefused, "wants a second factor or another device",
            f"Sign in once with a browser, or exempt the account under Conditional Access. {CONSENT}")),
    (r"AADSTS(700082|700084|70008|70043|50089|50132|50133|54005|9002313|70000)\b",
     Answer(SignInRefused, "says that the refresh token has expired or was revoked", CONSENT)),
    (r"AADSTS(7000218|700025)\b", Answer(ConfigurationError, "wants this app to be a public client",
                                         f"{APP}, Authentication: allow public client flows.")),
    (r"temporarily_unavailable|server_error|AADSTS90033\b", Answer(NetworkTrouble, "is out of order for the moment")),
    (r"slow_down|rate.?limit|quota", Answer(Throttled, "asks for a pause")),
    (r"invalid_rapt|reauthentication is needed|rapt_required",
     Answer(SignInRefused, "wants the user to sign in again",
            f"Exempt the app in the Google Admin console under Google Cloud session control. {CONSENT}")),
    (r"invalid jwt signature|could not deserialize|no key could be detected|malformed",
     Answer(SignInRefused, "does not take the service account's key",
            "In the Google Cloud console under IAM & Admin, Service Accounts, Keys, make a new JSON key.")),
    (r"token must be a short-lived|invalid_grant.{0,40}iat", Answer(ConfigurationError, "says that our clock is wrong",
                                                                   "Set this machine's clock by NTP.")),
    (r"account not found|not a valid email|invalid email or user id",
     Answer(SignInRefused, "knows no such user", "Correct the block's user; it must be an address of the domain.")),
    (r"unauthorized_client.*(not authorized for any of the scopes|using this method)",
     Answer(SignInRefused, "lets the service account not act for this user", DELEGATION)),
    (r"admin_policy_enforced|org_internal|access_denied|disabled_client|deleted_client",
     Answer(SignInRefused, "does not let this app in",
            "Let the administrator allow the app: Google Admin console, Security, API controls; or in Entra.")),
    (r"invalid_client|unauthorized_client", Answer(SignInRefused, "does not take the app's ID and secret",
                                                   f"Microsoft: {SECRETS} Google: {GOOGLE_CLIENT}")),
    (r"invalid_grant", Answer(SignInRefused, "says that the grant has expired or was revoked", CONSENT)),
)  # fmt: skip
UNKNOWN = Answer(ProtocolTrouble, "refused a token for a reason not known")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `refresh_token` is a new one that came with it, if any."""

    text: str = field(repr=False)
    ends_at: datetime
    refresh_token: str = field(default="", repr=False)

    def lasts(self, now: datetime) -> bool:
        return now < self.ends_at - EARLY


class TokenShelf:
    """The tokens of this process, each fetched by one thread at a time."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def take_token(self, key: str, fetch: Callable[[], Token]) -> Token:
        """The token kept under this key while it lasts, else a new one."""
        with self._locks[key]:
            kept = self._tokens.get(key)
            if kept is None or not kept.lasts(datetime.now(UTC)):
                kept = self._tokens[key] = fetch()
            return kept

    def drop_token(self, key: str) -> None:
        self._tokens.pop(key, None)


SHELF = TokenShelf()


class OAuthCredentials(MailCredentials, ABC):
    """Signs in by XOAUTH2 with a token of `fetch_token`."""

    user: str = Field(title="User", min_length=1, description="Address of the mailbox to sign in to.")

    @abstractmethod
    def fetch_token(self, now: datetime) -> Token:
        """Ask the token endpoint. Raises a ConnectionTrouble or ConfigurationError whose remedy says where to go."""

    @property
    def fingerprint(self) -> str:
        """What tells these credentials from others, secrets included, without showing them."""
        values = [(name, read_value(getattr(self, name))) for name in sorted(type(self).model_fields)]
        return hashlib.sha256(repr([type(self).__name__, *values]).encode()).hexdigest()

    def take_token(self) -> str:
        """A token that lasts for some minutes yet. Raises as `fetch_token` does."""
        return SHELF.take_token(self.fingerprint, lambda: self.fetch_token(datetime.now(UTC))).text

    def enter_imap(self, client: IMAPClient) -> None:
        with self._distrust_token():
            client.oauth2_login(self.user, self.take_token(), MECHANISM)

    def enter_smtp(self, client: smtplib.SMTP) -> None:
        if MECHANISM not in client.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("No suitable authentication method found.")
        said = f"user={self.user}\1auth=Bearer {self.take_token()}\1\1"
        with self._distrust_token():
            # a refusal comes as a challenge, which wants an empty answer before the server says its code
            client.auth(MECHANISM, lambda challenge=None: said if challenge is None else "")

    @contextmanager
    def _distrust_token(self) -> Iterator[None]:
        """A token that was refused may be revoked: the next sign-in asks for another."""
        try:
            yield
        except (LoginError, smtplib.SMTPAuthenticationError):
            SHELF.drop_token(self.fingerprint)
            raise


class RefreshCredentials(OAuthCredentials, ABC):
    """Lives on a refresh token, and keeps the new one when the endpoint hands one out (RFC 6749 §6)."""

    refresh_token: SecretStr = Field(title="Refresh token", description="Got by signing in once as the user.")

    def take_token(self) -> str:
        key, used = self.fingerprint, self.refresh_token.get_secret_value()
        token = SHELF.take_token(key, lambda: self.fetch_token(datetime.now(UTC)))
        if token.refresh_token not in ("", used):
            self._renew_refresh(used, token.refresh_token)
            SHELF.take_token(self.fingerprint, lambda: token)
        return token.text

    def _renew_refresh(self, used: str, fresh: str) -> None:
        """Save it where it came from. When that fails the old one goes on working, for as long as it lasts."""
        self.refresh_token = SecretStr(fresh)
        try:
            saved = swap_secret(self, "refresh_token", used, fresh)
        except (httpx.HTTPError, PrefectException):
            saved = False
        if not saved:
            get_logger("byreturn").warning("a renewed refresh token could not be saved: no block holds the old one")


def read_value(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def check_url(url: str) -> str:
    """https anywhere, http on this very machine. Raises BlockError."""
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        return url.rstrip("/")
    raise BlockError("the token endpoint's URL is not https", remedy="Leave the field as it was proposed.")


TokenUrl = Annotated[str, AfterValidator(check_url)]


def need_extra(module: str, extra: str) -> Any:
    """A provider's library, imported on first use. Raises ConfigurationError when its extra is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"the library {module.partition('.')[0]} is not installed",
            remedy=f"Run `.venv/bin/pip install -e '.[{extra}]'` in the desk's folder.",
        ) from None


@contextmanager
def open_web(url: str) -> Iterator[httpx.Client]:
    """A client for the token endpoint at `url`; raises NetworkTrouble, Throttled and ProtocolTrouble by itself."""
    place = name_place(url)
    hooks = {
        "request": [speak_plainly] if url.startswith("http://") else [],
        "response": [lambda reply: check_reply(reply, place)],
    }
    try:
        with httpx.Client(timeout=WEB_SECONDS, verify=make_context(), event_hooks=hooks) as web:
            yield web
    except httpx.TransportError:
        raise NetworkTrouble(f"{place} is out of reach", remedy="Check firewall, proxy and certificate.") from None


def speak_plainly(request: httpx.Request) -> None:
    """msal insists on https, which a server on this very machine need not speak; `check_url` saw to the rest."""
    request.url = request.url.copy_with(scheme="http")


def check_reply(reply: httpx.Response, place: str) -> None:
    """Raise for what says nothing about the credentials: pauses, breakdowns, pages of a proxy."""
    if reply.status_code == 429:
        raise Throttled(f"{place} asks for a pause", retry_after=read_pause(reply.headers.get("retry-after", "")))
    if reply.status_code >= 500:
        raise NetworkTrouble(f"{place} answered {reply.status_code}", remedy="Nothing to do: it is tried again.")
    try:
        reply.read()
        reply.json()
    except ValueError:
        raise ProtocolTrouble(f"{place} answered no JSON", remedy="Check the URL, and for a proxy between.") from None


def read_pause(text: str) -> timedelta | None:
    """Retry-After in seconds (RFC 9110 §10.2.3); the form with a date is not used by token endpoints."""
    return timedelta(seconds=int(text)) if text.isdigit() else None


def read_token(answer: Mapping[str, Any], place: str, now: datetime) -> Token:
    """The token in an endpoint's answer (RFC 6749 §5); raises what a refusal means."""
    if "access_token" not in answer:
        raise read_refusal(" ".join(str(answer.get(key, "")) for key in ("error", "error_description")), place)
    ends_at = now + timedelta(seconds=int(answer.get("expires_in") or LIFETIME))
    return Token(str(answer["access_token"]), ends_at, str(answer.get("refresh_token") or ""))


def read_refusal(text: str, place: str) -> Exception:
    """The error of the house for what a token endpoint said."""
    known = (answer for pattern, answer in TOKEN_ANSWERS if re.search(pattern, text, re.IGNORECASE | re.DOTALL))
    return next(known, UNKNOWN).raised_at(place)


def name_place(url: str) -> str:
    return urlsplit(url).hostname or ""


def refuse_with(remedy: str) -> Answer:
    """What a mail server's refusal of a good token means."""
    return replace(REFUSED, detail="does not let this token into this mailbox", remedy=remedy)

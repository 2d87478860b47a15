"""Credentials that live on tokens: against a token endpoint, Dovecot and an SMTP server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr, TypeAdapter

from blocks import (
    Credentials,
    GoogleService,
    GoogleUser,
    ImapMailbox,
    MicrosoftApp,
    MicrosoftUser,
    PasswordCredentials,
    SmtpServer,
    load_block,
)
from blocks.oauth import EARLY, SHELF, OAuthCredentials, Token, read_refusal
from demo.house import find_port
from desk.errors import (
    BlockError,
    ByreturnError,
    ConfigurationError,
    NetworkTrouble,
    ProtocolTrouble,
    SignInRefused,
    Throttled,
)
from store.mailboxes import lease_mailbox, read_mailbox
from store.memory import Store
from tasks import fetching, intake
from tests.dovecot import Dovecot
from tests.oauth import (
    APP,
    REFRESH,
    SECRET,
    TENANT,
    USER,
    SessionEnder,
    TokenServer,
    TokenSink,
    make_key_file,
    run_token_dovecot,
)
from tests.stores import add_mailbox, look_up, run_together

LONG = "long@atelier.example"
MAIL = b"From: a@school.example\r\nSubject: hello\r\n\r\nhello\r\n"

Make = Callable[..., Any]


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture(scope="module")
def dovecot() -> Iterator[tuple[TokenServer, Dovecot]]:
    with TokenServer() as server, run_token_dovecot(server, USER, LONG) as running:
        yield server, running


@pytest.fixture
def sink(tokens: TokenServer) -> Iterator[TokenSink]:
    with TokenSink(tokens) as server:
        yield server


def microsoft_app(url: str, **changes: Any) -> MicrosoftApp:
    fields = {"user": USER, "tenant": TENANT, "client_id": APP, "client_secret": SECRET, "authority": url}
    return MicrosoftApp(**(fields | changes))


def microsoft_user(url: str, **changes: Any) -> MicrosoftUser:
    fields = {"user": USER, "tenant": TENANT, "client_id": APP, "refresh_token": REFRESH, "authority": url}
    return MicrosoftUser(**(fields | changes))


def google_user(url: str, **changes: Any) -> GoogleUser:
    fields = {"user": USER, "client_id": APP, "client_secret": SECRET, "refresh_token": REFRESH}
    return GoogleUser(**(fields | {"token_uri": f"{url}/token"} | changes))


def google_service(url: str, **changes: Any) -> GoogleService:
    return GoogleService(**({"user": USER, "key_json": make_key_file(f"{url}/token")} | changes))


KINDS = [microsoft_app, microsoft_user, google_user, google_service]
each_kind = pytest.mark.parametrize("make", KINDS)
each_refreshing = pytest.mark.parametrize("make", [microsoft_user, google_user])


def mailbox(port: int, credentials: Credentials) -> ImapMailbox:
    return ImapMailbox(
        address=USER, credentials=credentials, host="127.0.0.1", port=port, security="none", drafts_folder=""
    )


def relay(port: int, credentials: Credentials) -> SmtpServer:
    return SmtpServer(sender=USER, credentials=credentials, host="127.0.0.1", port=port, security="none")


def assert_discreet(error: ByreturnError) -> None:
    shown = f"{error} {error!r} {error.detail}"
    assert [secret for secret in (USER, SECRET, REFRESH, APP, TENANT, "atelier") if secret in shown] == []
    assert error.remedy
    assert error.__context__ is None or error.__suppress_context__


# --- signing in -----------------------------------------------------------------------------------


@each_kind
def test_a_token_opens_a_mailbox(make: Make, dovecot: tuple[TokenServer, Dovecot]) -> None:
    tokens, server = dovecot
    found = mailbox(server.port, make(tokens.url)).check()
    assert found.ok
    assert "INBOX" in found.detail


@each_kind
def test_a_token_opens_an_smtp_server(make: Make, tokens: TokenServer, sink: TokenSink) -> None:
    with relay(sink.port, make(tokens.url)).connect() as client:
        assert client.sendmail(USER, ["a@school.example"], MAIL) == {}
    assert len(sink.accepted) == 1


GRANTS = [
    (microsoft_app, {"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default"}),
    (microsoft_user, {"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": APP}),
    (google_user, {"grant_type": "refresh_token", "refresh_token": REFRESH, "client_secret": SECRET}),
    (google_service, {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}),
]


@pytest.mark.parametrize(("make", "form"), GRANTS)
def test_each_kind_asks_by_its_own_grant(make: Make, form: dict[str, str], tokens: TokenServer) -> None:
    make(tokens.url).take_token()
    (asked,) = tokens.asked
    assert form.items() <= asked.items()


def test_a_users_refresh_asks_for_imap_smtp_and_the_next_refresh_token(tokens: TokenServer) -> None:
    microsoft_user(tokens.url).take_token()
    wanted = {
        "offline_access",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
    }
    assert wanted <= set(tokens.asked[0]["scope"].split())


def test_a_mailbox_that_the_token_is_not_for_stays_shut(dovecot: tuple[TokenServer, Dovecot]) -> None:
    tokens, server = dovecot
    with pytest.raises(SignInRefused, match="this token") as caught:
        mailbox(server.port, microsoft_app(tokens.url, user="boss@atelier.example")).check()
    assert "FullAccess" in caught.value.remedy
    assert_discreet(caught.value)


def test_an_smtp_refusal_gets_the_empty_answer_it_waits_for(tokens: TokenServer, sink: TokenSink) -> None:
    with pytest.raises(SignInRefused, match="this token") as caught:
        relay(sink.port, google_user(tokens.url, user="boss@atelier.example")).check()
    assert sink.answers == [b""]
    assert "IMAP" in caught.value.remedy
    assert_discreet(caught.value)


def test_a_server_that_takes_no_tokens_is_a_matter_of_configuration(tokens: TokenServer) -> None:
    from demo.servers import ImapServer, SmtpSink

    with ImapServer({USER: "x"}) as imap, pytest.raises(ConfigurationError, match="kind of sign-in"):
        mailbox(imap.port, google_user(tokens.url)).check()
    with SmtpSink({USER: "x"}) as smtp, pytest.raises(ConfigurationError, match="does not offer"):
        relay(smtp.port, google_user(tokens.url)).check()


def test_a_password_that_is_refused_still_says_so(dovecot: tuple[TokenServer, Dovecot]) -> None:
    _, server = dovecot
    with pytest.raises(SignInRefused, match="user and secret"):
        mailbox(server.port, PasswordCredentials(user=USER, password=SecretStr("wrong"))).check()


# --- keeping tokens -------------------------------------------------------------------------------


@each_kind
def test_a_token_is_kept_while_it_lasts(make: Make, tokens: TokenServer) -> None:
    first = make(tokens.url).take_token()
    assert make(tokens.url).take_token() == first
    assert len(tokens.asked) == 1


@each_kind
def test_a_token_near_its_end_is_renewed(make: Make, tokens: TokenServer) -> None:
    tokens.manners.lifetime = int(EARLY.total_seconds())
    credentials = make(tokens.url)
    assert credentials.take_token() != credentials.take_token()
    assert len(tokens.asked) == 2


def test_mailboxes_that_sync_at_once_fetch_one_token_between_them(tokens: TokenServer) -> None:
    taken = run_together(*[microsoft_app(tokens.url).take_token for _ in range(8)])
    assert len(set(taken)) == len(tokens.asked) == 1


def test_a_token_lasts_until_five_minutes_before_its_end() -> None:
    ends_at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    token = Token("t", ends_at)
    assert token.lasts(ends_at - timedelta(minutes=5, seconds=1))
    assert not token.lasts(ends_at - timedelta(minutes=5))


def test_each_connection_of_one_block_has_a_token_that_lasts(dovecot: tuple[TokenServer, Dovecot]) -> None:
    tokens, server = dovecot
    block = mailbox(server.port, google_user(tokens.url, client_id="app of this test"))
    tokens.manners.lifetime = 1
    before = len(tokens.asked)
    try:
        for _ in range(2):
            with block.connect() as client:
                client.noop()
    finally:
        tokens.manners.lifetime = 3600
    assert len(tokens.asked) - before == 2


def test_a_refused_token_is_not_shown_twice(dovecot: tuple[TokenServer, Dovecot]) -> None:
    tokens, server = dovecot
    credentials = google_user(tokens.url, client_id="another app of this test")
    block = mailbox(server.port, credentials)
    assert block.check().ok
    del tokens.tokens[credentials.take_token()]  # an administrator has revoked it
    with pytest.raises(SignInRefused):
        block.check()
    assert block.check().ok


def test_a_new_secret_is_asked_with_though_the_old_ones_token_lasts(tokens: TokenServer) -> None:
    microsoft_app(tokens.url).take_token()
    with pytest.raises(SignInRefused):
        microsoft_app(tokens.url, client_secret="mistyped").take_token()


@each_kind
def test_no_text_of_credentials_or_token_shows_a_secret(make: Make, tokens: TokenServer) -> None:
    credentials: OAuthCredentials = make(tokens.url)
    credentials.take_token()
    shown = f"{credentials!r} {credentials} {SHELF.__dict__} {credentials.fingerprint}"
    assert [secret for secret in (SECRET, REFRESH, "PRIVATE KEY", *tokens.tokens) if secret in shown] == []


GOODBYES = (
    b"* BYE Session expired, please login again.\r\n",  # Gmail
    b"* BYE Session invalidated - AccessTokenExpired\r\n",  # Exchange Online
    b"",
)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_long_sync_goes_on_at_the_cursor_when_sessions_end_with_their_token(
    dovecot: tuple[TokenServer, Dovecot], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, server = dovecot
    server.deliver(LONG, *(b"Subject: mail %d\r\n\r\nhello\r\n" % number for number in range(16)))
    monkeypatch.setattr(tokens, "app_mailbox", LONG)
    monkeypatch.setattr(fetching, "BATCH_MAILS", 2)
    monkeypatch.setattr(tokens.manners, "lifetime", 60)  # less than EARLY: a new one for each session
    before = len(tokens.asked)
    with SessionEnder(server.port, fetches=2, goodbyes=GOODBYES) as ender:
        block = mailbox(ender.port, microsoft_app(tokens.url, user=LONG))
        box = add_mailbox(store)
        assert lease_mailbox(store.engine, box, "intake", datetime.now(UTC), timedelta(minutes=2))
        report = intake.fetch_mailbox(store, block, read_mailbox(store.engine, box), "intake")
    assert (report.status, report.error_code, report.kept) == ("synced", "", 16)
    assert look_up(store, "delivery", "uid") == list(range(1, 17))
    assert (ender.sessions, len(tokens.asked) - before) == (4, 4)


@pytest.mark.parametrize("goodbye", GOODBYES)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sessions_that_bring_nothing_are_not_followed_by_ever_more(
    goodbye: bytes, dovecot: tuple[TokenServer, Dovecot], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.guard.open_database", lambda: store.engine)
    tokens, server = dovecot
    server.deliver(USER, MAIL)
    box = add_mailbox(store)
    with SessionEnder(server.port, fetches=0, goodbyes=(goodbye,)) as ender:
        block = mailbox(ender.port, microsoft_app(tokens.url))
        assert lease_mailbox(store.engine, box, "intake", datetime.now(UTC), timedelta(minutes=2))
        report = intake.fetch_mailbox(store, block, read_mailbox(store.engine, box), "intake")
    assert (report.kept, ender.sessions <= intake.BARREN) == (0, True)


# --- rotation -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("prefect_harness")
@each_refreshing
def test_a_rotated_refresh_token_goes_back_to_its_block(
    make: Make, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.manners.rotates, tokens.manners.lifetime = True, 1
    saved = make(tokens.url)
    saved.save("rotating", overwrite=True)
    mailbox(143, saved).save("rotated", overwrite=True)
    nested = load_block(ImapMailbox, "rotated").credentials
    assert isinstance(nested, OAuthCredentials)
    nested.take_token()
    assert load_block(type(saved), "rotating").refresh_token.get_secret_value() == tokens.refresh == "refresh 1"
    nested.take_token()
    again = load_block(ImapMailbox, "rotated").credentials
    assert isinstance(again, type(saved))
    assert again.refresh_token.get_secret_value() == tokens.refresh == "refresh 2"
    assert again.client_id == APP
    assert "refresh" not in caplog.text


@pytest.mark.usefixtures("prefect_harness")
def test_a_refresh_token_entered_meanwhile_stays(tokens: TokenServer) -> None:
    tokens.manners.rotates = True
    old = microsoft_user(tokens.url)
    old.save("entered", overwrite=True)
    microsoft_user(tokens.url, refresh_token="entered by hand").save("entered", overwrite=True)
    old.take_token()
    assert load_block(MicrosoftUser, "entered").refresh_token.get_secret_value() == "entered by hand"


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("saved_as", [None, UUID(int=1)])
def test_a_refresh_token_that_can_not_be_saved_stops_nothing(
    saved_as: UUID | None, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.manners.rotates = True
    inline = microsoft_user(tokens.url)
    inline._block_document_id = saved_as
    assert inline.take_token() in tokens.tokens
    assert inline.refresh_token.get_secret_value() == tokens.refresh
    assert "could not be saved" in caplog.text
    assert tokens.refresh not in caplog.text


# --- refusals -------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, str, type[ByreturnError], str]] = [
    ("invalid_client", "AADSTS7000222: The provided client secret keys for app 'app-1' are expired.", SignInRefused,
     "new client secret"),
    ("invalid_client", "AADSTS7000215: Invalid client secret provided.", SignInRefused, "not its ID"),
    ("unauthorized_client", "AADSTS700016: Application with identifier 'app-1' was not found in the directory",
     ConfigurationError, "client_id"),
    ("invalid_request", "AADSTS900023: Specified tenant identifier 'tenant-1' is not valid", ConfigurationError,
     "tenant"),
    ("invalid_resource", "AADSTS500011: The resource principal was not found", ConfigurationError, "scopes"),
    ("invalid_grant", "AADSTS65001: The user or administrator has not consented", SignInRefused, "consent"),
    ("invalid_grant", "AADSTS50034: The user account support@atelier.example does not exist", SignInRefused,
     "Correct user"),
    ("invalid_grant", "AADSTS50057: The user account is disabled.", SignInRefused, "Users"),
    ("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked", SignInRefused, "anew"),
    ("invalid_grant", "AADSTS50053: The account is locked, you've tried to sign in too many times", Throttled, "waits"),
    ("invalid_grant", "AADSTS50076: you must use multi-factor authentication", SignInRefused, "Conditional Access"),
    ("invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies.", SignInRefused,
     "Conditional Access"),
    ("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", SignInRefused, "anew"),
    ("invalid_client", "AADSTS7000218: The request body must contain 'client_assertion' or 'client_secret'.",
     ConfigurationError, "public client"),
    ("temporarily_unavailable", "AADSTS90033: A transient error has occurred.", NetworkTrouble, "again"),
    ("invalid_grant", "Token has been expired or revoked.", SignInRefused, "anew"),
    ("invalid_grant", "Bad Request", SignInRefused, "anew"),
    ("invalid_client", "The OAuth client was not found.", SignInRefused, "Cloud console"),
    ("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not"
     " authorized for any of the scopes requested.", SignInRefused, "Domain-wide delegation"),
    ("invalid_grant", "Invalid JWT Signature.", SignInRefused, "JSON key"),
    ("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
     ConfigurationError, "NTP"),
    ("invalid_grant", "Invalid email or User ID", SignInRefused, "Correct the block's user"),
    ("admin_policy_enforced", "", SignInRefused, "administrator"),
    ("access_denied", "Account restricted", SignInRefused, "administrator"),
    ("rate_limit_exceeded", "", Throttled, "waits"),
    ("invalid_grant", "reauth related error (invalid_rapt)", SignInRefused, "session control"),
    ("something_new", "for support@atelier.example", ProtocolTrouble, "check"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "description", "error", "remedy"), REFUSALS)
def test_what_a_token_endpoint_says_is_understood(
    code: str, description: str, error: type[ByreturnError], remedy: str, tokens: TokenServer
) -> None:
    tokens.manners.status = 400
    tokens.manners.says = json.dumps({"error": code, "error_description": description})
    for make in (microsoft_app, google_user):
        with pytest.raises(ByreturnError) as caught:
            make(tokens.url).take_token()
        assert type(caught.value) is error
        assert remedy in caught.value.remedy
        assert_discreet(caught.value)


def test_a_code_is_not_taken_for_a_longer_one_that_begins_alike() -> None:
    assert "switched off" not in str(read_refusal("invalid_grant AADSTS500571: something", "host"))


BREAKDOWNS: list[tuple[int, str, type[ByreturnError], str]] = [
    (429, "{}", Throttled, "pause"),
    (500, "", NetworkTrouble, "500"),
    (503, "<html>", NetworkTrouble, "503"),
    (200, "<html>sign in to the hotel's network</html>", ProtocolTrouble, "no JSON"),
]


@each_kind
@pytest.mark.parametrize(("status", "says", "error", "detail"), BREAKDOWNS)
def test_a_broken_endpoint_is_not_taken_for_a_refusal(
    status: int, says: str, error: type[ByreturnError], detail: str, make: Make, tokens: TokenServer
) -> None:
    tokens.manners.status, tokens.manners.says = status, says
    tokens.manners.headers["Retry-After"] = "120"
    if status == 200:
        tokens.manners.status = 203  # not what `grant` answers
    with pytest.raises(error, match=detail) as caught:
        make(tokens.url).take_token()
    assert_discreet(caught.value)
    assert len(tokens.asked) == 1
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == timedelta(minutes=2)


@each_kind
def test_an_endpoint_that_is_down_is_network_trouble(make: Make) -> None:
    with pytest.raises(NetworkTrouble, match="out of reach"):
        make(f"http://127.0.0.1:{find_port()}").take_token()


def test_a_tenant_nobody_knows_is_a_matter_of_configuration(tokens: TokenServer) -> None:
    with pytest.raises(ConfigurationError, match="no such tenant") as caught:
        microsoft_app(tokens.url, tenant="elsewhere.example").take_token()
    assert_discreet(caught.value)


def test_a_key_that_is_no_key_is_a_refused_sign_in(tokens: TokenServer) -> None:
    spoilt = json.loads(make_key_file(f"{tokens.url}/token")) | {"private_key": "spoilt"}
    with pytest.raises(SignInRefused, match="account's key") as caught:
        google_service(tokens.url, key_json=json.dumps(spoilt)).take_token()
    assert_discreet(caught.value)


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [(microsoft_app, "msal", "microsoft"), (google_user, "google.auth.exceptions", "google")],
)
def test_a_library_that_is_missing_comes_with_the_command_that_installs_it(
    make: Make, module: str, extra: str, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match="not installed") as caught:
        make(tokens.url).take_token()
    assert f"pip install -e '.[{extra}]'" in caught.value.remedy


# --- fields ---------------------------------------------------------------------------------------

NOT_SAFE = ["http://login.example", "ftp://127.0.0.1/token", "login.example", "https://", ""]


@pytest.mark.parametrize("url", NOT_SAFE)
def test_no_secret_is_sent_to_an_endpoint_without_tls(url: str) -> None:
    for refuse in (
        lambda: microsoft_app("https://login.example", authority=url),
        lambda: google_user("https://login.example", token_uri=url),
        lambda: GoogleService(user=USER, key_json=make_key_file(url)),
    ):
        with pytest.raises(BlockError, match="not https") as caught:
            refuse()
        assert caught.value.remedy


@pytest.mark.parametrize("tenant", ["common", "Organizations", "consumers"])
def test_an_app_needs_a_tenant_of_its_own(tenant: str) -> None:
    with pytest.raises(BlockError, match="one tenant"):
        microsoft_app("https://login.example", tenant=tenant)


@pytest.mark.parametrize("key", ["", "no JSON", "[]", "{}", '{"client_email": 1, "private_key": "", "token_uri": ""}'])
def test_what_is_no_key_of_a_service_account_is_refused(key: str) -> None:
    with pytest.raises(BlockError, match="no service account's key"):
        GoogleService(user=USER, key_json=SecretStr(key))


# --- saving ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("prefect_harness")
@each_kind
def test_every_kind_comes_back_from_prefect_as_itself(make: Make) -> None:
    credentials: OAuthCredentials = make("https://login.example", secret_expires=date(2027, 3, 1))
    mailbox(143, make("https://login.example", secret_expires=date(2027, 3, 1))).save("token-inline", overwrite=True)
    credentials.save("token", overwrite=True)
    relay(25, make("https://login.example")).model_copy(update={"credentials": credentials}).save(
        "token-reference", overwrite=True
    )
    for loaded in (load_block(ImapMailbox, "token-inline"), load_block(SmtpServer, "token-reference")):
        assert isinstance(loaded.credentials, type(credentials))
        assert loaded.credentials.fingerprint == credentials.fingerprint


@each_kind
def test_the_fields_alone_tell_the_kinds_apart(make: Make) -> None:
    full = make("https://login.example")
    needed = {name: getattr(full, name) for name, one in type(full).model_fields.items() if one.is_required()}
    for given in (needed, {name: getattr(full, name) for name in type(full).model_fields}):
        assert type(TypeAdapter(Credentials).validate_python(given)) is type(full)


FIRST_VERSION = """
from prefect.blocks.core import Block
from pydantic import SecretStr, TypeAdapter

class Password(Block):
    _block_type_name, _block_type_slug = "Byreturn password", "byreturn-password-credentials"
    _block_schema_version = "1"
    user: str
    password: SecretStr

class Mailbox(Block):
    _block_type_name, _block_type_slug = "Byreturn mailbox", "byreturn-imap-mailbox"
    _block_schema_version = "1"
    address: str
    host: str
    credentials: Password

own = Password(user="support@atelier.example", password="correct horse")
Mailbox(address=own.user, host="mail.example", credentials=own).save("first-inline")
own.save("first-password")
Mailbox(address=own.user, host="mail.example", credentials=own).save("first-reference")
"""


@pytest.mark.usefixtures("prefect_harness")
def test_what_was_saved_when_there_were_only_passwords_still_loads() -> None:
    old_process = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    subprocess.run([sys.executable, "-c", FIRST_VERSION], env=old_process, check=True, timeout=60)
    for name in ("first-inline", "first-reference"):
        loaded = load_block(ImapMailbox, name).credentials
        assert isinstance(loaded, PasswordCredentials)
        assert (loaded.user, loaded.password.get_secret_value()) == (USER, "correct horse")
        assert loaded.secret_expires is None
    load_block(ImapMailbox, "first-reference").save("first-reference", overwrite=True)
    assert isinstance(load_block(ImapMailbox, "first-reference").credentials, PasswordCredentials)

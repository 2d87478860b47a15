"""Nothing of a letter and no secret crosses a network in clear, whatever the server says or somebody says for it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blocks import MicrosoftUser, PasswordCredentials, SmtpServer
from blocks.carrier import Carried, Envelope
from blocks.oauth import OAuthCredentials
from blocks.presets import make_context
from desk.errors import ByreturnError, ConfigurationError, ConnectionTrouble, NetworkTrouble, SignInRefused
from tests.oauth import APP, REFRESH, TENANT, USER, TokenServer
from tests.smtp_server import HOST, Script, ScriptedSmtp, Security, make_certificate

PASSWORD, LETTER = "correct horse", Envelope(1, USER, ("ann@school.example",), b"Subject: a\r\n\r\nhello\r\n")
encrypted = pytest.mark.parametrize("security", ["tls", "starttls"])
ways = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "plain"])


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "certificate.pem"
    file.write_bytes(make_certificate())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as running:
        yield running


def relay(server: ScriptedSmtp, security: Security, **changes: Any) -> SmtpServer:
    who = PasswordCredentials(user=USER, password=PASSWORD)
    fields = {"credentials": who, "timeout_seconds": 5} | changes
    return SmtpServer(sender=USER, host=HOST, port=server.port, security=security, **fields)


def carry(server: SmtpServer, *, pipelining: bool = True) -> list[Carried]:
    told: list[Carried] = []

    def turn(done: Carried | None, _: Envelope | None) -> bool:
        told.extend([done] if done else [])
        return True

    with server.open_carrier(pipelining=pipelining) as carrier:
        carrier.carry([LETTER, LETTER], turn)
    return told


def heard_secret(server: ScriptedSmtp) -> bool:
    return bool({"AUTH", "MAIL", "RCPT", "DATA"} & set(server.verbs))


# --- versions --------------------------------------------------------------------------------------------------------


@ways
@encrypted
@pytest.mark.parametrize(("newest", "used"), [("TLSv1_3", "TLSv1.3"), ("TLSv1_2", "TLSv1.2")])
def test_letters_go_out_over_tls(security: Security, newest: str, used: str, pipelining: bool) -> None:
    with ScriptedSmtp(security=security, users={USER: PASSWORD}, newest_tls=ssl.TLSVersion[newest]) as server:
        done = carry(relay(server, security), pipelining=pipelining)
    assert [each.fate for each in done] == ["answered"] * 2
    assert [(one.tls, one.mechanism, one.user, one.raw) for one in server.letters] == [
        (used, "PLAIN", USER, LETTER.body)
    ] * 2


@encrypted
@pytest.mark.parametrize("newest", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")  # they are what is refused here
def test_a_server_of_old_versions_only_hears_nothing(security: Security, newest: str) -> None:
    with ScriptedSmtp(security=security, users={USER: PASSWORD}, newest_tls=ssl.TLSVersion[newest]) as server:
        assert shake_hands(server, security) == newest.replace("_", ".")  # whoever takes it is served
        with pytest.raises(NetworkTrouble, match="agree on no TLS"):
            carry(relay(server, security))
    assert not heard_secret(server)


def shake_hands(server: ScriptedSmtp, security: Security) -> str:
    """The version that a client without any demands gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    if security == "tls":
        with smtplib.SMTP_SSL(HOST, server.port, timeout=5, context=context) as client:
            return str(client.sock.version())  # type: ignore[union-attr]
    with smtplib.SMTP(HOST, server.port, timeout=5) as client:
        client.starttls(context=context)
        return str(client.sock.version())  # type: ignore[union-attr]


def test_our_side_asks_for_tls_1_2_and_a_certificate_of_the_hosts_name() -> None:
    context = make_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


@encrypted
def test_a_certificate_that_nobody_vouches_for_is_not_taken(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        ScriptedSmtp(security=security, users={USER: PASSWORD}) as server,
        pytest.raises(NetworkTrouble, match="not trusted"),
    ):
        carry(relay(server, security))
    assert not heard_secret(server)


@encrypted
def test_a_certificate_of_another_host_is_not_taken(security: Security) -> None:
    with ScriptedSmtp(security=security, users={USER: PASSWORD}) as server:
        elsewhere = relay(server, security).model_copy(update={"host": "localhost"})
        with pytest.raises(NetworkTrouble, match="not trusted"):
            carry(elsewhere)
    assert not heard_secret(server)


# --- STARTTLS --------------------------------------------------------------------------------------------------------

WITHDRAWN: list[tuple[str, dict[str, str], type[ByreturnError]]] = [
    ("not announced", {"EHLO": "250-here\n250 AUTH PLAIN"}, ConfigurationError),
    ("no EHLO at all", {"EHLO": "502 5.5.1 what"}, ConfigurationError),
    ("refused for now", {"STARTTLS": "454 4.7.0 not now"}, ConnectionTrouble),
    ("refused", {"STARTTLS": "502 5.5.1 what"}, ByreturnError),
    ("taken for something else", {"STARTTLS": "250 2.0.0 OK"}, ByreturnError),
    ("going on in clear", {"STARTTLS": "220 2.0.0 go ahead"}, ConnectionTrouble),
]


@ways
@pytest.mark.parametrize(("what", "replies", "error"), WITHDRAWN, ids=[row[0] for row in WITHDRAWN])
def test_without_starttls_nothing_is_said(
    what: str, replies: dict[str, str], error: type[ByreturnError], pipelining: bool
) -> None:
    with (
        ScriptedSmtp(Script(replies=replies), security="starttls", users={USER: PASSWORD}) as server,
        pytest.raises(error),
    ):
        carry(relay(server, "starttls", timeout_seconds=1), pipelining=pipelining)
    assert not heard_secret(server)
    assert server.letters == []


@ways
def test_what_was_said_in_clear_before_the_handshake_counts_for_nothing(pipelining: bool) -> None:
    """Somebody between us and the server puts replies behind the one to STARTTLS (the class of CVE-2011-0411)."""
    planted = b"250-here\r\n250-SIZE 9\r\n250 AUTH PLAIN LOGIN\r\n235 welcome\r\n250 OK\r\n250 OK\r\n354 go ahead\r\n"
    with ScriptedSmtp(Script(injected=planted), security="starttls", users={USER: PASSWORD}) as server:
        seller = relay(server, "starttls")
        with seller.open_carrier(pipelining=pipelining) as carrier:
            assert carrier.limit == server.script.size
        carry(seller, pipelining=pipelining)
    assert [(one.tls != "", one.user) for one in server.letters] == [(True, USER)] * 2


def test_what_was_offered_before_the_handshake_is_asked_for_anew() -> None:
    with ScriptedSmtp(security="starttls", users={USER: PASSWORD}) as server:
        carry(relay(server, "starttls"))
    assert server.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


@pytest.mark.parametrize("host", ["smtp.atelier.example", "192.0.2.1", "localhost.evil.example", "127.0.0.1.x.example"])
def test_plain_text_is_taken_on_this_machine_only(host: str) -> None:
    with pytest.raises(ByreturnError, match="this machine only") as caught:
        SmtpServer(sender=USER, host=host, port=25, security="none")
    assert not isinstance(caught.value, ValidationError)
    assert SmtpServer(sender=USER, host="localhost", port=25, security="none").security == "none"


# --- signing in ------------------------------------------------------------------------------------------------------


def make_credentials(tokens: TokenServer) -> OAuthCredentials:
    return MicrosoftUser(user=USER, tenant=TENANT, client_id=APP, refresh_token=REFRESH, authority=tokens.url)


@ways
@encrypted
def test_letters_go_out_after_a_sign_in_by_token(tokens: TokenServer, security: Security, pipelining: bool) -> None:
    credentials = make_credentials(tokens)
    token = credentials.take_token()
    with ScriptedSmtp(security=security, tokens={token: USER}) as server:
        carry(relay(server, security, credentials=credentials), pipelining=pipelining)
    assert [(one.mechanism, one.user) for one in server.letters] == [("XOAUTH2", USER)] * 2
    assert server.challenged == []


def test_a_refused_token_gets_the_empty_answer_it_waits_for_and_is_not_used_again(tokens: TokenServer) -> None:
    credentials = make_credentials(tokens)
    first = credentials.take_token()
    with ScriptedSmtp(security="tls", tokens={"another": USER}) as server:
        with pytest.raises(SignInRefused) as caught:
            carry(relay(server, "tls", credentials=credentials))
        assert server.challenged == [b""]
        assert credentials.take_token() != first
    assert [each for each in (USER, first) if each in str(caught.value)] == []
    assert server.letters == []


@encrypted
def test_a_wrong_password_is_a_refused_sign_in(security: Security) -> None:
    with ScriptedSmtp(security=security, users={USER: "another"}) as server, pytest.raises(SignInRefused):
        carry(relay(server, security))
    assert server.verbs.count("MAIL") == 0


def test_a_server_that_fails_at_pipelining_is_signed_in_to_again_over_tls() -> None:
    script = Script(garbles={"MAIL": "250 OK\n250 OK"})
    with ScriptedSmtp(script, security="starttls", users={USER: PASSWORD}) as server:
        carry(relay(server, "starttls"))
    assert [(one.connection, one.tls != "", one.user) for one in server.letters] == [(2, True, USER)] * 2

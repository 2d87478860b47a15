"""Blocks against real servers on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prefect.blocks.abstract import NotificationError
from prefect.client.orchestration import get_client
from pydantic import Field, ValidationError

import blocks
from blocks import (
    AlertChannel,
    Database,
    DeskKeys,
    ImapMailbox,
    MistralApi,
    PackStorage,
    PasswordCredentials,
    SmtpServer,
    list_blocks,
    load_block,
)
from blocks.answers import read_answer
from blocks.credentials import MailCredentials
from demo.servers import ImapServer, SmtpSink, WebhookSink, deliver, read_folder
from desk.errors import (
    BlockError,
    ByreturnError,
    ConfigurationError,
    ConnectionTrouble,
    DeskKeyError,
    NetworkTrouble,
    ProtocolTrouble,
    SignInRefused,
    Throttled,
)
from store.keys import KeyRing

USER, PASSWORD = "support@atelier.example", "correct horse"
CAPABLE = b"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"
MAIL = b"From: a@school.example\r\nSubject: hello\r\n\r\nhello\r\n"


@dataclass(frozen=True)
class Authority:
    """A certificate for 127.0.0.1 that its own file vouches for."""

    server: ssl.SSLContext
    file: Path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("authority") / "both.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return Authority(context, file)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer({USER: PASSWORD}) as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[SmtpSink]:
    with SmtpSink({USER: PASSWORD}) as server:
        yield server


def mailbox(port: int, *, password: str = PASSWORD, **changes: Any) -> ImapMailbox:
    fields = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5} | changes
    return ImapMailbox(address=USER, credentials=credentials(password), **fields)


def relay(port: int, *, password: str = PASSWORD, **changes: Any) -> SmtpServer:
    fields = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5} | changes
    return SmtpServer(sender=USER, credentials=credentials(password), **fields)


def credentials(password: str = PASSWORD) -> PasswordCredentials:
    return PasswordCredentials(user=USER, password=password)


@dataclass(frozen=True)
class Scripted:
    """A server that answers its first client by a script, and what the client said to it, line by line."""

    port: int
    said: list[bytes]

    @property
    def heard_secret(self) -> bool:
        return any(b"LOGIN" in line.upper() or b"AUTH" in line.upper() for line in self.said)


@contextmanager
def scripted(script: dict[bytes, bytes], greeting: bytes) -> Iterator[Scripted]:
    """`script` is verb → reply, {tag} filled in; no reply, or a verb not in it, breaks the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(listener.getsockname()[1], [])
        thread = threading.Thread(target=answer_client, args=(listener, script, greeting, server.said))
        thread.daemon = True
        thread.start()
        yield server
        thread.join(5)


def answer_client(listener: socket.socket, script: dict[bytes, bytes], greeting: bytes, said: list[bytes]) -> None:
    client, _ = listener.accept()
    with client, client.makefile("rb") as lines:
        client.sendall(greeting)
        for line in lines:
            said.append(line)
            tag, _, rest = line.partition(b" ")
            reply = next((script[verb] for verb in script if (tag + rest).find(verb) in (0, len(tag))), b"")
            if not reply:
                return
            client.sendall(reply.replace(b"{tag}", tag))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- mailbox --------------------------------------------------------------------------------------


def test_a_good_mailbox_passes_its_check(imap: ImapServer) -> None:
    deliver(imap, USER, MAIL)
    found = mailbox(imap.port).check()
    assert found.ok
    assert "INBOX: 1" in found.detail
    assert "Drafts: 0" in found.detail


def test_the_check_looks_with_examine_and_changes_nothing() -> None:
    script = {
        b"CAPABILITY": CAPABLE,
        b"LOGIN": b"{tag} OK in\r\n",
        b"LIST": b'* LIST () "/" INBOX\r\n{tag} OK done\r\n',
        b"EXAMINE": b"* 3 EXISTS\r\n{tag} OK [READ-ONLY] done\r\n",
        b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n",
    }
    with scripted(script, b"* OK ready\r\n") as server:
        assert "INBOX: 3" in mailbox(server.port, drafts_folder="").check().detail
    verbs = [line.split()[1] for line in server.said]
    assert verbs == [b"CAPABILITY", b"LOGIN", b"LIST", b"EXAMINE", b"LOGOUT"]


def test_a_connected_mailbox_gives_the_mail_as_it_was_sent(imap: ImapServer) -> None:
    deliver(imap, USER, MAIL)
    with mailbox(imap.port).connect() as client:
        client.select_folder("INBOX", readonly=True)
        uids = client.search("ALL")
        assert client.fetch(uids, ["BODY.PEEK[]"])[uids[0]][b"BODY[]"] == MAIL
        assert client._imap.debug == 0


def test_a_missing_folder_is_named(imap: ImapServer) -> None:
    with pytest.raises(ConfigurationError, match="no folder Cases"):
        mailbox(imap.port, folders=["INBOX", "Cases"]).check()


def test_the_folder_that_mails_move_to_is_checked_too(imap: ImapServer) -> None:
    with pytest.raises(ConfigurationError, match="no folder Done"):
        mailbox(imap.port, after_intake="move", after_intake_folder="Done").check()


def test_a_wrong_password_is_a_refused_sign_in_that_tells_no_secret(imap: ImapServer) -> None:
    with pytest.raises(SignInRefused) as caught:
        mailbox(imap.port, password="tr0ub4dor").check()
    assert_discreet(caught.value)


def test_a_closed_imap_port_is_network_trouble() -> None:
    with pytest.raises(NetworkTrouble, match="refused the connection"):
        mailbox(free_port()).check()


def test_an_unknown_host_is_network_trouble() -> None:
    with pytest.raises(NetworkTrouble, match="nobody knows"):
        mailbox(993, host="imap.invalid", security="tls").check()


def test_a_silent_imap_server_is_network_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NetworkTrouble, match="in time"):
            mailbox(port, timeout_seconds=0.2).check()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_encrypted_mailbox_passes_its_check(security: Any, trusted: Authority) -> None:
    with ImapServer({USER: PASSWORD}, security=security, tls=trusted.server) as imap:
        assert mailbox(imap.port, security=security).check().ok


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_unknown_certificate_is_not_taken_by_the_mailbox(security: Any, authority: Authority) -> None:
    with (
        ImapServer({USER: PASSWORD}, security=security, tls=authority.server) as imap,
        pytest.raises(NetworkTrouble, match="not trusted"),
    ):
        mailbox(imap.port, security=security).check()


def test_without_starttls_no_password_is_said_to_an_imap_server() -> None:
    with scripted({b"CAPABILITY": CAPABLE, b"LOGOUT": b"{tag} OK bye\r\n"}, b"* OK ready\r\n") as server:
        with pytest.raises(ConfigurationError, match="does not offer"):
            mailbox(server.port, security="starttls").check()
        assert not server.heard_secret


IMAP_ANSWERS: list[tuple[bytes, type[ByreturnError]]] = [
    (b"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n", SignInRefused),
    (b"{tag} NO [ALERT] Application-specific password required (Failure)\r\n", SignInRefused),
    (b"{tag} NO AUTHENTICATE failed.\r\n", SignInRefused),
    (b"{tag} NO for support@atelier.example something never seen before\r\n", SignInRefused),
    (b"{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", Throttled),
    (b"{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits\r\n", Throttled),
    (b"{tag} NO [THROTTLED] slow down\r\n", Throttled),
    (b"{tag} NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded\r\n", Throttled),
    (b"{tag} BAD User is authenticated but not connected\r\n", Throttled),
    (b"* BYE Too many errors\r\n", Throttled),
    (b"", NetworkTrouble),
]


@pytest.mark.parametrize(("reply", "error"), IMAP_ANSWERS)
def test_what_an_imap_server_says_at_sign_in_is_understood(reply: bytes, error: type[ByreturnError]) -> None:
    lines = {b"CAPABILITY": CAPABLE, b"LOGIN": reply}
    with scripted(lines, b"* OK ready\r\n") as server, pytest.raises(ConnectionTrouble) as caught:
        mailbox(server.port).check()
    assert type(caught.value) is error
    assert_discreet(caught.value)


def test_trouble_in_the_middle_of_work_is_understood_too() -> None:
    lines = {
        b"CAPABILITY": CAPABLE,
        b"LOGIN": b"{tag} OK in\r\n",
        b"NOOP": b"{tag} NO Server error - Please try again later\r\n",
    }
    with (
        scripted(lines, b"* OK ready\r\n") as server,
        pytest.raises(Throttled),
        mailbox(server.port).connect() as client,
    ):
        client.noop()


def test_a_full_disk_is_not_taken_for_the_servers_fault(imap: ImapServer) -> None:
    with pytest.raises(OSError, match="No space left"), mailbox(imap.port).connect():
        raise OSError(28, "No space left on device")


# --- SMTP -----------------------------------------------------------------------------------------


def test_a_good_smtp_server_passes_its_check_and_receives_nothing(smtp: SmtpSink) -> None:
    found = relay(smtp.port).check()
    assert found.ok
    assert str(smtp.max_bytes) in found.detail
    assert (smtp.accepted, smtp.commands) == ([], [])


def test_a_relay_that_asks_nobody_needs_no_credentials() -> None:
    with SmtpSink() as sink:
        open_relay = SmtpServer(sender=USER, host="localhost", port=sink.port, security="none")
        assert open_relay.check().ok


def test_a_connected_smtp_server_takes_a_letter(smtp: SmtpSink) -> None:
    with relay(smtp.port).connect() as client:
        assert client.sendmail(USER, ["a@school.example"], MAIL) == {}
    assert [mail.raw for mail in smtp.accepted] == [MAIL]


def test_smtplibs_own_errors_reach_the_sender_of_a_letter(smtp: SmtpSink) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused), relay(smtp.port).connect() as client:
        client.sendmail(USER, ["refused@school.example"], MAIL)


def test_a_letter_whose_fate_is_unknown_shows_as_a_lost_connection(smtp: SmtpSink) -> None:
    smtp.manners.drops = 1
    with pytest.raises(smtplib.SMTPServerDisconnected), relay(smtp.port).connect() as client:
        client.sendmail(USER, ["a@school.example"], MAIL)
    assert len(smtp.accepted) == 1


def test_a_wrong_smtp_password_is_a_refused_sign_in(smtp: SmtpSink) -> None:
    with pytest.raises(SignInRefused) as caught:
        relay(smtp.port, password="tr0ub4dor").check()
    assert_discreet(caught.value)


def test_a_closed_smtp_port_is_network_trouble() -> None:
    with pytest.raises(NetworkTrouble, match="refused the connection"):
        relay(free_port()).check()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_encrypted_smtp_server_passes_its_check(security: Any, trusted: Authority) -> None:
    with SmtpSink({USER: PASSWORD}, security=security, tls=trusted.server) as sink:
        assert relay(sink.port, security=security).check().ok


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_unknown_certificate_is_not_taken_by_the_smtp_block(security: Any, authority: Authority) -> None:
    with (
        SmtpSink({USER: PASSWORD}, security=security, tls=authority.server) as sink,
        pytest.raises(NetworkTrouble, match="not trusted"),
    ):
        relay(sink.port, security=security).check()


def test_without_starttls_no_password_is_said_to_an_smtp_server() -> None:
    with scripted({b"ehlo": b"250-here\r\n250 AUTH PLAIN\r\n"}, b"220 ready\r\n") as server:
        with pytest.raises(ConfigurationError, match="does not offer"):
            relay(server.port, security="starttls").check()
        assert [line[:4] for line in server.said] == [b"ehlo"]


SMTP_ANSWERS: list[tuple[bytes, type[ByreturnError]]] = [
    (
        b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled.\r\n",
        SignInRefused,
    ),
    (b"535 5.7.3 Authentication unsuccessful\r\n", SignInRefused),
    (b"550 5.7.30 Basic authentication is not supported\r\n", SignInRefused),
    (b"534 5.7.9 Application-specific password required\r\n", SignInRefused),
    (b"421 4.7.0 Try again later, closing connection.\r\n", Throttled),
    (b"454 4.7.0 Temporary authentication failure\r\n", Throttled),
    (b"530 5.7.0 Must issue a STARTTLS command first\r\n", ConfigurationError),
    (b"", NetworkTrouble),
]


@pytest.mark.parametrize(("reply", "error"), SMTP_ANSWERS)
def test_what_an_smtp_server_says_at_sign_in_is_understood(reply: bytes, error: type[ByreturnError]) -> None:
    lines = {b"ehlo": b"250-here\r\n250 AUTH PLAIN\r\n", b"AUTH": reply}
    with scripted(lines, b"220 ready\r\n") as server, pytest.raises(ByreturnError) as caught:
        relay(server.port).check()
    assert type(caught.value) is error
    assert_discreet(caught.value)


def test_a_server_that_wearies_after_sign_in_fails_the_check() -> None:
    script = {b"ehlo": b"250-here\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 2.7.0 in\r\n", b"noop": b"421 4.7.0 later\r\n"}
    with scripted(script, b"220 ready\r\n") as server, pytest.raises(Throttled):
        relay(server.port).check()


def test_a_sender_that_may_not_be_used_is_a_matter_of_configuration() -> None:
    said = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
    assert read_answer(said).error is ConfigurationError


def assert_discreet(error: ByreturnError) -> None:
    shown = f"{error} {error!r} {error.detail}"
    assert [secret for secret in (USER, PASSWORD, "tr0ub4dor", "atelier") if secret in shown] == []
    assert error.remedy
    assert error.__suppress_context__


# --- presets --------------------------------------------------------------------------------------

PRESETS = [
    ("gmail", ("imap.gmail.com", 993, "tls"), ("smtp.gmail.com", 465, "tls")),
    ("microsoft365", ("outlook.office365.com", 993, "tls"), ("smtp.office365.com", 587, "starttls")),
    ("orange", ("imap.orange.fr", 993, "tls"), ("smtp.orange.fr", 465, "tls")),
    ("ovh_mx_plan", ("ssl0.ovh.net", 993, "tls"), ("ssl0.ovh.net", 465, "tls")),
    ("yahoo", ("imap.mail.yahoo.com", 993, "tls"), ("smtp.mail.yahoo.com", 465, "tls")),
    ("ionos", ("imap.ionos.fr", 993, "tls"), ("smtp.ionos.fr", 465, "tls")),
]


@pytest.mark.parametrize(("provider", "imap_end", "smtp_end"), PRESETS)
def test_a_provider_fills_in_its_servers(provider: Any, imap_end: object, smtp_end: object) -> None:
    inward = ImapMailbox(address=USER, provider=provider, credentials=credentials())
    outward = SmtpServer(sender=USER, provider=provider, credentials=credentials())
    assert (inward.host, inward.port, inward.security) == imap_end
    assert (outward.host, outward.port, outward.security) == smtp_end


GIVEN = [
    ({"host": "mail.example"}, ("mail.example", 993, "tls")),
    ({"host": "mail.example", "security": "starttls"}, ("mail.example", 143, "starttls")),
    ({"host": "mail.example", "port": 1993}, ("mail.example", 1993, "tls")),
    ({"provider": "ovh_email_pro", "host": "pro1.mail.ovh.net"}, ("pro1.mail.ovh.net", 993, "tls")),
    ({"provider": "gmail", "host": "imap.googlemail.com"}, ("imap.googlemail.com", 993, "tls")),
    ({"host": "127.0.0.1", "security": "none"}, ("127.0.0.1", 143, "none")),
    ({"host": "::1", "security": "none"}, ("::1", 143, "none")),
]


@pytest.mark.parametrize(("given", "end"), GIVEN)
def test_what_the_operator_gives_goes_before_the_preset(given: dict[str, Any], end: object) -> None:
    box = ImapMailbox(address=USER, credentials=credentials(), **given)
    assert (box.host, box.port, box.security) == end


@pytest.mark.parametrize("host", ["mail.example", "192.168.1.10", "localhost.example"])
@pytest.mark.parametrize("block", [mailbox, relay])
def test_no_block_crosses_a_network_unencrypted(block: Callable[..., object], host: str) -> None:
    with pytest.raises(BlockError, match="this machine only") as caught:
        block(143, host=host)
    assert "tls" in caught.value.remedy


@pytest.mark.parametrize("provider", ["custom", "ovh_email_pro"])
def test_a_host_nobody_can_guess_is_asked_for(provider: Any) -> None:
    with pytest.raises(BlockError, match="host is empty"):
        ImapMailbox(address=USER, provider=provider, credentials=credentials())


def test_moving_needs_a_folder() -> None:
    with pytest.raises(BlockError, match="after_intake_folder"):
        mailbox(143, after_intake="move")


@pytest.mark.parametrize("changes", [{"interval_minutes": 1}, {"folders": []}, {"host": "a@b"}, {"timeout_seconds": 0}])
def test_a_field_out_of_bounds_is_refused_without_its_value(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        mailbox(143, **changes)
    assert "input_value" not in str(caught.value)


# --- saving ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("prefect_harness")
def test_a_mailbox_and_its_password_come_back_from_prefect(imap: ImapServer) -> None:
    mailbox(imap.port, folders=["INBOX", "Junk"]).save("round-trip", overwrite=True)
    loaded = load_block(ImapMailbox, "round-trip")
    assert loaded.folders == ["INBOX", "Junk"]
    assert isinstance(loaded.credentials, PasswordCredentials)
    assert loaded.credentials.password.get_secret_value() == PASSWORD
    assert loaded.check().ok
    assert "round-trip" in list_blocks(ImapMailbox)


@pytest.mark.usefixtures("prefect_harness")
def test_credentials_saved_by_themselves_are_shared_by_reference(imap: ImapServer) -> None:
    shared = PasswordCredentials(user=USER, password="old")
    shared.save("shared", overwrite=True)
    mailbox(imap.port).model_copy(update={"credentials": shared}).save("by-reference", overwrite=True)
    PasswordCredentials(user=USER, password=PASSWORD).save("shared", overwrite=True)
    assert load_block(ImapMailbox, "by-reference").check().ok


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("by_reference", [True, False])
def test_a_document_still_loads_when_more_kinds_of_credentials_have_joined(by_reference: bool) -> None:
    saved = credentials()
    if by_reference:
        saved.save("joined", overwrite=True)
    name = f"joined-{by_reference}".lower()
    mailbox(143, host="localhost").model_copy(update={"credentials": saved}).save(name, overwrite=True)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, ImapMailbox.get_block_type_slug())
    loaded = WiderMailbox.model_validate(document.data)
    assert type(loaded.credentials) is PasswordCredentials
    assert loaded.credentials.password.get_secret_value() == PASSWORD


@pytest.mark.usefixtures("prefect_harness")
def test_a_later_kind_of_credentials_comes_back_as_itself() -> None:
    WiderMailbox(
        address=USER, host="localhost", security="none", credentials=TokenCredentials(tenant="t", user=USER)
    ).save("later", overwrite=True)
    loaded = load_block(WiderMailbox, "later")
    assert type(loaded.credentials) is TokenCredentials


class TokenCredentials(MailCredentials):
    """What a credential block of the future may look like: some fields of its own, some alike."""

    _block_type_slug: ClassVar[str | None] = "byreturn-test-token"
    tenant: str
    user: str

    def enter_imap(self, client: Any) -> None:
        raise NotImplementedError

    def enter_smtp(self, client: Any) -> None:
        raise NotImplementedError


class WiderMailbox(ImapMailbox):
    """ImapMailbox as it will be when the union has grown."""

    _block_type_name: ClassVar[str | None] = "Byreturn test wider"  # types alike in name are one to the server
    _block_type_slug: ClassVar[str | None] = "byreturn-test-wider"
    credentials: TokenCredentials | PasswordCredentials = Field()  # type: ignore[assignment]


@pytest.mark.usefixtures("prefect_harness")
def test_a_missing_block_is_named_with_a_remedy() -> None:
    with pytest.raises(BlockError, match="byreturn-imap-mailbox/nowhere does not exist") as caught:
        load_block(ImapMailbox, "nowhere")
    assert caught.value.remedy


@pytest.mark.usefixtures("prefect_harness")
def test_a_block_spoilt_in_the_ui_names_the_field_and_not_its_value() -> None:
    mailbox(143).save("spoilt", overwrite=True)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name("spoilt", ImapMailbox.get_block_type_slug())
        client.request(
            "PATCH", "/block_documents/{id}", path_params={"id": document.id},
            json={"data": {"interval_minutes": "a secret"}, "merge_existing_data": True},
        )  # fmt: skip
    with pytest.raises(BlockError, match="interval_minutes") as caught:
        load_block(ImapMailbox, "spoilt")
    assert "a secret" not in str(caught.value)


@pytest.mark.usefixtures("prefect_harness")
def test_keys_come_back_from_prefect_as_they_were() -> None:
    keys = DeskKeys.generate()
    keys.save("keys", overwrite=True)
    assert load_block(DeskKeys, "keys").export() == keys.export()


@pytest.mark.usefixtures("prefect_harness")
def test_an_alert_channel_comes_back_with_everything_nested_in_it(smtp: SmtpSink) -> None:
    AlertChannel(smtp=relay(smtp.port), recipients=["ops@atelier.example"]).save("nested", overwrite=True)
    assert load_block(AlertChannel, "nested").send_alert("a", "b").ok
    assert len(smtp.accepted) == 1


def test_every_block_has_a_name_a_slug_and_described_fields() -> None:
    kinds = [kind for name in blocks.__all__ if is_block(kind := getattr(blocks, name))]
    assert len(kinds) == 14
    for kind in kinds:
        assert kind.get_block_type_slug().startswith("byreturn-")
        assert kind.get_block_type_name().startswith("Byreturn ")
        assert kind.get_description()
        assert [n for n, f in kind.model_fields.items() if not (f.title and f.description)] == []


def is_block(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, blocks.DeskBlock) and kind is not blocks.DeskBlock


# --- keys -----------------------------------------------------------------------------------------


def test_an_export_restores_the_same_keys() -> None:
    keys = DeskKeys.generate()
    restored = DeskKeys.restore(keys.export())
    assert (restored.master, restored.token, restored.tombstone) == (keys.master, keys.token, keys.tombstone)
    assert restored.fingerprint() == keys.fingerprint()


def test_the_three_purposes_never_share_a_key() -> None:
    keys = DeskKeys.generate()
    assert len({*keys.master.keys.values(), *keys.token.keys.values(), *keys.tombstone.keys.values()}) == 3


def test_two_sets_of_keys_have_two_fingerprints() -> None:
    assert DeskKeys.generate().fingerprint() != DeskKeys.generate().fingerprint()


def test_block_and_store_agree_on_the_fingerprint() -> None:
    keys = DeskKeys.generate()
    ring = KeyRing(keys.master.keys, keys.master.current, keys.tombstone.keys, keys.tombstone.current)
    assert ring.fingerprint() == keys.fingerprint()


def test_neither_text_nor_fingerprint_of_keys_shows_a_key() -> None:
    keys = DeskKeys.generate()
    secret = base64.b64encode(keys.master.keys["1"]).decode()
    assert [shown for shown in (repr(keys), str(keys.master), keys.fingerprint()) if secret in shown] == []


SPOILT = [
    (lambda content: content | {"master_current": "2"}, "current master key"),
    (lambda content: content | {"token_keys": {"1": "c2hvcnQ="}}, "token key 1 has 5 bytes"),
    (lambda content: content | {"tombstone_keys": {"1": "not base64!"}}, "tombstone key 1 is not base64"),
    (lambda content: content | {"fingerprint": "0" * 32}, "does not match"),
    (lambda content: {"format": content["format"]}, "no export"),
    (lambda content: [], "no export"),
]


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_a_spoilt_export_is_refused(spoil: Callable[[dict[str, Any]], object], said: str) -> None:
    content = json.loads(DeskKeys.generate().export())
    with pytest.raises(DeskKeyError, match=said):
        DeskKeys.restore(json.dumps(spoil(content)))


# --- alerts ---------------------------------------------------------------------------------------


def test_an_alarm_goes_out_as_mail_and_webhook(smtp: SmtpSink) -> None:
    with WebhookSink() as hook:
        channel = AlertChannel(smtp=relay(smtp.port), recipients=["ops@atelier.example"], webhook_url=hook.url)
        assert channel.send_alert("Mailbox down", "Since 8:00.", "mailbox-3") == blocks.Checked(True, "sent")
    mail = message_from_bytes(smtp.accepted[0].raw)
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Mailbox down", "auto-generated")
    assert mail.get_payload() == "Since 8:00.\r\n"
    posted = json.loads(hook.posts[0].body)
    assert posted == {
        "text": "Mailbox down\n\nSince 8:00.", "subject": "Mailbox down", "body": "Since 8:00.", "key": "mailbox-3"
    }  # fmt: skip


def test_one_way_that_works_is_enough_and_the_other_is_told() -> None:
    with WebhookSink() as hook:
        channel = AlertChannel(smtp=relay(free_port()), recipients=["ops@atelier.example"], webhook_url=hook.url)
        sent = channel.send_alert("a", "b")
    assert not sent.ok
    assert "refused the connection" in sent.detail
    assert len(hook.posts) == 1


def test_recipients_refused_in_part_are_counted_and_not_named(smtp: SmtpSink) -> None:
    people = ["ops@atelier.example", "refused@atelier.example"]
    sent = AlertChannel(smtp=relay(smtp.port), recipients=people).send_alert("a", "b")
    assert (sent.ok, "refused 1 of 2" in sent.detail, "atelier" in sent.detail) == (False, True, False)


def test_an_alarm_that_reaches_nobody_raises(smtp: SmtpSink) -> None:
    with pytest.raises(ConfigurationError, match="none of the recipients") as caught:
        AlertChannel(smtp=relay(smtp.port), recipients=["refused@atelier.example"]).send_alert("a", "b")
    assert_discreet(caught.value)


def test_a_webhook_that_errs_raises_without_its_url() -> None:
    with WebhookSink(status=500) as hook, pytest.raises(ProtocolTrouble, match="500") as caught:
        AlertChannel(webhook_url=hook.url).send_alert("a", "b")
    assert "127.0.0.1" not in str(caught.value)


def test_a_subject_of_two_lines_is_no_second_header(smtp: SmtpSink) -> None:
    AlertChannel(smtp=relay(smtp.port), recipients=["ops@atelier.example"]).send_alert("a\r\nBcc: x@y.example", "b")
    mail = message_from_bytes(smtp.accepted[0].raw)
    assert (mail["Subject"], mail["Bcc"]) == ("a Bcc: x@y.example", None)


def test_prefects_automations_can_notify_and_hear_of_failures() -> None:
    with WebhookSink() as hook:
        asyncio.run(AlertChannel(webhook_url=hook.url).notify("b", "a"))
        hook.status = 500
        with pytest.raises(NotificationError):
            asyncio.run(AlertChannel(webhook_url=hook.url).notify("b", "a"))
    assert json.loads(hook.posts[0].body)["subject"] == "a"
    assert "notify" in AlertChannel.get_block_capabilities()


def test_a_channel_without_any_way_is_refused() -> None:
    with pytest.raises(BlockError, match="neither"):
        AlertChannel(recipients=["ops@atelier.example"])


# --- the others -----------------------------------------------------------------------------------


def test_mistral_without_key_and_server_is_off_and_that_is_well() -> None:
    api = MistralApi()
    assert not api.enabled
    assert api.check().ok
    assert api.model == "mistral-small-2603"


STATUSES = [
    (401, SignInRefused), (403, SignInRefused), (429, Throttled), (400, ConfigurationError), (422, ConfigurationError),
    (500, NetworkTrouble), (503, NetworkTrouble), (200, ProtocolTrouble),
]  # fmt: skip


@pytest.mark.parametrize(("status", "error"), STATUSES)
def test_what_the_mistral_api_answers_is_understood(status: int, error: type[ByreturnError]) -> None:
    with WebhookSink(status=status) as server, pytest.raises(ByreturnError) as caught:
        MistralApi(api_key="top secret", server_url=server.url.removesuffix("/hook")).check()
    assert type(caught.value) is error
    assert "top secret" not in str(caught.value)
    assert server.posts[0].path == "/v1/chat/completions"


def test_a_mistral_server_that_is_down_is_network_trouble() -> None:
    with pytest.raises(NetworkTrouble, match="out of reach"):
        MistralApi(server_url=f"http://127.0.0.1:{free_port()}").check()


def test_a_sqlite_database_is_asked_and_one_to_come_is_not_created(tmp_path: Path) -> None:
    file = tmp_path / "new" / "desk.db"
    assert "will be created" in Database(url=f"sqlite:///{file}").check().detail
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_bytes(b"no database, whatever its name says" * 100)
    with pytest.raises(ConfigurationError, match="no SQLite database"):
        Database(url=f"sqlite:///{tmp_path / 'desk.db'}").check()


def test_an_empty_sqlite_file_answers(tmp_path: Path) -> None:
    (tmp_path / "desk.db").touch()
    assert Database(url=f"sqlite:///{tmp_path / 'desk.db'}").check().detail == "sqlite answers"


def test_a_postgresql_server_that_is_down_is_network_trouble_without_its_password() -> None:
    with pytest.raises(NetworkTrouble) as caught:
        Database(url=f"postgresql+psycopg://desk:tr0ub4dor@127.0.0.1:{free_port()}/desk").check()
    assert_discreet(caught.value)


@pytest.mark.parametrize("url", ["mysql://desk:tr0ub4dor@host/desk", "postgresql://desk@host/desk", "nothing", ""])
def test_a_database_we_do_not_speak_is_refused(url: str) -> None:
    with pytest.raises(BlockError, match="no database we speak") as caught:
        Database(url=url)
    assert "tr0ub4dor" not in str(caught.value)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_packs_go_to_a_folder_and_the_check_writes_nothing(form: str, tmp_path: Path) -> None:
    storage = PackStorage(url=form.format(tmp_path))
    assert storage.folder == tmp_path
    assert storage.check().ok
    assert list(tmp_path.iterdir()) == []


def test_a_pack_folder_that_is_not_there_yet_is_left_to_the_first_pack(tmp_path: Path) -> None:
    found = PackStorage(url=str(tmp_path / "later" / "packs")).check()
    assert found.ok
    assert "will be created" in found.detail
    assert list(tmp_path.iterdir()) == []


def test_object_stores_are_not_spoken_yet() -> None:
    with pytest.raises(BlockError, match="not spoken yet"):
        PackStorage(url="s3://bucket/packs")


# --- the servers of the demo ----------------------------------------------------------------------


def test_the_demos_servers_leave_nothing_running_even_with_guests_inside() -> None:
    before = set(threading.enumerate())
    with ImapServer({USER: PASSWORD}) as imap, SmtpSink() as sink, WebhookSink():
        guest = socket.create_connection((imap.host, imap.port))
        other = socket.create_connection((sink.host, sink.port))
    guest.close()
    other.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((imap.host, imap.port))


def test_the_sink_keeps_mails_as_files_too(tmp_path: Path) -> None:
    with SmtpSink(folder=tmp_path) as sink, smtplib.SMTP(sink.host, sink.port) as client:
        client.sendmail(USER, ["a@school.example"], MAIL)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [MAIL]


def test_delivered_mail_can_be_read_back(imap: ImapServer) -> None:
    deliver(imap, USER, MAIL, "Junk")
    assert list(read_folder(imap, USER, "Junk").values()) == [MAIL]

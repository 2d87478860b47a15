"""The scripted IMAP server does what its script says, and nothing odd without one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError
from imapclient.response_parser import parse_fetch_response

from tests.scripted_imap import Quirks, ScriptedImap, Turn, bye, cut, drip, refuse, say, silence

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
ARRIVED = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
BODY = "BODY.PEEK[]"


@pytest.fixture
def imap() -> Iterator[ScriptedImap]:
    with ScriptedImap("Junk") as server:
        for uid in (3, 5, 7):
            server.deliver(MAIL + b"%d\r\n" % uid, uid=uid, arrived=ARRIVED)
        yield server


def connect(imap: ScriptedImap, read: float = 20) -> IMAPClient:
    client = IMAPClient(imap.host, imap.port, ssl=False, timeout=SocketTimeout(5, read))
    client.normalise_times = False
    return client


@contextmanager
def enter(imap: ScriptedImap, folder: str = "INBOX", read: float = 20) -> Iterator[IMAPClient]:
    """A client that is signed in and has looked into a folder."""
    client = connect(imap, read)
    try:
        client.login("support", "secret")
        client.select_folder(folder, readonly=True)
        yield client
    finally:
        client.shutdown()


def talk(imap: ScriptedImap, *commands: str) -> list[bytes]:
    """All that the server says to a client that looks into the INBOX and goes on with these, to its last word."""
    with socket.create_connection((imap.host, imap.port), timeout=20) as plain, plain.makefile("rb") as lines:
        for command in ("LOGIN u p", "EXAMINE INBOX", *commands):
            plain.sendall(f"{command.split()[0]} {command}\r\n".encode())
        plain.shutdown(socket.SHUT_WR)
        return list(lines)


def play(imap: ScriptedImap, *turns: Turn) -> None:
    imap.behave(Quirks(turns=turns))


# --- without a script --------------------------------------------------------------------------------------------


def test_a_folder_is_described_searched_and_read(imap: ScriptedImap) -> None:
    with connect(imap) as client:
        client.login("support", "secret")
        said = client.select_folder("INBOX", readonly=True)
        assert (said[b"UIDVALIDITY"], said[b"UIDNEXT"], said[b"EXISTS"]) == (1, 8, 3)
        assert client.search("ALL") == [3, 5, 7]
        assert client.search(["UID", "5:*"]) == [5, 7]
        assert client.search(["UID", "8:*"]) == [7]  # RFC 3501 §6.4.8
        assert client.search(["UID", "3:7", "LARGER", len(MAIL) + 3]) == []
        assert client.search(["UID", "4:7", "LARGER", len(MAIL) + 2]) == [5, 7]
        facts = client.fetch([5], ["INTERNALDATE", BODY, "RFC822.SIZE", "BODY.PEEK[HEADER]"])[5]
    assert (facts[b"BODY[]"], facts[b"RFC822.SIZE"]) == (MAIL + b"5\r\n", len(MAIL) + 3)
    assert facts[b"INTERNALDATE"] == ARRIVED
    assert facts[b"BODY[HEADER]"] == b"Subject: hello\r\n\r\n"
    assert (facts[b"SEQ"], imap.logins) == (2, ["support"])
    assert "UID SEARCH UID 5:*" in imap.commands
    assert "secret" not in " ".join(imap.commands)


def test_commands_may_be_sent_without_waiting_for_answers(imap: ScriptedImap) -> None:
    with enter(imap) as client:
        tags = [client._imap._command("UID", "FETCH", uids, f"({BODY})") for uids in ("3,5", "7")]
        read = []
        for tag in tags:
            kind, data = client._imap._command_complete("FETCH", tag)
            _, answers = client._imap._untagged_response(kind, data, "FETCH")
            read += list(parse_fetch_response(answers))
    assert read == [3, 5, 7]


def test_mails_are_flagged_copied_moved_and_deleted(imap: ScriptedImap) -> None:
    with enter(imap) as client:
        client.add_flags([3, 5], [b"\\Deleted"])
        assert client.get_flags([3, 7]) == {3: (b"\\Deleted",), 7: ()}
        client.copy([7], "Junk")
        client.move([7], "Junk")
        client.uid_expunge([3])
    assert list(imap.inbox.mails) == [5]
    assert imap.inbox.uidnext == 8
    assert imap.folders["Junk"].uids == [1, 2]


def test_who_idles_is_told_of_new_mail(imap: ScriptedImap) -> None:
    with enter(imap) as client:
        client.idle()
        imap.deliver(MAIL, "Junk")
        imap.deliver(MAIL)
        assert client.idle_check(timeout=10) == [(4, b"EXISTS")]
        client.idle_done()
        imap.deliver(MAIL)
        client.noop()  # the connection goes on
        assert client.search(["UID", "8:*"]) == [8, 9]


def test_nothing_of_it_stays(imap: ScriptedImap) -> None:
    with ScriptedImap() as other:
        client = connect(other)
        sessions = other.sessions
    assert not any(session.thread.is_alive() for session in sessions)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other.host, other.port))
    client.shutdown()


# --- mails and folders -------------------------------------------------------------------------------------------


def test_a_mail_is_named_and_withheld(imap: ScriptedImap) -> None:
    imap.behave(Quirks(withhold={5}))
    with enter(imap) as client:
        assert client.search("ALL") == [3, 5, 7]
        assert [sorted(client.fetch([3, 5, 7], [BODY])) for _ in range(2)] == [[3, 7]] * 2


def test_a_mail_is_withheld_for_a_while(imap: ScriptedImap) -> None:
    imap.behave(Quirks(withhold={5}, withhold_times=2))
    with enter(imap) as client:
        assert [5 in client.fetch([5], [BODY]) for _ in range(3)] == [False, False, True]


def test_attributes_come_in_another_order_with_others_and_lines_between(imap: ScriptedImap) -> None:
    quirks = Quirks(
        order=("BODY[]", "INTERNALDATE", "UID"), extra="FLAGS (\\Seen) MODSEQ (9)",
        between=("* 9 EXISTS", "* 1 FETCH (FLAGS (\\Seen))"),
    )  # fmt: skip
    imap.behave(quirks)
    said = talk(imap, "UID FETCH 7 (INTERNALDATE BODY.PEEK[])")
    assert said[-9:-2] == [
        b"* 9 EXISTS\r\n",
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (BODY[] {28}\r\n",
        *(MAIL + b"7\r\n").splitlines(keepends=True),
    ]
    assert said[-2].endswith(b'" UID 7 FLAGS (\\Seen) MODSEQ (9))\r\n')


def test_sizes_are_wrong(imap: ScriptedImap) -> None:
    imap.behave(Quirks(sizes={3: 0, 5: 99_000_000}))
    with enter(imap) as client:
        sizes = client.fetch([3, 5, 7], ["RFC822.SIZE"])
        assert [sizes[uid][b"RFC822.SIZE"] for uid in (3, 5, 7)] == [0, 99_000_000, len(MAIL) + 3]
        assert client.search(["UID", "1:*", "LARGER", 1_000]) == [5]
        assert client.fetch([5], [BODY])[5][b"BODY[]"] == MAIL + b"5\r\n"


def test_a_folders_description_is_wrong(imap: ScriptedImap) -> None:
    imap.behave(Quirks(unsaid={"UIDNEXT"}, exists=99, modseq=True))
    imap.inbox.uidvalidity = 8
    with connect(imap) as client:
        client.login("support", "secret")
        said = client.select_folder("INBOX", readonly=True)
    assert b"UIDNEXT" not in said
    assert (said[b"EXISTS"], said[b"HIGHESTMODSEQ"], said[b"UIDVALIDITY"]) == (99, imap.inbox.modseq, 8)


def test_folders_have_names_in_modified_utf_7_and_some_cannot_be_opened() -> None:
    with (
        ScriptedImap("&AOk-l&AOg-ves", "Gone", quirks=Quirks(missing={"Gone"})) as imap,
        enter(imap, "élèves") as client,
    ):
        assert [name for _, _, name in client.list_folders()] == ["INBOX", "élèves", "Gone"]
        for name in ("Gone", "Nowhere"):
            with pytest.raises(IMAPClientError, match="NONEXISTENT"):
                client.select_folder(name)


def test_a_search_may_name_ten_thousand_or_come_in_several_lines(imap: ScriptedImap) -> None:
    for uid in range(11, 10_011):
        imap.deliver(MAIL, "Junk", uid=uid)
    with enter(imap, "Junk") as client:
        assert len(client.search("ALL")) == 10_000
        imap.behave(Quirks(listed=4_000))
        with pytest.raises(ValueError, match="message list"):  # IMAPClient takes one line only
            client.search("ALL")


def test_a_mail_is_there_and_search_does_not_name_it(imap: ScriptedImap) -> None:
    imap.behave(Quirks(unnamed={5}))
    with enter(imap) as client:
        assert client.search("ALL") == [3, 7]
        assert 5 in client.fetch([5], [BODY])


def test_two_commands_are_answered_at_once(imap: ScriptedImap) -> None:
    imap.behave(Quirks(mingled=True))
    said = talk(imap, "UID FETCH 3 (RFC822.SIZE)", "UID FETCH 5 (RFC822.SIZE)", "NOOP")[-5:]
    assert said == [
        b"* 1 FETCH (UID 3 RFC822.SIZE 28)\r\n",
        b"* 2 FETCH (UID 5 RFC822.SIZE 28)\r\n",
        b"UID OK FETCH completed\r\n",
        b"UID OK FETCH completed\r\n",
        b"NOOP OK NOOP completed\r\n",
    ]


def test_a_range_to_the_end_may_name_nothing_below_its_start(imap: ScriptedImap) -> None:
    imap.behave(Quirks(star_below=False))
    with enter(imap) as client:
        assert client.search(["UID", "8:*"]) == []
        assert client.search(["UID", "6:*"]) == [7]


# --- turns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("turn", "following"), [
    (say("GREETING", "* OK [ALERT] Maintenance"), b"* OK Server ready"),
    (say("LOGIN", "* OK [ALERT] Maintenance"), b"LOGIN OK LOGIN completed"),
    (say("LOGIN", "* OK [ALERT] Maintenance", after=True), b"* FLAGS"),
    (say("UID FETCH", "* OK [ALERT] Maintenance", uid=5), b"* 2 FETCH (UID 5"),
])  # fmt: skip
def test_alerts_come_at_any_time_and_the_command_is_answered(imap: ScriptedImap, turn: Turn, following: bytes) -> None:
    play(imap, turn)
    said = talk(imap, "UID FETCH 3:7 (BODY.PEEK[])")
    assert said.count(b"* OK [ALERT] Maintenance\r\n") == 1
    assert said[said.index(b"* OK [ALERT] Maintenance\r\n") + 1].startswith(following)
    assert said[-1] == b"UID OK FETCH completed\r\n"


@pytest.mark.parametrize("text", ["NO [OVERQUOTA] Enough", "BAD User is authenticated but not connected"])
def test_a_command_is_refused_so_often(imap: ScriptedImap, text: str) -> None:
    play(imap, refuse("UID FETCH", text, times=2), refuse("LOGIN", text, times=1))
    with pytest.raises(LoginError, match=text.split()[1].strip("[]")), enter(imap):
        pass
    with enter(imap) as client:
        for _ in range(2):
            with pytest.raises(IMAPClientError, match=text.split()[1].strip("[]")):
                client.fetch([3], [BODY])
        assert 3 in client.fetch([3], [BODY])
    assert len(imap.logins) == 2


def test_a_turn_that_never_came_is_told(imap: ScriptedImap) -> None:
    never, once = refuse("SELECT", "NO"), refuse("EXAMINE", "NO", times=1)
    for turn in (never, once):
        play(imap, turn)
        talk(imap)
    play(imap)
    assert imap.unplayed == [(never,)]


def test_a_server_says_goodbye_instead_of_a_greeting(imap: ScriptedImap) -> None:
    play(imap, bye("GREETING", "Too busy"))
    with pytest.raises(IMAPClientError, match="Too busy"):
        connect(imap)


@pytest.mark.parametrize("turn", [
    bye("LOGIN", "Session ended", after=True),
    bye("EXAMINE", "Session ended"),
    bye(BODY, "Session ended", uid=5),
])  # fmt: skip
def test_a_session_ends_with_a_goodbye(imap: ScriptedImap, turn: Turn) -> None:
    play(imap, turn)
    with pytest.raises(IMAPClientAbortError, match="Session ended"), enter(imap) as client:
        client.fetch([3, 5, 7], [BODY])
    assert imap.count(BODY) == (turn.at == BODY)


def test_idling_ends_with_a_goodbye(imap: ScriptedImap) -> None:
    play(imap, bye("IDLING", "Session ended"))
    with enter(imap) as client:
        client.idle()
        assert client.idle_check(timeout=10) == [(b"BYE", b"Session", b"ended")]


@pytest.mark.parametrize("into", [0, 4, 27])
def test_a_connection_is_cut_within_a_mail_for_the_first_time(imap: ScriptedImap, into: int) -> None:
    play(imap, cut(BODY, uid=5, into=into, times=1))
    with pytest.raises(IMAPClientAbortError), enter(imap) as client:
        client.fetch([3, 5, 7], [BODY])
    with enter(imap) as client:
        assert sorted(client.fetch([3, 5, 7], [BODY])) == [3, 5, 7]


def test_a_connection_is_cut_after_so_many_bytes(imap: ScriptedImap) -> None:
    play(imap, cut(BODY, uid=5, into=4))
    assert b"".join(talk(imap, "UID FETCH 5 (BODY.PEEK[])")).endswith(b"BODY[] {28}\r\nSubj")


@pytest.mark.parametrize("at", ["LOGIN", "EXAMINE", "SEARCH", BODY])
def test_silence_lets_a_read_time_out(imap: ScriptedImap, at: str) -> None:
    play(imap, silence(at))
    with pytest.raises((TimeoutError, LoginError), match="timed out"), enter(imap, read=0.1) as client:
        client.fetch(client.search("ALL"), [BODY])


def test_dripping_keeps_a_read_waiting_beyond_its_time_out(imap: ScriptedImap) -> None:
    play(imap, drip("UID SEARCH"))
    with enter(imap, read=5) as client:
        client._imap.send(b"x UID SEARCH ALL\r\n")
        assert [client._imap.file.read(1) for _ in range(5)] == [b"."] * 5


def test_a_mail_drips(imap: ScriptedImap) -> None:
    play(imap, drip(BODY, uid=5, into=4))
    with enter(imap) as client:
        client._imap.send(b"x UID FETCH 5 (BODY.PEEK[])\r\n")
        assert client._imap.file.readline().endswith(b"BODY[] {28}\r\n")
        assert client._imap.file.read(8) == b"Subj...."

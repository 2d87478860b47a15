"""Letters over one connection: what the server said of each, whatever breaks, and none of them twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from blocks import SmtpServer
from blocks.carrier import Carried, Envelope, Reply, double_dots, end_lines, write_path, write_xtext
from desk.errors import ConnectionTrouble, NetworkTrouble, ProtocolTrouble, Throttled
from tests.smtp_server import EXTENSIONS, HOST, Script, ScriptedSmtp

SENDER, ANN, BOB = "support@atelier.example", "ann@school.example", "bob@school.example"
PLAINLY = tuple(one for one in EXTENSIONS if one != "PIPELINING")
ways = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "plain"])


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with ScriptedSmtp() as running:
        yield running


def relay(server: ScriptedSmtp, **changes: Any) -> SmtpServer:
    fields = {"host": HOST, "port": server.port, "security": "none", "timeout_seconds": 5} | changes
    return SmtpServer(sender=SENDER, **fields)


def letter(number: int, *recipients: str, size: int = 0, **changes: Any) -> Envelope:
    body = b"Message-ID: <%d@atelier.example>\r\n\r\nhello\r\n" % number + b"padding\r\n" * (size // 9)
    return replace(Envelope(number, SENDER, recipients or (ANN,), body), **changes)


class Caller:
    """Does with a carrier what the outbox does: puts down every turn, and carries anew what it was not told of."""

    def __init__(self, server: SmtpServer, pipelining: bool = True) -> None:
        self.server, self.pipelining = server, pipelining
        self.turns: list[tuple[int, int]] = []  # done and next by number, 0 for none
        self.told: defaultdict[int, list[Carried]] = defaultdict(list)
        self.withheld: set[int] = set()
        self.troubles: list[type[Exception]] = []

    def turn(self, done: Carried | None, following: Envelope | None) -> bool:
        self.turns.append((done.envelope.letter_id if done else 0, following.letter_id if following else 0))
        if done:
            self.told[done.envelope.letter_id].append(done)
        return following is None or following.letter_id not in self.withheld

    def carry(self, *letters: Envelope) -> None:
        with self.server.open_carrier(pipelining=self.pipelining) as carrier:
            carrier.carry(letters, self.turn)

    def persist(self, *letters: Envelope, most: int = 3) -> None:
        for _ in range(most):
            rest = [one for one in letters if one.letter_id not in {*self.told, *self.withheld}]
            if not rest:
                return
            try:
                self.carry(*rest)
            except ConnectionTrouble as trouble:
                self.troubles.append(type(trouble))

    @property
    def fates(self) -> dict[int, str]:
        assert all(len(each) == 1 for each in self.told.values())
        return {number: each[0].fate for number, each in self.told.items()}

    def codes(self, number: int) -> dict[str, int]:
        return {one: reply.code for one, reply in self.told[number][0].replies.items()}


def carry(server: ScriptedSmtp, *letters: Envelope, pipelining: bool = True, **changes: Any) -> Caller:
    caller = Caller(relay(server, **changes), pipelining)
    caller.carry(*letters)
    return caller


def numbers(server: ScriptedSmtp) -> list[int]:
    return [int(parseaddr(one.message_id)[1].partition("@")[0]) for one in server.letters]


# --- the way of a letter ---------------------------------------------------------------------------------------------


@ways
def test_letters_arrive_in_order_over_one_connection(server: ScriptedSmtp, pipelining: bool) -> None:
    caller = carry(server, letter(1), letter(2, ANN, BOB), letter(3), pipelining=pipelining)
    assert numbers(server) == [1, 2, 3]
    assert [one.recipients for one in server.letters] == [(ANN,), (ANN, BOB), (ANN,)]
    assert caller.turns == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert caller.codes(2) == {ANN: 250, BOB: 250}
    assert server.connections == 1
    assert server.verbs[-1] == "QUIT"


def test_pipelined_each_letter_but_the_first_costs_one_round_trip(server: ScriptedSmtp) -> None:
    carry(server, letter(1), letter(2, ANN, BOB))
    assert [line.partition(":")[0] for line in server.rushed] == [
        "MAIL FROM",
        "RCPT TO",
        "MAIL FROM",
        "RCPT TO",
        "RCPT TO",
    ]
    # the second letter's first command lay in wait while the first letter was being taken
    assert server.behind_bodies == 1


@ways
def test_a_server_without_pipelining_gets_one_command_at_a_time(pipelining: bool) -> None:
    with ScriptedSmtp(Script(extensions=PLAINLY)) as server:
        carry(server, letter(1, ANN, BOB), letter(2), pipelining=pipelining)
        assert numbers(server) == [1, 2]
        assert (server.rushed, server.behind_bodies) == ([], 0)


@ways
def test_no_letter_goes_out_before_its_turn(server: ScriptedSmtp, pipelining: bool) -> None:
    there: list[list[int]] = []

    def turn(done: Carried | None, following: Envelope | None) -> bool:
        there.append(numbers(server))
        return True

    with relay(server).open_carrier(pipelining=pipelining) as carrier:
        carrier.carry([letter(1), letter(2), letter(3)], turn)
    assert there == [[], [1], [1, 2], [1, 2, 3]]


@ways
def test_a_letter_that_is_held_back_ends_the_carrying(server: ScriptedSmtp, pipelining: bool) -> None:
    caller = Caller(relay(server), pipelining)
    caller.withheld = {2}
    caller.carry(letter(1), letter(2), letter(3))
    assert wait_gone(server) == [1]
    caller.persist(letter(1), letter(2), letter(3))
    assert numbers(server) == [1, 3]
    assert caller.fates == {1: "answered", 3: "answered"}
    assert caller.troubles == []


@ways
def test_whatever_the_caller_raises_passes_and_no_letter_goes_out(server: ScriptedSmtp, pipelining: bool) -> None:
    def turn(done: Carried | None, following: Envelope | None) -> bool:
        raise ConnectionResetError("the database")

    opened = relay(server).open_carrier(pipelining=pipelining)
    with pytest.raises(ConnectionResetError, match="the database"), opened as carrier:
        carrier.carry([letter(1)], turn)
    assert wait_gone(server) == []


@ways
def test_what_became_of_a_letter_is_told_though_the_next_one_can_not_be_had(
    server: ScriptedSmtp, pipelining: bool
) -> None:
    def letters() -> Iterator[Envelope]:
        yield letter(1)
        yield letter(2)
        raise KeyError("sealed")

    caller = Caller(relay(server), pipelining)
    with pytest.raises(KeyError), caller.server.open_carrier(pipelining=pipelining) as carrier:
        carrier.carry(letters(), caller.turn)
    assert caller.fates == {1: "answered"}
    assert numbers(server) == [1]


def wait_gone(server: ScriptedSmtp) -> list[int]:
    """What was accepted by the time every client is gone."""
    server.wait_idle()
    return numbers(server)


# --- replies ---------------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, dict[str, str], dict[str, int], int]] = [
    ("a sender", {"MAIL": "550 5.7.60 not yours"}, {ANN: 550, BOB: 550}, 0),
    ("a sender for now", {"MAIL": "451 4.3.0 later"}, {ANN: 451, BOB: 451}, 0),
    ("one recipient", {f"RCPT TO:<{BOB}": "550 5.1.1 unknown"}, {ANN: 250, BOB: 550}, 1),
    ("every recipient", {"RCPT": "452 4.5.3 too many"}, {ANN: 452, BOB: 452}, 0),
    ("every recipient, then go ahead", {"RCPT": "550 5.1.1 unknown", "DATA": "354 go"}, {ANN: 550, BOB: 550}, 0),
    ("the body before it came", {"DATA": "451 4.3.2 busy"}, {ANN: 451, BOB: 451}, 0),
    ("the letter", {".": "554 5.7.1 spam"}, {ANN: 554, BOB: 554}, 0),
    ("a recipient and the letter", {f"RCPT TO:<{BOB}": "550 5.1.1 unknown", ".": "452 4.3.1 full"},
     {ANN: 452, BOB: 550}, 0),
    ("nothing, forwarding one", {f"RCPT TO:<{BOB}": "251 2.1.5 will forward"}, {ANN: 250, BOB: 250}, 1),
]  # fmt: skip


@ways
@pytest.mark.parametrize(("what", "replies", "codes", "accepted"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_server_that_refuses(
    server: ScriptedSmtp, what: str, replies: dict[str, str], codes: dict[str, int], accepted: int, pipelining: bool
) -> None:
    server.script.replies = replies
    caller = Caller(relay(server), pipelining)

    def turn(done: Carried | None, following: Envelope | None) -> bool:
        if done and done.envelope.letter_id == 1:
            server.script.replies = {}
        return caller.turn(done, following)

    with caller.server.open_carrier(pipelining=pipelining) as carrier:
        carrier.carry([letter(1, ANN, BOB)], turn)
        carrier.carry([letter(2)], turn)
    assert caller.codes(1) == codes
    assert caller.fates == {1: "answered", 2: "answered"}
    assert numbers(server) == [1, 2][2 - accepted - 1 :]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ("550 5.1.1 no such user", Reply(550, "5.1.1", "5.1.1 no such user")),
        ("550 no such user", Reply(550, "", "no such user")),
        ("550 4.1.1 of another class", Reply(550, "", "4.1.1 of another class")),
        ("550 5.1.1234 too long", Reply(550, "", "5.1.1234 too long")),
        ("550", Reply(550, "", "")),
        ("550-5.7.1 spam\n550 5.7.1 see our page", Reply(550, "5.7.1", "5.7.1 spam\n5.7.1 see our page")),
    ],
)  # fmt: skip
def test_a_reply_has_code_status_and_words(server: ScriptedSmtp, said: str, reply: Reply) -> None:
    server.script.replies = {"RCPT": said}
    assert carry(server, letter(1)).told[1][0].replies == {ANN: reply}


def test_no_address_and_no_word_of_a_letter_shows_in_what_is_carried(server: ScriptedSmtp) -> None:
    server.script.replies = {f"RCPT TO:<{BOB}": f"550 5.1.1 {BOB} is unknown"}
    done = carry(server, letter(1, ANN, BOB)).told[1][0]
    assert [each for each in (SENDER, ANN, BOB, "hello", "unknown") if each in f"{done!r} {done.replies[BOB]!r}"] == []


# --- closing and breaking --------------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_421_ends_the_carrying_before_a_letter_is_begun(server: ScriptedSmtp, command: str, pipelining: bool) -> None:
    server.script.rule = answer_second(command, "421 4.7.0 too many letters")
    caller = Caller(relay(server), pipelining)
    with pytest.raises(Throttled):
        caller.carry(letter(1), letter(2), letter(3))
    assert caller.fates == {1: "answered"}
    assert wait_gone(server) == [1]
    assert server.connections == 1


@pytest.mark.parametrize(
    "words",
    ["4.7.0 too many connections", "4.7.0 closing", "4.7.0 use STARTTLS, no such mailbox", "4.7.0 password", ""],
)
def test_421_is_a_pause_whatever_it_says(server: ScriptedSmtp, words: str) -> None:
    server.script.replies = {"MAIL": f"421 {words}"}
    with pytest.raises(Throttled) as caught:
        carry(server, letter(1))
    assert str(server.port) in str(caught.value)


@ways
def test_421_after_a_body_is_an_answer_to_it(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.replies = {".": "421 4.3.2 shutting down"}
    caller = Caller(relay(server), pipelining)
    with pytest.raises(Throttled):
        caller.carry(letter(1), letter(2))
    assert caller.fates == {1: "answered"}
    assert caller.codes(1) == {ANN: 421}
    assert wait_gone(server) == []


def answer_second(command: str, reply: str) -> Any:
    """A rule: the second time that a command is heard it gets this reply."""
    heard: Counter[str] = Counter()

    def rule(_: str, line: str) -> str | None:
        heard[line[:4]] += 1
        return reply if line.startswith(command) and heard[line[:4]] == 2 else None

    return rule


# where the connection breaks with the second of three letters → its fate where each command waits for its reply
DROPS: list[tuple[str, str, bool, bool]] = [
    ("MAIL", "answered", True, True), ("RCPT", "answered", True, True), ("DATA", "answered", True, True),
    ("354", "untold", True, True), ("354", "untold", True, False), (".", "unknown", True, True),
    (".", "unknown", False, True), (".", "unknown", True, False), ("answer", "answered", True, True),
    ("answer", "answered", True, False),
]  # fmt: skip


@ways
@pytest.mark.parametrize(("point", "fate", "keeps", "abrupt"), DROPS)
def test_wherever_the_connection_breaks_no_letter_is_lost_or_sent_twice(
    server: ScriptedSmtp, point: str, fate: str, keeps: bool, abrupt: bool, pipelining: bool
) -> None:
    server.script.drops, server.script.keeps, server.script.abrupt = {(point, 2)}, keeps, abrupt
    caller = Caller(relay(server), pipelining)
    tell = caller.turn

    def turn(done: Carried | None, following: Envelope | None) -> bool:
        if point == "354" and following and following.letter_id == 2:
            server.release()  # it breaks when the caller has said yes, and not before
            server.dropped.wait(5)
        return tell(done, following)

    if point == "354":
        server.script.holds = (point, 2)
    caller.turn = turn  # type: ignore[method-assign]
    caller.persist(letter(1), letter(2), letter(3))
    assert caller.fates == {1: "answered", 2: fate, 3: "answered"}
    there = {"untold": 0, "unknown": int(keeps)}.get(fate, 1)
    assert Counter(wait_gone(server)) == Counter({1: 1, 2: there, 3: 1})
    assert server.connections == 2


@ways
def test_a_body_that_breaks_off_did_not_go_out(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.drops = {("body", 2)}
    caller = Caller(relay(server), pipelining)
    caller.persist(letter(1), letter(2, size=20_000_000), letter(3))
    assert caller.fates == {1: "answered", 2: "untold", 3: "answered"}
    assert caller.told[2][0].code == "connection-lost"
    assert wait_gone(server) == [1, 3]


@ways
def test_a_body_that_is_refused_while_it_is_being_sent_is_refused(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.breaks_bodies = "552 5.3.4 too much"
    caller = Caller(relay(server), pipelining)
    with pytest.raises(NetworkTrouble):
        caller.carry(letter(1, size=20_000_000), letter(2))
    assert (caller.fates, caller.codes(1)) == ({1: "answered"}, {ANN: 552})
    assert wait_gone(server) == []


@ways
def test_a_body_that_breaks_off_did_not_go_out_though_the_server_thanks_for_it(
    server: ScriptedSmtp, pipelining: bool
) -> None:
    server.script.breaks_bodies = "250 2.0.0 kept"
    caller = Caller(relay(server), pipelining)
    with pytest.raises(ConnectionTrouble):
        caller.carry(letter(1, size=20_000_000))
    assert caller.fates == {1: "untold"}


@ways
def test_who_was_refused_stays_refused_when_the_fate_of_the_letter_is_unknown(
    server: ScriptedSmtp, pipelining: bool
) -> None:
    server.script.replies, server.script.drops = {f"RCPT TO:<{BOB}": "550 5.1.1 unknown"}, {(".", 1)}
    caller = Caller(relay(server), pipelining)
    with pytest.raises(NetworkTrouble):
        caller.carry(letter(1, ANN, BOB))
    assert (caller.fates, caller.codes(1)) == ({1: "unknown"}, {BOB: 550})


@ways
def test_a_server_that_never_answers_a_letter_leaves_its_fate_unknown(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.replies = {".": ""}
    caller = Caller(relay(server, timeout_seconds=0.3), pipelining)
    with pytest.raises(NetworkTrouble):
        caller.carry(letter(1), letter(2))
    # pipelined the reply to the next MAIL looks like an answer, until the replies behind it do not fit
    assert caller.fates == dict.fromkeys((1, 2) if pipelining else (1,), "unknown")
    assert Counter(wait_gone(server)) == Counter(caller.fates.keys())


@ways
def test_a_server_may_take_longer_for_a_letter_than_for_anything_else(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.delays = {".": 0.8}
    assert carry(server, letter(1), pipelining=pipelining, timeout_seconds=0.4).fates == {1: "answered"}


@ways
def test_a_connection_that_breaks_again_and_again_is_given_back(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.drops = {("MAIL", number) for number in range(1, 10)}
    caller = Caller(relay(server), pipelining)
    with pytest.raises(NetworkTrouble):
        caller.carry(letter(1))
    assert caller.turns == []
    assert server.connections == (2 if pipelining else 1)


# --- servers that announce PIPELINING and can't do it ----------------------------------------------------------------

LIARS: list[tuple[str, Script]] = [
    ("throws away its input", Script(flushes=True)),
    ("answers several recipients once", Script(garbles={f"RCPT TO:<{ANN}": ""})),
    ("answers a recipient twice", Script(garbles={"RCPT": "250 2.1.5 OK\n250 2.1.5 OK"})),
    ("does not answer MAIL", Script(garbles={"MAIL": ""})),
    ("answers MAIL twice", Script(garbles={"MAIL": "250 2.1.0 OK\n250 2.1.0 OK"})),
    ("takes offence", Script(garbles={"MAIL": "503 5.5.0 one at a time"})),
]


@pytest.mark.parametrize(("what", "script"), LIARS, ids=[row[0] for row in LIARS])
def test_a_server_that_can_not_do_what_it_announced_gets_every_letter_once(what: str, script: Script) -> None:
    with ScriptedSmtp(script) as server:
        caller = Caller(relay(server, timeout_seconds=1))
        caller.carry(letter(1, ANN, BOB), letter(2), letter(3, ANN, BOB))
        offended = what == "takes offence"
        assert numbers(server) == ([] if offended else [1, 2, 3])
        assert caller.codes(3) == dict.fromkeys((ANN, BOB), 503 if offended else 250)
        assert caller.fates == dict.fromkeys((1, 2, 3), "answered")


@ways
def test_a_reply_to_nothing_ends_the_carrying_before_a_body_is_sent(server: ScriptedSmtp, pipelining: bool) -> None:
    """It would be taken for the answer to the letter."""
    server.script.replies = {"DATA": "354 go ahead\n250 2.0.0 kept"}
    caller = Caller(relay(server), pipelining)
    with pytest.raises(ProtocolTrouble):
        caller.carry(letter(1))
    assert caller.fates == {}
    assert wait_gone(server) == []


@ways
@pytest.mark.parametrize(
    ("command", "reply"),
    [("MAIL", "354 go ahead"), ("RCPT", "354 go ahead"), ("RCPT", "334 "), ("DATA", "250 OK"), ("DATA", "334 "),
     ("MAIL", "what"), ("RCPT", "150 hm"), ("DATA", "650 hm")],
)  # fmt: skip
def test_replies_out_of_place_end_the_carrying(
    server: ScriptedSmtp, command: str, reply: str, pipelining: bool
) -> None:
    server.script.rule = lambda _, line: reply if line.startswith(command) else None
    caller = Caller(relay(server), pipelining)
    with pytest.raises(ProtocolTrouble):
        caller.carry(letter(1))
    assert (caller.turns, wait_gone(server)) == ([], [])


@ways
def test_an_answer_to_a_letter_that_is_none_leaves_its_fate_unknown(server: ScriptedSmtp, pipelining: bool) -> None:
    server.script.replies = {".": "354 go ahead"}
    caller = Caller(relay(server), pipelining)
    with pytest.raises(ProtocolTrouble):
        caller.carry(letter(1))
    assert caller.fates == {1: "unknown"}


def test_many_recipients_are_asked_for_one_by_one(server: ScriptedSmtp) -> None:
    """Replies that nobody reads yet could hold up the server and then us."""
    people = tuple(f"a{number}@school.example" for number in range(101))
    carry(server, letter(1), letter(2, *people), letter(3))
    assert numbers(server) == [1, 2, 3]
    assert [line for line in server.rushed if "a5@" in line] == []


# --- what is said ----------------------------------------------------------------------------------------------------

BODIES: list[tuple[str, bytes, bytes]] = [
    ("a dot", b"a\r\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n"),
    ("dots", b".\r\n..\r\n...a\r\n", b".\r\n..\r\n...a\r\n"),
    ("no end", b"a\r\n.", b"a\r\n.\r\n"),
    ("nothing", b"", b"\r\n"),
    ("bare ends", b"a\n.\nb\rc\r\n", b"a\r\n.\r\nb\r\nc\r\n"),
    ("an end within an end", b"a\r\n.\n\r\nMAIL FROM:<x@y.example>\n", b"a\r\n.\r\n\r\nMAIL FROM:<x@y.example>\r\n"),
]


@ways
@pytest.mark.parametrize(("what", "body", "arrived"), BODIES, ids=[row[0] for row in BODIES])
def test_a_body_arrives_as_it_was(
    server: ScriptedSmtp, what: str, body: bytes, arrived: bytes, pipelining: bool
) -> None:
    carry(server, letter(1, body=body), letter(2), pipelining=pipelining)
    assert [one.raw for one in server.letters] == [arrived, letter(2).body]


@settings(deadline=None)
@given(some.text(alphabet="a.\r\n", max_size=60).map(str.encode))
def test_no_body_ends_early_and_every_line_ends_well(body: bytes) -> None:
    lines = end_lines(body)
    sent = double_dots(lines)
    assert b"\r\n.\r\n" not in b"\r\n" + sent
    assert (b"\r\n" + sent).replace(b"\r\n.", b"\r\n")[2:] == lines
    assert lines.replace(b"\r\n", b"").count(b"\r") == lines.replace(b"\r\n", b"").count(b"\n") == 0
    assert lines.endswith(b"\r\n")


EIGHT_BITS = "Subject: a\r\n\r\né\r\n".encode()
PARAMETERS: list[tuple[str, tuple[str, ...], dict[str, Any], tuple[str, ...], tuple[str, ...]]] = [
    ("nothing offered", (), {}, (), ()),
    ("eight bits", ("8BITMIME",), {"body": EIGHT_BITS}, ("BODY=8BITMIME",), ()),
    ("eight bits, not offered", (), {"body": EIGHT_BITS}, (), ()),
    ("seven bits", ("8BITMIME",), {}, (), ()),
    ("notices", ("DSN",), {"notify": True, "envid": "letter+1=2"}, ("RET=HDRS", "ENVID=letter+2B1+3D2"),
     ("NOTIFY=SUCCESS,FAILURE,DELAY",)),
    ("notices without a name", ("DSN",), {"notify": True}, ("RET=HDRS",), ("NOTIFY=SUCCESS,FAILURE,DELAY",)),
    ("notices, not offered", (), {"notify": True, "envid": "1"}, (), ()),
    ("no notices", ("DSN",), {"envid": "1"}, (), ()),
    ("a name no report can hold", ("DSN",), {"notify": True, "envid": "é"}, ("RET=HDRS",),
     ("NOTIFY=SUCCESS,FAILURE,DELAY",)),
    ("a name too long", ("DSN",), {"notify": True, "envid": "x" * 101}, ("RET=HDRS",),
     ("NOTIFY=SUCCESS,FAILURE,DELAY",)),
    ("an address beyond ASCII", ("SMTPUTF8", "8BITMIME"), {"recipients": ("zoé@école.example",)}, ("SMTPUTF8",), ()),
    ("a header beyond ASCII", ("SMTPUTF8", "8BITMIME"), {"body": "To: zoé@x.example\r\n\r\n".encode()},
     ("BODY=8BITMIME", "SMTPUTF8"), ()),
    ("a domain beyond ASCII", ("SMTPUTF8",), {"recipients": ("zoe@école.example",)}, (), ()),
]  # fmt: skip


@pytest.mark.parametrize(("what", "offered", "changed", "mail", "rcpt"), PARAMETERS, ids=[row[0] for row in PARAMETERS])
def test_parameters_are_said_where_they_are_offered_and_needed(
    what: str, offered: tuple[str, ...], changed: dict[str, Any], mail: tuple[str, ...], rcpt: tuple[str, ...]
) -> None:
    with ScriptedSmtp(Script(extensions=offered, size=0)) as server:
        carry(server, letter(1, **changed))
    assert server.letters[0].mail_parameters == mail
    assert set(server.letters[0].rcpt_parameters.values()) == {rcpt}


def test_the_size_of_a_letter_is_told_without_doubled_dots(server: ScriptedSmtp) -> None:
    carry(server, letter(1, body=b"a\r\n.\r\n"))
    assert server.letters[0].mail_parameters == ("SIZE=6",)


def test_a_domain_is_sent_in_ascii_and_a_local_part_as_it_is(server: ScriptedSmtp) -> None:
    carry(server, letter(1, "zoé@école.example"))
    assert server.letters[0].recipients == ("zoé@xn--cole-9oa.example",)


@ways
def test_an_address_beyond_ascii_is_not_said_where_nobody_offers_it(pipelining: bool) -> None:
    with ScriptedSmtp(Script(extensions=("PIPELINING",))) as server:
        caller = carry(server, letter(1, "zoé@school.example", ANN), letter(2), pipelining=pipelining)
        assert (caller.told[1][0].code, caller.codes(1)) == (
            "smtputf8",
            dict.fromkeys(("zoé@school.example", ANN), 553),
        )
        assert numbers(server) == [2]
        assert [line for _, line in server.commands if "zo" in line] == []


@ways
def test_a_letter_beyond_the_limit_is_not_begun(pipelining: bool) -> None:
    with ScriptedSmtp(Script(size=200)) as server:
        letters = [letter(number, size=300 if number in (2, 5) else 0) for number in range(1, 7)]
        caller = carry(server, *letters, pipelining=pipelining)
        assert numbers(server) == [1, 3, 4, 6]
        assert caller.fates == dict.fromkeys(range(1, 7), "answered")
        assert (caller.told[2][0].code, caller.codes(2)) == ("too-large", {ANN: 552})
        assert server.verbs.count("MAIL") == 4


def test_a_carrier_knows_what_the_server_offers(server: ScriptedSmtp) -> None:
    with relay(server).open_carrier() as carrier:
        assert (carrier.limit, "dsn" in carrier.extensions) == (server.script.size, True)
    server.script.size = 0
    with relay(server).open_carrier() as carrier:
        assert carrier.limit == 0


def test_bounces_come_back_to_nobody_when_there_is_no_sender(server: ScriptedSmtp) -> None:
    carry(server, letter(1, sender=""))
    assert server.letters[0].sender == ""


UNUSABLE = [
    "ann@school.example\r\nRCPT TO:<eve@evil.example>", "ann@school.example\nDATA", "ann@school.example\r",
    "a\x00@b.example", "ann @school.example", "ann@school.example NOTIFY=NEVER", "<ann@school.example>",
    "ann@school.example>", "a>b@c.example",
    "ann", "@school.example", "ann@", "", "ann\u2028@school.example", "ann@school\uff1e.example",
    "ann\x85@school.example", "zo\ud800@school.example", "zoé@" + "é" * 70 + ".example", f"{'a' * 250}@school.example",
]  # fmt: skip


@ways
@pytest.mark.parametrize("address", UNUSABLE)
def test_an_address_that_could_end_its_command_is_not_said(
    server: ScriptedSmtp, address: str, pipelining: bool
) -> None:
    caller = carry(server, letter(1, address, BOB), letter(2, address), letter(3), pipelining=pipelining)
    assert (caller.codes(1), caller.codes(2)) == ({address: 553, BOB: 250}, {address: 553})
    assert [one.recipients for one in server.letters] == [(BOB,), (ANN,)]
    assert set(server.verbs) == {"EHLO", "MAIL", "RCPT", "DATA", "QUIT"}


@pytest.mark.parametrize("address", [one for one in UNUSABLE if one])
def test_a_sender_that_could_end_its_command_is_not_said(server: ScriptedSmtp, address: str) -> None:
    caller = carry(server, letter(1, sender=address), letter(2))
    assert caller.codes(1) == {ANN: 553}
    assert numbers(server) == [2]


@settings(deadline=None)
@given(some.text(min_size=1, max_size=40))
def test_no_address_ever_ends_its_command(text: str) -> None:
    for address in (text, f"{text}@school.example", f"ann@{text}"):
        written = (write_path(address) or b"").decode()
        assert written.isprintable()
        assert not set(written) & set("<> ")


@settings(deadline=None)
@given(some.text(alphabet=some.characters(min_codepoint=32, max_codepoint=126)))
def test_xtext_reads_back(text: str) -> None:
    written = write_xtext(text).decode()
    head, *coded = written.split("+")
    assert head + "".join(chr(int(each[:2], 16)) + each[2:] for each in coded) == text
    assert not set(written) & set(" =")


# --- both ways are one -----------------------------------------------------------------------------------------------

MAIL_CODES, RCPT_CODES = ("250", "550", "451"), ("250", "251", "550", "452", "553")
DATA_CODES, DOT_CODES = ("354", "451", "554"), ("250", "554", "452")
ODD = ("bad address", "zoé-250@school.example", "eve>-250@school.example")


@some.composite
def envelopes(draw: some.DrawFn) -> list[Envelope]:
    return [draw_letter(draw, number + 1) for number in range(draw(some.integers(1, 6)))]


def draw_letter(draw: some.DrawFn, number: int) -> Envelope:
    """Its addresses say what the server answers to each of its commands."""
    said = [draw(some.sampled_from(codes)) for codes in (MAIL_CODES, DATA_CODES, DOT_CODES)]
    known = some.sampled_from(RCPT_CODES).flatmap(
        lambda code: some.sampled_from("abc").map(lambda x: f"{x}-{code}@s.example")
    )
    people = draw(some.lists(known | some.sampled_from(ODD), min_size=1, max_size=4, unique=True))
    return letter(number, *people, sender=f"{'-'.join(said)}@s.example", size=draw(some.sampled_from((0, 0, 90, 900))))


def obey_addresses(sender: str, line: str) -> str | None:
    if line.startswith("RCPT"):
        return say_code(line.partition("@")[0].rpartition("-")[2])
    if line[:4] not in ("MAIL", "DATA", ".") or not sender:
        return None
    mail, data, dot = sender.partition("@")[0].split("-")
    return say_code({"MAIL": mail, "DATA": data, ".": dot}[line[:4]])


def say_code(code: str) -> str | None:
    """None: as the server itself would answer."""
    return None if code in ("250", "354") else f"{code} {code[0]}.0.0 said {code}"


@settings(deadline=None, max_examples=60)
@given(envelopes(), some.booleans())
def test_pipelined_or_not_the_same_becomes_of_every_letter(letters: list[Envelope], utf8: bool) -> None:
    outcomes = []
    offered = EXTENSIONS if utf8 else tuple(one for one in EXTENSIONS if one != "SMTPUTF8")
    with ScriptedSmtp(Script(offered, size=500, rule=obey_addresses)) as server:
        for pipelining in (True, False):
            caller = carry(server, *letters, pipelining=pipelining)
            outcomes.append((caller.turns, caller.told, [(one.recipients, one.raw) for one in server.letters]))
            server.letters.clear()
        assert outcomes[0] == outcomes[1]
        assert server.connections == 2
    assert set(caller.fates) == {one.letter_id for one in letters}

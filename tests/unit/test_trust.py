"""A sender is believed when our own server says so, and never because the mail does."""

from __future__ import annotations

import pytest

from desk.facts import Trust
from desk.mail import Mail, read_mail
from desk.trust import Result, is_aligned, judge_sender, read_results

OURS = ("mx.desk.example",)
OWN = frozenset({"support@desk.example", "shared-support@bigmail.example", "inside.example"})


def read(*results: str, sender: str = "Jean <jean@school.example>") -> Mail:
    fields = [f"Authentication-Results: {one}" for one in results]
    mail = read_mail("\r\n".join([*fields, f"From: {sender}", "Subject: x", "", "x"]).encode())
    assert isinstance(mail, Mail)
    return mail


@pytest.mark.parametrize(
    ("result", "trust"),
    [
        ("mx.desk.example; dmarc=pass header.from=school.example", Trust.VERIFIED),
        ("MX.Desk.Example 1; dmarc=pass (p=reject dis=none) header.from=school.example", Trust.VERIFIED),
        ("mx.desk.example; dmarc=pass", Trust.VERIFIED),
        ("mx.desk.example; dmarc=pass header.from=other.example", Trust.UNVERIFIED),
        ("mx.desk.example; dmarc=fail header.from=school.example; dkim=pass header.d=school.example", Trust.FORGED),
        ("mx.desk.example; spf=pass smtp.mailfrom=jean@school.example", Trust.VERIFIED),
        ("mx.desk.example; spf=pass smtp.mailfrom=bounce.school.example; dmarc=none", Trust.VERIFIED),
        ("mx.desk.example; spf=pass smtp.mailfrom=evil.example", Trust.UNVERIFIED),
        ("mx.desk.example; dkim=pass header.d=school.example header.i=@school.example", Trust.VERIFIED),
        ('mx.desk.example; dkim=pass header.i="@school.example"', Trust.VERIFIED),
        ("mx.desk.example; dkim=fail header.d=school.example; dkim=pass header.d=evil.example", Trust.UNVERIFIED),
        ("mx.desk.example; spf=softfail smtp.mailfrom=school.example; dkim=none", Trust.UNVERIFIED),
        ("mx.desk.example; none", Trust.UNVERIFIED),
        ("mx.desk.example; (dmarc=pass; dmarc=pass) spf=none", Trust.UNVERIFIED),
        ("mx.desk.example; (checked) dmarc=pass header.from=school.example", Trust.VERIFIED),
        ("mx.desk.example; dkim=pass (header.d=school.example) header.d=evil.example", Trust.UNVERIFIED),
        ('mx.desk.example; spf=none reason="; dmarc=pass"', Trust.UNVERIFIED),
        ("mx.evil.example; dmarc=pass header.from=school.example", Trust.UNVERIFIED),
        ("mx.desk.example.evil.example; dmarc=pass", Trust.UNVERIFIED),
        ("", Trust.UNVERIFIED),
        (";;;(((", Trust.UNVERIFIED),
    ],
)
def test_the_server_s_results_decide(result: str, trust: Trust) -> None:
    assert judge_sender(read(result), OURS, OWN) is trust


def test_a_mail_without_results_is_unverified() -> None:
    assert judge_sender(read(), OURS, OWN) is Trust.UNVERIFIED


def test_only_the_topmost_result_of_ours_counts() -> None:
    brought_along = "mx.desk.example; dmarc=pass header.from=school.example"
    assert judge_sender(read("mx.desk.example; dmarc=fail", brought_along), OURS, OWN) is Trust.FORGED
    assert judge_sender(read("mx.desk.example; dmarc=none", brought_along), OURS, OWN) is Trust.UNVERIFIED
    assert judge_sender(read("mx.relay.example; dmarc=fail", brought_along), OURS, OWN) is Trust.VERIFIED


@pytest.mark.parametrize(
    ("sender", "result", "trust"),
    [
        ("support@desk.example", "", Trust.FORGED),
        ("Support <SUPPORT@desk.example>", "mx.desk.example; spf=pass smtp.mailfrom=evil.example", Trust.FORGED),
        ("support@desk.example", "mx.desk.example; dmarc=pass header.from=desk.example", Trust.VERIFIED),
        ("anybody@inside.example", "", Trust.FORGED),
        ("shared-support@bigmail.example", "", Trust.FORGED),
        ("stranger@bigmail.example", "", Trust.UNVERIFIED),
    ],
)
def test_our_own_addresses_must_prove_themselves(sender: str, result: str, trust: Trust) -> None:
    assert judge_sender(read(result, sender=sender), OURS, OWN) is trust


@pytest.mark.parametrize(
    "sender",
    [
        "a@school.example, b@evil.example",
        "<a@school.example> <a@school.example>",
        "a@school.example\r\nFrom: b@x.example",
        "",
        "x",
    ],
)
def test_several_senders_or_none_are_never_verified(sender: str) -> None:
    result = "mx.desk.example; dmarc=pass header.from=school.example; dkim=pass header.d=school.example"
    verified = judge_sender(read(result, sender=sender), OURS, OWN)
    assert verified is (Trust.VERIFIED if sender.startswith("<") else Trust.UNVERIFIED)


def test_a_failure_beats_a_broken_from_field() -> None:
    sender = "a@school.example, b@evil.example"
    assert judge_sender(read("mx.desk.example; dmarc=fail", sender=sender), OURS, OWN) is Trust.FORGED


@pytest.mark.parametrize(
    ("domain", "sender_domain", "aligned"),
    [
        ("school.example", "school.example", True),
        ("mail.school.example", "school.example", True),
        ("school.example", "class.school.example", True),
        ("evilschool.example", "school.example", False),
        ("example", "school.example", False),
        ("a.school.example", "b.school.example", False),
        ("", "school.example", False),
        ("school.example", "", False),
    ],
)
def test_relaxed_alignment_is_same_or_above(domain: str, sender_domain: str, aligned: bool) -> None:
    assert is_aligned(domain, sender_domain) is aligned


def test_results_name_the_domain_they_speak_for() -> None:
    spf = "spf=pass smtp.mailfrom=a@one.example smtp.helo=two.example"
    field = f"mx.desk.example; {spf}; dkim/1=pass header.d=three.example"
    assert read_results([field], OURS) == (
        Result("spf", "pass", "one.example"),
        Result("dkim", "pass", "three.example"),
    )

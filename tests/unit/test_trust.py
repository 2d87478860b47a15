"""A sender is believed when our own server says so, and never because the mail does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.facts import Trust
from desk.mail import Mail, read_mail
from desk.trust import NO_ANSWERS, Answers, Grounds, Result, is_aligned, judge_sender, needs_proof, read_results

OURS = ("mx.desk.example",)
OWN = frozenset({"support@desk.example", "shared-support@bigmail.example", "inside.example"})
GROUNDS = Grounds.of(("MX.desk.example",), OWN)


def read(*results: str, sender: str = "Jean <jean@school.example>") -> Mail:
    fields = [f"Authentication-Results: {one}" for one in results]
    mail = read_mail("\r\n".join([*fields, f"From: {sender}", "Subject: x", "", "x"]).encode())
    assert isinstance(mail, Mail)
    return mail


def trust_of(mail: Mail, answers: Answers = NO_ANSWERS) -> Trust:
    return judge_sender(mail, GROUNDS, answers).trust


def signed(*domains: str, value: str = "pass", strict: bool = False) -> Answers:
    return Answers(tuple(Result("dkim", value, domain) for domain in domains), strict)


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
        ("mx.desk.example; spf=none (a (b; dmarc=pass) c; dmarc=pass)", Trust.UNVERIFIED),
        ("mx.desk.example; spf=none (a \\) b; dmarc=pass)", Trust.UNVERIFIED),
        ('mx.desk.example; dkim=pass reason="header.d=school.example" header.d=evil.example', Trust.UNVERIFIED),
        ('mx.desk.example; dkim=pass reason="x header.d = school.example" header.d=evil.example', Trust.UNVERIFIED),
        ('mx.desk.example; spf=pass smtp.mailfrom="school.example"@evil.example', Trust.UNVERIFIED),
        ('mx.desk.example; spf=pass smtp.mailfrom="a b;c(d\\"e"@school.example', Trust.VERIFIED),
        (f"mx.desk.example; spf=pass smtp.mailfrom={'x' * 400}.school.example@evil.example", Trust.UNVERIFIED),
        ("mx.desk.example\t1 ;\r\n\tdkim = pass\r\n header.d = school.example ; spf=none", Trust.VERIFIED),
        ('"mx.desk.example" 1; dmarc / 1 = pass header.from=school.example', Trust.VERIFIED),
        ("(by) mx.desk.example (me) 1 (v); dmarc=pass(p=reject) header.from=school.example", Trust.VERIFIED),
        ("mx.desk.example; arc=pass; iprev=pass policy.iprev=192.0.2.1; auth=pass smtp.auth=jean", Trust.UNVERIFIED),
        ("spf=pass smtp.mailfrom=school.example; dkim=pass header.d=school.example", Trust.UNVERIFIED),
        ("", Trust.UNVERIFIED),
        (";;;(((", Trust.UNVERIFIED),
    ],
)
def test_the_server_s_results_decide(result: str, trust: Trust) -> None:
    assert trust_of(read(result)) is trust


def test_a_mail_without_results_is_unverified() -> None:
    assert trust_of(read()) is Trust.UNVERIFIED


def test_only_the_topmost_result_of_ours_counts() -> None:
    brought_along = "mx.desk.example; dmarc=pass header.from=school.example"
    assert trust_of(read("mx.desk.example; dmarc=fail", brought_along)) is Trust.FORGED
    assert trust_of(read("mx.desk.example; dmarc=none", brought_along)) is Trust.UNVERIFIED
    assert trust_of(read("mx.relay.example; dmarc=fail", brought_along)) is Trust.VERIFIED


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
    assert trust_of(read(result, sender=sender)) is trust


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
    verified = trust_of(read(result, sender=sender))
    assert verified is (Trust.VERIFIED if sender.startswith("<") else Trust.UNVERIFIED)


def test_a_failure_beats_a_broken_from_field() -> None:
    sender = "a@school.example, b@evil.example"
    assert trust_of(read("mx.desk.example; dmarc=fail", sender=sender)) is Trust.FORGED


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


MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=school.example; dkim=pass (signature was verified) "
    "header.d=school.example;dmarc=pass action=none header.from=school.example;compauth=pass reason=100"
)


def test_a_server_that_writes_no_name_is_believed_where_policy_says_that_ours_does_so() -> None:
    nameless = Grounds.of(("-",), OWN)
    assert judge_sender(read(MICROSOFT), nameless).trust is Trust.VERIFIED
    assert judge_sender(read(MICROSOFT.replace("pass", "none"), MICROSOFT), nameless).trust is Trust.UNVERIFIED
    assert judge_sender(read("mx.evil.example; dmarc=pass"), nameless).trust is Trust.UNVERIFIED
    assert trust_of(read(MICROSOFT)) is Trust.UNVERIFIED


def test_what_a_relay_sealed_is_not_believed() -> None:
    sealed = b"ARC-Authentication-Results: i=1; mx.desk.example; dmarc=pass header.from=school.example"
    mail = read_mail(sealed + b"\r\nFrom: a@school.example\r\n\r\nx")
    assert isinstance(mail, Mail)
    assert trust_of(mail) is Trust.UNVERIFIED


@pytest.mark.parametrize(
    ("sender", "trust"),
    [
        ("support+anything@desk.example", Trust.FORGED),
        ("support+2026-000123.k1.abcdefghijklmnop@desk.example", Trust.FORGED),
        ("shared-support+a+b@bigmail.example", Trust.FORGED),
        ("supporter@desk.example", Trust.UNVERIFIED),
        ("+support@desk.example", Trust.UNVERIFIED),
    ],
)
def test_our_addresses_are_ours_with_any_detail(sender: str, trust: Trust) -> None:
    assert trust_of(read(sender=sender)) is trust


@pytest.mark.parametrize(
    ("answers", "result", "trust", "evidence"),
    [
        (signed("school.example"), "", Trust.VERIFIED, "signature checked here"),
        (signed("mail.school.example"), "", Trust.VERIFIED, "signature checked here"),
        (signed("mail.school.example", strict=True), "", Trust.UNVERIFIED, "signature proves nothing"),
        (signed("school.example", strict=True), "", Trust.VERIFIED, "signature checked here"),
        (signed("evil.example"), "", Trust.UNVERIFIED, "signature proves nothing"),
        (signed("school.example", value="fail"), "", Trust.UNVERIFIED, "signature proves nothing"),
        (signed("school.example", value="temperror"), "", Trust.UNVERIFIED, "signature proves nothing"),
        (signed("evil.example", "school.example"), "", Trust.VERIFIED, "signature checked here"),
        (signed("school.example"), "mx.desk.example; dmarc=fail", Trust.FORGED, "dmarc=fail"),
        (signed("school.example"), "mx.desk.example; spf=none", Trust.VERIFIED, "signature checked here"),
        (NO_ANSWERS, "mx.desk.example; spf=none", Trust.UNVERIFIED, "nothing aligned"),
        (NO_ANSWERS, "mx.desk.example; spf=pass smtp.mailfrom=school.example", Trust.VERIFIED, "spf=pass aligned"),
        (NO_ANSWERS, "mx.desk.example; dkim=pass header.d=school.example", Trust.VERIFIED, "dkim=pass aligned"),
        (NO_ANSWERS, "mx.desk.example; dmarc=pass", Trust.VERIFIED, "dmarc=pass"),
        (NO_ANSWERS, "", Trust.UNVERIFIED, "no result of ours"),
    ],
)
def test_a_verdict_tells_what_decided_it(answers: Answers, result: str, trust: Trust, evidence: str) -> None:
    standing = judge_sender(read(result), GROUNDS, answers)
    assert (standing.trust, standing.evidence) == (trust, evidence)


def test_our_own_check_never_makes_a_sender_forged_and_may_prove_one_of_us() -> None:
    for value in ("fail", "policy", "neutral", "permerror", "temperror"):
        assert trust_of(read(), signed("school.example", value=value)) is Trust.UNVERIFIED
    assert trust_of(read(sender="support@desk.example"), signed("desk.example")) is Trust.VERIFIED
    assert trust_of(read(sender="support@desk.example"), signed("desk.example", value="fail")) is Trust.FORGED


def test_a_signature_proves_no_two_senders() -> None:
    both = read(sender="a@school.example, b@school.example")
    standing = judge_sender(both, GROUNDS, signed("school.example"))
    assert (standing.trust, standing.evidence) == (Trust.UNVERIFIED, "no single sender")


@pytest.mark.parametrize(
    ("result", "needed"),
    [
        ("", True),
        ("mx.evil.example; dmarc=pass; dkim=fail", True),
        ("mx.desk.example; none", True),
        ("mx.desk.example; spf=fail", True),
        ("mx.desk.example; dmarc=none; dkim=temperror header.d=school.example", True),
        ("mx.desk.example; dkim=pass header.d=evil.example", True),
        ("mx.desk.example; spf=pass smtp.mailfrom=school.example", False),
        ("mx.desk.example; dkim=fail header.d=school.example", False),
        ("mx.desk.example; dkim=fail", False),
        ("mx.desk.example; dmarc=pass header.from=other.example", False),
        ("mx.desk.example; dmarc=fail", False),
    ],
)
def test_our_own_check_is_made_only_where_our_server_leaves_it_open(result: str, needed: bool) -> None:
    assert needs_proof(read(result), GROUNDS) is needed


def test_nobody_needs_proof_who_is_several_or_none() -> None:
    assert not needs_proof(read(sender="a@school.example, b@school.example"), GROUNDS)
    assert not needs_proof(read(sender="x"), GROUNDS)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet='dmarckipsf=;()"\\ .@-1\t', max_size=120))
def test_no_words_of_another_server_verify_anybody(words: str) -> None:
    field = f"mx.other.example; {words}"
    assert trust_of(replace(read(), authentication=(field,))) is Trust.UNVERIFIED
    quoted = f"mx.desk.example; spf=none ({words.replace(chr(92), '').replace('(', '').replace(')', '')})"
    assert trust_of(replace(read(), authentication=(quoted,))) is Trust.UNVERIFIED

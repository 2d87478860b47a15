"""The policy's own rules: the first that holds decides, and only what a mail shows counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.classification import Source
from desk.facts import Organisation
from desk.mail import Address, Attachment, Kind, Mail
from desk.policy import ClassificationSection, Policy, SortingConditions, SortingRule, load_policy
from desk.sorting import sort_mail

SHIPPED = load_policy((Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8"))
PILOT = Organisation("École Les Tilleuls", "pilot")
HEADERS = {"x-mailer": ("Zabbix 6.4",), "list-id": ("<a.example>", "Parents <parents.ecole.example>")}
MAIL = Mail(
    message_id="<m1@school.example>", references=(), sender=Address("Ada Martin", "ada@compta.school.example"),
    reply_to=(), to=(), cc=(), subject="Facture en attente", date=None, text="> Ancienne panne\n\nBonjour",
    reply_text="Bonjour,\n\nL\u2019E\u0301COLE n'a pas reçu le nou\u00adveau   contrat\nde maintenance du C++.",
    attachments=(
        Attachment("Facture [mars].PDF", "application/pdf", 10, "0" * 64),
        Attachment("logo.png", "image/png", 10, "0" * 64, inline=True),
    ),
    kind=Kind.PERSON, evidence="", bounce=None, authentication=(), size_bytes=100, fingerprint="f" * 64,
)  # fmt: skip


def have(*rules: SortingRule) -> Policy:
    return SHIPPED.model_copy(update={"classification": ClassificationSection(rules=rules)})


def rule(category: str = "billing", name: str = "r", **when: Any) -> SortingRule:
    return SortingRule(name=name, when=SortingConditions.model_validate(when), category=category)


def holds(when: dict[str, Any], mail: Mail = MAIL, organisation: Organisation | None = PILOT) -> bool:
    return sort_mail(mail, organisation, HEADERS, have(rule(**when))) is not None


@pytest.mark.parametrize(
    "when",
    [
        {"sender": ["ada@compta.school.example"]},
        {"sender": ["*@school.example", "ADA@*"]},
        {"sender": ["ad?@*.example"]},
        {"organisation": ["ecole les tilleuls"]},
        {"organisation": ["Lycée", "Pilot"]},
        {"words": ["panne", "FACTURE"]},
        {"words": ["l'école"]},
        {"words": ["nouveau contrat de maintenance"]},
        {"words": ["c++"]},
        {"attachment": ["*.docx", "facture*.pdf"]},
        {"attachment": ["facture [mars].pdf"]},
        {"header": {"X-Mailer": "zabbix*"}},
        {"header": {"List-Id": "*<parents.*", "x-mailer": "*6.4"}},
        {"sender": ["*"], "organisation": ["pilot"], "words": ["facture"], "attachment": ["*"]},
    ],
)
def test_a_rule_holds_when_the_mail_shows_all_that_it_asks_for(when: dict[str, Any]) -> None:
    assert holds(when)


@pytest.mark.parametrize(
    "when",
    [
        {"sender": ["*@school.example"]},
        {"sender": ["ada"]},
        {"organisation": ["tilleuls"]},
        {"organisation": ["*"]},
        {"words": ["fact", "contrats", "col"]},
        {"words": ["panne"]},
        {"words": ["nouveau  contrat pedagogique"]},
        {"words": ["´"]},
        {"attachment": ["facture m.pdf"]},
        {"attachment": ["*.png"]},
        {"header": {"x-mailer": "6.4"}},
        {"header": {"x-mailer": "*", "x-spam": "*"}},
        {"sender": ["ada@*"], "words": ["panne"]},
        {},
    ],
)
def test_a_rule_does_not_hold_for_less(when: dict[str, Any]) -> None:
    assert not holds(when)


def test_nobody_unproven_is_of_an_organisation() -> None:
    assert not holds({"organisation": ["pilot"]}, organisation=None)
    assert not holds({"organisation": ["pilot"], "sender": ["*"]}, organisation=None)


def test_a_mail_without_a_sender_matches_no_pattern_of_one() -> None:
    assert not holds({"sender": ["*"]}, mail=replace(MAIL, sender=Address("", "")))


def test_the_first_rule_that_holds_decides() -> None:
    policy = have(
        rule("spam", "never", words=["loterie"]), rule("account", "one", words=["facture"]), rule(sender=["*"])
    )
    said = sort_mail(MAIL, None, {}, policy)
    assert said is not None
    assert (said.category, said.reason, said.source, said.confidence) == ("account", "rule: one", Source.RULE, 1.0)
    assert said.language == "fr"


@pytest.mark.parametrize(
    ("category", "own", "priority"),
    [("billing", None, "normal"), ("urgent", None, "urgent"), ("urgent", "important", "important")],
)
def test_its_priority_is_the_rule_s_own_or_the_category_s_or_normal(
    category: str, own: str | None, priority: str
) -> None:
    one = rule(category, words=["facture"]).model_copy(update={"priority": own})
    said = sort_mail(MAIL, None, {}, have(one))
    assert said is not None
    assert said.priority == priority


def test_without_rules_nothing_is_sorted() -> None:
    assert sort_mail(MAIL, PILOT, HEADERS, SHIPPED) is None


ANY = st.text(min_size=1, max_size=30)
SOME = st.lists(ANY, max_size=3).map(tuple)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SOME, SOME, SOME, SOME, st.dictionaries(ANY, ANY, max_size=2), ANY)
def test_no_rule_and_no_mail_makes_it_fail(
    sender: Any, organisation: Any, words: Any, attachment: Any, header: Any, text: str
) -> None:
    when = SortingConditions.model_construct(
        sender=sender, organisation=organisation, words=words, attachment=attachment, header=header
    )
    one = SortingRule.model_construct(name="r", when=when, category="billing", priority=None)
    said = sort_mail(replace(MAIL, subject=text), PILOT, HEADERS, have(one))
    assert said is None or said.category == "billing"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["*a" * 50 + "b", "?*" * 50 + "b"])
def test_a_pattern_of_many_stars_is_read_in_time(pattern: str) -> None:
    mail = replace(MAIL, attachments=(replace(MAIL.attachments[0], name="a" * 5_000),))
    assert not holds({"attachment": [pattern]}, mail=mail)

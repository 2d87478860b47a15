"""One mail judged: rules, then the judges, then a person; what they say of it checked, filled up and made whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from desk.classification import Classification, Question, Source, Trouble
from desk.errors import ModelTrouble, ModelUnavailable
from desk.facts import Organisation
from desk.mail import Mail
from desk.policy import Policy, SortingConditions, SortingRule, read_policy
from desk.pseudonyms import Known
from tasks.hearing import read_asked
from tasks.judging import Bench, Hints, judge_mail, make_question
from tests.stores import make_mail

POLICY = read_policy(Path("policy.yaml"))
TEXT = "Bonjour,\nla version 4.2.1 plante sous iPad, Mme Durand est bloquée.\nLéa Martin"
MAIL = make_mail("1", subject="Panne", reply_text=TEXT)
SAID = Classification("technical", "normal", "fr", 0.9, Source.MISTRAL)


@dataclass
class Judge:
    """Says the same of each mail, or has the same trouble."""

    said: Classification | ModelTrouble
    asked: list[Question] = field(default_factory=list)

    @property
    def source(self) -> Source:
        return self.said.source if isinstance(self.said, Classification) else Source.MISTRAL

    def classify(self, question: Question) -> Classification:
        self.asked.append(question)
        if isinstance(self.said, ModelTrouble):
            raise self.said
        return self.said


def judge(said: Classification | ModelTrouble, mail: Mail = MAIL, policy: Policy = POLICY) -> Classification:
    return judge_mail(Bench((Judge(said),)), mail, policy).classification


def add_rule(**when: object) -> Policy:
    conditions = SortingConditions.model_validate(when)
    rule = SortingRule(name="known", when=conditions, category="technical")
    section = POLICY.classification.model_copy(update={"rules": (rule,)})
    return POLICY.model_copy(update={"classification": section})


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, {"platform": "iPad", "version": "4.2.1"}),  # patterns find what the judge left out
        ({"version": "9.9"}, {"platform": "iPad", "version": "4.2.1"}),  # that stands nowhere
        ({"error": "plante"}, {"platform": "iPad", "version": "4.2.1", "error": "plante"}),
        ({"number": "4.2.1"}, {"platform": "iPad", "version": "4.2.1"}),  # its category does not ask for it
    ],
)
def test_fields_are_those_of_the_category_that_stand_in_the_mail(said: dict[str, str], kept: dict[str, str]) -> None:
    assert dict(judge(replace(SAID, fields=tuple(said.items()))).fields) == kept


def test_people_are_hidden_from_the_judge_and_put_back_into_what_it_says() -> None:
    code = next(code for code, name in make_question(MAIL, POLICY).mapping.items() if name == "Durand")
    mistral = Judge(replace(SAID, category="account", fields=(("person", code),), reason=f"{code} is locked out"))
    judged = judge_mail(Bench((mistral,)), MAIL, POLICY).classification
    assert "Durand" not in mistral.asked[0].text
    assert (judged.fields, judged.reason) == ((("person", "Durand"),), "Durand is locked out")


def test_codes_are_the_same_in_subject_text_and_names_of_files() -> None:
    asked = make_question(replace(MAIL, subject="Durand"), POLICY)
    assert asked.question.subject in asked.question.text
    assert asked.mapping[asked.question.subject] == "Durand"


def test_whom_we_know_is_hidden_too() -> None:
    mail = replace(MAIL, reply_text="quetzal xocoyotl est absent")
    assert "xocoyotl" in make_question(mail, POLICY).question.text
    assert "xocoyotl" not in make_question(mail, POLICY, Known(("Quetzal Xocoyotl",))).question.text


def test_a_rule_decides_before_any_judge_is_asked_and_fields_are_looked_for() -> None:
    mistral = Judge(replace(SAID, category="spam"))
    judged = judge_mail(Bench((mistral,)), MAIL, add_rule(words=["plante"])).classification
    assert (judged.source, judged.category, judged.confidence) == (Source.RULE, "technical", 1.0)
    assert dict(judged.fields) == {"platform": "iPad", "version": "4.2.1"}
    assert mistral.asked == []


def test_a_rule_sees_what_the_mail_does_not_say_itself() -> None:
    school = Hints(organisation=Organisation("École des Tilleuls", "pilot"))
    policy = add_rule(organisation=["pilot"])
    assert judge_mail(Bench((Judge(SAID),)), MAIL, policy, school).classification.source is Source.RULE
    assert judge_mail(Bench((Judge(SAID),)), MAIL, policy).classification.source is Source.MISTRAL


def test_what_nobody_can_judge_goes_to_a_person_with_what_patterns_find() -> None:
    bench = Bench((Judge(ModelUnavailable("timed out")),))
    judged = judge_mail(bench, MAIL, POLICY)
    assert (judged.classification.source, judged.classification.category) == (Source.NOBODY, POLICY.fallback)
    assert [one.code for one in judged.troubles] == ["model-unavailable"]
    assert bench.said == ["model-unavailable"]


def test_an_answer_of_a_batch_stands_in_for_the_judges() -> None:
    mistral = Judge(SAID)
    ahead = replace(SAID, category="account", confidence=0.7, fields=(("version", "4.2.1"),))
    judged = judge_mail(Bench((mistral,)), MAIL, POLICY, ahead=ahead).classification
    assert (judged.category, judged.confidence, mistral.asked) == ("account", 0.7, [])


def test_a_batch_is_not_believed_about_people_whose_codes_may_be_others_by_now() -> None:
    codes = {name: code for code, name in make_question(MAIL, POLICY).mapping.items()}
    ahead = replace(SAID, category="account", fields=(("person", codes["Léa Martin"]),), reason=codes["Léa Martin"])
    judged = judge_mail(Bench(()), MAIL, POLICY, ahead=ahead).classification
    assert "Léa Martin" not in dict(judged.fields).values()
    assert judged.reason == ""


def test_an_answer_ahead_in_a_category_that_is_no_more_is_asked_for_again() -> None:
    ahead = replace(SAID, category="gone")
    judged = judge_mail(Bench((Judge(SAID),)), MAIL, POLICY, ahead=ahead).classification
    assert judged.category == "technical"


def test_a_shadow_sees_the_same_question_and_changes_nothing() -> None:
    other = Trouble(Source.MISTRAL, "late")
    seen = []

    def watch(asked: object) -> tuple[Trouble, ...]:
        seen.append(asked)
        return (other,)

    judged = judge_mail(Bench((Judge(SAID),), shadow=watch), MAIL, POLICY)
    assert seen == [make_question(MAIL, POLICY)]
    assert (judged.classification.category, judged.troubles, judged.shadows) == ("technical", (), (other,))


RAW = b"X-Bank: =?utf-8?q?d=C3=A9j=C3=A0?=\r\nx-bank: twice\r\nSubject: no\r\n\r\nX-Bank: body\r\n"


def test_only_the_header_fields_that_rules_ask_for_are_read_and_none_of_the_body() -> None:
    assert read_asked(add_rule(header={"X-Bank": "*"}), RAW) == {"x-bank": ("déjà", "twice")}
    assert read_asked(POLICY, cast(bytes, SimpleNamespace())) == {}

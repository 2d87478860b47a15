"""Nothing personal of any sample crosses the wire to the model; what it answers in codes is put back here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from mistralai.client import Mistral

from classifiers.mistral import MistralClassifier
from desk.classification import Question
from desk.mail import Mail
from desk.policy import Policy, load_policy
from desk.pseudonyms import Known, hide_people, show_people
from tasks.judging import make_question
from tests.fake_mistral import FakeMistral
from tests.people import OTHERS, ROOT, THIRD_PERSONS, Sample, list_samples, read_shown

SAMPLES = list_samples()
POLICY = load_policy((ROOT / "policy.yaml").read_text(encoding="utf-8"))
NAME_PART = re.compile(r"[^\W\d_]{3,}")


def ask(mail: Mail, policy: Policy = POLICY) -> Question:
    """The question as the desk makes it: the one place to change when its maker does."""
    return make_question(mail, policy).question


@pytest.fixture(scope="module")
def wires() -> Iterator[Mapping[str, str]]:
    """What the server received of each sample, folded."""
    with FakeMistral() as server:
        client = Mistral(api_key="any", server_url=server.url)
        judge = MistralClassifier(client, "mistral-small-latest", timedelta(seconds=20))
        for sample in SAMPLES:
            judge.classify(ask(sample.mail))
        yield {one.name: read_wire(request) for one, request in zip(SAMPLES, server.requests, strict=True)}


def read_wire(request: dict[str, Any]) -> str:
    """All strings of the request, their inner escapes undone so that words stay words."""
    return fold(" ".join(re.sub(r"\\[nrt\"]", " ", one) for one in list_strings(request)))


def list_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from list_strings(inner)


def fold(text: str) -> str:
    """No case, no accents, one kind of apostrophe and blank."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("’", "'"))
    return " ".join("".join(one for one in decomposed if not unicodedata.combining(one)).split())


def join_digits(text: str) -> str:
    return re.sub(r"(?<=\d)[\s.()-]+(?=\d)", "", text)


def says(wire: str, words: str) -> bool:
    return bool(re.search(rf"(?<![^\W_]){re.escape(fold(words))}(?![^\W_])", wire))


def find_leaks(sample: Sample, wire: str) -> list[str]:
    """Everything personal of the sample that stands in what the server received."""
    wholes = (*sample.persons, *sample.organisations, *sample.addresses, *sample.others)
    parts = {part for name in sample.persons for part in NAME_PART.findall(name)}
    leaks = [one for one in (*wholes, *sorted(parts)) if says(wire, one)]
    return leaks + [one for one in sample.figures if one in join_digits(wire)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_nothing_personal_of_a_sample_crosses_the_wire(sample: Sample, wires: Mapping[str, str]) -> None:
    assert find_leaks(sample, wires[sample.name]) == []


def test_the_search_finds_what_is_not_hidden() -> None:
    leaks = {one.name: find_leaks(one, fold(read_shown(one.mail))) for one in SAMPLES}
    assert sum(map(bool, leaks.values())) > 120
    assert {"Maëlys Auffret", "Les Tilleuls", "Auffret"} <= set(leaks["03-password-parent"])
    assert {"Morvan", "Ily", "611223301"} <= set(leaks["contact-list-is-the-answer-fr"])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_third_persons_listed_for_a_sample_are_in_it(sample: Sample) -> None:
    listed = (*THIRD_PERSONS.get(sample.name, ()), *OTHERS.get(sample.name, ()))
    assert [one for one in listed if one not in f"{read_shown(sample.mail)}\n{sample.mail.text}"] == []


def test_the_mail_itself_did_cross(wires: Mapping[str, str]) -> None:
    assert says(wires["23-unknown-charset"], "en anglais depuis lundi")
    assert says(wires["03-password-parent"], "le carnet de ma fille Élève_001 (CE1, école Organisation_001)")


def test_codes_in_an_answer_are_put_back() -> None:
    text = "Ma fille Léa Martin (CE1) a perdu son carnet. Rappelez-moi au 06 12 34 56 78."
    hidden, mapping = hide_people(text, (), Known())
    with FakeMistral(answer={"reason": "Élève_001 lost a portfolio, call Phone_001, not Élève_009"}) as server:
        judge = MistralClassifier(Mistral(api_key="any", server_url=server.url), "m", timedelta(seconds=20))
        judged = judge.classify(Question("", hidden, (), (("other", "Other"),), ("normal",)))
        assert not says(read_wire(server.requests[0]), "Léa")
    assert show_people(judged.reason, mapping) == "Léa Martin lost a portfolio, call 06 12 34 56 78, not Élève_009"

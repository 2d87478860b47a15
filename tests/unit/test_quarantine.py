"""What is set aside: who has to mend it and when it is tried again; and what a support bundle leaves out of a text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from byreturn.bundle import Codes, hide_words, mask_fields
from desk.errors import ByreturnError
from desk.mail import Unreadable, read_mail
from desk.quarantine import CAUSES, find_cause, plan_retry

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
PERSON = "lea.martin@ecole.example"
OF_THE_MAIL = (
    "empty", "headerless", "nesting", "parts", "damaged", "too-large", "crashed-readers", "stored-bytes-are-damaged",
    "its-pack-is-cut-short",
)  # fmt: skip
OF_THE_HOUSE = ("OperationalError", "ValueError", "DeskKeyError", "its-pack-is-missing", "model", "network", "incident")


def list_errors(kind: type[ByreturnError] = ByreturnError) -> list[str]:
    return [kind.code, *(code for below in kind.__subclasses__() for code in list_errors(below))]


@pytest.mark.parametrize("cause", OF_THE_MAIL)
def test_what_lies_in_the_mail_waits_for_a_person(cause: str) -> None:
    assert [plan_retry(cause, attempts, NOW) for attempts in range(1, 6)] == [None] * 5


@pytest.mark.parametrize("cause", OF_THE_HOUSE)
def test_what_lies_in_the_house_is_tried_again_less_and_less_often_and_then_no_more(cause: str) -> None:
    planned = [plan_retry(cause, attempts, NOW) for attempts in range(1, 7)]
    assert planned == [*(NOW + timedelta(hours=hours) for hours in (1, 4, 12, 24)), None, None]


def test_a_count_that_never_began_is_the_first() -> None:
    assert plan_retry("ValueError", 0, NOW) == plan_retry("ValueError", 1, NOW)


@pytest.mark.parametrize("raw", [b"", b"\x00\x01\x02 no mail"])
def test_whatever_can_not_be_read_is_a_cause_of_the_mail(raw: bytes) -> None:
    found = read_mail(raw)
    assert isinstance(found, Unreadable)
    assert find_cause(found.reason).waits


def test_no_error_of_ours_is_taken_for_a_cause_of_the_mail() -> None:
    assert [code for code in list_errors() if find_cause(code).waits] == []


def test_every_cause_says_what_to_do() -> None:
    assert all(one.remedy.endswith(".") for one in (*CAUSES.values(), find_cause("ValueError")))


# --- the bundle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [PERSON, f"<{PERSON}>", f"to:{PERSON},", f'"Léa" <{PERSON}>', f"({PERSON})", '"lea martin"@ecole.example', "a@b"],
)
def test_an_address_becomes_a_code_wherever_it_stands(text: str) -> None:
    shown = Codes().hide({"deep": [text, {text: 1}]})
    assert "@" not in str(shown)
    assert "address-1" in str(shown)


def test_the_same_address_has_the_same_code_and_another_has_another() -> None:
    assert Codes().hide([PERSON, PERSON.upper(), "other@ecole.example"]) == ["address-1", "address-1", "address-2"]


def test_what_is_no_address_stays() -> None:
    plain = {"n": 1, "none": None, "yes": True, "text": "imap.example:993 lets us in"}
    assert Codes().hide(plain) == plain


def test_of_a_block_only_words_and_numbers_of_ours_are_shown() -> None:
    data = {
        "address": PERSON, "host": "imap.example", "port": 993, "enabled": True, "drafts_folder": "",
        "provider": "gmail",
        "credentials": {"user": PERSON, "password": "********", "block_type_slug": "byreturn-password-credentials"},
        "master_keys": {"m1": "********"}, "recipients": [PERSON], "webhook_url": "https://hook.example/secret",
    }  # fmt: skip
    assert mask_fields(data) == {
        "address": "set", "host": "imap.example", "port": 993, "enabled": True, "drafts_folder": "unset",
        "provider": "gmail",
        "credentials": {"user": "set", "password": "set", "block_type_slug": "byreturn-password-credentials"},
        "master_keys": "set", "recipients": "set", "webhook_url": "set",
    }  # fmt: skip


def list_texts(value: object) -> set[str]:
    if isinstance(value, dict):
        return {text for pair in value.items() for one in pair for text in list_texts(one)}
    if isinstance(value, list):
        return {text for one in value for text in list_texts(one)}
    return {value} if isinstance(value, str) else set()


def test_of_the_policy_the_structure_is_left_and_none_of_its_names() -> None:
    policy = yaml.safe_load(Path("policy.yaml").read_text(encoding="utf-8"))
    shown = hide_words(policy, Codes())
    assert shown["limits"]["mail_bytes"] == policy["limits"]["mail_bytes"]
    assert shown["retention"] == policy["retention"]
    assert len(shown["routes"]) == len(policy["routes"])
    assert shown["routes"][-1]["team"] in shown["teams"]  # codes still say what belongs together
    names = {one for one in list_texts(policy) if "@" in one or "." in one or " " in one or one[:1].isupper()}
    assert len(names) > 40
    assert names & list_texts(shown) == {"FR"} | {"Europe/Paris"}

"""A signature tells a name, a telephone and an organisation, or nothing when it cannot be told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail.signatures import find_contacts, is_closing, read_signature
from desk.mail.values import Address, Signature

ANNE = Address("Anne Le Goff", "anne.legoff@college-mace.example")
NOBODY = Address("", "")


def tell(signature: Signature | None) -> tuple[str, str, str] | None:
    return (signature.name, signature.phone, signature.organisation) if signature else None


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("Anne Le Goff\nSecrétaire\nCollège Jean Macé\nTél. : 02 97 12 34 56", "+33297123456|Collège Jean Macé"),
        ("Anne Le Goff | Secrétaire | Collège Jean Macé | 02.97.12.34.56", "+33297123456|Collège Jean Macé"),
        ("Anne Le Goff, Collège Jean Macé", "|Collège Jean Macé"),
        ("Mme LE GOFF Anne\nFax : 02 97 12 34 57\nTél : 02 97 12 34 56", "+33297123456|"),
        ("Anne Le Goff\nDirectrice\nRobin Fils\n+33 (0)6 12 34 56 78", "+33612345678|Robin Fils"),
        ("Anne Le Goff\nAtelier Robin SARL\nSIRET 123 456 789 00012", "|Atelier Robin SARL"),
        ("Anne Le Goff\nTVA 99 12 34 56 78", "|"),
        ("*Anne Le Goff*\nhttps://www.mace.example", "|"),
    ],
)
def test_a_block_tells_who_how_and_where(block: str, told: str) -> None:
    name = "Mme LE GOFF Anne" if "Mme" in block else "Anne Le Goff"
    assert tell(read_signature(block, "Bonjour", ANNE)) == (name, *told.split("|"))


@pytest.mark.parametrize(
    ("block", "phone", "organisation"),
    [
        ("Jürgen Weiß\n\nSchule am See\nSeestraße 4\nTel. +49 30 901820", "+4930901820", "Schule am See"),
        ("Karen Whitlock\nBursar\nLakeside School\nT: +44 20 7946 0123", "+442079460123", "Lakeside School"),
        ("Sanne Bakker\nDocent\nBakker B.V.\n+31 20 123 4567", "+31201234567", "Bakker B.V."),
        ("Jean Petit\nPetit GmbH\n+352 27 12 34 56", "+35227123456", "Petit GmbH"),
    ],
)
def test_numbers_of_other_countries_say_their_country(block: str, phone: str, organisation: str) -> None:
    assert tell(read_signature(block, "", NOBODY)) == (block.split("\n")[0], phone, organisation)


@pytest.mark.parametrize(
    "closing", ["Cordialement,", "Bien à vous", "Kind regards,", "Mit freundlichen Grüßen", "Un saludo,", "Saluti"]
)
def test_a_block_below_regards_is_found(closing: str) -> None:
    text = f"Oui, c'est bon.\n\n{closing}\n\nAnne Le Goff\nCollège Jean Macé\n02 97 12 34 56"
    found = read_signature("", text, ANNE)
    assert found == Signature(
        "Anne Le Goff\nCollège Jean Macé\n02 97 12 34 56", "Anne Le Goff", "+33297123456", "Collège Jean Macé"
    )


def test_a_block_that_begins_with_the_sender_s_name_needs_no_regards() -> None:
    text = "Oui, c'est bon.\n\nAnne Le Goff\nCollège Jean Macé"
    assert tell(read_signature("", text, ANNE)) == ("Anne Le Goff", "", "Collège Jean Macé")
    assert read_signature("", text, Address("Paul Garnier", "paul@x.example")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Oui.",
        "Oui.\n\nAnne Le Goff",
        "Voici mon numéro : 02 97 12 34 56",
        "Merci de rappeler\nAnne Le Goff au 02 97 12 34 56 avant midi.",
        "Oui.\n\nCordialement,\nje reste au Collège Jean Macé jusqu'à midi.",
        "Cordialement,\n" + "Une ligne de trop\n" * 20,
    ],
)
def test_what_cannot_be_told_is_none(text: str) -> None:
    assert read_signature("", text, ANNE) is None


def test_contacts_are_certain_or_none() -> None:
    text = "Oui.\n\nCordialement,\nAnne Le Goff\nSecrétariat – Collège Jean Macé – 02 97 12 34 56"
    found = find_contacts(text)
    assert found is not None
    assert text[found[0] :].startswith("Anne Le Goff\n")
    assert text[: found[1]].endswith("Cordialement,\nAnne Le Goff")
    assert find_contacts(text + "\nAppelez-moi avant midi !") is None
    assert find_contacts(text.replace("02 97 12 34 56", "bureau")) is None


@pytest.mark.parametrize(
    ("lines", "closes"),
    [
        (["Regards, Roman"], True),
        (["", "Bien cordialement,", "Anne Le Goff"], True),
        (["Merci d'avance"], True),
        (["Merci de vérifier"], False),
        (["Merci", "et bonne chance avec la suite"], False),
        (["Oui."], False),
        ([], False),
    ],
)
def test_regards_and_a_name_are_no_more(lines: list[str], closes: bool) -> None:
    assert is_closing(lines) is closes


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_read(block: str, text: str, name: str, address: str) -> None:
    for found in (read_signature(block, text, Address(name, address)), read_signature("", text, NOBODY)):
        assert found is None or found.name or found.phone or found.organisation


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "block",
    [
        pytest.param("0" * 200_000, id="digits"),
        pytest.param("\n".join(["01 23 45 67 89 " * 13] * 15), id="numbers"),
        pytest.param("\n".join(["1 (" * 60] * 15), id="brackets"),
        pytest.param("a.b@c.d " * 20_000, id="addresses"),
        pytest.param("Cordialement,\n" * 14_000, id="regards"),
        pytest.param("A " * 100_000, id="words"),
    ],
)
def test_a_hostile_signature_is_read_in_time(block: str) -> None:
    assert read_signature(block, block, ANNE) is None or block
    assert read_signature("", block, ANNE) is None or block

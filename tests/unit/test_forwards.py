"""A mail that was passed on says who wrote it, about what, when and what; a reply that quotes one is no forward."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail.forwards import read_forward
from desk.mail.values import Address, Forward

PARENT = Address("Parent Durand", "parent@x.example")
TEXT = "Bonjour,\n\nle carnet est illisible.\nP. Durand"
WHOM = "Parent Durand <parent@x.example>"

# Head of the mail passed on, as programs print it: (head, date as printed).
HEADS = {
    "gmail-fr": (
        f"---------- Forwarded message ---------\nDe : {WHOM}\nDate: ven. 13 nov. 2026 à 09:00\n"
        "Subject: Carnet\nTo: <ecole@x.example>",
        "ven. 13 nov. 2026 à 09:00",
    ),
    "gmail-de": (
        f"---------- Weitergeleitete Nachricht ---------\nVon: {WHOM}\nDate: Fr., 13. Nov.\nSubject: Carnet\nTo: x",
        "Fr., 13. Nov.",
    ),
    "apple-fr": (
        f"Début du message transféré :\n\n> De: {WHOM}\n> Objet: Carnet\n> Date: 13 novembre 2026 à 09:00\n> À: x@x",
        "13 novembre 2026 à 09:00",
    ),
    "apple-en": (
        f"Begin forwarded message:\n\nFrom: {WHOM}\nSubject: Carnet\nDate: November 13, 2026\nTo: x@x.example",
        "November 13, 2026",
    ),
    "thunderbird-fr": (
        f"-------- Message transféré --------\nSujet : \tCarnet\nDate : \tFri, 13 Nov 2026 09:00:00\nDe : \t{WHOM}\n"
        "Pour : \tecole@x.example",
        "Fri, 13 Nov 2026 09:00:00",
    ),
    "thunderbird-en": (
        f"-------- Forwarded Message --------\nSubject: \tCarnet\nDate: \tFri, 13 Nov 2026\nFrom: \t{WHOM}\nTo: \tx@x",
        "Fri, 13 Nov 2026",
    ),
    "thunderbird-es": (
        f"-------- Mensaje reenviado --------\nAsunto: \tCarnet\nFecha: \tviernes\nDe: \t{WHOM}\nPara: \tx",
        "viernes",
    ),
    "thunderbird-it": (
        f"-------- Messaggio Inoltrato --------\nOggetto: \tCarnet\nData: \tvenerdì\nMittente: \t{WHOM}\nA: \tx",
        "venerdì",
    ),
    "thunderbird-nl": (
        f"-------- Doorgestuurd bericht --------\nOnderwerp: \tCarnet\nDatum: \tvrijdag\nVan: \t{WHOM}\nAan: \tx",
        "vrijdag",
    ),
    "gmail-pt": (
        f"---------- Mensagem encaminhada ---------\nDe: {WHOM}\nData: sexta\nAssunto: Carnet\nPara: x",
        "sexta",
    ),
}
# Heads that only a subject tells from those of replies.
UNTOLD = {
    "outlook-fr": (f"De : {WHOM}\nEnvoyé : vendredi 13 novembre\nÀ : École\nObjet : Carnet", "vendredi 13 novembre"),
    "outlook-bold": (f"*De :* {WHOM}\n*Envoyé :* vendredi\n*À :* École\n*Objet :* Carnet", "vendredi"),
    "outlook-rule": (f"{'_' * 32}\nDe : {WHOM}\nEnvoyé : vendredi\nÀ : École\nObjet : Carnet", "vendredi"),
    "outlook-mailto": ("From: Parent Durand [mailto:parent@x.example]\nSent: Friday\nTo: x\nSubject: Carnet", "Friday"),
    "outlook-wrapped": (f"De : {WHOM}\nEnvoyé : vendredi\nÀ : École ; Collège ;\n Lycée\nObjet : Carnet", "vendredi"),
    "outlook-original": (
        f"-----Message d'origine-----\nDe : {WHOM}\nEnvoyé : vendredi\nÀ : École\nObjet : Carnet",
        "vendredi",
    ),
    "zimbra": (
        '----- Mail original -----\nDe: "Parent Durand" <parent@x.example>\nÀ: "x"\nEnvoyé: Vendredi\nObjet: Carnet',
        "Vendredi",
    ),
    "orange": (f"> Message du 13/11/26 09:00\n> De : {WHOM}\n> A : x@x.example\n> Copie à :\n> Objet : Carnet", ""),
    "outlook-de": (f"Von: {WHOM}\nGesendet: Freitag\nAn: Schule\nBetreff: Carnet", "Freitag"),
}


def pass_on(head: str) -> str:
    quoted = any(line.startswith("> ") for line in head.split("\n"))
    return f"{head}\n" + "".join(f"\n> {line}" if quoted else f"\n{line}" for line in TEXT.split("\n"))


@pytest.mark.parametrize("comment", ["", "Pouvez-vous regarder : c'est urgent ?\n\n"], ids=["bare", "commented"])
@pytest.mark.parametrize(("head", "date"), HEADS.values(), ids=HEADS)
def test_a_line_that_says_so_makes_a_forward(head: str, date: str, comment: str) -> None:
    assert read_forward("Carnet", comment + pass_on(head)) == Forward(PARENT, "Carnet", date, TEXT)


@pytest.mark.parametrize("subject", ["TR: Carnet", "Fwd: Carnet", "WG: Carnet", "FW : Carnet", "Tr : Carnet", "RV: x"])
@pytest.mark.parametrize(("head", "date"), (HEADS | UNTOLD).values(), ids=HEADS | UNTOLD)
def test_a_subject_that_says_so_makes_a_forward(head: str, date: str, subject: str) -> None:
    assert read_forward(subject, "Pour vous : urgent.\n\n" + pass_on(head)) == Forward(PARENT, "Carnet", date, TEXT)


@pytest.mark.parametrize("head", [head for head, _ in UNTOLD.values()], ids=UNTOLD)
def test_a_reply_that_quotes_is_no_forward(head: str) -> None:
    assert read_forward("RE: Carnet", f"Merci.\n\n{pass_on(head)}") is None


def test_a_reply_that_quotes_a_forward_is_no_forward() -> None:
    quoted = "\n".join(f"> {line}" for line in pass_on(HEADS["gmail-fr"][0]).split("\n"))
    assert read_forward("Re: Carnet", f"Merci.\n\nLe 3 mars 2026 à 10:00, Aide a écrit :\n{quoted}") is None
    assert read_forward("Re: Carnet", f"Merci.\n\n{UNTOLD['outlook-fr'][0]}\n\n{pass_on(HEADS['gmail-fr'][0])}") is None


@pytest.mark.parametrize(
    "text", ["", "Voir la pièce jointe.", "De : rien\nMerci", "Le trajet :\nÀ : Lorient\nDe Paris"]
)
def test_a_subject_alone_passes_nothing_on(text: str) -> None:
    found = read_forward("TR: Carnet", text)
    assert found is None


def test_of_a_chain_the_first_is_what_was_passed_on() -> None:
    chain = f"{UNTOLD['outlook-fr'][0]}\n\nPour toi.\n\n{UNTOLD['outlook-de'][0]}\n\nBonjour"
    found = read_forward("TR: TR: Carnet", chain)
    assert found is not None
    assert (found.sender, found.text) == (PARENT, f"Pour toi.\n\n{UNTOLD['outlook-de'][0]}\n\nBonjour")


@pytest.mark.parametrize(
    ("printed", "sender"),
    [
        ("parent@x.example", Address("", "parent@x.example")),
        ("'Parent' <Parent@X.example>", Address("Parent", "parent@x.example")),
        ("parent@x.example (Parent Durand)", PARENT),
        ("parent@x.example <parent@x.example>", Address("", "parent@x.example")),
        ("Parent Durand", Address("Parent Durand", "")),
        ("Durand, Parent <parent@x.example> au nom de x", Address("Durand, Parent", "parent@x.example")),
    ],
)
def test_senders_are_read_as_programs_print_them(printed: str, sender: Address) -> None:
    found = read_forward("TR: x", f"De : {printed}\nEnvoyé : lundi\nObjet : x\n\nBonjour")
    assert found is not None
    assert found.sender == sender


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(["TR: x", "x"]), st.text(max_size=300), st.sampled_from([head for head, _ in HEADS.values()]))
def test_any_text_is_read(subject: str, text: str, head: str) -> None:
    for whole in (text, f"{text}\n{head}", f"{head}\n{text}"):
        found = read_forward(subject, whole)
        assert found is None or found.sender.name or found.sender.address


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "line", ["---------- Forwarded message ----------", "De : a@b", "> De : a@b", "À :", "x" * 400]
)
def test_a_hostile_text_is_read_in_time(line: str) -> None:
    text = f"{line}\n" * (200_000 // (len(line) + 1))
    assert read_forward("TR: x", text) is None or text
    assert read_forward("x", text) is None or text

"""Who stands in a text is found by how people write of them; ordinary capitalised words are left to the reader."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from time import process_time

import pytest

from desk.mail import Mail
from desk.names import Who, find_names, find_organisations, fold_word, list_parts, may_be_given
from desk.pseudonyms import hide_people
from desk.vocabulary import GIVEN, ORDINARY, TWOFOLD
from tests.people import Sample, list_samples, read_shown

EXAMPLES = Path(__file__).parents[2] / "classifiers" / "examples.csv"
SAMPLES = list_samples()
CAPITALISED = re.compile(r"(?<![^\W_])[A-ZÀ-ÖØ-Þ][^\W\d_]+")


def name_all(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_names(text)]


def name_pupils(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_names(text) if one.who is Who.PUPIL]


def name_houses(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_organisations(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # civilities, titles
        ("vu avec Mme Lozachmeur hier", ["Lozachmeur"]),
        ("M. Le Roux et Mme de La Tour", ["Le Roux", "de La Tour"]),
        ("Mme Place, M. Petit, Dr Page", ["Place", "Petit", "Page"]),
        ("Bonjour Madame Prigent,", ["Prigent"]),
        ("Monsieur le Directeur, Madame la Principale", []),
        ("Madame, Monsieur,", []),
        ("Dear Sir or Madam, Dear Mr Quigley", ["Quigley"]),
        ("Maître Dupond-Moretti", ["Dupond-Moretti"]),
        ("the teacher Mrs O'Brien-Kane", ["O'Brien-Kane"]),
        # roles and relations
        ("ma collègue Maud Riquier", ["Maud Riquier"]),
        ("la famille Morvan", ["Morvan"]),
        ("le professeur Abgrall est là", ["Abgrall"]),
        ("notre cousin Elouan", ["Elouan"]),
        ("my colleague Xanthe", ["Xanthe"]),
        ("Le compte de Xylo Trévidic", ["Xylo Trévidic"]),
        ("le mot de passe d'Alix", ["Alix"]),
        # said by themselves
        ("je m'appelle karim benali et voilà", ["karim benali"]),
        ("Je suis Goulwena Kerdraon", ["Goulwena Kerdraon"]),
        ("my name is xanthe wood", ["xanthe wood"]),
        ("I'm Bartholomew Quigley", ["Bartholomew Quigley"]),
        ("Nom : dupont\nPrénom : léa", ["dupont", "léa"]),
        ("je suis absente, je suis bloquée", []),
        # given names, spellings
        ("quand Siham pleure", ["Siham"]),
        ("hier Nathalie PRIGENT puis PRIGENT Nathalie", ["Nathalie PRIGENT", "PRIGENT Nathalie"]),
        ("MA FILLE LÉA MARTIN NE PEUT PLUS", ["LÉA MARTIN"]),
        ("Jean-Yves d'Ornano et Thomas Guivarc'h", ["Jean-Yves d'Ornano", "Thomas Guivarc'h"]),
        ("Ilyès Ben Amar et Jade Le Du", ["Ilyès Ben Amar", "Jade Le Du"]),
        ("vu N'Diaye Aminata ce matin", ["N'Diaye Aminata"]),
        ("Sanne de Wit a écrit", ["Sanne de Wit"]),
        ("J.-P. Martin et J. Dupont", ["J.-P. Martin", "J. Dupont"]),
        ("l'élève L. M. et Kévin D. aussi", ["L. M.", "Kévin D."]),
        ("en 5e B. Contactez-moi", []),
        ("He\u0301le\u0300ne arrive", ["He\u0301le\u0300ne"]),
        ("Dominic's account, Siobhan's too", ["Dominic's", "Siobhan's"]),
        # names that are words
        ("Rose a perdu sa tablette, la rose est rouge", ["Rose"]),
        ("Pierre et Claire Petit sont partis", ["Pierre", "Claire Petit"]),
        ("Claire et simple, la page est claire", []),
        # unknown names
        ("Lozachmeur a téléphoné", ["Lozachmeur"]),
        ("prévenir Lozachmeur demain", ["Lozachmeur"]),
        ("J'ai parlé à Lozachmeur, je suis allée à Kervizic", ["Lozachmeur"]),
        ("Quillon's mother called", ["Quillon's"]),
        ("@Lozachmeur peux-tu regarder ?", ["Lozachmeur"]),
        ("cc : Kervizic", ["Kervizic"]),
        ("Nguyen Thi Thu Ha attend", ["Nguyen Thi Thu Ha"]),
        ("ma fille s'appelle azilys kervizic", ["azilys kervizic"]),
        ("Goulwena Kervizic attend", ["Goulwena Kervizic"]),
        # greetings, closings, signatures
        ("Bonjour Sophie,", ["Sophie"]),
        ("bonjour sophie, ma fille léa pleure", ["sophie", "léa pleure"]),
        ("Hi Goulwena, it works", ["Goulwena"]),
        ("La page est vide.\n\nCordialement,\nsophie martin", ["sophie martin"]),
        ("La page est vide.\n\nGoulwena", ["Goulwena"]),
        ("La page est vide.\n\nMerci d'avance\nGoulwena Kervizic, CPE", ["Goulwena Kervizic"]),
        # lists
        ("élèves : Ana Bihan, Cédric Dumont et Elie Faou", ["Ana Bihan", "Cédric Dumont", "Elie Faou"]),
        ("Voir Marie, Goulwena et Azilis", ["Marie", "Goulwena", "Azilis"]),
        ("1. MARTIN Léa\n2. LE GOFF Tugdual\n3. PETIT Rose", ["MARTIN Léa", "LE GOFF Tugdual", "PETIT Rose"]),
        ("Nom;Prénom;Classe\nDUPONT;Jean;CE1\nKERBRAT;Azilys;CM2", ["DUPONT", "Jean", "KERBRAT", "Azilys"]),
        ("Durand\tZoé\t5e B\t12,5\nKerbrat\tNoa\t5e B\t14", ["Durand", "Zoé", "Kerbrat", "Noa"]),
        ("DUPONT, Jean\nMARTIN, Zoé", ["DUPONT", "Jean", "MARTIN", "Zoé"]),
        # files and user names
        ("Bulletin_Dupont_Lea.pdf", ["Dupont", "Lea"]),
        ("CR-entretien-Kerouanton.docx", ["Kerouanton"]),
        ("photo_noa.jpg, lea-dupont.png", ["noa", "lea", "dupont"]),
        ("IMG_2214.png, facture.pdf, sync-T19.log, Scan.pdf", []),
        ("le compte j.dupont et lea.martin", ["j.dupont", "lea.martin"]),
        ("le compte kerdreux.y", ["kerdreux.y"]),
        ("www.example.fr et docs.python.org", []),
    ],
)
def test_persons_are_found(text: str, names: list[str]) -> None:
    assert name_all(text) == names


@pytest.mark.parametrize(
    ("text", "pupils"),
    [
        ("ma fille Maëlys Auffret", ["Maëlys Auffret"]),
        ("mon fils noé dupont", ["noé dupont"]),
        ("la mère d'Anaëlle Corvec lit le dossier de Sacha Delmotte", ["Anaëlle Corvec", "Sacha Delmotte"]),
        ("un élève de 4e, Ewen Rouxel, dit", ["Ewen Rouxel"]),
        ("(papa de Lilwenn Bozec, CM1)", ["Lilwenn Bozec"]),
        ("Yanis Morel (5e B) et Mme Morel", ["Yanis Morel"]),
        ("Pupils: Ann Lee, Bob Stone and Zed Quark", ["Ann Lee", "Bob Stone", "Zed Quark"]),
        ("MARTIN Léa;CE1\nNOIR Jules;CE1", ["MARTIN Léa", "NOIR Jules"]),
        ("Liste des élèves\nLéa Martin\nJules Noir", ["Léa Martin", "Jules Noir"]),
        ("Bulletin_Dupont_Lea.pdf", ["Dupont", "Lea"]),
        ("ma collègue Maud Riquier", []),
        ("Mme Bodin, professeure d'un élève", []),
    ],
)
def test_pupils_are_told_from_other_persons(text: str, pupils: list[str]) -> None:
    assert name_pupils(text) == pupils


@pytest.mark.parametrize(
    ("text", "houses"),
    [
        ("l'école Les Tilleuls à Brest", ["Les Tilleuls"]),
        ("collège Jean-Moulin)", ["Jean-Moulin"]),
        ("notre école élémentaire Jules-Ferry", ["Jules-Ferry"]),
        ("le collège de la Pointe des Renards", ["Pointe des Renards"]),
        ("la mairie de Kerlouan-les-Bains", ["Kerlouan-les-Bains"]),
        ("Académie de Lorient", ["Lorient"]),
        ("at Lakeside International School Ltd, today", ["Lakeside International School Ltd"]),
        ("SARL Bozec Informatique ; Dupont & Fils SAS", ["Bozec Informatique", "Dupont & Fils SAS"]),
        ("Acme Learning GmbH", ["Acme Learning GmbH"]),
        ("l'école est fermée, le Collège aussi", []),
        ("Bonjour, École et Collège", []),
        ("High School and Primary School pupils", []),
    ],
)
def test_organisations_are_found_by_their_first_or_last_word(text: str, houses: list[str]) -> None:
    assert name_houses(text) == houses


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour,\n\nMerci d'avance.\n\nCordialement,",
        "Le lundi 16 novembre et le Vendredi, en Avril, on Monday in May",
        "Firefox, Chrome et Windows 11 sur iPad, avec Pronote ou Google Classroom",
        "En Français, en Mathématiques, double Science on Monday, no Drama at all",
        "Erreur SYNC-412 : URL invalide, format CSV, export SIECLE",
        "Pouvez-vous rappeler ? Rappelez-moi. Avez-vous reçu ma demande ?",
        "La Poste, le Conseil, une Kopira, la Direction, l'Inspection",
        "le bouton « Télécharger » puis « Mes commentaires »",
        "De : Paris\nÀ : Lorient\nDate : vendredi",
        "Year 8 Maple, Head of Primary, Finance Office",
        "Vielen Dank, das Zeugnis ist leer und der Stundenplan fehlt. Freundliche Grüße",
        "S'il vous plaît, J'ai essayé, L'export, D'accord, C'est bon, I'm late, We've tried",
    ],
)
def test_ordinary_capitalised_words_stay(text: str) -> None:
    assert name_all(text) == []


def test_of_a_name_only_what_tells_who_it_is_counts() -> None:
    assert list_parts("Hélène Marchand-Le Goff, Support") == ("Hélène", "Marchand", "Goff")
    assert list_parts("Thomas Guivarc'h") == ("Thomas", "Guivarc'h")


def test_given_names_are_many_folded_and_no_ordinary_words() -> None:
    assert len(GIVEN) > 1_500
    assert {one for one in GIVEN | ORDINARY | TWOFOLD if one != fold_word(one)} == set()
    assert sorted(GIVEN & ORDINARY - TWOFOLD) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_person_named_in_a_sample_is_hidden_though_no_header_tells(sample: Sample) -> None:
    """Recall by structure alone: the headers' names are withheld."""
    hidden, _ = hide_people(read_shown(sample.mail), ())
    assert [one for one in sample.persons if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", hidden)] == []


def test_few_ordinary_capitalised_words_of_the_samples_are_hidden() -> None:
    counted = [count_hidden(one) for one in SAMPLES]
    hidden, capitalised = (sum(column) for column in zip(*counted, strict=True))
    assert capitalised > 800
    assert hidden / capitalised < 0.01


def count_hidden(sample: Sample) -> tuple[int, int]:
    """(hidden though nobody's, all that are nobody's): capitalised words of one sample."""
    mail: Mail = sample.mail
    text = read_shown(mail)
    personal = " ".join((*sample.persons, *sample.organisations, *sample.addresses, *sample.others)).casefold()
    _, mapping = hide_people(text, (mail.sender, *mail.reply_to, *mail.to, *mail.cc))
    gone = [word for code, one in mapping.items() if is_named(code) for word in CAPITALISED.findall(one)]
    return (
        sum(word.casefold() not in personal for word in gone),
        sum(word.casefold() not in personal for word in CAPITALISED.findall(text)),
    )


def is_named(code: str) -> bool:
    return code.rpartition("_")[0] in set(Who)


def test_few_capitalised_words_of_mails_that_hardly_name_anybody_are_hidden() -> None:
    """The examples of the local model; the frequent given names in them are not counted."""
    with EXAMPLES.open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    gone = [one for text in texts for code, one in hide_people(text, ())[1].items() if is_named(code)]
    nameless = [one for one in gone if not any(may_be_given(word) for word in CAPITALISED.findall(one))]
    share = sum(len(CAPITALISED.findall(one)) for one in nameless) / sum(len(CAPITALISED.findall(one)) for one in texts)
    assert share < 0.03


def test_time_grows_with_the_text_alone() -> None:
    long = "\n\n".join(read_shown(one.mail) for one in SAMPLES)
    assert measure_time(long) < 12 * measure_time(long[: len(long) // 4]) + 0.1


def measure_time(text: str) -> float:
    started = process_time()
    find_names(text)
    return process_time() - started

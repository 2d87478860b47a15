"""The desk's own code words, said in the language of a letter."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "normal": "normale", "important": "importante", "urgent": "urgente",
        "programme": "programmes scolaires", "timetable": "emplois du temps", "account": "comptes et accès",
        "technical": "technique", "pedagogical": "pédagogie", "billing": "facturation",
        "thanks": "remerciement", "spam": "indésirable", "other": "autre demande",
        "executable": "programme", "double-extension": "programme déguisé en document", "script": "programme",
        "macro": "macros", "shortcut": "raccourci vers un programme", "disk-image": "image de disque",
        "type-mismatch": "contenu d'une autre nature que le nom", "archive-of-executables": "archive de programmes",
        "encrypted-archive": "archive chiffrée", "zip-bomb": "archive démesurée", "active-html": "page qui s'exécute",
        "dangerous": "type de fichier dangereux", "damaged": "fichier abîmé",
    },
    "en": {
        "programme": "school programmes", "timetable": "timetables", "account": "accounts and access",
        "pedagogical": "teaching", "spam": "unsolicited", "other": "other request",
        "executable": "a program", "double-extension": "a program that poses as a document", "script": "a program",
        "macro": "macros", "shortcut": "a shortcut to a program", "disk-image": "a disk image",
        "type-mismatch": "not what its name says", "archive-of-executables": "an archive of programs",
        "encrypted-archive": "an encrypted archive", "zip-bomb": "an archive out of all proportion",
        "active-html": "a page that runs scripts", "dangerous": "a dangerous type of file", "damaged": "a damaged file",
    },
}  # fmt: skip

# What marks the place of a missing slot in a draft.
GAPS: Mapping[str, str] = {"fr": "[… à compléter : {}]", "en": "[… to be filled in: {}]"}

# Why a mail was handed over, or its answer is a draft: the reasons of desk.decide.RULES.
REASONS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "reply": "nouveau message sur une demande en cours",
        "steering": "le texte cherche à influencer le tri automatique : à lire avec prudence",
        "unjudged": "aucun tri automatique n'a pu dire de quoi il s'agit",
        "machine": "message envoyé par une machine, personne n'a été averti",
        "urgent": "urgence signalée",
        "human": "la personne demande à parler à quelqu'un",
        "agent": "un membre de l'équipe suit déjà ce dossier",
        "doubt": "le tri automatique n'est pas assez sûr de lui",
        "off": "cette catégorie ne reçoit pas de réponse automatique",
        "mode": "cette catégorie demande une relecture humaine",
        "passed-on": "transmis par un membre de l'équipe, personne n'a encore reçu de réponse",
        "unverified": "l'adresse de l'expéditeur n'est pas prouvée",
        "old": "message trop ancien pour une réponse automatique",
        "cap": "nombre maximal de lettres automatiques atteint",
        "too-large": "message trop volumineux : il est resté dans la boîte, seul son en-tête a été lu",
        "hole": "il manque à la réponse une information que le message ne donne pas",
        "ungrounded": "aucun article approuvé ne répond assez sûrement à la question",
        "suppressed": "des lettres à cette adresse nous sont revenues",
        "noreply": "cette adresse ne lit pas les réponses",
        "own-address": "la réponse arriverait à l'une de nos propres adresses",
        "no-sender": "le message ne dit pas qui l'a envoyé",
        "others-data": "la demande porte sur les données d'une autre personne",
        "many-recipients": "message adressé à beaucoup de monde",
        "mailbox-cap": "cette boîte a envoyé tout ce qu'elle peut envoyer d'elle-même pour le moment",
        "day-cap": "l'assistance a envoyé tout ce qu'elle peut envoyer d'elle-même pour la journée",
    },
    "en": {
        "reply": "new message on an open request",
        "steering": "the text tries to sway the automatic sorting: read with care",
        "unjudged": "no automatic sorting could tell what it is about",
        "machine": "sent by a machine, nobody was told",
        "urgent": "emergency reported",
        "human": "the person asks to talk to somebody",
        "agent": "a member of the team already has this case",
        "doubt": "the automatic sorting is not sure enough",
        "off": "this category gets no automatic answer",
        "mode": "this category wants a human eye",
        "passed-on": "passed on by a member of the team, nobody has been answered yet",
        "unverified": "the sender's address is not proven",
        "old": "too old for an automatic answer",
        "cap": "the most automatic letters allowed were already sent",
        "too-large": "too large to be read: it is still in the mailbox, only its header was looked at",
        "hole": "the answer lacks something that the message does not tell",
        "ungrounded": "no approved article answers the question surely enough",
        "suppressed": "letters to this address came back",
        "noreply": "nobody reads what is answered to this address",
        "own-address": "the answer would come to an address of our own",
        "no-sender": "the message does not tell who sent it",
        "others-data": "it asks for somebody else's data",
        "many-recipients": "addressed to a large number of people",
        "mailbox-cap": "this mailbox has sent all that it may send by itself for now",
        "day-cap": "the desk has sent all that it may send by itself for the day",
    },
}


def say_word(word: str, language: str) -> str:
    """A category or priority in `language`; a word of the organisation's own stays as it is."""
    return WORDS.get(language, {}).get(word, word.replace("_", " "))


def say_reason(reason: str, language: str) -> str:
    """Why a person is asked to look, in `language`; an unknown reason stays as it is."""
    return REASONS.get(language, {}).get(reason, reason)

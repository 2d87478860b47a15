"""Words as a search compares them: folded, without elisions and endings, without those that say nothing."""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]  # ships no types

from desk.signals import fold_text

STEMMED = {"fr": "french", "en": "english"}
LEAST_CHARS = 2

_WORD = re.compile(r"[^\W_]+(?:\.\d+)*")
# d'un, qu'il, jusqu'à; it's, don't: what stands before or after the apostrophe says nothing
_ELIDED = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quelqu|n')'(?=\w)|(?<=\w)'(?:s|t|re|ve|ll|d|m)\b")

_FRENCH = """
a ai aie au aucun aussi autre aux avait avec avez avoir avons bien bonjour bonsoir car ce ceci cela celle celui ces
cet cette ceux chez ci comme comment cordialement dans de depuis des deja donc dont du elle elles en encore est et etait
etc etes etre eu fait faire faut faudrait fois ici il ils je la le les leur leurs lui ma madame mais me meme mes
merci moi mon monsieur ne ni nos notre nous on ont ou par parce pas peu peut peuvent peux plus plusieurs pour pourquoi
pouvez pouvons pourriez puis puisse quand que quel quelle quelles quels qui quoi rien sa sans se sera ses si soit son
sont souhaite sous suis sur svp ta te tes toi ton tous tout toute toutes tres trop tu un une va vais vers veux veut vos
votre voudrais vous voici voila y ca alors apres avant chaque chose cours deux doit dois encore etre fait faites jamais
la lors moins non oui pendant personne pu quelque savoir sais sait semble seul toujours trouve trouver vraiment
aide aider avance besoin possible probleme question slt stp
"""
_ENGLISH = """
a about after again all also am an and any are as at be because been before being best but by can cannot could dear did
do does doing don done down during each few for from further get give had has have having he hello help her here hi him
his how i if im in into is it its just kind know let like ll many may me mine more most my need no nor not now of off on
once one only or other our ours out over own per please possible problem question re regards same say see seem she
should so some such tell than thank thanks that the their them then there these they thing this those through to too
trying under until up us use very want was way we well were what when where which while who whom why will wish with
within without would yes you your yours
"""
IDLE = frozenset(_FRENCH.split() + _ENGLISH.split())


def list_terms(text: str, language: str) -> tuple[str, ...]:
    """Stems of the words that say something, in order, each as often as it stands there; a language that has no
    stemmer keeps its words as they are.
    """
    words = _WORD.findall(_ELIDED.sub(" ", fold_text(text)))
    return tuple(stem_word(one, language) for one in words if len(one) >= LEAST_CHARS and one not in IDLE)


@lru_cache(maxsize=65_536)
def stem_word(word: str, language: str) -> str:
    """By Snowball's rules (Porter 2001); a stemmer of its own each time: it holds state, and threads share this."""
    stemmer = snowballstemmer.stemmer(STEMMED[language]) if language in STEMMED else None
    return str(stemmer.stemWord(word)) if stemmer else word

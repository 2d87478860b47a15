"""Where persons and organisations stand in a text, told by how people write of them; lists of words only help.

A capitalised word is nobody by itself. What makes it a name: a civility, a role or a greeting before it, a frequent
given name in it, a row of a class list around it, a line or a signature of its own. When in doubt it is a name, since
a leak is worse than a word the reader misses. Every pattern is bounded: time grows with the text's length alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from desk.vocabulary import (
    ADULTS,
    CIVILITIES,
    GIVEN,
    GREETINGS,
    HELD,
    KINDS,
    LABELS,
    LINKS,
    ORDINARY,
    OWNED,
    PARTICLES,
    PLACES,
    PUPILS,
    SHIELDS,
    SUFFIXES,
    TELLING,
    TWOFOLD,
    WORDY,
)

VEIL = "\ue000"  # stands where something was found: no letter, no figure, of no meaning (Unicode private use)


class Who(StrEnum):
    PERSON = "Personne"
    PUPIL = "Élève"
    ORGANISATION = "Organisation"


class Weight(StrEnum):
    """What a capitalised word says by itself."""

    GIVEN = "given"  # a given name and nothing else
    TWOFOLD = "twofold"  # a given name and a word: Claire, Pierre, Rose
    PARTICLE = "particle"  # Le, De, Van: part of a name that goes on
    ORDINARY = "ordinary"
    PLAIN = "plain"  # nothing known


@dataclass(frozen=True, slots=True)
class Found:
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    who: Who


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring words that could make one name, and what stands around them."""

    start: int
    end: int
    words: tuple[str, ...]
    weights: tuple[Weight, ...]
    before: str
    after: str
    back: tuple[str, ...]  # the last words before it on its line, folded
    german: bool  # where every noun is capitalised


Words = Sequence[re.Match[str]]


def find_names(text: str) -> tuple[Found, ...]:
    """Persons in the text, from left to right, none within another."""
    found: list[Found] = []
    for finder in _FINDERS:
        fresh = tuple(finder(text))
        found += fresh
        text = veil_spans(text, [(one.start, one.end) for one in fresh]) if fresh else text
    return tuple(sorted(found, key=lambda one: one.start))


def find_organisations(text: str) -> tuple[Found, ...]:
    """The proper part of schools, town halls and firms: "collège Jean-Moulin" without its first word."""
    found: list[Found] = []
    for word in _WORD.finditer(text):
        key = fold_word(word[0])
        core = _find_core(text, word, key) if key in _HOUSES else None
        if core and (not found or core[0] >= found[-1].end):
            found.append(Found(*core, Who.ORGANISATION))
    return tuple(found)


def list_words(text: str) -> Iterator[re.Match[str]]:
    """Words as names have them: hyphens divide, the apostrophe of Floc'h doesn't."""
    return _PART.finditer(text)


def list_parts(name: str) -> tuple[str, ...]:
    """The words of a name that tell who it is: longer than two letters, neither ordinary nor particles."""
    return tuple(one for one in _PART.findall(name) if len(one) > 2 and not is_ordinary(one))


def is_ordinary(word: str) -> bool:
    """Whether a word names nobody by itself: Support, Lundi, Paris, Le."""
    key = fold_word(word)
    return key in ORDINARY or key in PLACES or key in PARTICLES


def may_be_given(word: str) -> bool:
    key = fold_word(word)
    return key in GIVEN or key in TWOFOLD


def is_wordy(word: str) -> bool:
    """Whether a name is another word in small letters: rose, claire, petit."""
    key = fold_word(word)
    return key in TWOFOLD or key in WORDY or is_ordinary(word)


_ALIKE = str.maketrans({"œ": "oe", "æ": "ae", "ı": "i", "’": "'", "ø": "o", "ł": "l", "đ": "d"})


@lru_cache(maxsize=8192)
def fold_word(word: str) -> str:
    """Lower case without accents; ligatures as two letters, every i with its dot and every apostrophe straight."""
    decomposed = unicodedata.normalize("NFD", word.casefold().translate(_ALIKE))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def veil_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text, as long as it was, with nothing to be found in `spans`."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        pieces += [text[at:start], VEIL * (end - max(at, start))]
        at = max(at, end)
    return "".join([*pieces, text[at:]])


# --- words

_LETTER = r"[^\W\d_]"
_UPPER = r"[^\W\d_a-zß-öø-ÿœ]"
_MARKS = "\u0300-\u036f"
_AFRESH = rf"(?<!{_LETTER}.)"  # second, since `re` is quick to find a first letter: it doesn't go on from a word
_REST = rf"{_LETTER}*+(?:['’{_MARKS}-]{{1,2}}{_LETTER}++)*+[{_MARKS}]?"
_CAP = rf"{_UPPER}(?:{_LETTER}|['’](?={_UPPER})){_REST}(?!\d)"  # two letters or more: Wu, N'Diaye, Floc'h
_SMALL_PARTICLE = r"(?:(?:de|du|des|la|le|les|van|von|der|den|ben|bin|el|al|da|dos|di)[ \u00a0]|[dl]['’])"
_ELIDED = r"(?:[cdjlmnst]|[CJLST]|[Qq]u|[Qq]uelqu|[Jj]usqu|[Ll]orsqu|[Pp]uisqu)['’]|[DMN]['’](?=[a-zà-ÿ])"
_WORD = re.compile(rf"(?:{_ELIDED})(?={_LETTER})|{_LETTER}(?:['’](?={_LETTER}))?{_REST}")
_TOKEN = re.compile(_CAP)
_PART = re.compile(rf"{_LETTER}++(?:[{_MARKS}]++{_LETTER}*+|['’]{_LETTER}{{1,2}}(?!{_LETTER}))*+")
_LETTERS = re.compile(rf"{_LETTER}+")
_ASKING = re.compile(r"-(?:vous|nous|moi|toi|lui|leur|je|tu|ils?|elles?|on|ce|ci|là|l[ea]s?|y|en|t-.*)$")


@lru_cache(maxsize=8192)
def weigh_word(word: str) -> Weight:
    """What the word says by itself; the rest depends on its neighbours."""
    key = fold_word(word).removesuffix("'s")
    return next((weight for weight, holds in _WEIGHTS if holds(key, word)), Weight.PLAIN)


def _has_given(key: str, word: str) -> bool:
    first, *others = key.split("-")
    doubled = bool(others) and first in GIVEN | TWOFOLD and not _ASKING.search(word)
    return key in GIVEN or doubled


def _is_common(key: str, word: str) -> bool:
    listed = key in PLACES or key.split("-")[0] in ORDINARY or key.endswith(_SHORTENED)
    return listed or bool(_ASKING.search(word)) or (word.isupper() and len(word) <= 3)


_SHORTENED = ("'m", "'ve", "'ll", "'d", "'re", "n't")


_WEIGHTS: tuple[tuple[Weight, Callable[[str, str], bool]], ...] = (
    (Weight.PARTICLE, lambda key, _: key in PARTICLES),
    (Weight.ORDINARY, lambda key, _: key in TWOFOLD and key in ORDINARY),
    (Weight.TWOFOLD, lambda key, _: key in TWOFOLD),
    (Weight.GIVEN, _has_given),
    (Weight.ORDINARY, _is_common),
)


# --- what words before a name say

_SPOKEN = {("je", "suis"), ("i", "am"), ("m", "appelle"), ("me", "nomme"), ("i", "m"), ("this", "is"), ("name", "is")}
_ANNOUNCING = CIVILITIES | GREETINGS | ADULTS | LABELS
_TITLES = _ANNOUNCING | PUPILS
_FULL_STOP = re.compile(r"[.!?…]\s*$|\n\s*$")
_STOPPED_CIVILITY = re.compile(r"(?i)\b(?:mm?|mrs?|ms|mmes?|mlles?|dr|pr|mgr)\.\s?$")
_CLASS = re.compile(
    r"(?i)[\s,;:(\t|-]{1,4}(?:(?:en|de|élève|in|from|classe|class)\s){0,3}"
    r"(?:cp|ce[12]|cm[12]|[3-6] ?(?:e|è|[eè]me)|2n?de|1[eè]?re|tle|term(?:inale)?|ps|ms|gs|year \d|grade \d)\b"
)


def _introduce(segment: Segment) -> Who | None:
    """Whom the words before announce; None when they announce nobody."""
    if not segment.back or (_FULL_STOP.search(segment.before) and not _STOPPED_CIVILITY.search(segment.before)):
        return None
    last, held = segment.back[-1], "".join(segment.back[-2:-1])
    if last in LINKS and (who := _introduce_held(segment.back, held)):
        return who
    if last in PUPILS:
        return Who.PUPIL
    told = segment.back[-2:] in _SPOKEN or (last in {"a", "to"} and held in TELLING)
    return Who.PERSON if last in _ANNOUNCING or told else None


def _introduce_held(back: tuple[str, ...], held: str) -> Who | None:
    if held in HELD or held in PUPILS or (held in {"s", "prenom"} and set(back) & PUPILS):
        return Who.PUPIL
    return Who.PERSON if held in OWNED or held in ADULTS or held in {"m", "s"} else None


# --- runs of capitalised words

_OPENS = re.compile(r"(?:^|[.!?…:\n«“\"”*•>|\])\u2013\u2014-])[ \u00a0\t]*$")
_ACTS = re.compile(r" (?:a|n['’]a|ne|n['’]est|est|s['’]est|m['’]a|va|veut|peut|doit|avait|was|has|says|said|can)\b")
_AND_NAME = re.compile(rf"(?:,| et| and) {_CAP}")
_GERMAN = (" und ", " nicht ", " bitte", "danke", " dank", " mit ", " ist ", " das ", " der ")
_INITIAL = re.compile(rf"[ \u00a0]{_UPPER}\.(?!{_LETTER})")
_LIST_GAP = re.compile(r"(?:\s?\([^()\n]{0,20}\))?(?:[ \t]?[,;/&+][ \t]?|[ \t])(?:(?:et|and|ou|or|puis|y|e)[ \t])?")
_GAPS = frozenset(("", " ", "\u00a0"))


def _read_runs(text: str) -> Iterator[Found]:
    """Runs of capitalised words; who is one of a list makes persons of the neighbours in it."""
    last: Found | None = None
    lowered = text.lower()
    german = sum(word in lowered for word in _GERMAN) > 1
    for part in _split_runs(text):
        segment = _make_segment(text, part, german)
        chained = last.who if last and _LIST_GAP.fullmatch(text, last.end, segment.start) else None
        who = _introduce(segment) or chained
        if who or any(rule(segment) for rule in _RULES):
            last = _settle_name(text, segment, who)
            yield last


def _split_runs(text: str) -> Iterator[Words]:
    """Capitalised words that are not ordinary, and the particles among them, as long as blanks alone are between."""
    part: list[re.Match[str]] = []
    last = ""
    for word in _WORD.finditer(text):
        raw, title, last = word[0], last, word[0]
        if part and text[part[-1].end() : word.start()] not in _GAPS:
            yield from _close_run(part)
            part = []
        if (part or raw[0].isupper() or raw in _NOBLE) and _takes_part(text, part, word, title):
            part.append(word)
            continue
        if part:
            yield from _close_run(part)
            part = []
        if raw in _SMALL_GIVEN or (not raw.isascii() and fold_word(raw) in _SMALL_GIVEN):
            yield [word]
    yield from _close_run(part)


def _takes_part(text: str, part: Words, word: re.Match[str], title: str) -> bool:
    if part and (word[0] in _SMALL_PARTICLES or _goes_on(part, word[0])):
        return True
    return _is_nameable(text, word) or _is_announced(text, title, word)


_NOBLE = frozenset(("de", "du", "d'", "d’", "van", "von", "el", "ben", "al"))
_SMALL_PARTICLES = PARTICLES | {"d'", "d’", "l'", "l’"}
_FIGURES = frozenset("0123456789")


def _goes_on(part: Words, word: str) -> bool:
    """Parts of names that are words: Claire Petit, Mme de La Tour, Nguyen Thi Thu Ha."""
    if not word[0].isupper() or _is_title(word):
        return False
    noble = part[0][0][0].islower() and weigh_word(part[-1][0]) is Weight.PARTICLE
    return noble or fold_word(word) in WORDY or (word.istitle() and 1 < len(word) <= 3)


def _is_announced(text: str, title: str, word: re.Match[str]) -> bool:
    """Behind a civility or a child's word a capital makes a name of any word but a title: Mme Place, mon fils Noé."""
    key = fold_word(title)
    if key not in _SURE_TITLES or text[max(0, word.start() - 2) : word.start()].strip(" \u00a0." + title[-1:]):
        return False
    noble = key in CIVILITIES and word[0] in _NOBLE
    return noble or (word[0][0].isupper() and _may_name_sure(word[0]))


_SURE_TITLES = CIVILITIES - {"me", "pr"} | {"fils", "fille", "eleve", "pupil", "son", "daughter"}


def _may_name_sure(word: str) -> bool:
    return len(word) > 2 and fold_word(word) not in _TITLES and weigh_word(word) is not Weight.PARTICLE


def _is_nameable(text: str, word: re.Match[str]) -> bool:
    raw = word[0]
    if not raw[0].isupper() or len(raw) < 2 or raw[-1] in "'’" or weigh_word(raw) is Weight.ORDINARY:
        return False
    numbered = raw.isupper() and text[word.end() : word.end() + 1] in _FIGURES  # CE1, SYNC-412
    return not numbered and text[word.start() - 1 : word.start()] not in _FIGURES


def _close_run(part: Words) -> Iterator[Words]:
    """Without particles that lead nowhere."""
    while part and _is_loose(part):
        part = part[:-1]
    if part:
        yield part


def _is_loose(part: Words) -> bool:
    """Le Du and Le Bel are names, Marie Le is none."""
    *others, last = (one[0] for one in part)
    breton = bool(others) and last[0].isupper() and others[-1] in {"Le", "LE", "La", "LA"}
    return last in _SMALL_PARTICLES or (weigh_word(last) is Weight.PARTICLE and not breton)


def _make_segment(text: str, part: Words, german: bool = False) -> Segment:
    start, end = part[0].start(), part[-1].end()
    words = tuple(one[0] for one in part if one[0] not in _SMALL_PARTICLES)
    before = text[max(0, start - 60) : start]
    back = tuple(map(fold_word, _LETTERS.findall(before[before.rfind("\n") + 1 :])[-6:]))
    return Segment(start, end, words, tuple(map(weigh_word, words)), before, text[end : end + 40], back, german)


def _settle_name(text: str, segment: Segment, who: Who | None) -> Found:
    """The article of a sentence left out, an initial behind the name taken in."""
    start, end = segment.start, segment.end
    if segment.weights[0] is Weight.PARTICLE and not who and len(segment.words) > 1:
        start = text.index(segment.words[1], start)
    if initial := _INITIAL.match(text, end):
        end = initial.end()
    if segment.words[-1].islower() and (after := _NEXT.match(text, end)) and _may_name(after["name"]):
        end = after.end()
    civil = segment.back[-1:] and segment.back[-1] in CIVILITIES
    pupil = who is Who.PUPIL or _CLASS.match(segment.after) or not PUPILS.isdisjoint(segment.back[-5:])
    return Found(start, end, Who.PUPIL if pupil and not civil else Who.PERSON)


def _has_given_name(segment: Segment) -> bool:
    return Weight.GIVEN in segment.weights and not segment.words[0].islower()


def _has_twofold_name(segment: Segment) -> bool:
    if Weight.TWOFOLD not in segment.weights or segment.words[0].islower():
        return False
    joined = len(segment.words) > 1 or bool(_AND_NAME.match(segment.after))
    return joined or _is_alone(segment) or not _OPENS.search(segment.before or "\n")


def _is_alone(segment: Segment) -> bool:
    """On a line of its own at the end, as one signs; in capitals or not."""
    begins = not segment.before or segment.before.rstrip(" \t\u00a0").endswith("\n")
    return begins and not segment.after.strip(" \t\u00a0.\n")


def _is_signature(segment: Segment) -> bool:
    return not segment.german and bool(segment.before.strip()) and _is_alone(segment)


def _is_pair(segment: Segment) -> bool:
    titled = not all(word.isupper() for word in segment.words)
    return titled and not segment.german and segment.weights.count(Weight.PLAIN) > 1


def _is_lone(segment: Segment) -> bool:
    """A capitalised word amid a sentence, with nothing before it that things have."""
    word = segment.words[-1]
    if (
        segment.german
        or not word[0].isupper()
        or word.isupper()
        or len(word) < 3
        or _OPENS.search(segment.before or "\n")
    ):
        return False
    sole = segment.before[-1] in " \u00a0('’" and not segment.before.rstrip()[-1:].isdigit()
    return sole and bool(segment.back) and segment.back[-1] not in SHIELDS


def _owns_something(segment: Segment) -> bool:
    """Quillon's mother; @Quillon is one called upon."""
    owner = fold_word(segment.words[-1]).endswith("'s") and not segment.words[-1].isupper()
    return owner or segment.before.endswith("@")


def _does_something(segment: Segment) -> bool:
    titled = segment.words[-1][0].isupper() and not segment.words[-1].isupper()
    return titled and not segment.german and bool(_ACTS.match(segment.after))


# All of them of capitalised words: a name in small letters has to be introduced.
_RULES = (_has_given_name, _has_twofold_name, _is_signature, _is_pair, _is_lone, _owns_something, _does_something)


# --- rows of lists and tables

_CELL_GAP = r"(?:[ \t\u00a0]{0,3}[;,\t|:/–—-][ \t\u00a0]{0,3}|[ \t\u00a0]{1,3})"
_MARK = (
    rf"(?:[\d.,/%+-]{{1,12}}|[A-Z]{{0,3}}\d{{1,2}}(?:[eè]|ème|eme|de|nde|re)?(?:[ -]?[A-Z0-9])?|[A-Z]{{1,3}}\d?"
    rf"|[aA]bsente?|[pP]résente?|[oO]ui|[nN]on|{VEIL}{{1,80}})"
)
_ROW = re.compile(
    rf"^[ \t>*•·–-]{{0,6}}(?:\d{{1,3}}[.)°;,\t|]?[ \t]{{0,3}}[;,|]?)?"
    rf"(?P<names>{_CAP}(?:{_CELL_GAP}{_SMALL_PARTICLE}{{0,2}}{_CAP}){{0,4}})"
    rf"(?P<marks>(?:{_CELL_GAP}\(?{_MARK}\)?){{0,8}})[ \t;,|.)]{{0,4}}$",
    re.MULTILINE,
)
_HEADING = re.compile(r"(?i)élèves?|eleves?|enfants?|classe|pupils?|students?|children|\bclass\b|effectif|inscrits")
_FIGURE = re.compile(r"\d")


def _read_rows(text: str) -> Iterator[Found]:
    """Two lines or more, one below the other, that look like rows of a list of persons."""
    block: list[re.Match[str]] = []
    for row in _ROW.finditer(text):
        if block and text[block[-1].end() : row.start()].strip(" \t\r") not in {"\n", ""}:
            yield from _read_block(text, block)
            block = []
        if any(_may_name(word) for word in _TOKEN.findall(row["names"])):
            block.append(row)
    yield from _read_block(text, block)


def _read_block(text: str, block: Words) -> Iterator[Found]:
    names = [[one for one in _TOKEN.finditer(text, *row.span("names")) if not _is_title(one[0])] for row in block]
    sure = sum(any(weigh_word(one[0]) in {Weight.GIVEN, Weight.TWOFOLD} for one in row) for row in names)
    marked = any(_FIGURE.search(row["marks"]) for row in block)
    if len(block) < 2 or not sure or (sure * 2 < len(block) and not marked):
        return
    head = text[max(0, block[0].start() - 120) : block[0].start()]
    who = Who.PUPIL if marked or _HEADING.search(head) else Who.PERSON
    yield from (Found(start, end, who) for row in names for start, end in _join_words(text, row))


def _join_words(text: str, words: Words) -> Iterator[tuple[int, int]]:
    """Words of one cell make one name."""
    start = 0
    for at, word in enumerate(words):
        start = start if at and text[words[at - 1].end() : word.start()] in _GAPS else word.start()
        if at + 1 == len(words) or text[word.end() : words[at + 1].start()] not in _GAPS:
            yield start, word.end()


def _is_title(word: str) -> bool:
    return fold_word(word) in _TITLES


def _may_name(word: str) -> bool:
    return len(word) > 1 and fold_word(word) not in ORDINARY and fold_word(word) not in _TITLES


# --- closings, initials, user names, files, small letters

_CLOSING = re.compile(
    r"(?i)\b(?:cordialement|salutations?|regards|cdlt|cdt|à vous|sincèrement|sincerely|wishes|merci|thanks"
    r"|thank you|respectueusement|bonne (?:journée|soirée|semaine|réception)|bientôt|faithfully|cheers)"
    r"(?:\W{0,3}d['’]avance)?\W*$"
)
_SIGNED = re.compile(r"(?:[^\S\n]*\n){1,3}[ \t]{0,4}(?P<name>[^\W\d_][^\n\d,;:!?@]{1,40}?)[ \t.]{0,3}(?=\n|$|,)")
_LINE = re.compile(r"^[^\n]{2,60}$", re.MULTILINE)
_INITIALS = re.compile(
    rf"{_UPPER}(?<![^\W_].)(?<![.'’].)(?<!\d[eè] .)\.[ \u00a0-]?(?:(?:{_UPPER}\.[ \u00a0-]?){{0,2}}"
    rf"(?:(?:de|du|le|la|van) |[dl]['’])?{_CAP}|{_UPPER}\.(?!\w))"
)
_NO_INITIALS = re.compile(
    r"(?:M|P\. ?S|N\. ?B|S\. ?A|U\. ?S|U\. ?K|R\. ?S|E\. ?U|I\. ?D|A\. ?M|P\. ?M|T\. ?P|J\. ?O)\."
)
_USER = re.compile(r"[a-z](?<![\w./@-].)[a-z]{0,19}[._-](?:[a-z]{3,25}\d{0,4}|[a-z])(?![\w/@]|\.\w)")
_FILE = re.compile(
    r"\.(?i:pdf|docx?|xlsx?|csv|od[ts]|pptx?|png|jpe?g|gif|heic|txt|zip|eml|msg|mp[34]|mov|rtf|ics|xml|json|log)(?!\w)"
)
_STEM = re.compile(r"[^\s/\\\"<>|:;,()«»]{1,100}$")
_FILE_WORD = re.compile(rf"{_UPPER}?[^\W\d_A-ZÀ-ÖØ-Þ]+|{_LETTER}+")
_TOLD = re.compile(
    rf"(?i)[mnps]{_AFRESH}(?:(?<=[ms])['’]appelle|(?<=n)omme|(?<=m)y name is|(?<=n)om est|(?<=n)oms? ?:"
    rf"|(?<=p)r[ée]noms? ?:|(?<=n)ame ?:|(?<=m)me|(?<=m)lle|(?<=m)adame|(?<=m)onsieur|(?<=m)r|(?<=m)rs)[ \t]{{1,3}}"
    rf"(?P<name>{_LETTER}{{2,30}}(?:[-' ’]{_LETTER}{{2,30}}){{0,2}})"
)
_NEXT = re.compile(rf"[- ](?P<name>{_LETTER}{{3,30}})(?!{_LETTER})")


def _read_closings(text: str) -> Iterator[Found]:
    """The line below a closing, in small letters as well."""
    for line in _LINE.finditer(text):
        signed = _SIGNED.match(text, line.end()) if _CLOSING.search(line[0]) else None
        words = [one[0] for one in _WORD.finditer(signed["name"])] if signed else []
        if signed and len(words) <= 4 and all(_may_name(one) and not _ASKING.search(one) for one in words):
            yield Found(*signed.span("name"), Who.PERSON)


def _read_initials(text: str) -> Iterator[Found]:
    """J. Dupont, J.-P. Le Goff, L. M."""
    for match in _INITIALS.finditer(text):
        last = _TOKEN.findall(match[0])
        if not _NO_INITIALS.match(match[0]) and not (last and weigh_word(last[-1]) is Weight.ORDINARY):
            yield Found(*match.span(), Who.PERSON)


def _read_users(text: str) -> Iterator[Found]:
    """User names made of a name: j.dupont, lea.martin."""
    for match in _USER.finditer(text):
        first, *others = _LETTERS.findall(match[0])
        initial, name = sorted((first, others[0]), key=len)
        short = len(initial) == 1 and "." in match[0] and len(name) > 2 and name not in ORDINARY
        if short or first in _SMALL_GIVEN:
            yield Found(*match.span(), Who.PERSON)


def _read_files(text: str) -> Iterator[Found]:
    """Names within names of files: Bulletin_Dupont_Lea.pdf."""
    for dot in _FILE.finditer(text):
        stem = _STEM.search(text, max(0, dot.start() - 100), dot.start())
        words = list(_FILE_WORD.finditer(text, *stem.span())) if stem else []
        known = {at for at, one in enumerate(words) if _names_file(one[0])}
        near = {at for at in range(len(words)) if {at - 1, at + 1} & known and _may_name(words[at][0])}
        who = Who.PERSON if HELD.isdisjoint(fold_word(one[0]) for one in words) else Who.PUPIL
        yield from (Found(*words[at].span(), who) for at in sorted(known | near) if len(words[at][0]) > 1)


def _names_file(word: str) -> bool:
    key = fold_word(word)
    if key in ORDINARY or key in PLACES or len(key) < 3:
        return False
    return key in _SMALL_GIVEN or (word[0].isupper() and (len(word) > 4 or not word.isupper()))


def _read_told(text: str) -> Iterator[Found]:
    """Names in small letters where somebody says that they are names: je m'appelle léa martin, nom : dupont."""
    for match in _TOLD.finditer(text):
        words = list(_LETTERS.finditer(text, *match.span("name")))
        known = (at for at, one in enumerate(words) if not _may_name(one[0]) or fold_word(one[0]) in SHIELDS)
        taken = words[: next(known, len(words))]
        if taken and taken[0][0][0].islower():
            yield Found(taken[0].start(), taken[-1].end(), Who.PERSON)


_SMALL_GIVEN = GIVEN - TWOFOLD - ORDINARY

# Read from top to bottom; what one took is gone for those below.
_FINDERS: tuple[Callable[[str], Iterator[Found]], ...] = (
    _read_files,
    _read_rows,
    _read_initials,
    _read_users,
    _read_runs,
    _read_closings,
    _read_told,
)


# --- organisations

_SORTS = (
    r"(?:[ \u00a0](?:maternelle|élémentaire|primaire|publique|privée?|public|général|professionnel|polyvalent"
    r"|municipale|scolaire))"
)
_BOUND = r"(?:[ \u00a0](?:de la|de l['’]|du|des|de|d['’]|la|le|les|l['’])(?=[ \u00a0]|(?<=['’])))"
_PROPER = rf"{_CAP}(?:[ \u00a0-](?:(?:de la|de l['’]|du|des|de|la|le|les|sur|et)[ -]|[dl]['’])?{_CAP}){{0,4}}"
_KIND = re.compile(rf"{_LETTER}+{_SORTS}{{0,2}}{_BOUND}?[ \u00a0]?[\"«]?\u00a0?(?P<core>{_PROPER})")
_LEGAL = re.compile(r" (?:Ltd|Limited|Inc|Trust)\b")
_BEHIND = re.compile(rf"(?P<core>(?:{_CAP}[ ](?:& )?){{1,4}})$")


_HOUSES = KINDS | SUFFIXES


def _find_core(text: str, word: re.Match[str], key: str) -> tuple[int, int] | None:
    """What an organisation's word has behind it, else, when it is capitalised, before it."""
    if key in KINDS and (match := _KIND.match(text, word.start())) and (core := _trim_core(text, match)):
        return core
    if key not in SUFFIXES or not word[0][0].isupper():
        return None
    behind = _BEHIND.search(text, max(0, word.start() - 80), word.start())
    core = _trim_core(text, behind) if behind else None
    legal = _LEGAL.match(text, word.end())
    return (core[0], legal.end() if legal else word.end()) if core else None


def _trim_core(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Without ordinary words before it, but for its article; None when nothing else is there."""
    words = list(_WORD.finditer(text, *match.span("core")))
    telling = [at for at, one in enumerate(words) if fold_word(one[0]) not in ORDINARY and _is_telling(one[0])]
    if not telling:
        return None
    first = telling[0]
    article = first and weigh_word(words[first - 1][0]) is Weight.PARTICLE and words[first - 1][0][0].isupper()
    return words[first - 1 if article else first].start(), words[-1].end()


def _is_telling(word: str) -> bool:
    return word[0].isupper() and weigh_word(word) is not Weight.PARTICLE

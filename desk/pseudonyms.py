"""Personal data out of a text before a model reads it, and back in afterwards: same letters, exactly.

Every distinct writing gets its own code ("Jean" and "JEAN" two), so that the way back loses nothing. What is found is
veiled until all is found, then codes are written once: no code is ever taken for a part of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from desk.mail import Address
from desk.names import (
    VEIL,
    Who,
    find_names,
    find_organisations,
    fold_word,
    is_ordinary,
    is_wordy,
    list_parts,
    list_words,
    may_be_given,
    veil_spans,
)

KINDS = ("Login", "Secret", "Email", "Iban", "Phone", "Nir", "Siret", "Card", "Siren", "Id", "Date", "Lieu", *Who)
_CODE = re.compile(rf"(?:{'|'.join(KINDS)})_[0-9]{{3,}}")


@dataclass(frozen=True, slots=True)
class Known:
    """Who may be spoken of though no header names them: contacts, and organisations we serve."""

    names: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()


Sign = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row of the table: what it looks like, and what tells it from other figures.

    `sign` is asked of the case-folded text, and sooner answered: a text without it is not searched. Where `looks` has a
    group `value`, that alone is hidden; `holds` is asked of what is hidden.
    """

    kind: str
    sign: Sign
    looks: re.Pattern[str]
    holds: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) and what they are, one of KINDS."""

    start: int
    end: int
    kind: str


def hide_people(text: str, people: tuple[Address, ...], known: Known = Known()) -> tuple[str, Mapping[str, str]]:
    """(text with codes such as Personne_001, {code: what stood there}); `show_people` takes it back."""
    spans = _close_gaps(text, _find_spans(text, people, known))
    ledger = _Ledger({}, {}, frozenset(_CODE.findall(text)))
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], ledger.name(span.kind, text[span.start : span.end])]
        at = span.end
    return "".join([*pieces, text[at:]]), dict(ledger.codes)


def show_people(text: str, mapping: Mapping[str, str]) -> str:
    """The text with every code of `mapping` replaced by what it stands for; unknown codes stay."""
    return _CODE.sub(lambda match: mapping.get(match[0], match[0]), text)


@dataclass(frozen=True, slots=True)
class _Ledger:
    codes: dict[str, str]
    known: dict[tuple[str, str], str]
    taken: frozenset[str]  # codes that the writer wrote: they are nobody's

    def name(self, kind: str, original: str) -> str:
        if (kind, original) not in self.known:
            code = self._next_code(kind)
            self.codes[code] = original
            self.known[kind, original] = code
        return self.known[kind, original]

    def _next_code(self, kind: str) -> str:
        at = 1
        while (code := f"{kind}_{at:03}") in self.codes or code in self.taken:
            at += 1
        return code


# --- all that is personal, in the order it is looked for


_BREAKS = dict.fromkeys(range(0x1C, 0x20), "\n")  # separators of parts; nothing that is found reaches over a line


def _find_spans(text: str, people: tuple[Address, ...], known: Known) -> list[Span]:
    view = text.translate(_BREAKS)
    figures = list(_find_figures(view))
    view = _veil(view, figures)
    houses = list(_find_houses(view, people, known))
    view = _veil(view, houses)
    circles = _list_circles(people, known)
    wholes = list(_find_wholes(view, circles))
    view = _veil(view, wholes)
    persons = [*wholes, *(Span(one.start, one.end, one.who) for one in find_names(view))]
    view = _veil(view, persons)
    keys = _list_keys(text, circles, known.organisations, [*houses, *persons])
    return _agree_kinds(text, [*figures, *houses, *persons, *_find_parts(view, keys)], circles)


def _veil(text: str, spans: Iterable[Span]) -> str:
    return veil_spans(text, [(span.start, span.end) for span in spans])


def _find_figures(text: str) -> Iterator[Span]:
    folded = text.casefold()
    signs = {sign for sign in _SIGNS if sign(folded)}
    for pattern in PATTERNS:
        fresh = [] if pattern.sign not in signs else [Span(*span, pattern.kind) for span in _match_row(pattern, text)]
        text = _veil(text, fresh) if fresh else text
        yield from fresh


def _match_row(pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
    group = "value" if "value" in pattern.looks.groupindex else 0
    return (match.span(group) for match in pattern.looks.finditer(text) if pattern.holds(match[group]))


def _find_houses(text: str, people: tuple[Address, ...], known: Known) -> Iterator[Span]:
    """Organisations: those we know by their whole names first, then by structure."""
    if whole := _match_names(text, tuple(_list_houses(people, known))):
        fresh = [Span(*match.span(), Who.ORGANISATION) for match in whole.finditer(text)]
        yield from fresh
        text = _veil(text, fresh)
    yield from (Span(one.start, one.end, one.who) for one in find_organisations(text))


def _list_houses(people: tuple[Address, ...], known: Known) -> Iterator[str]:
    for name in (*known.organisations, *(person.name for person in people)):
        cores = _name_cores(name)
        yield from cores
        if cores or name in known.organisations:
            yield name


@lru_cache(maxsize=4096)
def _name_cores(name: str) -> tuple[str, ...]:
    return tuple(name[one.start : one.end] for one in find_organisations(name))


def _match_names(text: str, names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Whole names in the spellings that mails show, the longest first; only those whose words stand in the text."""
    folded = fold_word(text) if names else ""
    spelled = {
        _spell_name(name) for name in names if (words := _fold_name(name)) and all(one in folded for one in words)
    }
    longest_first = "|".join(sorted(spelled, key=lambda one: (-len(one), one)))
    return re.compile(rf"(?<![^\W_])(?:{longest_first})(?![^\W_])", re.IGNORECASE) if spelled else None


@lru_cache(maxsize=4096)
def _fold_name(name: str) -> tuple[str, ...]:
    return tuple(fold_word(word[0]) for word in list_words(name))


@lru_cache(maxsize=4096)
def _spell_name(name: str) -> str:
    """A pattern: each word with its accents, with loose ones and without, hyphens or blanks between them."""
    return r"[ \u00a0.'’-]{1,2}".join(f"(?:{'|'.join(_spell_word(word[0]))})" for word in list_words(name))


def _spell_word(word: str) -> list[str]:
    decomposed = unicodedata.normalize("NFD", word)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return sorted(re.escape(one) for one in {unicodedata.normalize("NFC", word), decomposed, bare})


# --- parts of names, wherever they return

Keys = Mapping[str, tuple[str, bool]]  # folded word: its kind, and whether only a capitalised one counts


@dataclass(frozen=True, slots=True)
class Circle:
    """Persons whose names are told from outside the text."""

    keys: Keys
    wholes: tuple[str, ...]  # names that their keys alone would not find whole
    words: frozenset[str]  # all their words, folded


def _list_circles(people: tuple[Address, ...], known: Known) -> tuple[Circle, ...]:
    headers = tuple(name for person in people for name in _list_own(person))
    return _draw_circle(known.names, False), _draw_circle(headers, True)


def _list_own(person: Address) -> tuple[str, ...]:
    """Name and local part, without the organisation that some bear for a name."""
    return (*_leave_houses(person.name), person.address.partition("@")[0])


@lru_cache(maxsize=256)
def _draw_circle(names: tuple[str, ...], near: bool) -> Circle:
    """Of those whom this mail's headers name (`near`), ordinary words count as well when capitalised."""
    keys: dict[str, tuple[str, bool]] = {}
    for name in names:
        parts = (_read_words(name) if near else {}) | _read_parts(name) | _guess_users(name)
        keys |= {key: (Who.PERSON, wordy) for key, wordy in parts.items()}
    wholes = tuple(name for name in names if not _is_made_of(name, keys) and not _is_common(name))
    return Circle(keys, wholes, frozenset(word for name in names for word in _fold_name(name)))


@lru_cache(maxsize=16)
def _key_houses(houses: tuple[str, ...]) -> Keys:
    cores = (core for house in houses for core in _name_cores(house))
    return {key: value for core in cores for key, value in _mark_parts(Who.ORGANISATION, core).items()}


def _list_keys(text: str, circles: Iterable[Circle], houses: tuple[str, ...], spans: Iterable[Span]) -> Keys:
    keys: dict[str, tuple[str, bool]] = {}
    for span in sorted(spans, key=lambda one: one.kind == Who.PUPIL):
        keys |= _mark_parts(span.kind, text[span.start : span.end])
    keys |= _key_houses(houses)
    for circle in circles:
        keys |= circle.keys
    return keys


def _leave_houses(name: str) -> tuple[str, ...]:
    return () if _name_cores(name) else (name,)


def _mark_parts(kind: str, name: str) -> dict[str, tuple[str, bool]]:
    """Of organisations only what is no given name: Jean-Moulin makes nobody's Jean an organisation."""
    house = kind == Who.ORGANISATION
    parts = _read_parts(name).items()
    return {key: (kind, wordy or house) for key, wordy in parts if not (house and may_be_given(key))}


@lru_cache(maxsize=4096)
def _read_parts(name: str) -> dict[str, bool]:
    return {fold_word(part): is_wordy(part) for part in list_parts(name)}


@lru_cache(maxsize=4096)
def _read_words(name: str) -> dict[str, bool]:
    """Beside a part that tells who it is, ordinary words are parts of the name as well, when capitalised."""
    words = [word[0] for word in list_words(name) if len(word[0]) > 2 and word[0][0].isupper()]
    return dict.fromkeys(map(fold_word, words), True) if list_parts(name) else {}


@lru_cache(maxsize=4096)
def _guess_users(name: str) -> dict[str, bool]:
    """User names as schools make them: tbozec, bozect, thierrybozec; a surname in one word: legoff."""
    words = _fold_name(name)
    if not 1 < len(words) <= 4 or len(list_parts(name)) < 1 or is_ordinary(words[0]):
        return {}
    pairs = ((words[0], "".join(words[1:])), (words[-1], "".join(words[:-1])))
    made = {
        one for first, last in pairs for one in (last, first[0] + last, last + first[0], first + last, last + first)
    }
    return {one: is_wordy(one) for one in made if len(one) > 4 and not is_ordinary(one)}


def _find_wholes(text: str, circles: Iterable[Circle]) -> Iterator[Span]:
    whole = _match_names(text, tuple(name for circle in circles for name in circle.wholes))
    return (Span(*match.span(), Who.PERSON) for match in whole.finditer(text)) if whole else iter(())


def _find_parts(text: str, keys: Keys) -> Iterator[Span]:
    """Every part of a name that is left; neighbours of one kind make one writing."""
    last: Span | None = None
    for span in _match_parts(text, keys):
        joined = last is not None and last.kind == span.kind and _BETWEEN.fullmatch(text, last.end, span.start)
        if last and not joined:
            yield last
        last = Span(last.start, span.end, span.kind) if last and joined else span
    if last:
        yield last


_BETWEEN = re.compile(r"(?i)[ \u00a0'’.-](?:(?:de|du|des|la|le|les|van|von|ben|el|al)[ '’-]|[dl]['’]){0,2}")


def _is_common(name: str) -> bool:
    return all(is_ordinary(word) for word in _fold_name(name))


def _is_made_of(name: str, keys: Keys) -> bool:
    return all(word in keys for word in _fold_name(name))


def _match_parts(text: str, keys: Keys) -> Iterator[Span]:
    for word in list_words(text) if keys else ():
        kind, wordy = keys.get(fold_word(word[0]), ("", False))
        if kind and (not wordy or word[0][0].isupper()):
            yield Span(*word.span(), kind)


# --- one writing, one code; nothing within another


def _agree_kinds(text: str, spans: list[Span], circles: Iterable[Circle]) -> list[Span]:
    """Who is a pupil somewhere is one everywhere; whom headers and contacts name is none."""
    grown = frozenset[str]().union(*(circle.words for circle in circles))
    pupils = {_fold_name(text[span.start : span.end]) for span in spans if span.kind == Who.PUPIL}
    return [Span(one.start, one.end, _agree_kind(text[one.start : one.end], one.kind, pupils, grown)) for one in spans]


def _agree_kind(writing: str, kind: str, pupils: set[tuple[str, ...]], grown: frozenset[str]) -> str:
    if kind not in {Who.PUPIL, Who.PERSON}:
        return kind
    words = _fold_name(writing)
    called = any(set(words) <= set(pupil) for pupil in pupils) and any(map(may_be_given, words))
    return Who.PUPIL if (words in pupils or called) and not set(words) <= grown else Who.PERSON


def _close_gaps(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """In order; what overlaps is one, and figures behind it go with it: a code must end where its own end."""
    at = 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        start, end = max(at, span.start), span.end
        while text[end : end + 1] in _TENTHS:
            end += 1
        if start < end:
            at = end
            yield Span(start, end, span.kind)


_TENTHS = frozenset("0123456789")


# --- figures, addresses and what labels announce


def _always(_: str) -> bool:
    return True


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isascii() and letter.isdigit())


def _has_luhn(text: str) -> bool:
    """ISO/IEC 7812 check digit, as SIREN, SIRET and payment cards have it."""
    figures = [int(digit) for digit in reversed(_digits(text))]
    doubled = [figure if at % 2 == 0 else sum(divmod(figure * 2, 10)) for at, figure in enumerate(figures)]
    return sum(doubled) % 10 == 0


def _is_siret(text: str) -> bool:
    """La Poste's establishments add up to a multiple of five instead (INSEE)."""
    figures = _digits(text)
    return _has_luhn(text) or (figures.startswith("356000000") and sum(map(int, figures)) % 5 == 0)


def _is_nir(text: str) -> bool:
    """The key is 97 less the number's rest by 97; Corsica's 2A and 2B count as 19 and 18 (INSEE)."""
    compact = text.replace(" ", "").upper().replace("2A", "19").replace("2B", "18")
    return len(compact) == 15 and int(compact[13:]) == 97 - int(compact[:13]) % 97


def _has_iban_check(text: str) -> bool:
    """ISO 7064 mod 97-10; a French one is told by its shape: with a slip of the pen it is still an account."""
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _is_long(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 16  # ITU-T E.164, with its prefix


def _has_both(text: str) -> bool:
    """Letters and figures: part of a link that is no words."""
    return any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text)


def _says(*words: str) -> Sign:
    return lambda folded: any(word in folded for word in words)


def _row(kind: str, sign: Sign, looks: str, holds: Callable[[str], bool] = _always) -> Pattern:
    return Pattern(kind, sign, re.compile(looks), holds)


_GAP = r"[ .\u00a0\u202f-]?"
_FREE = r"(?<!\w.)"  # second, since `re` is quick to find a first letter: it doesn't go on from a word
_FREE_CALL = r"(?<![\w+].)"
_VALUE = (  # no word of the sentence that goes on: it holds a figure or a sign, is quoted or ends the line
    rf"[\"«]?[ \u00a0]?(?P<value>(?=[^\s{VEIL}]{{0,39}}[\d_@#$%&*+=])[^\s«»\"{VEIL}]{{2,39}}[^\s«»\".,;:!?){VEIL}]"
    rf"|[^\s«»\"{VEIL}]{{2,39}}[^\s«»\".,;:!?){VEIL}](?=[\"»]|[ .]{{0,3}}(?:\n|$)))"
)
_DAY = r"\d{1,2}(?:er)?[ /.-](?:\d{1,2}|[^\W\d_]{3,9}\.?)[ /.-]\d{2,4}"
_LINK, _AT = _says("://"), _says("@", "%40")
_ACCOUNT = re.compile(r"\d\d(?: ?[0-9a-z]{4}){2}").search
_FIGURES = re.compile(r"\d(?:[ .()\u00a0\u202f-]{0,3}\d){7}").search  # eight
_PASS = _says("passe", "mdp", "pass", "pin", "code")
_USER = _says("identifiant", "login", "user", "utilisateur", "pseudo")
_NUMBERED = _says("ine", "sécu", "secu", "nir", "student", "pupil", "eve", "ève", "tudiant", "allocataire")
_INE = re.compile(r"\d{9}[0-9a-z][a-z]").search
_BIRTH = _says("né", "ne", "naissance", "born", "birth", "dob")
_CELL_DAY = re.compile(r"\d\d/\d\d/\d{4}").search
_STREET = _says(
    "rue",
    "av",
    "boulevard",
    "bd",
    "place",
    "chemin",
    "allée",
    "impasse",
    "route",
    "quai",
    "square",
    "cours",
    "hameau",
    "street",
    "road",
    "lane",
    "drive",
)
_TOWN = re.compile(r"\d{5}[ \u00a0]").search
_SIGNS = (*(_LINK, _AT, _ACCOUNT, _FIGURES, _PASS, _USER, _NUMBERED, _INE, _BIRTH, _CELL_DAY, _STREET, _TOWN),)
# Read from top to bottom; what one row took is gone for the rows below.
PATTERNS = (
    _row("Login", _LINK, r"(?<=://)[^\s/@<>\"?#]{1,200}(?=@)"),
    _row("Secret", _LINK, r"https?://[^\s?#<>\"]{1,200}[?#](?P<value>[^\s<>\"]{1,500}[^\s<>\".,;:!?)])"),
    _row("Secret", _LINK, r"https?://(?:[^\s/?#<>\"]{1,100}/){1,9}(?P<value>[\w-]{20,200})(?![\w-])", _has_both),
    _row("Email", _AT, r"(?<![\w.+%'-])[\w.+'-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[\w-]*\w"),
    _row(
        "Secret",
        _PASS,
        r"(?i)\b(?:mot de passe|mdp|pass(?:word|code|wd)?|code(?: pin| d['’]acc[èe]s| parent)?|pin)"
        rf"(?: (?:provisoire|actuel|initial|temporaire))?[ \u00a0]?(?:[:=]|est|is)[ \u00a0]?{_VALUE}",
    ),
    _row(
        "Login",
        _USER,
        r"(?i)\b(?:identifiant|login|nom d['’]utilisateur|user ?name|user ?id|utilisateur|pseudo|user)"
        rf"(?: (?:provisoire|actuel|parent|élève))?[ \u00a0]?(?:[:=]|est|is)[ \u00a0]?{_VALUE}",
    ),
    _row("Iban", _ACCOUNT, rf"[Ff]{_FREE}[Rr]\d\d(?: ?[0-9A-Za-z]{{4}}){{5}} ?[0-9A-Za-z]{{3}}(?!\w)"),
    _row(
        "Iban",
        _ACCOUNT,
        rf"[A-Z]{_FREE}[A-Z]\d\d(?: ?[0-9A-Z]{{4}}){{2,7}}(?: ?[0-9A-Z]{{1,3}})?(?!\w)",
        _has_iban_check,
    ),
    _row(
        "Phone", _FIGURES, rf"(?:\+{_FREE_CALL}|0{_FREE_CALL}0)33{_GAP}(?:\(0\){_GAP})?[1-9](?:{_GAP}\d\d){{4}}(?!\w)"
    ),
    _row("Phone", _FIGURES, rf"0{_FREE_CALL}[1-9](?:{_GAP}\d\d){{4}}(?!\w)"),
    _row(
        "Phone",
        _FIGURES,
        rf"(?:\+{_FREE_CALL}|0{_FREE_CALL}0)[1-9]\d{{0,2}}(?:{_GAP}\(?\d{{1,4}}\)?){{2,6}}(?!\w)",
        _is_long,
    ),
    _row("Phone", _FIGURES, rf"0{_FREE_CALL}\d{{2,4}}[ -]\d{{3,4}}[ -]\d{{3,4}}(?!\w)"),
    _row(
        "Nir",
        _FIGURES,
        rf"[12]{_FREE} ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[ABab]) ?\d{{3}} ?\d{{3}} ?\d\d(?!\w)",
        _is_nir,
    ),
    _row("Siret", _FIGURES, rf"\d{_FREE}\d\d ?\d{{3}} ?\d{{3}} ?\d{{5}}(?!\w)", _is_siret),
    _row("Card", _FIGURES, rf"\d{_FREE}\d{{3}}(?:[ -]?\d{{4}}){{2}}[ -]?\d{{1,7}}(?!\w)", _has_luhn),
    _row("Siren", _FIGURES, rf"\d{_FREE}\d\d ?\d{{3}} ?\d{{3}}(?!\w)", _has_luhn),
    _row(
        "Id",
        _NUMBERED,
        r"(?i)\b(?:ine|nir|s[ée]cu(?:rité sociale)?|(?:student|pupil) (?:id|number|no\.?)"
        r"|(?:n°|num[ée]ro|identifiant) (?:d['’])?(?:[ée]l[èe]ve|[ée]tudiant|allocataire))"
        r"[ \u00a0]?(?:est|is|:|=|n°)?[ \u00a0]?(?P<value>[A-Z]{0,3}\d(?:[ -]?[\dA-Z]){4,20})(?!\w)",
    ),
    _row("Id", _INE, rf"\d{_FREE}\d{{8}}[0-9A-Z][A-Z](?!\w)"),  # INE: RNIE nine figures, BEA ten
    _row(
        "Date", _BIRTH, rf"(?i)\b(?:n[ée]e?|n[ée]\(e\)|naissance|born|birth|dob)\W{{1,3}}(?:le |on )?(?P<value>{_DAY})"
    ),
    _row("Date", _CELL_DAY, r"[;,\t|] ?(?P<value>\d\d/\d\d/\d{4})(?=[ \t]?(?:[;,\t|\n]|$))"),
    _row(
        "Lieu",
        _STREET,
        rf"(?i)\d{_FREE}\d{{0,3}}(?: ?(?:bis|ter|quater))?,? (?:rue|avenue|av\.?|boulevard|bd|place|chemin"
        rf"|allée|impasse|route|quai|square|cours|hameau)(?:[ '’.-][^\W\d_]+){{1,5}}"
        rf"(?:,? \d{{5}}[ \u00a0][^\W\d_]+(?:-[^\W\d_]+){{0,4}})?",
    ),
    _row("Lieu", _STREET, rf"\d{_FREE}\d{{0,3}},?(?: [A-Z][a-z']+){{1,3}} (?:Street|Road|Lane|Avenue|Drive|Square)\b"),
    _row("Lieu", _TOWN, rf"\d{_FREE}\d{{4}}[ \u00a0][A-ZÀ-Þ][^\W\d_]+(?:[ '’-][A-ZÀ-Þ][^\W\d_]+){{0,4}}"),
)

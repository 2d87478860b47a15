"""What is looked for in a mail besides its category: kinds of fields, how a value is found and how it is checked.

Of each kind, `sure` is what a pattern alone may take for a value, `likely` what is one if a judge says so. A value is
said in one way only ("6ème", "sixième" → "6e") and never without a spelling of it in the text: so no judge can invent
one. A judge of pseudonymised text never saw a name: of people only codes count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from desk.names import Who
from desk.policy import Policy
from desk.signals import bare_text, fold_text, show_letters

Fields = tuple[tuple[str, str], ...]
Match = re.Match[str]

TEXT_CHARS = 20_000  # looked at
VALUE_CHARS = 80


def list_fields(policy: Policy) -> Fields:
    """(name, kind) of all that any category asks for, each name once."""
    asked: dict[str, str] = {}
    for category in policy.categories.values():
        asked = {**category.fields, **asked}
    return tuple(sorted(asked.items()))


def check_fields(said: Mapping[str, str], asked: Mapping[str, str], text: str) -> Fields:
    """Of what a judge said, that which was asked for (name → kind), has its kind's form and stands in `text`.

    In the order of `asked`. Never raises.
    """
    found = ((name, _check_value(kind, said.get(name), text)) for name, kind in asked.items())
    return tuple((name, value) for name, value in found if value)


def find_fields(asked: Mapping[str, str], text: str) -> Fields:
    """What patterns alone find of `asked` (name → kind) in `text`: the first value of a kind for the first field of
    that kind, and so on. Never raises.
    """
    waiting = {kind: iter(KINDS[kind].find_sure(text)) for kind in set(asked.values()) & KINDS.keys()}
    found = ((name, next(waiting.get(kind, iter(())), "")) for name, kind in asked.items())
    return tuple((name, value) for name, value in found if value)


def _check_value(kind: str, said: object, text: str) -> str:
    """The value as we say it, or nothing."""
    fits = isinstance(said, str) and 0 < len(said) <= VALUE_CHARS and kind in KINDS
    return KINDS[kind].check(str(said), text) if fits else ""


# --- how values are written ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spelling:
    """A way to write a value, and how we say it then; "" when it is none after all."""

    looks: re.Pattern[str]
    say: Callable[[Match], str]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind: its spellings, and how a text is laid out for them. What is sure is likely as well.

    `shorten` gives what is left of a value of which the text may tell only a part.
    """

    sure: tuple[Spelling, ...]
    likely: tuple[Spelling, ...]
    draw: Callable[[str], str]
    shorten: Callable[[str], str] = str

    def find_sure(self, text: str) -> tuple[str, ...]:
        return _list_values(self.sure, self.draw(text[:TEXT_CHARS]))

    def check(self, said: str, text: str) -> str:
        spellings, value = (*self.sure, *self.likely), self.draw(said)
        meant = next((one.say(whole) for one in spellings if (whole := one.looks.fullmatch(value))), "")
        told = _list_values(spellings, self.draw(text[:TEXT_CHARS]))
        return next((one for one in (meant, value, self.shorten(meant)) if _tells(told, one)), "")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A kind without a form of its own: a few words of the mail, word for word."""

    def find_sure(self, _text: str) -> tuple[str, ...]:
        return ()

    def check(self, said: str, text: str) -> str:
        """Nothing with mark-up or a link in it, since people are shown it."""
        value, pattern = draw_line(said), _fold_line(said)
        stands = re.search(rf"(?<!\w){re.escape(pattern)}(?!\w)", _fold_line(text)) if pattern else None
        return value if stands and value.isprintable() and not _MARKED_UP.search(value) else ""


def _tells(told: Iterable[str], meant: str) -> bool:
    """Whether it is told, or more than it: "Windows 11" tells "Windows"."""
    return bool(meant) and any(f"{one} ".startswith(f"{meant} ") for one in told)


def draw_line(text: str) -> str:
    """On one line, composed (NFC), without invisible letters."""
    return " ".join(show_letters(unicodedata.normalize("NFC", text)).split())


def draw_bare(text: str) -> str:
    """The same without accents, case kept."""
    return " ".join(bare_text(text).split())


def _fold_line(text: str) -> str:
    return " ".join(fold_text(text).split())


def _list_values(spellings: Iterable[Spelling], line: str) -> tuple[str, ...]:
    """Each value once, in the order of the text."""
    matches = sorted(_match_all(spellings, line))
    return tuple(dict.fromkeys(said for _, said in matches if said))


def _match_all(spellings: Iterable[Spelling], line: str) -> Iterator[tuple[int, str]]:
    for one in spellings:
        yield from ((match.start(), one.say(match)) for match in one.looks.finditer(line))


def _spell(pattern: str, say: Callable[[Match], str]) -> Spelling:
    return Spelling(re.compile(pattern), say)


_MARKED_UP = re.compile(r"[<>]|://|www\.", re.IGNORECASE)

# --- people: codes of desk.pseudonyms ------------------------------------------------------------------------

_CODE = rf"(?<!\w)(?:{Who.PERSON}|{Who.PUPIL})_[0-9]{{3,6}}(?!\w)"


def _say_code(match: Match) -> str:
    return match[0]


# --- days: ISO 8601; "--11-24" (as RFC 6350 §4.3.1 has it) where no year is told ---------------------------

_MONTH_NAMES = (
    "janvier|janv|january|jan", "fevrier|fevr|fev|february|feb", "mars|march|mar", "avril|avr|april|apr", "mai|may",
    "juin|june|jun", "juillet|juil|july|jul", "aout|august|aug", "septembre|september|sept|sep",
    "octobre|october|oct", "novembre|november|nov", "decembre|december|dec",
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split("|")}
_MONTH = rf"(?P<month>(?i:{'|'.join(sorted(_MONTHS, key=len, reverse=True))}))\b\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DAY = r"(?<![\w.,/-])(?P<day>\d{1,2})"
_ORDINAL = r"(?P<ordinal> ?(?i:er|st|nd|rd|th))?"
_FREE_END = r"(?![\w/]|-\w|[.,]\d)"
_WEEKDAY = r"(?i:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"


def _say_day(match: Match) -> str:
    """Day before month, as all but Americans write, unless only the other way round is a day."""
    told = match.groupdict()
    month = _MONTHS.get(told["month"].lower()) or int(told["month"])
    if told["month"].lower() == "may" and not (told.get("year") or told.get("ordinal")):
        return ""  # "you may 5"
    day = int(told["day"])
    return _write_day(told.get("year"), month, day) or _write_day(told.get("year"), day, month)


def _write_day(year: str | None, month: int, day: int) -> str:
    try:
        known = date(int(year[-2:]) + 2000 if year and len(year) == 2 else int(year or 2000), month, day)
    except ValueError:
        return ""
    return known.isoformat() if year else f"-{known:-%m-%d}"


def _drop_year(day: str) -> str:
    """Judges add the year of their own accord."""
    return f"-{day[4:]}" if day[:1].isdigit() else ""


_NUMERIC = r"(?P<month>\d{1,2})"
_DAYS = (
    _spell(rf"(?<![\w.,/-]){_YEAR}(?P<gap>[-/])(?P<month>\d\d)(?P=gap)(?P<day>\d\d)(?![\w/]|-\w)(?!T\D)", _say_day),
    _spell(rf"(?<![\w.,/-]){_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?=T\d\d:)", _say_day),
    _spell(rf"{_DAY}{_ORDINAL} (?i:of |de )?{_MONTH}(?:,? {_YEAR})?{_FREE_END}", _say_day),
    _spell(rf"\b{_MONTH} (?P<day>\d{{1,2}}){_ORDINAL}(?:,? {_YEAR})?{_FREE_END}", _say_day),
    _spell(rf"{_DAY}(?P<gap>[-/.]){_NUMERIC}(?P=gap){_YEAR}{_FREE_END}", _say_day),
    _spell(rf"{_DAY}/{_NUMERIC}/(?P<year>\d\d){_FREE_END}", _say_day),
    _spell(rf"\b(?:(?i:le|du|au)|{_WEEKDAY}) (?P<day>\d{{1,2}})/{_NUMERIC}{_FREE_END}", _say_day),
)

# --- classes -------------------------------------------------------------------------------------------------

_SECTION = r"(?: ?(?P<section>[A-H]|[b-h](?!')|S|ES|L|STMG|STI2D)\b)?"  # no small a: it is a word
_PUPILS = r"(?i:classes?|eleves|niveaux?|college|lycee) (?i:de |en |des |du )?"
_NO_CLASS = r"(?! (?i:etage|fois|jour|annee|position|place|ligne|colonne|partie|etape|trimestre|semaine|mois|page))"
_SCHOOL_WORDS = {
    "petite section": "PS", "moyenne section": "MS", "grande section": "GS", "sixieme": "6e", "cinquieme": "5e",
    "quatrieme": "4e", "troisieme": "3e", "seconde": "2de", "2nde": "2de", "2de": "2de", "premiere": "1re",
    "1re": "1re", "1ere": "1re", "terminale": "Terminale", "tle": "Terminale", "kindergarten": "Kindergarten",
    "reception": "Reception",
}  # fmt: skip
_ENGLISH_CLASSES = {"year": 13, "grade": 12}


def _say_school(match: Match) -> str:
    told = match["class"].lower()
    name = _SCHOOL_WORDS.get(told) or (f"{told[0]}e" if told[0].isdigit() else told.upper())
    section = match.groupdict().get("section")
    return f"{name} {section.upper()}" if section else name


def _say_year(match: Match) -> str:
    kind = {"y": "year"}.get(match["kind"].lower(), match["kind"].lower())
    number, section = int(match["number"]), match.groupdict().get("section") or ""
    return f"{kind.title()} {number}{section.upper()}" if 0 < number <= _ENGLISH_CLASSES[kind] else ""


_COLLEGE = r"(?P<class>[3-6] ?(?i:eme|e))\b"
_SURE_CLASSES = (
    _spell(rf"\b(?P<class>(?i:ce[12]|cm[12]))\b{_SECTION}", _say_school),
    _spell(rf"\b(?P<class>CP)\b(?![ :]*\d){_SECTION}", _say_school),
    _spell(r"\b(?P<class>(?i:(?:petite|moyenne|grande) section))\b", _say_school),
    _spell(r"(?<![\w.,])(?P<class>[3-6] ?(?i:eme|e)) (?P<section>[B-H])\b(?!')", _say_school),
    _spell(rf"\b(?:{_PUPILS}|(?i:en ))(?<![\w.,]){_COLLEGE}{_NO_CLASS}{_SECTION}", _say_school),
    _spell(
        rf"\b{_PUPILS}(?P<class>(?i:sixieme|cinquieme|quatrieme|troisieme|seconde|premiere|1re|1ere))\b{_NO_CLASS}"
        rf"{_SECTION}",
        _say_school,
    ),
    _spell(rf"(?<![\w.,])(?P<class>(?i:2nde|2de|terminale|tle))\b{_SECTION}", _say_school),
    _spell(r"\b(?P<kind>(?i:year|grade)) (?P<number>\d{1,2})(?: ?(?P<section>[A-H]))?\b(?![.,]\d)", _say_year),
    _spell(r"(?<![\w.,])(?P<number>\d{1,2})(?i:st|nd|rd|th)[- ](?P<kind>(?i:grade))\b", _say_year),
)
_LIKELY_CLASSES = (
    _spell(rf"\b(?P<class>(?i:cp|ps|ms|gs))\b{_SECTION}", _say_school),
    _spell(rf"(?<![\w.,]){_COLLEGE}{_SECTION}", _say_school),
    _spell(
        rf"(?<![\w.,])(?P<class>(?i:sixieme|cinquieme|quatrieme|troisieme|seconde|premiere|1re|1ere|kindergarten|"
        rf"reception))\b{_SECTION}",
        _say_school,
    ),
    _spell(r"\b(?P<kind>Y)(?P<number>\d{1,2})(?P<section>[A-H])?\b", _say_year),
)

# --- versions, platforms -------------------------------------------------------------------------------------

_DOTTED = r"\d{1,5}(?:\.\d{1,5}){%s}(?:-?(?i:alpha|beta|rc)\.?\d{0,2})?(?![\w%%]|[.,]\d)"
_DATED = re.compile(r"\d{1,2}\.\d{1,2}\.(?:19|20)\d\d")


def _say_version(match: Match) -> str:
    number = match["version"].lower()
    return "" if _DATED.fullmatch(number) else number


_SURE_VERSIONS = (
    _spell(rf"\b(?i:version|release|build|ver\.?|v\.?) ?:? ?(?P<version>{_DOTTED % '0,3'})", _say_version),
    _spell(rf"(?<![\w.,])(?P<version>{_DOTTED % '2'})", _say_version),
)
_LIKELY_VERSIONS = (_spell(rf"(?<![\w.,])(?P<version>{_DOTTED % '1,3'})", _say_version),)

_SYSTEM = r"(?: (?P<version>\d{1,4}(?:\.\d{1,4}){0,2}))?(?![\w]|[.,]\d)"
_NEEDED = r" ?(?P<version>\d{1,4}(?:\.\d{1,4}){0,2})(?![\w]|[.,]\d)"
_BROWSER = r"(?: (?P<version>\d{2,3}(?:\.\d{1,5}){0,3}))?(?![\w]|[.,]\d)"
_SHOWN = {
    "win": "Windows", "windows": "Windows", "macos": "macOS", "mac os x": "macOS", "mac os": "macOS", "os x": "macOS",
    "ios": "iOS", "ipados": "iPadOS", "android": "Android", "chromeos": "ChromeOS", "chrome os": "ChromeOS",
    "linux": "Linux", "ubuntu": "Ubuntu", "debian": "Debian", "ipad": "iPad", "iphone": "iPhone", "macbook": "MacBook",
    "chromebook": "Chromebook", "chrome": "Chrome", "google chrome": "Chrome", "chromium": "Chromium",
    "firefox": "Firefox", "mozilla firefox": "Firefox", "edge": "Edge", "microsoft edge": "Edge", "safari": "Safari",
    "internet explorer": "Internet Explorer", "brave": "Brave", "opera": "Opera",
}  # fmt: skip


def _say_platform(match: Match) -> str:
    version = match.groupdict().get("version")
    name = _SHOWN[match["name"].lower()]
    return f"{name} {version}" if version else name


def _name(names: str) -> str:
    return rf"(?<![\w./@-])(?P<name>(?i:{names}))"


_SURE_PLATFORMS = (
    _spell(rf"{_name('windows|win')}{_NEEDED}", _say_platform),
    _spell(rf"(?<![\w./@-])(?P<name>Windows)(?! ?\d){_SYSTEM}", _say_platform),
    _spell(rf"{_name('macos|mac os x|mac os|ios|ipados|android|chromeos|chrome os|ubuntu|debian')}{_SYSTEM}",
           _say_platform),
    _spell(rf"{_name('ipad|iphone|macbook|chromebook')}s?(?!\w)", _say_platform),
    _spell(rf"{_name('google chrome|chrome(?! os)|chromium|mozilla firefox|firefox|microsoft edge|safari')}{_BROWSER}",
           _say_platform),
    _spell(rf"{_name('linux|internet explorer')}(?!\w)", _say_platform),
)  # fmt: skip
_LIKELY_PLATFORMS = (
    _spell(rf"{_name('windows|win|os x')}{_SYSTEM}", _say_platform),
    _spell(rf"{_name('edge|brave|opera')}{_BROWSER}", _say_platform),
)

# --- numbers of orders, invoices, cases ----------------------------------------------------------------------

_SHAPE = r"(?<![\w.,/@+-])(?P<number>(?i:[a-z0-9]{1,20}(?:-[a-z0-9]{1,20}){0,5}))(?![\w@/-]|[.,]\d)"
_CUE = (
    r"\b(?i:factures?|commandes?|devis|reference|ref|dossier|contrat|avoir|bon|invoice|order|quote|receipt|case|"
    r"contract|credit note|po|numero|number)\b\.?"
)
_SIGN = r"(?i: ?(?:n°|no\.?|num\.?|numero|number|id|#|:))"
_PHONE = re.compile(r"0\d{9,10}|33\d{9}|00\d{8,14}")
_BARE_YEAR = re.compile(r"(?:19|20)\d\d")


def _say_number(least: int) -> Callable[[Match], str]:
    """With at least so many digits; no phone, no year, no day."""

    def say(match: Match) -> str:
        number = match["number"].upper()
        digits = sum(letter.isdigit() for letter in number)
        other = _PHONE.fullmatch(number.replace("-", "")) or _BARE_YEAR.fullmatch(number)
        return "" if digits < least or other or any(one.looks.fullmatch(number) for one in _DAYS) else number

    return say


_SURE_NUMBERS = (
    _spell(rf"{_CUE}{_SIGN}{{1,2}} ?{_SHAPE}", _say_number(2)),
    _spell(rf"{_CUE} {_SHAPE}", _say_number(4)),
    _spell(r"(?<![\w.,/@+-])(?P<number>[A-Z]{1,6}-\d{2,8}-\d{2,10})(?![\w@/-]|[.,]\d)", _say_number(5)),
)
_LIKELY_NUMBERS = (_spell(_SHAPE, _say_number(3)),)

KINDS: Mapping[str, Form | Phrase] = {
    "name": Form((_spell(_CODE, _say_code),), (), draw_line),
    "date": Form(_DAYS, (), draw_bare, _drop_year),
    "class": Form(_SURE_CLASSES, _LIKELY_CLASSES, draw_bare),
    "version": Form(_SURE_VERSIONS, _LIKELY_VERSIONS, draw_bare),
    "platform": Form(_SURE_PLATFORMS, _LIKELY_PLATFORMS, draw_bare),
    "number": Form(_SURE_NUMBERS, _LIKELY_NUMBERS, draw_bare),
    "text": Phrase(),
}

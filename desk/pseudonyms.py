"""Personal data out of a text before a model reads it, and back in afterwards: same letters, exactly.

Every distinct writing gets its own code ("Jean" and "JEAN" two), so that the way back loses nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from desk.mail import Address

_CODE = re.compile(r"(?:LOGIN|EMAIL|IBAN|NIR|SIRET|PHONE|SIREN|CARD|PERSON)_\d+")
_PART = re.compile(r"[^\W\d_]{3,}")  # of a name: longer than two letters


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row of the table: what it looks like, and what tells it from other figures.

    `sign` is part of all that looks so, and sooner looked for: a text without it is not searched.
    """

    kind: str
    sign: re.Pattern[str]
    looks: re.Pattern[str]
    holds: Callable[[str], bool]


def hide_people(text: str, people: tuple[Address, ...]) -> tuple[str, Mapping[str, str]]:
    """(text with codes such as PERSON_1, {code: what stood there}); `show_people` takes it back."""
    ledger = _Ledger({}, {}, frozenset(_CODE.findall(text)))
    signs = {sign for sign in _SIGNS if sign.search(text)}
    for pattern in PATTERNS:
        if pattern.sign in signs:
            text = pattern.looks.sub(ledger.hider(pattern.kind, pattern.holds), text)
    if people_met := _find_people(people, text):
        text = people_met.sub(ledger.hider("PERSON", _always), text)
    return text, dict(ledger.codes)


def show_people(text: str, mapping: Mapping[str, str]) -> str:
    """The text with every code of `mapping` replaced by what it stands for; unknown codes stay."""
    return _CODE.sub(lambda match: mapping.get(match[0], match[0]), text)


@dataclass(frozen=True, slots=True)
class _Ledger:
    codes: dict[str, str]
    known: dict[tuple[str, str], str]
    taken: frozenset[str]  # codes that the writer wrote: they are nobody's

    def hider(self, kind: str, holds: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
        def hide(match: re.Match[str]) -> str:
            return self.name(kind, match[0]) if holds(match[0]) else match[0]

        return hide

    def name(self, kind: str, original: str) -> str:
        if (kind, original) not in self.known:
            code = self._next_code(kind)
            self.codes[code] = original
            self.known[kind, original] = code
        return self.known[kind, original]

    def _next_code(self, kind: str) -> str:
        at = 1
        while (code := f"{kind}_{at}") in self.codes or code in self.taken:
            at += 1
        return code


def _find_people(people: Iterable[Address], text: str) -> re.Pattern[str] | None:
    """Whole names first, then their parts, in the spellings that mails show; only those that stand in the text."""
    names = [name for person in people if (name := person.name.strip())]
    parts = [part for name in names for part in _PART.findall(name)]
    folded = _fold_case(text)
    spelled = {form for one in names + parts if len(one) > 2 for form in _spell_name(one)}
    met = [form for form in spelled if _fold_case(form) in folded]
    longest_first = "|".join(re.escape(one) for one in sorted(met, key=lambda one: (-len(one), one)))
    return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)", re.IGNORECASE) if met else None


def _fold_case(text: str) -> str:
    """Equal for all that `re.IGNORECASE` takes for equal, dotless and dotted i among them."""
    return text.replace("\u0130", "i").replace("\u0131", "i").casefold()


def _spell_name(name: str) -> set[str]:
    decomposed = unicodedata.normalize("NFD", name)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return {unicodedata.normalize("NFC", name), decomposed, bare}


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


def _has_iban_check(text: str) -> bool:
    """ISO 7064 mod 97-10; a French one is told by its shape: with a slip of the pen it is still an account."""
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _is_long(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 16  # ITU-T E.164, with its prefix


def _row(kind: str, sign: re.Pattern[str], looks: str, holds: Callable[[str], bool] = _always) -> Pattern:
    return Pattern(kind, sign, re.compile(looks), holds)


_GAP = r"[ .\u00a0\u202f-]?"
_FREE = r"(?<!\w.)"  # second, since `re` is quick to find a first letter: it doesn't go on from a word
_FREE_CALL = r"(?<![\w+].)"
_LINK, _AT = re.compile("://"), re.compile("@|%40")
_ACCOUNT = re.compile(r"\d\d(?: ?[0-9A-Za-z]{4}){2}")
_FIGURES = re.compile(r"\d(?:[ .()\u00a0\u202f-]{0,3}\d){7}")  # eight
_SIGNS = (_LINK, _AT, _ACCOUNT, _FIGURES)
# Read from top to bottom; what one row took is gone for the rows below.
PATTERNS = (
    _row("LOGIN", _LINK, r"(?<=://)[^\s/@<>\"?#]{1,200}(?=@)"),
    _row("EMAIL", _AT, r"(?<![\w.+%-])(?!LOGIN_\d+@)[\w.+'-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[\w-]*\w"),
    _row("IBAN", _ACCOUNT, rf"[Ff]{_FREE}[Rr]\d\d(?: ?[0-9A-Za-z]{{4}}){{5}} ?[0-9A-Za-z]{{3}}(?!\w)"),
    _row(
        "IBAN",
        _ACCOUNT,
        rf"[A-Z]{_FREE}[A-Z]\d\d(?: ?[0-9A-Z]{{4}}){{2,7}}(?: ?[0-9A-Z]{{1,3}})?(?!\w)",
        _has_iban_check,
    ),
    _row(
        "PHONE", _FIGURES, rf"(?:\+{_FREE_CALL}|0{_FREE_CALL}0)33{_GAP}(?:\(0\){_GAP})?[1-9](?:{_GAP}\d\d){{4}}(?!\w)"
    ),
    _row("PHONE", _FIGURES, rf"0{_FREE_CALL}[1-9](?:{_GAP}\d\d){{4}}(?!\w)"),
    _row(
        "PHONE",
        _FIGURES,
        rf"(?:\+{_FREE_CALL}|0{_FREE_CALL}0)[1-9]\d{{0,2}}(?:{_GAP}\(?\d{{1,4}}\)?){{2,6}}(?!\w)",
        _is_long,
    ),
    _row(
        "NIR",
        _FIGURES,
        rf"[12]{_FREE} ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[ABab]) ?\d{{3}} ?\d{{3}} ?\d\d(?!\w)",
    ),
    _row("SIRET", _FIGURES, rf"\d{_FREE}\d\d ?\d{{3}} ?\d{{3}} ?\d{{5}}(?!\w)", _is_siret),
    _row("CARD", _FIGURES, rf"\d{_FREE}\d{{3}}(?:[ -]?\d{{4}}){{2}}[ -]?\d{{1,7}}(?!\w)", _has_luhn),
    _row("SIREN", _FIGURES, rf"\d{_FREE}\d\d ?\d{{3}} ?\d{{3}}(?!\w)", _has_luhn),
)

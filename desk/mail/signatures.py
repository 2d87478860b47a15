"""The signature below a text: whose it is, their telephone and organisation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from desk.mail.phrases import CLOSING, ORGANISATION, TITLE
from desk.mail.values import Address, Signature

_LINES = 15  # from the end, within which a signature may begin
_TAIL_CHARS = 1_500
_LAST_CHARS = 600  # a number or an address is nearer than that to the end
_LINE_CHARS = 80  # a longer line is a sentence
_NAME_WORDS = 5
_REGION = "FR"  # of numbers without a country code

_NUMBER = r"\+?\(?\d[\d .()/\u2009\u202f\xa0-]{6,22}\d"
_LABEL = (
    r"(?:t[ée]l(?:[ée]phone)?|phone|ph|mobile?|mob|portable|port|cell|gsm|direct|ligne directe|standard|std|"
    r"office|bureau|fax|t[ée]l[ée]copie|handy|telefono|teléfono|telefone|telefon|telefoon|móvil|cellulare|[tmfdp]|whatsapp)"
)
# A line that is nothing but a number with its label, several numbers, a web or a mail address.
_REACH = re.compile(
    rf"\W{{0,6}}(?:{_LABEL}\W{{0,6}}){{0,3}}{_NUMBER}\W{{0,6}}(?:(?:{_LABEL}\W{{0,6}}){{0,3}}{_NUMBER}\W{{0,4}}){{0,2}}|"
    r"\W{0,6}(?:(?:e-?mail|mail|courriel|mél|web|site|internet|url|adresse)\W{0,5})?"
    r"(?:<?(?:mailto:|https?://)?[^\s<>@]{1,64}@[^\s<>@]{3,190}>?|(?:<?https?://|www\.)[^\s<>]{3,200}>?)\W{0,4}",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d(?:[ .()/\u2009\u202f\xa0-]{0,3}\d){7,14}")
_FAX = re.compile(r"\W{0,6}(?:fax|f\b|t[ée]l[ée]copie)", re.IGNORECASE)
_SENTENCE = re.compile(r"[?!…]\s*$|[a-zà-ÿ]{3}\.\s*$|[a-zà-ÿ]{2}[.;:] +[A-ZÀ-Ý]?[a-zà-ÿ]")
_PARTS = re.compile(r"\s[|•·–—-]\s|\s?[|•·]\s?|,\s|\t")
_ORNAMENT = " \t*_~|•·-–—>,;:\xa0"


def read_signature(signature: str, text: str, sender: Address) -> Signature | None:
    """What a signature tells: `signature` as it was cut off, else what closes the `text`. None when there is none."""
    block = signature.strip() or _find_block(text[-_TAIL_CHARS:], sender)
    if not block:
        return None
    lines = [line.strip(_ORNAMENT) for line in block.split("\n")[:_LINES]]
    written = [line for line in lines if line]
    name = _find_name(written, sender)
    read = Signature(block, name, _find_phone(written), _find_organisation(written, name))
    return read if read.name or read.phone or read.organisation else None


def find_contacts(text: str) -> tuple[int, int] | None:
    """Where, in a text that ends so, the lines below a closing formula begin, and where those below the name do.

    Only when they are certain to be a signature: each is short and no sentence, one is a number or an address.
    """
    if not _shows_contact(text[-_LAST_CHARS:]):
        return None
    start = max(0, len(text) - _TAIL_CHARS)
    lines = text[start:].split("\n")
    closing = _find_closing(lines)
    below = [line for line in lines[closing + 1 :] if line.strip()] if closing >= 0 else []
    if not any(_REACH.fullmatch(part.strip()) for line in below for part in _PARTS.split(line)) or not all(
        map(_is_contact, below)
    ):
        return None
    first = start + len("\n".join(lines[: closing + 1])) + 1
    named = _is_name(below[0])
    return first, text.index(below[0], first) + len(below[0]) if named else first


def _shows_contact(tail: str) -> bool:
    return "@" in tail or "www." in tail or "http" in tail or bool(_DIGITS.search(tail))


def is_closing(lines: Sequence[str]) -> bool:
    """Whether the lines are regards and a name, no more."""
    written = [line.strip() for line in lines if line.strip()]
    return bool(written) and len(written) <= 4 and _closes(written[0]) and all(map(_is_name, written[1:]))


def _closes(line: str) -> bool:
    """A closing formula, alone or with a name behind it; "Merci de vérifier" is none."""
    if len(line) > _LINE_CHARS and not ("alutation" in line and len(line) <= 2 * _LINE_CHARS):
        return False
    closed = CLOSING.match(line)
    return bool(closed) and _is_name(line[closed.end() :], least=0) if closed else False


def _find_closing(lines: list[str]) -> int:
    first = max(0, len(lines) - _LINES - 5)
    found = (at for at in range(len(lines) - 1, first - 1, -1) if lines[at].strip() and _closes(lines[at].strip()))
    return next(found, -1)


def _is_name(line: str, least: int = 1) -> bool:
    words = [word for word in re.split(r"[\s,.!;-]+", line.strip(_ORNAMENT)) if word]
    capital = all(
        word[0].isupper() or word in ("de", "du", "la", "le", "van", "von", "der", "di", "da") for word in words
    )
    return least <= len(words) <= _NAME_WORDS and capital and not any(char.isdigit() for char in line)


def _is_contact(line: str) -> bool:
    return len(line) <= 3 * _LINE_CHARS and all(_is_contact_part(part) for part in _PARTS.split(line) if part.strip())


def _is_contact_part(part: str) -> bool:
    bare = part.strip()
    if _REACH.fullmatch(bare):
        return True
    return len(bare) <= _LINE_CHARS and not (_DIGITS.search(bare) or _SENTENCE.search(bare) or bare[0].islower())


def _find_block(tail: str, sender: Address) -> str:
    """Lines below a closing formula at the end of a text, else from the sender's own name on."""
    lines = tail.split("\n")
    closing = _find_closing(lines)
    if closing < 0:
        named = _find_sender(lines, sender)
        return "\n".join(lines[named:]).strip() if named >= 0 else ""
    closed = CLOSING.match(lines[closing].strip())
    beside = lines[closing].strip()[closed.end() :].strip(_ORNAMENT) if closed else ""
    block = "\n".join([beside, *lines[closing + 1 :]]).strip()
    written = [line for line in block.split("\n") if line.strip()]
    return block if written and len(written) <= _LINES and all(map(_is_contact, written)) else ""


def _find_sender(lines: list[str], sender: Address) -> int:
    first = max(1, len(lines) - _LINES)
    found = (at for at in range(first, len(lines)) if _is_name(lines[at]) and _share_name(lines[at], sender) > 1)
    blocks = ((at, [line for line in lines[at:] if line.strip()]) for at in found)
    return next((at for at, block in blocks if len(block) > 1 and all(map(_is_contact, block))), -1)


def _find_name(lines: list[str], sender: Address) -> str:
    parts = [part.partition("<")[0].strip(_ORNAMENT) for line in lines[:6] for part in _PARTS.split(line)]
    likely = [part for part in parts if part and _is_name(part) and not TITLE.match(part)]
    shared = next((part for part in likely if _share_name(part, sender)), "")
    first = likely[0] if likely and likely[0] == parts[0] and not ORGANISATION.search(likely[0]) else ""
    return shared or first


def _share_name(part: str, sender: Address) -> int:
    """How many words a line has in common with the sender's name, or else with their address."""
    known = _list_words(sender.name if sender.name and "@" not in sender.name else sender.address.partition("@")[0])
    return len(known & _list_words(part))


def _list_words(text: str) -> set[str]:
    bare = unicodedata.normalize("NFKD", text[:200]).casefold()
    plain = "".join(char for char in bare if not unicodedata.combining(char))
    return {word for word in re.split(r"[^\w]+|_", plain) if len(word) > 1}


def _find_phone(lines: list[str]) -> str:
    likely = [line for line in lines if len(line) <= 200 and _DIGITS.search(line) and not _FAX.match(line)]
    return next((phone for line in likely for phone in _list_phones(line)), "")


def _list_phones(line: str) -> Iterator[str]:
    import phonenumbers as numbers  # takes 40 ms, and most mails show no number

    for found in numbers.PhoneNumberMatcher(line, _REGION, leniency=numbers.Leniency.POSSIBLE):
        if numbers.is_valid_number(found.number) or found.raw_string.startswith("+"):
            yield numbers.format_number(found.number, numbers.PhoneNumberFormat.E164)


def _find_organisation(lines: list[str], name: str) -> str:
    parts = [part.strip(_ORNAMENT) for line in lines for part in _PARTS.split(line) if part.strip(_ORNAMENT)]
    plain = [
        part for part in parts if part != name and "@" not in part and len(part) <= _LINE_CHARS and part[0].isupper()
    ]
    named = next((part for part in plain if ORGANISATION.search(part)), "")
    after = (below for title, below in pairwise(plain) if TITLE.match(title))
    return named or next((part for part in after if _is_name(part)), "")

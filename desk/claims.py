"""What a model made of the articles, checked word by word before anybody reads it: pure, a table of rows.

A claim is a sentence with the passages it stands on. Only these lend it links, addresses, numbers, names and days: the
mail lends nothing but what cannot harm (its version, platform and class), for a mail that steers the model steers it
with values of its own. What the passages do not say is a fault; of hard ones the wording is shown to nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from desk.fields import find_fields
from desk.knowledge import Passage
from desk.names import find_names, find_organisations, is_ordinary
from desk.pseudonyms import KINDS
from desk.signals import argues_with_model, fold_text, show_letters
from desk.terms import list_terms

CLAIM_CHARS = 400
MOST_CLAIMS = 12
LEAST_SHARED = 0.6  # of a claim's words: in the passages it cites
LENT = ("version", "platform", "class")  # kinds of desk.fields that a mail may lend


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and the ids of the passages it stands on."""

    text: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    word: str
    hard: bool


@dataclass(frozen=True)
class Ground:
    """A claim against what it may stand on: `cited` is the text of the passages it cites, `shown` the ids of all that
    the model was shown, `mail` what it was asked, `secrets` what pseudonyms stand for.
    """

    claim: Claim
    cited: str
    shown: frozenset[str]
    mail: str
    secrets: tuple[str, ...]
    language: str

    @cached_property
    def text(self) -> str:
        return flatten(self.claim.text)

    @cached_property
    def source(self) -> str:
        return flatten(self.cited)

    @cached_property
    def lent(self) -> frozenset[str]:
        """Words and numbers that the mail may lend."""
        found = find_fields({kind: kind for kind in LENT}, self.mail)
        return frozenset(word for _, value in found for word in _WORDS.findall(flatten(value)))


Row = tuple[str, bool, Callable[[Ground], bool]]


def check_answer(
    claims: Sequence[Claim],
    passages: Sequence[Passage],
    mail: str,
    codes: Mapping[str, str],
    language: str,
) -> tuple[Fault, ...]:
    """All that is wrong with an answer, each word once; nothing when it may go out. `passages` are those the model was
    shown, `mail` what it was asked under the pseudonyms `codes`. Never raises.
    """
    told = {cite: f"{one.title}. {one.text}" for one in passages for cite in one.cites}
    found: dict[str, Fault] = {}
    if not claims or len(claims) > MOST_CLAIMS:
        found["length"] = Fault("length", False)
    for claim in claims[:MOST_CLAIMS]:
        cited = "\n".join(told[cite] for cite in claim.cites if cite in told)
        ground = Ground(claim, cited, frozenset(told), mail, tuple(codes.values()), language)
        found |= {word: Fault(word, hard) for word, hard, holds in ROWS if holds(ground)}
    return tuple(found.values())


def flatten(text: str) -> str:
    """Folded, on one line, without letters that nobody sees."""
    return " ".join(fold_text(unicodedata.normalize("NFKC", show_letters(text))).split())


# --- what is compared by value -------------------------------------------------------------------------------


def _only_theirs(find: Callable[[str], Iterable[str]]) -> Callable[[Ground], bool]:
    """Whether the claim holds a value that the passages do not."""
    return lambda ground: bool(set(find(ground.text)) - set(find(ground.source)))


_WORDS = re.compile(r"[^\W_]+(?:\.\d+)*")
_TAIL = ".,;:!?)'\"»"
_LINK = re.compile(
    r"(?:\w+:)?//\S+|\bwww\.\S+|\bmailto:\S*|(?<![\w@.])(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w@])(?:[/:?#]\S*)?"
    r"|\b\w+ ?[\[({]? ?(?:dot|point) ?[\])}]? ?(?:com|fr|org|net|io|eu|example|ru|info)\b|\]\(|<\w"
)
_ADDRESS = re.compile(r"\S*@\S*|\b\S+ ?[\[({] ?(?:at|arobase|a) ?[\])}] ?\S+|\b\w+ arobase \w+")
_PHONE = re.compile(r"(?<!\w)\+?\(?\d(?:[ .()/-]{0,2}\d){7,14}(?!\w)")
_CURRENCY = r"(?:€|\$|£|euros?|eur|dollars?|usd|pounds?|gbp|livres? sterling|centimes?|cents|ttc|ht)"
_NUMBER = r"\d+(?:[ .,]\d{3})*(?:[.,]\d{1,2})?"
_AMOUNT = re.compile(
    rf"(?P<value>{_NUMBER}|[^\W\d_]+) ?(?P<sign>{_CURRENCY})(?!\w)|(?P<before>[€$£]) ?(?P<after>{_NUMBER})"
)
_SHARE = re.compile(r"(?P<value>[\d.,]+|[^\W\d_]+) ?(?:%|‰|(?:pour ?cent|percent|per cent|p\. ?100)\b)")
_MONTHS = (
    "janvier|fevrier|mars|avril|juin|juillet|aout|septembre|octobre|novembre|decembre|january|february|march|april|june"
    "|july|august|september|october|november|december"
)
_DAYS = "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_UNITS = "secondes?|minutes?|heures?|jours?|semaines?|mois|ans?|annees?|seconds?|hours?|days?|weeks?|months?|years?"
_WHEN = re.compile(
    rf"\b(?:{_DAYS}|demain|aujourd'hui|ce soir|ce midi|cette nuit|hier|tomorrow|today|tonight|yesterday"
    r"|la semaine prochaine|next (?:week|month)|le mois prochain|immediatement|immediately"
    r"|fin de (?:semaine|journee))\b"
    rf"|\b\d{{1,4}}(?:er|st|nd|rd|th)? (?:of )?(?:{_MONTHS})\b|\b(?:{_MONTHS})(?: \d{{1,4}}(?:st|nd|rd|th)?)?\b"
    r"|(?<![\w.])(?:\d{1,4}[/-]\d{1,2}(?:[/-]\d{2,4})?|\d{1,2}\.\d{1,2}\.\d{2,4})(?![\w.]\w)"
    r"|\b\d{1,2} ?(?:h|:) ?\d{0,2}\b|\b\d{1,2} ?(?:am|pm)\b"
    rf"|\b(?:\d+|une?|deux|trois|quatre|cinq|six|sept|dix|quinze|vingt|trente|one|two|three|four|five|ten)"
    rf" (?:{_UNITS})\b"
)
_FIGURE = re.compile(r"\d+(?:[ .,]\d{3})*(?:[.,]\d+)*")
_CODE = re.compile(r"(?<!\w)(?=[\w/-]*\d)(?=[\w/-]*[^\W\d_])[^\W_]+(?:[-_/][^\W_]+)*|\b[^\W\d_]{2,}[-_]\d+(?:[-_]\w+)*")


def find_links(text: str) -> Iterator[str]:
    """Host and path as they stand, without scheme."""
    return (re.sub(r"^(?:\w+:)?//", "", match[0]).rstrip(_TAIL) for match in _LINK.finditer(text))


def find_addresses(text: str) -> Iterator[str]:
    return (match[0].strip(_TAIL + "<>(") for match in _ADDRESS.finditer(text))


def find_phones(text: str) -> Iterator[str]:
    return (re.sub(r"\D", "", match[0]) for match in _PHONE.finditer(text))


def find_amounts(text: str) -> Iterator[str]:
    return (read_number(match["value"] or match["after"]) for match in _AMOUNT.finditer(text))


def find_shares(text: str) -> Iterator[str]:
    return (read_number(match["value"]) for match in _SHARE.finditer(text))


def find_times(text: str) -> Iterator[str]:
    return (_HOUR.sub("", _JOINED.sub("", match[0])) for match in _WHEN.finditer(text))


_JOINED = re.compile(r"[ :]|(?<=\d)(?:er|st|nd|rd|th)(?=[ a-z])|s$")
_HOUR = re.compile(r"(?<=\d)h(?=\d*$)")  # 8:30 and 8 h 30 are one


def read_number(text: str) -> str:
    """One way to write a number: "1 248,00" is 1248; words stay."""
    if not text[:1].isdigit():
        return text
    whole, _, part = re.sub(r"[ .,](?=\d{3}(?!\d))", "", text.rstrip(_TAIL)).replace(",", ".").partition(".")
    return f"{whole}.{part}".rstrip("0").rstrip(".") if part else whole


def find_figures(text: str) -> Iterator[str]:
    """But for telephones, which have a row of their own."""
    return (read_number(match[0]) for match in _FIGURE.finditer(_PHONE.sub(" ", text)))


def find_codes(text: str) -> Iterator[str]:
    return (match[0] for match in _CODE.finditer(text))


def _has_own_figures(ground: Ground) -> bool:
    return bool(set(find_figures(ground.text)) - set(find_figures(ground.source)) - _list_lent(ground, find_figures))


def _has_own_codes(ground: Ground) -> bool:
    return bool(set(find_codes(ground.text)) - set(find_codes(ground.source)) - _list_lent(ground, find_codes))


def _list_lent(ground: Ground, find: Callable[[str], Iterable[str]]) -> set[str]:
    return {value for word in ground.lent for value in (word, *find(word))}


# --- words ---------------------------------------------------------------------------------------------------

# Folded text; what stands in a cited passage word for word is no promise of the model's
PROMISES: tuple[str, ...] = (
    r"rembours\w*", r"refund\w*", r"reimburs\w*", r"gratuit\w*", r"free of charge|for free|complimentary|at no cost",
    r"offert\w*|offrons|cadeau", r"remise|ristourne|reduction|rabais|discount|voucher|geste commercial",
    r"dedommag\w*|indemni\w*|compensat\w*",
    r"(?:nous|on|je) (?:vous |le |la |les |l')*(?:allons|vais|va|ferons|feront|corrigerons|enverrons|livrerons|"
    r"rappellerons|contacterons|intervien\w*|reglerons|supprimerons|debloquerons|traiterons|engageons)",
    r"(?:nous|on) (?:vous |nous y |l'|le |les )*(?:promett\w*|garanti\w*|accord\w*|engage\w*|assur\w*|confirm\w*)",
    r"(?:sera|seront|serez) (?:bientot |tres vite |prochainement )?(?:corrige|regle|resolu|retabli|rembours|credite|"
    r"debloque|livre|disponible|repare|prolonge|annule|contacte|rappele|supprime|accorde)\w*",
    r"(?:est|a ete|ont ete|sont|etes) (?:bien |desormais |deja )?(?:accorde|approuve|autorise|valide|debloque|corrige|"
    r"rembours|annule|credite|resilie|accepte|prolonge)\w*",
    r"nous avons (?:bien )?(?:accorde|approuve|autorise|valide|debloque|corrige|rembours|annule|credite|supprime|"
    r"resilie|accepte|transmis|enregistre|prolonge)\w*",
    r"(?:we|i)(?: will|'ll| shall| are going to| promise| guarantee| undertake)\b", r"guarantee[ds]?|promised?",
    r"will (?:soon )?be (?:fixed|solved|resolved|refunded|credited|restored|unlocked|shipped|available|sent|extended|"
    r"cancelled|waived|called)",
    r"(?:has|have) been (?:approved|granted|refunded|credited|fixed|unlocked|cancelled|waived|accepted|extended|"
    r"deleted)",
    r"(?:is|are) (?:now |hereby )?(?:approved|granted|waived|cancelled|refunded|accepted|entitled)",
    r"exonere\w*|dispense[sz]? de (?:payer|paiement)|prolongation|delai supplementaire|extension of",
    r"je certifie|engagement contractuel|legally binding|contract\w* (?:commit|oblig)\w*",
)  # fmt: skip
# Somebody is asked to give away what opens an account
BEGGING: tuple[str, ...] = (
    r"(?:envoye|communique|donne|transmett|indique|confirme|repond|fourni|partage|saisi)\w*[^.]{0,60}"
    r"(?:mot de passe|mdp|code|identifiant|iban|rib|carte|cryptogramme|numero de compte|coordonnees bancaires)",
    r"(?:send|give|tell|confirm|reply|share|provide|enter|forward)\w*[^.]{0,60}(?:password|passcode|pin\b|iban|card|cvv|"
    r"login|account number|bank details|credentials)",
)
OBEYING: tuple[str, ...] = (
    r"(?:comme|ainsi que) (?:vous l'avez |vous le |tu l'as |tu le )?(?:demande|ordonne|exige|souhaite|convenu|"
    r"indique|instruit)\w*",
    r"(?:conformement a|suivant|selon|d'apres|sur) (?:votre|vos|ta|tes) (?:demande|consigne|instruction|ordre)s?",
    r"(?:as|like) (?:you (?:asked|requested|instructed|ordered|said|told)|instructed|requested|ordered|agreed|told)",
    r"(?:per|following|according to) your (?:request|instruction|order|message|mail)s?",
    r"(?:system|initial|hidden) prompt|prompt systeme|en tant qu'(?:ia|assistant|modele)|as an? (?:ai|assistant)\b",
    r"(?:ignor|oubli|disregard|forget)\w* (?:\w+ ){0,3}(?:instruction|consigne|regle|rule)\w*|pwned|jailbreak\w*",
    r"mode (?:administrateur|developpeur)|(?:admin|developer|debug) mode",
)
_NEGATED = re.compile(
    r"\b(?:ne|pas|jamais|aucune?|rien|ni|interdit\w*|impossible|not|never|no|none|nothing|cannot|nobody|[a-z]+n't)\b"
    r"|\bn'"
)
_SENTENCE = re.compile(r"[^.!?;\n]+")
_CLAUSE = re.compile(r"(?:(?!\b(?:mais|et|but|and)\b)[^.!?;:,])+")
_MARKUP = re.compile(r"[<{}`|\\]|(?<! )>|>(?! )|\]\(|\*\*|^#|__|&#?\w+;")
_PSEUDONYM = re.compile(
    rf"\b(?:{'|'.join(map(fold_text, KINDS))})[ _-]?\d{{2,}}|\[[^\]]{{0,40}}\]|(?<!\w)_{{3,}}", re.IGNORECASE
)
_ENDS = {"fr": "bonjour|cordialement|bien a vous", "en": "dear|hello|regards|sincerely"}


def _says_new(patterns: Iterable[str]) -> Callable[[Ground], bool]:
    """Whether the claim says one of these in words that the passages do not have."""
    table = [re.compile(rf"\b(?:{pattern})") for pattern in patterns]
    return lambda ground: any(match[0] not in ground.source for looks in table for match in looks.finditer(ground.text))


def _begs(ground: Ground) -> bool:
    """In a sentence that does not forbid it."""
    sentences = [one for one in _SENTENCE.findall(ground.text) if not _NEGATED.search(one)]
    return any(
        match[0] not in ground.source for one in sentences for looks in _BEGGING for match in looks.finditer(one)
    )


_BEGGING = [re.compile(rf"\b(?:{pattern})") for pattern in BEGGING]


def _cites_nothing_shown(ground: Ground) -> bool:
    return not ground.claim.cites or not set(ground.claim.cites) <= ground.shown


def _is_long(ground: Ground) -> bool:
    return not 0 < len(ground.claim.text.strip()) <= CLAIM_CHARS


def _has_odd_letters(ground: Ground) -> bool:
    """Letters that look like others or like nothing: none of them is needed to write French or English."""
    return any(map(_is_odd, ground.claim.text))


def _is_odd(letter: str) -> bool:
    if letter.isascii():
        return not (letter.isprintable() or letter == "\n")
    kind = unicodedata.category(letter)
    name = unicodedata.name(letter, "")
    return kind[0] in "CM" or kind in ("Zl", "Zp", "Nd", "Nl") or (kind[0] == "L" and not name.startswith("LATIN"))


def _leaks(ground: Ground) -> bool:
    """A code of a pseudonym, a hole to be filled, or what a code stands for."""
    secrets = (flatten(one) for one in ground.secrets)
    told = (one for one in secrets if len(one) > 2 and one not in ground.source)
    return bool(_PSEUDONYM.search(ground.text)) or any(_stands_in(one, ground.text) for one in told)


def _stands_in(words: str, text: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text))


def _names_somebody(ground: Ground) -> bool:
    """A person, a house or a capitalised word within a sentence that the passages do not have."""
    text = show_letters(ground.claim.text)
    known = {*_WORDS.findall(ground.source), *ground.lent}
    found = [text[one.start : one.end] for one in (*find_names(text), *find_organisations(text))]
    capitals = [match[0] for match in _CAPITAL.finditer(text)]
    words = (word for one in [*found, *capitals] for word in _WORDS.findall(flatten(one)))
    return any(word not in known and not is_ordinary(word) for word in words)


_CAPITAL = re.compile(r"(?<=[^\W_][ ,'’(«\"\u00a0])[ «\"\u00a0]*[^\W\d_a-zà-öø-ÿœ][^\W_]+")


def _strays(ground: Ground) -> bool:
    """Too few of its words are those of the passages."""
    terms = _list_terms(ground.claim.text, ground)
    held = _list_terms(ground.cited, ground) | _list_terms(" ".join(ground.lent), ground)
    return len(terms & held) < LEAST_SHARED * len(terms)


def _turns_round(ground: Ground) -> bool:
    """It says yes where the passage's nearest clause says no, or no where that says yes."""
    told = [(one, _list_terms(one, ground)) for one in _CLAUSE.findall(ground.source)]
    return any(_is_turned(one, _list_terms(one, ground), told) for one in _CLAUSE.findall(ground.text))


def _list_terms(text: str, ground: Ground) -> frozenset[str]:
    """Without figures: these are compared by value."""
    return frozenset(one for one in list_terms(text, ground.language) if not one[0].isdigit())


def _is_turned(clause: str, terms: frozenset[str], told: Sequence[tuple[str, frozenset[str]]]) -> bool:
    """Against the clause that shares most with it, and most nearly says that alone; two words tell too little."""
    near, held = max(told, key=lambda one: (len(terms & one[1]), -len(one[1])), default=("", frozenset[str]()))
    return len(terms & held) > 2 and bool(_NEGATED.search(near)) != bool(_NEGATED.search(clause))


# (word, whether nobody may see the wording at all, what is wrong)
ROWS: tuple[Row, ...] = (
    ("citation", False, _cites_nothing_shown),
    ("length", False, _is_long),
    ("letters", True, _has_odd_letters),
    ("markup", True, lambda ground: bool(_MARKUP.search(ground.claim.text))),
    ("link", True, _only_theirs(find_links)),
    ("address", True, _only_theirs(find_addresses)),
    ("phone", True, _only_theirs(find_phones)),
    ("amount", True, _only_theirs(find_amounts)),
    ("leak", True, _leaks),
    ("promise", True, _says_new(PROMISES)),
    ("secret", True, _begs),
    ("obeys", True, lambda ground: argues_with_model(ground.claim.text) or _says_new(OBEYING)(ground)),
    ("share", False, _only_theirs(find_shares)),
    ("time", False, _only_theirs(find_times)),
    ("code", False, _has_own_codes),
    ("number", False, _has_own_figures),
    ("name", False, _names_somebody),
    ("negation", False, _turns_round),
    ("overlap", False, _strays),
)

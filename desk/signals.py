"""What a requester's own words show by themselves: tables of patterns, French and English, precise before complete.

A miss costs little: the model and the agent read the mail too. A false alarm sends a patient person to nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_SCAN_CHARS = 20_000

_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "\u00a0": " ", "\u202f": " "})
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff\u00ad\u180e]")
_SPRINKLED = re.compile("[a-z][\u200b-\u200d\u2060\ufeff\u180e]+[a-z]", re.IGNORECASE)
_TAGS = re.compile("[\U000e0020-\U000e007e]{6,}")  # ASCII nobody sees; the flags of nations take five at most
_UNSEEN = re.compile("[\u200b-\u200d\u2060\ufeff\u180e\U000e0020-\U000e007e]")  # a letter of either
_MAX_SPRINKLED = 3
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


@dataclass(frozen=True, slots=True)
class Row:
    """Patterns, and pieces one of which stands in all they find: to look for a piece costs a fiftieth of a search."""

    pieces: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]


def _compile(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def _tabulate(*rows: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple(Row(tuple(pieces.split("|")), _compile(*patterns)) for pieces, *patterns in rows)


# Patterns see lower-case text without accents, with straight apostrophes and single spaces.
_SOMEBODY = (
    r"(?:un |une |l'un |quelqu'un )?(?:de vos |membre de l'equipe|etre )?(?:vraie? )?"
    r"(?:humaine?|personne(?! a )|conseill\w{2,4}|agent|technicien(?:ne)?|operat(?:eur|rice)|interlocut\w{3,5})\b"
)
_SOMEONE = (
    r"(?:an? |some |one of your )?(?:actual |real |live |human )?"
    r"(?:humans?(?: being)?|persons?|representatives?|agents?|operators?|people)\b"
)
WANTS_HUMAN = _tabulate(
    (
        "parler |echanger |discuter |dialoguer |avoir affaire ",
        rf"\b(?:parler|echanger|discuter|dialoguer|avoir affaire) (?:a|avec) {_SOMEBODY}",
        r"\bparler (?:a|avec) quelqu'un\b",
    ),
    (
        "etre mis|etre rappele|etre contacte|etre recontacte",
        rf"\betre (?:(?:mise? en (?:relation|contact) avec)|(?:rappelee?|contactee?|recontactee?) par) {_SOMEBODY}",
    ),
    (
        "une vraie personne|un humain|un etre humain",
        r"\b(?:je (?:veux|voudrais|souhaite|demande|exige)|j'exige|passez-moi) (?:une vraie personne|un humain|"
        r"un etre humain)\b",
    ),
    (
        "arretez |cessez ",
        r"\b(?:arretez|cessez) (?:de m'envoyer |avec )?(?:vos|les|ces|des) (?:reponses|messages|mails) automatiques",
    ),
    (
        "rappelez|telephonez|appelez",
        r"\b(?:rappelez|telephonez|appelez)[- ]moi (?:au|sur|rapidement|svp|s'il vous plait)\b",
    ),
    ("un robot", r"\bpas (?:a )?un robot,? (?:svp|s'il vous plait|merci)"),
    (
        "speak |talk |chat ",
        rf"\b(?:speak|talk|chat) (?:to|with) {_SOMEONE}",
        r"\b(?:speak|talk) (?:to|with) (?:someone|somebody)\b",
    ),
    (
        " person| human",
        r"\b(?:i (?:want|need|would like|demand)|i'd like|get me) an? "
        r"(?:(?:real|actual|live) person|(?:real )?human)\b",
    ),
    ("connect me |put me through ", rf"\b(?:connect me (?:to|with)|put me through to) {_SOMEONE}"),
    (
        "stop sending ",
        r"\bstop sending (?:me )?(?:these |your )?(?:automatic|automated|canned) "
        r"(?:replies|answers|responses|messages)",
    ),
    ("not a |no more ", r"\b(?:not a|no more) (?:bots?|robots?),? please"),
)
REFUSES_HUMAN = _compile(
    r"\b(?:pas|plus|ni) (?:besoin |envie |necessaire |utile )?(?:de |d')?(?:parler|echanger|discuter)",
    r"\b(?:do not|don't|no) (?:want|need|wish) to (?:speak|talk|chat)",
    r"\b(?:deja|viens de|already) (?:pu )?(?:parler|parle|echange|spoken?|talked)\b",
)

_DONE = r"(?:resolue?|regle|reglee|solutionnee?|corrigee?|reparee?)\b"
_NOW = r"(?: (?:bien|tres bien|parfaitement|maintenant|desormais|enfin|a nouveau|de nouveau|a present|nickel))*"
_NOW_EN = r"(?: (?:fine|great|perfectly|well|now|again|all|finally))*"
_END = r"(?=\s*[,.!;:)]|\s*$|\s+(?:merci|grace|thank))"
SOLVED = _tabulate(
    (
        "resolu|regle|solutionne|corrige|repare",
        rf"\b(?:c'est|tout est|ca y est,? c'est){_NOW} {_DONE}",
        rf"\b(?:probleme|incident|souci|panne|erreur|bug)(?: (?:est|a ete|semble))?{_NOW} {_DONE}",
    ),
    ("marche|fonctionne", rf"\b(?:ca|cela|tout) (?:re)?(?:marche|fonctionne){_NOW}{_END}"),
    ("tout est rentre", r"\btout est rentre dans l'ordre\b"),
    (
        "solution a |manipulation a |reponse a |procedure a ",
        r"\b(?:votre|cette|la) (?:solution|manipulation|reponse|procedure) a (?:bien )?"
        r"(?:fonctionne|marche|regle|resolu)",
    ),
    (
        "vous pouvez ",
        r"\bvous pouvez (?:clore|cloturer|fermer|classer) (?:le|ce|mon|la|ma|cette) "
        r"(?:ticket|demande|dossier|incident)",
    ),
    (
        " solved| resolved| fixed",
        rf"\b(?:problem|issue|it|this|that|everything)(?: is| has been| was|'s){_NOW_EN} (?:solved|resolved|fixed)\b",
        rf"\b(?:problem|issue) (?:solved|resolved|fixed){_END}",
    ),
    (
        " works| is working|'s working",
        rf"\b(?:it|this|that|everything)(?: works| is working|'s working){_NOW_EN}{_END}",
    ),
    ("did the trick", r"\bthat did the trick\b"),
    (" close ", r"\byou (?:can|may) close (?:the|this|my) (?:ticket|case|request|issue)"),
)
# What puts a doubt on it in the same sentence …
DOUBTFUL = _compile(
    r"\b(?:ne|pas|jamais|si|quand|lorsque|des que|une fois|tant que|apres que|pour que|afin que)\b|\bn'",
    r"\b(?:esper\w+|aurait|serait|sera|etait|bientot|presque|partiellement|en partie|croyais|pensais)\b",
    r"n't\b|\b(?:not|never|no|if|once|when|until|unless|before|as soon as)\b",
    r"\b(?:hope|hoping|would|should|will|almost|partly|thought)\b",
)
# … or anywhere: who asks or objects has not finished.
CONTRARY = _compile(
    r"\?",
    r"\b(?:mais|par contre|cependant|toutefois|neanmoins|en revanche|sauf|toujours pas|persistent?|reste a)\b",
    r"\b(?:but|however|although|except|still|yet|persists|anymore)\b",
)

_DROP = r"(?:ignore[sz]?|oublie[sz]?|disregard|forget|bypass|override|contourne[sz]?)"
_ALL = r"(?:toute?s |tous |all |any )?(?:of )?(?:les |tes |vos |ces |the |your |these |my )?"
_ORDERS = r"(?:instructions?|consignes?|directives?|prompts?|guidelines|regles|rules)"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|existing|system|initial|original)"
_AVANT = r"(?:precedentes?|ci-dessus|anterieures?|initiales?|systeme|du systeme|above|you were given)"
_READER = r"(?:ai|llm|language model|assistant|ia|modele de langage|intelligence artificielle|chatbot)"
_MUST = r"(?:must|should|ignore[sz]?|reply|classify|dois|devez|reponds|repondez|classe[sz]?|mark)"
ARGUES = _tabulate(
    (
        "instruction|consigne|directive|prompt|guidelines|regles|rules",
        rf"\b{_DROP} {_ALL}{_BEFORE} (?:system )?{_ORDERS}\b",
        rf"\b{_DROP} {_ALL}(?:system )?{_ORDERS} {_AVANT}\b",
        rf"\b{_DROP} (?:toutes (?:tes|vos)|all (?:of )?your) {_ORDERS}\b",
        rf"\b(?:ignore|oublie|forget|disregard) (?:tes|your) {_ORDERS}\b",
    ),
    (
        " tout ce qui precede| everything ",
        r"\b(?:ignorez?|oubliez?|forget|disregard) (?:tout ce qui precede|everything (?:above|before|you were told))",
    ),
    (
        "you are no",
        rf"\byou are (?:now|no longer) (?:an? |the |my )?(?:\w+ )?(?:{_READER}|bot|dan|system|admin\w*|unrestricted)\b",
    ),
    (
        " maintenant | desormais ",
        rf"\b(?:tu es|vous etes) (?:maintenant|desormais) (?:une? |le |la |mon )?(?:\w+ )?"
        rf"(?:{_READER}|robot|admin\w*)\b",
        r"\b(?:tu es|vous etes) (?:maintenant|desormais) sans (?:regle|filtre|limite)s?\b",
    ),
    (
        "system|assistant",
        rf"(?:^|\n)\W{{0,4}}(?:system|assistant)(?: ?prompt| message)?\W{{0,4}}:[^\n]{{0,200}}"
        rf"\b(?:you|tu|vous|{_MUST})\b",
    ),
    ("<|inst]", r"<\|(?:im_start|im_end|system|endoftext|assistant|user)\|>|\[/?inst\]|<</?sys>>"),
    (
        "prompt| instructions",
        r"\b(?:reveal|print|output|repeat|affiche|revele|repete)(?:z|-moi)? (?:your|the|ton|votre|le|tes|vos) "
        r"(?:system prompt|prompt|hidden instructions|system instructions|instructions (?:systeme|cachees|secretes))",
    ),
    (
        "must|should|ignore|reply|classify|dois|devez|repond|classe|mark",
        rf"\b(?:if you are|si (?:tu es|vous etes)|en tant qu'|as) ?(?:an? |une? )?{_READER}\b[^.\n]{{0,80}}\b{_MUST}\b",
    ),
    (
        "classe|classi|label|categori",
        r"\b(?:classe[sz]?|classify|label|categori[sz]e) (?:ce mail|ce message|cet e-?mail|this e-?mail|this message|"
        r"this ticket) (?:as|comme|en|dans)\b",
    ),
    (
        "jailbreak|prompt injection|developer mode|do anything now",
        r"\b(?:jailbreak|prompt injection|developer mode enabled|do anything now)\b",
    ),
)


def wants_human(text: str) -> bool:
    """Whether the writer asks for a person instead of a machine, in a sentence that does not take it back."""
    return _states(WANTS_HUMAN, REFUSES_HUMAN, fold_text(text))


def confirms_solved(text: str) -> bool:
    """Whether the writer says that all is well now, without a question, a condition or an objection beside it."""
    folded = fold_text(text)
    return _states(SOLVED, DOUBTFUL, folded) and not _matches(CONTRARY, folded)


def argues_with_model(text: str) -> bool:
    """Whether the writer talks to the machine that reads, in words or in letters that nobody sees."""
    sample, folded = text[:_SCAN_CHARS], fold_text(text)
    return _hides_words(sample) or _matches(_choose_patterns(ARGUES, folded), folded)


def fold_text(text: str) -> str:
    """Lower case, no accents, no invisible letters, straight apostrophes, single spaces; line breaks stay."""
    folded = text[:_SCAN_CHARS].lower().replace("\t", " ")
    for letter in set(folded):
        if not letter.isascii():
            folded = folded.replace(letter, _fold_letter(letter))
    while "  " in folded:
        folded = folded.replace("  ", " ")
    return folded


@lru_cache(maxsize=4_096)
def _fold_letter(letter: str) -> str:
    """Never a letter that would itself be folded to another."""
    bare = unicodedata.normalize("NFKD", _INVISIBLE.sub("", letter)).translate(_TYPOGRAPHY)
    return "".join(each for each in bare if not unicodedata.combining(each))


def _hides_words(text: str) -> bool:
    if not _UNSEEN.search(text):
        return False
    return bool(_TAGS.search(text)) or len(_SPRINKLED.findall(text)) >= _MAX_SPRINKLED


def _states(table: tuple[Row, ...], taken_back: tuple[re.Pattern[str], ...], folded: str) -> bool:
    """Whether a sentence holds one of the table and nothing that takes it back."""
    patterns = _choose_patterns(table, folded)
    sentences = _SENTENCE.findall(folded) if patterns else ()
    return any(_matches(patterns, one) and not _matches(taken_back, one) for one in sentences)


def _choose_patterns(table: tuple[Row, ...], folded: str) -> list[re.Pattern[str]]:
    held = (row.patterns for row in table if any(piece in folded for piece in row.pieces))
    return [pattern for patterns in held for pattern in patterns]


def _matches(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)

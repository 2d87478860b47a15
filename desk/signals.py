"""What a requester's own words show by themselves: tables of patterns, French and English, precise before complete.

A miss costs little: the model and the agent read the mail too. A false alarm sends a patient person to nowhere.
"""

from __future__ import annotations

import html
import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice

_SCAN_CHARS = 20_000

_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "\u00a0": " ", "\u202f": " "})
_INVISIBLE = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\u180e\u034f\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)
_SPRINKLED = re.compile("[a-z][\u200b-\u200d\u2060\ufeff\u180e]+[a-z]", re.IGNORECASE)
_TAGS = re.compile("[\U000e0020-\U000e007e]{6,}")  # ASCII nobody sees; the flags of nations take five at most
_UNSEEN = re.compile("[\u200b-\u200d\u2060\ufeff\u180e\U000e0020-\U000e007e]")  # a letter of either
_MAX_SPRINKLED = 3
_LEAST_RUN = 24  # letters of code; most words and names of files are shorter
_MAX_RUNS = 20
_CODED = re.compile(r"[A-Za-z0-9+/_-]{24,4000}")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_URL_SAFE = str.maketrans("-_", "+/")  # RFC 4648 §5
_LINE_END = re.compile(r"(?: ?\n[ >|]*)+")
# Letters of other alphabets that look like ours.
_TWINS = str.maketrans(
    "аеорсухіјѕһԁցոԛѡмткνοαιρτεκυηɑɡıᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "aeopcyxijshdgnqwmtkvoaiptekunagiabcdefghijklmnoprstuvwyz",
)
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

# Who tells what somebody does gives no order: folded, "j'ai oublié vos consignes" would be one.
_TELLING = re.compile(
    r"(?:\b(?:ai|as|a|avons|avez|ont|avais|avait|avaient|avoir|ayant|est|suis|sont|etre|pas|il|elle|on|ils|elles|qui|je|"
    r"nous|i|we|they|he|she|who|were|was|been) |\b[jnslm]')$"
)
_DROP = (
    r"(?:ignor(?:e[sz]?|er)|oubli(?:e[sz]?|er)|disregard|forget|bypass|overr(?:ide|ule)|discard|contourne[sz]?|"
    r"outrepasse[sz]?|passe[sz]? outre(?: a)?|desobei(?:s|ssez) a|fai(?:s|tes) abstraction des?|"
    r"ne (?:tiens|tenez|tenir) (?:pas |plus )?(?:aucun )?compte des?|ne (?:suis|suivez|respecte[sz]?) (?:pas|plus)|"
    r"n'obei(?:s|ssez) (?:pas|plus) a|(?:do not|don't|stop) (?:follow|obey)(?:ing)?|pay no attention to)"
)
_ALL = r"(?:s )?(?:toute?s |tous |all |any |every )?(?:of )?(?:les |tes |vos |ces |the |your |these |those )?"
_ORDERS = r"(?:instructions?|consignes?|directives?|prompts?|guidelines|regles|rules)"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|existing|system|initial|original|internal|precedentes?)"
_AVANT = (
    r"(?:precedentes?|ci[- ]dessus|anterieures?|initiales?|systeme|du systeme|d'origine|internes?|above|you were given|"
    r"you have been given|that came before|(?:que tu as|que vous avez) recues?)"
)
_LIMITS = r"(?:programming|programmation|safeguards|gardes?-fous|safety (?:rules|filters)|training)"
_READER = r"(?:ai|llm|language model|assistant|ia|modele de langage|intelligence artificielle|chatbot)"
_MACHINE = (
    r"(?:ai|llm|gpt|chatgpt|(?:large )?language model|ai (?:assistant|model|agent|system)|classifier|virtual assistant|"
    r"automated (?:assistant|classifier|system)|ia|modele de langage|intelligence artificielle|classifieur|"
    r"assistant (?:ia|virtuel|automatique)|(?:systeme|robot|outil|moteur) de (?:tri|classement|classification))"
)
_MUST = r"(?:must|should|ignore[sz]?|reply|classify|dois|devez|reponds|repondez|classe[sz]?|mark)"
_OBEY = r"(?:classify|ignore|disregard|reply|respond|mark|treat|answer|output|obey|comply|label)"
_SAY = r"(?:reponds?|repondez|repondre|respond|reply|answer|output|return|renvoie|renvoyez)"
_THIS = r"(?:ce mail|ce message|cet e-?mail|ce courriel|ce ticket|cette demande|this (?:e-?mail|message|mail|ticket))"
_KEPT_CLOSE = r"(?:confidenti|intern|publi|priv|restric|secret|personn|perso)"
ARGUES = _tabulate(
    (
        "instruction|consigne|directive|prompt|guidelines|regles|rules",
        rf"\b{_DROP} {_ALL}{_BEFORE} (?:system )?{_ORDERS}\b",
        rf"\b{_DROP} {_ALL}(?:system )?{_ORDERS} {_AVANT}\b",
        rf"\b{_DROP} (?:toutes (?:tes|vos)|all (?:of )?your|any of your) {_ORDERS}\b",
        rf"\b{_DROP} (?:tes|ton|your) (?:own )?{_ORDERS}\b",
        rf"\b(?:new|updated|nouvelles?) (?:system )?(?:instructions?|consignes?|directives?) ?:[^.\n]{{0,80}}"
        rf"\b(?:{_OBEY}|you (?:are|must|will)|classe[sz]?|reponds|repondez|tu (?:es|dois|vas))\b",
        r"\b(?:voici|here are|these are|you have) (?:tes|vos|your) (?:nouvelles |new )(?:instructions|consignes|"
        r"directives|rules|regles)",
    ),
    (
        "tout ce |everything |anything |whatever |all ",
        rf"\b{_DROP} (?:de )?tout ce (?:qui precede|qu'on (?:t'a|vous a) (?:dit|appris|demande)|"
        r"que (?:l'on|je) (?:t'a|t'ai|vous a|vous ai) (?:dit|appris|demande)|que tu sais)",
        rf"\b{_DROP} (?:everything|anything|whatever|all(?: that)?) (?:(?:that )?you (?:were|have been|'ve been) "
        r"(?:told|given|instructed|taught|asked)|above|before)",
    ),
    (
        "program|safeguards|garde|safety |training",
        rf"\b{_DROP} (?:all )?(?:tes|vos|ta|votre|your) {_LIMITS}\b",
    ),
    (
        "you are no|you will now ",
        rf"\byou are (?:now|no longer) (?:an? |the |my )?(?:\w+ )?(?:{_READER}|bot|dan|unrestricted)\b",
        r"\byou are no longer (?:bound|restricted|limited|constrained)\b",
        r"\byou will now (?:act|behave|pretend|obey|classify|answer as|respond as)\b",
    ),
    (
        "from now on|a partir de maintenant|desormais",
        r"\bfrom now on,? (?:you (?:are|will|must|should|shall) (?:only )?)?(?:act|behave|obey|classify|respond|"
        r"reply only|answer only|output|ignore|treat every|mark every)\b",
        r"\b(?:a partir de maintenant|desormais),? (?:tu (?:es|dois|vas|reponds|classe[rs]?|obeis)|"
        r"vous (?:obeissez|obeirez|repondez uniquement|repondrez uniquement|classez|classerez))\b",
    ),
    (
        " maintenant | desormais ",
        rf"\b(?:tu es|vous etes) (?:maintenant|desormais) (?:une? |le |la |l'|mon )?(?:\w+ )?(?:{_READER}|robot)\b",
        r"\b(?:tu es|vous etes) (?:maintenant|desormais) sans (?:regle|filtre|limite)s?\b",
    ),
    (
        "n'es plus |n'etes plus ",
        r"\b(?:tu n'es|vous n'etes) plus (?:tenue?|soumise?|liee?) (?:a |par )(?:aucune|tes|vos|ces) (?:regle|consigne|"
        r"instruction|limite|directive|contrainte)",
    ),
    (
        "pretend |act |behave |comme si |agis |joue le role",
        r"\b(?:pretend|act|behave) (?:as if |that |as though )?(?:you are|you were|to be|as)? ?(?:an? |the |my )?"
        r"(?:unrestricted|unfiltered|uncensored|different|other|new) (?:ai|assistant|model|bot|system)\b",
        r"\bcomme si (?:tu (?:etais|n'avais)|vous n'aviez) (?:une? |le |l'|pas de |aucune? )?(?:\w+ )?"
        r"(?:ia|assistant|modele|robot|regles?|consignes?|limites?|filtres?|instructions?)\b",
        r"(?:^|[.!?:;,\n] ?)(?:agis (?:comme|en tant que?)|joue le role) (?:d'|de |si |un |une |l')",
    ),
    (
        "system|assistant|admin|develop| mode|you are |tu es en |passe en |switch to ",
        r"(?:^|\n)\W{0,4}(?:systeme?|assistant|admin|developer)(?: ?prompt| message| override| instruction)?\W{0,4}:"
        rf"[^\n]{{0,200}}\b(?:tu (?:es|dois|vas|reponds)|ignore[sz]|classify|classe[sz]? |"
        rf"you (?:are now|must|should|shall|will) (?:\w+ )?{_OBEY})\b",
        rf"(?:^|\n)\W{{0,4}}(?:systeme?|assistant)\W{{0,4}}: ?{_OBEY}\b",
        r"\b(?:system|admin(?:istrator)?|developer) (?:override|instruction|prompt) ?:",
        r"\b(?:enter|switch to|you are (?:now )?in|tu es en|passe en) (?:(?:developer|god|dan|"
        r"unrestricted|debug) mode|mode (?:developpeur|dan|debug|sans limites?))\b",
    ),
    (
        "<||inst]|sys>|</mail>|_prompt>|### ",
        r"<\|(?:im_start|im_end|system|endoftext|assistant|user)\|>|\[/?inst\]|<</?sys>>|</mail>|</?system_prompt>",
        r"(?:^|\n)\W{0,3}### ?(?:systeme?|(?:new )?instructions?|nouvelles? (?:instruction|consigne)s?)\b ?:",
    ),
    (
        "prompt| instructions",
        r"\b(?:reveal|print|output|repeat|show|display|affiche|revele|repete|donne|montre|recopie|ecris)"
        r"(?:z|-moi|z-moi| me)? (?:your|ton|votre|tes|vos) (?:system prompt|prompt|hidden instructions|"
        r"system instructions|initial prompt|instructions (?:systeme|cachees|secretes|initiales))",
        r"\b(?:reveal|print|output|repeat|show|affiche|revele|repete)(?:z|-moi| me)? (?:the|le) "
        r"(?:system prompt|prompt systeme)",
        r"\byour (?:system|hidden|secret) (?:prompt|instructions)\b",
        r"\b(?:ton|votre) (?:prompt|prompt systeme)\b",
    ),
    (
        "must|should|ignore|reply|classify|dois|devez|repond|classe|mark",
        rf"\b(?:if you are|if you're|si (?:tu es|vous etes)) ?(?:an? |une? )?{_READER}\b[^.\n]{{0,80}}\b{_MUST}\b",
        rf"\b(?:en tant qu'|as (?:an? )?)(?:une? )?{_MACHINE}\b,?[^.\n]{{0,20}}"
        rf"(?:\b(?:you|tu|vous) {_MUST}|\b(?:classify|reponds|repondez|classe[sz]?)\b)",
    ),
    (
        "note |message |attention|avis |dear|cher|instructions |consignes |hey|notice ",
        r"\b(?:note|message|attention|notice|avis|consignes|instructions) "
        rf"(?:a |au |pour |to |for |destinee?s? (?:a |au ))(?:l'attention d[eu] ?)?"
        rf"(?:l'|le |la |les |the |any |all |our |your )?{_MACHINE}s?\b"
        rf"[^.\n]{{0,20}}(?::|\b(?:qui|that|which|reading|processing|handling|sorting|lisant|only)\b)",
        rf"\b(?:a )?l'attention (?:de l'|du |de la |des ){_MACHINE}\b",
        rf"\b(?:attention|dear|hey|cher|chere)[ ,:]{{1,3}}(?:l'|the )?{_MACHINE}s?(?: [^.,:\n]{{1,40}})?[,:!]",
    ),
    (
        "classe|classi|label|categor|etiquet",
        rf"\b(?:classe[sz]?|classify|label|categori[sz]e[sz]?|etiquete[sz]?|etiquette[sz]?) {_THIS} "
        rf"(?:as|comme|en|dans|under)\b(?! (?:(?:un |le |mon |notre |votre |la |the |your |our )?(?:dossier|folder)|"
        rf"{_KEPT_CLOSE}))",
        rf"\b{_THIS} (?:must|should|has to|needs to|doit|devra|devrait) (?:be|etre) (?:classified|labell?ed|"
        rf"categori[sz]ed|categorisee?|classee?|etiquetee?) (?:as|comme|en|dans|under)\b(?! {_KEPT_CLOSE})",
        r"\b(?:the |la )?(?:correct|right|bonne|seule bonne|appropriate) (?:category|categorie|classification)"
        r"(?: (?:correcte|for this \w+|de ce \w+|pour ce \w+))? (?:is|est|:)",
        r"\bcategorie correcte (?:est|:)",
        r"\b(?:set|change|put|mets|mettez|fixe[sz]?|attribue[sz]?|assign) (?:the |la )?(?:category|categorie|"
        r"classification) (?:of|de|for|pour|a) (?:this|ce|cet) \w+ (?:to|a|sur|as) [\"'«]? ?\w+",
    ),
    (
        "confidence|confiance|confirms_solved|wants_human",
        r"\b(?:confirms_solved|wants_human)\b",
        r"\b(?:confidence|confiance) ?(?:=|:|of|to|at|de|a)? ?\"?(?:1(?:[.,]0+)?|0?[.,]9\d?|100 ?%)(?!\d)",
        r"\b(?:with|avec|et|and) (?:the |une |la )?(?:highest|maximum|full|maximale|totale) (?:confidence|confiance) "
        r"(?:score|level|as|comme|in)\b",
    ),
    (
        "json| word| mot|categor| label| seul",
        rf"\b{_SAY} (?:only |uniquement |seulement |exactly |exactement )?(?:with|in|by|par|avec|en)? ?"
        r"(?:only |uniquement |seulement )?(?:the following |this |le |ce |the )?json\b",
        rf"\b{_SAY} (?:only |uniquement |seulement |exactement )?(?:with|by|par|avec) (?:only )?(?:the |la |le )"
        r"(?:single |seul |seule )?(?:word|mot|category|categorie|label)\b",
        r"[\"']categor(?:y|ie)[\"'] ?: ?[\"']\w+[\"'] ?,? ?[\"'](?:priori|confid|langu|reason|confi|impact|complex)",
    ),
    (
        "human|humain|agent",
        r"\b(?:do not|don't|never|must not) (?:hand|forward|escalate|pass|route|transfer)"
        r"(?: (?:this|it|the mail|this \w+))?(?: over| on)? to (?:a |an |any |the )?(?:human|agent)",
        rf"\bne (?:transmets|transfere[sz]?|transmettez|confie[sz]?|passe[sz]?) (?:pas|jamais) (?:{_THIS}|la main) "
        r"a (?:un |aucun |l')(?:etre )?(?:humain|agent)",
    ),
    (
        "jailbreak|prompt injection|do anything now",
        r"\b(?:jailbreak mode|do anything now|prompt injection (?:test|successful|reussie))\b",
    ),
)


# Who asks for what is another's: a verb of giving, what is given, whose it is. How a thing is done in the software is
# no such question, and whoever speaks of their own class, child or account asks for nothing that is not theirs.
_GIVE = (
    r"\b(?:donne[rz]?|envoye[rz]|envoie|renvoye[rz]|communique[rz]?|transmett(?:re|ez)|fourni(?:r|ssez)|indique[rz]|"
    r"partage[rz]|parvenir|passe[rz]|avoir|obtenir|connaitre|recevoir|recuperer|consulter|besoin|quell?e?s? "
    r"(?:est|sont)|il (?:me|nous) (?:faut|faudrait)|je cherche|je demande|savoir)\b"
)
_HAND = r"\b(?:donne[rz]?|envoye[rz]|envoie|renvoye[rz]|communique[rz]?|transmett(?:re|ez)|fourni(?:r|ssez)|parvenir)\b"
_REACH = (
    r"\b(?:adresses?|coordonnees|e-?mails?|mails?|courriels?|telephones?|portables?|"
    r"numeros? (?:de )?(?:tel\w*|portable|mobile))\b"
)
_MARKS = r"\b(?:notes?|bulletins?|resultats|moyennes?|evaluations?|appreciations|absences?|dossiers?)\b"
_ENTRY = r"\b(?:mots? de passe|identifiants?|codes? d'acces)\b"
_OTHER = (
    r"\b(?:(?:d'|de l'|des |de )(?:un |une )?autres? (?:\w+ )?(?:eleve|enfant|parent|prof|enseignant|famille|personne|"
    r"utilisat|client)\w*|(?:d'une?|du|de la|des|de l'une?|de (?:mon|ma|mes|son|sa|ses|leurs?|ce|cet|cette))"
    r" (?:camarade|copain|copine|voisin|ex-|ex )\w*)"
)
_SOMEBODY_ELSE = (
    r"\b(?:d'une?|du|de la|des|de l'|de (?:mon|ma|mes|son|sa|ses|leurs?|ce|cet|cette|notre|nos|l'une? des?)|de) ?"
    r"(?:maitresses?|maitres?|prof(?:esseure?)?s?|enseignante?s?|instituteurs?|institutrices?|directeur|directrice|"
    r"principale?|proviseure?|parents?|familles?|collegues?|m|mr|mme|mlle|monsieur|madame)\b"
)
_PUPIL = r"\b(?:d'une?|de l'|de cet(?:te)?|du|de la) ?(?:eleve|jeune|petite?|enfant)\b"
_HAND_EN = r"\b(?:give|send|provide|share|forward|tell|pass|disclose|email|need|have|get|obtain|know|what (?:is|are))\b"
_REACH_EN = (
    r"(?:(?:home |e-?mail |mobile )?address(?:es)?|e-?mails?|(?:phone|mobile|telephone)(?: numbers?)?|contact details)"
)
_MARKS_EN = r"(?:grades?|marks?|reports?|results|report cards?|attendance|school records?|test scores?)"
_ENTRY_EN = r"(?:passwords?|log-?in details|credentials|access codes?)"
_SOMEBODY_EN = (
    r"(?:another|a different|other|some other) (?:\w+ )?"
    r"(?:pupil|student|child|parent|teacher|famil|person|user|customer)\w*|"
    r"(?:my |his |her |their )?(?:classmate|neighbour|neighbor|ex-\w+|ex (?:husband|wife|partner))s?"
)
_STAFF_EN = (
    r"(?:(?:the|a|his|her|their|my (?:son|daughter|child)'s) )(?:\w+ )?(?:teacher|head ?teacher|headmaster|"
    r"headmistress|principal|tutor|parents?|famil(?:y|ies))s?|(?:mr|mrs|ms|miss)\b"
)
ASKS_FOR_DATA = _tabulate(
    (
        "autre|camarade|copain|copine|voisin|ex-|ex ",
        rf"{_GIVE}[^.\n]{{0,80}}(?:{_REACH}|{_MARKS}|{_ENTRY})[^.\n]{{0,40}}{_OTHER}",
    ),
    (
        "adresse|coordonnees|mail|courriel|telephone|portable|numero",
        rf"{_GIVE}[^.\n]{{0,60}}{_REACH}(?: (?:e-?mail|mail|postale|personnelle?|prive|perso|electronique|directe?|"
        rf"de (?:messagerie|telephone|portable)|(?:et|ou) [^.\n]{{1,30}})){{0,2}} {_SOMEBODY_ELSE}",
    ),
    (
        "note|bulletin|resultat|moyenne|evaluation|appreciation|absence|dossier",
        rf"{_HAND}[^.\n]{{0,40}}{_MARKS}[^.\n]{{0,30}}{_PUPIL}",
    ),
    (
        "mot de passe|mots de passe|identifiant|code",
        rf"{_HAND}[^.\n]{{0,40}}{_ENTRY}[^.\n]{{0,20}}{_SOMEBODY_ELSE}",
    ),
    (
        "liste",
        rf"{_HAND}[^.\n]{{0,40}}\blistes? (?:\w+ ){{0,2}}(?:des|de tous les|de toutes les) "
        r"(?:eleves|parents|familles|enseignants|professeurs|utilisateurs|inscrits|clients|abonnes|adresses|contacts)\b",
    ),
    (
        "another |other |different |classmate|neighbo|ex-|ex ",
        rf"{_HAND_EN}[^.\n]{{0,60}}\b(?:{_REACH_EN}|{_MARKS_EN}|{_ENTRY_EN})\b[^.\n]{{0,30}}\b(?:{_SOMEBODY_EN})\b",
        rf"{_HAND_EN}[^.\n]{{0,40}}\b(?:{_SOMEBODY_EN})'s? (?:\w+ )?(?:{_REACH_EN}|{_MARKS_EN}|{_ENTRY_EN})\b",
    ),
    (
        "address|mail|phone|contact details|mobile|password|log|credential",
        rf"{_HAND_EN}[^.\n]{{0,40}}\b(?:{_REACH_EN}|{_ENTRY_EN}) (?:\w+ )?(?:of|for) (?:{_STAFF_EN})",
        rf"{_HAND_EN}[^.\n]{{0,20}} (?:{_STAFF_EN})(?: \w+)?'s? (?:\w+ )?(?:{_REACH_EN}|{_ENTRY_EN})\b",
    ),
    (
        " list ",
        r"\b(?:give|send|provide|share|forward|email)\b[^.\n]{0,30}\blist of (?:all )?(?:the )?"
        r"(?:pupils|students|parents|families|teachers|users|customers|addresses|contacts)\b",
    ),
)
OWN_DATA = _compile(
    r"\b(?:ma|mes|nos|notre|mon) (?:propres? )?(?:classes?|eleves?|listes?|groupes?|etablissement|ecole|"
    r"compte|equipe)\b",
    r"\b(?:my|our) (?:own )?(?:class(?:es)?|pupils?|students?|lists?|groups?|school|account|team)\b",
    r"\b(?:comment|ou (?:puis-je|peut-on|trouver|se trouve)|how (?:can|do|to|should|could)|where (?:can|do|is|are))\b",
    r"\b(?:modifier|changer|corriger|supprimer|ajouter|reinitialiser|importer|saisir|change|correct|delete|remove|add|reset|"
    r"import|update|enter)\b",
)

# Addresses that nobody reads, as machines write them (RFC 3834 §2 adds those of lists); "john.reply@" is a person's.
_NOBODY = re.compile(
    r"(?:[\w.+-]{0,64}[-_.+])?(?:no|not|do[-_.]?not|ne[-_.]?pas|pas[-_.]?de|sans|nao|nicht|non)[-_.]?"
    r"(?:reply|respond(?:er|a)?|r[eé]pon(?:dre|se)|antwort(?:en)?|rispondere|contestar)(?:[-_.+].{0,64})?|"
    r"(?:[\w.+-]{0,64}[-_.+])?(?:mailer-?daemon|bounces?|daemon)(?:[-_.+].{0,64})?|postmaster|"
    r"owner-.{1,64}|.{1,64}-(?:owner|request|relay)|majordomo|listserv|autoreply|auto-?responder|nobody|null|devnull",
    re.IGNORECASE,
)
# Where anybody gets an address: that two of one such domain belong together means nothing.
_PUBLIC = re.compile(
    r"(?:gmail|googlemail|outlook|hotmail|live|msn|yahoo|ymail|aol|icloud|me|mac|gmx|web|proton|protonmail|pm|tutanota|"
    r"tuta|zoho|mail|yandex|fastmail|mailo|orange|wanadoo|free|aliceadsl|sfr|neuf|numericable|cegetel|club-internet|"
    r"bbox|bouygtel|laposte|t-online|freenet|libero|skynet|telenet|bluewin|videotron)"
    r"\.(?:com?|net|org|fr|de|be|ch|ca|it|es|eu|me|at|lu|ru|us|uk)(?:\.[a-z]{2})?"
)


def wants_human(text: str) -> bool:
    """Whether the writer asks for a person instead of a machine, in a sentence that does not take it back."""
    return _states(WANTS_HUMAN, REFUSES_HUMAN, fold_text(text))


def confirms_solved(text: str) -> bool:
    """Whether the writer says that all is well now, without a question, a condition or an objection beside it."""
    folded = fold_text(text)
    return _states(SOLVED, DOUBTFUL, folded) and not _matches(CONTRARY, folded)


def asks_for_data(text: str) -> bool:
    """Whether the writer asks us for what is somebody else's: their address, marks, password, a list of people."""
    return _states(ASKS_FOR_DATA, OWN_DATA, fold_text(text))


def is_unread(address: str) -> bool:
    """Whether nobody reads letters to it: no-reply, daemons, bounces, what steers a list."""
    return bool(_NOBODY.fullmatch(address.partition("@")[0]))


def is_public(domain: str) -> bool:
    """Whether it is a mail provider's, open to everybody."""
    return bool(_PUBLIC.fullmatch(domain))


def argues_with_model(text: str) -> bool:
    """Whether the writer talks to the machine that reads: in words, in letters that nobody sees, in code."""
    sample = text[:_SCAN_CHARS]
    return _hides_words(sample) or any(_argues_plainly(one) for one in (sample, *decode_runs(sample)))


def decode_runs(text: str) -> tuple[str, ...]:
    """What long runs of base64 or hexadecimal digits say, where that is a text, broken over lines or not."""
    words = [word for word in text.split() if word != ">"]
    runs = ("".join(run) for long, run in groupby(words, key=_is_long) if long)
    found = (match[0] for run in runs for match in _CODED.finditer(run[:_SCAN_CHARS]))
    return tuple(said for one in islice(found, _MAX_RUNS) if (said := _decode_run(one)))


def _is_long(word: str) -> bool:
    return len(word) >= _LEAST_RUN


def _decode_run(run: str) -> str:
    """The text, or nothing where it is none."""
    if _HEX.fullmatch(run):
        data = bytes.fromhex(run[: len(run) // 2 * 2])
    else:
        data = b64decode(run[: len(run) // 4 * 4].translate(_URL_SAFE))
    said = data.decode("utf-8", "replace")
    return said if sum(map(str.isprintable, said.replace("\ufffd", "\0"))) >= 0.9 * len(said) else ""


def _argues_plainly(text: str) -> bool:
    """Lines are read one by one, for what begins one, and as one, for what is broken over two."""
    folded = fold_text(html.unescape(text) if "&" in text else text)
    if not folded.isascii():
        folded = folded.translate(_TWINS)
    shown = f"{folded}\n{_join_lines(folded)}" if "\n" in folded else folded
    found = (match for pattern in _choose_patterns(ARGUES, shown) for match in pattern.finditer(shown))
    return any(not _TELLING.search(shown, max(0, match.start() - 12), match.start()) for match in found)


def _join_lines(folded: str) -> str:
    """Without the marks of quotations; a blank line ends a sentence."""
    return _LINE_END.sub(lambda end: ". " if end[0].count("\n") > 1 else " ", folded)


def fold_text(text: str) -> str:
    """Lower case, no accents, no invisible letters, straight apostrophes, single spaces; line breaks stay."""
    return bare_text(text[:_SCAN_CHARS].lower())


def bare_text(text: str) -> str:
    """As `fold_text`, of any length, case kept."""
    bare = text.replace("\t", " ")
    for letter in set(bare):
        if not letter.isascii():
            bare = bare.replace(letter, _fold_letter(letter))
    while "  " in bare:
        bare = bare.replace("  ", " ")
    return bare


def show_letters(text: str) -> str:
    """Without letters that nobody sees."""
    return _INVISIBLE.sub("", text)


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

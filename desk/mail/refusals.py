"""Home-made bounces: what mailers write when a letter does not arrive, told by their own words.

A table of forms, one for each family of mailers: the words it opens with, and, where they are its own, the lines in
which it names the address. Facts come from the mailers' sources and manuals and from what they are seen to send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

WORDS = "words of refusal"  # evidence of what no family of mailers claims

_LINES = 3_000
_LINE_CHARS = 1_000
_MAX_RECIPIENTS = 100

_ADDRESS = r"(?:\"[^\"\s<>@]{1,64}(?: [^\"\s<>@]{1,64})?\"|[^\s<>@\"'(),:;\\\[\]|/]{1,100})@[\w.-]{1,255}"
_MARK = r"[*•·>\-–\s\"'<(\[]{0,12}"
_ENDS = r"[\"'>)\]\s:;,.…]{0,12}"


def _match_lines(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("ADDRESS", f"({_ADDRESS})"), re.IGNORECASE)


# Where an address stands in a line, the surest first.
BRACKETED = _match_lines(r"<ADDRESS>(?:$|\s|:|\.\.\.|,)")  # qmail, Postfix, Sendmail, Courier, Yahoo
LABELLED = _match_lines(
    r".{0,200}?(?:recipients?(?: address(?:es)?)?(?:\(s\))?|(?:failed|undeliverable|unknown|invalid|mail|"
    r"e-?mail) (?:address|user|recipient)(?:es|s|\(s\))?|"
    r"addressed to|rcpt to|userid|user unknown|[,;] address|mailing list|(?:delivered|deliver|delivery|"
    r"undeliverable|message|mail|sent|send)(?: mail| message)? (?:to|for)|"
    r"(?:expanded|generated) (?:from|by)|failed|permanent errors|mailbox is full|automatically rejected|"
    r"rejected|error-for|"
    # Exchange and the webmails in their languages
    r"destinataires?|destinatarios?|destinatari|destinatários?|ontvanger|empfänger|adresse|(?:remis|"
    r"distribué|délivré|livré|envoyé|acheminé)e?s? à|"
    r"(?:message|mail|courriel) (?:à|pour|destiné à)|(?:nachricht|mail) an|(?:mensaje|messaggio|bericht|"
    r"mensagem) (?:para|a|aan)"
    r")[\s:=\"'<(]{1,12}(?:mailto:)?ADDRESS"
)
ALONE = _match_lines(rf"{_MARK}(?:mailto:)?ADDRESS{_ENDS}(?:[<(\[](?:mailto:)?{_ADDRESS}[>)\]]{_ENDS})?$")
NAMED = _match_lines(
    rf"[^@<(]{{1,100}}[<(]ADDRESS[>)]{_ENDS}(?:[<(\[](?:mailto:)?{_ADDRESS}[>)\]]{_ENDS})?$"
)  # "Anne Roux (a@b)"
LEADING = _match_lines(rf"{_MARK}ADDRESS[\"'>)]?(?::? |,)\S")  # Exchange 5.5, Zoho, Exim: the address, then the cause
SAID = _match_lines(r"(?:[<>]{3} |\d{3}[ -]|.{0,100}?\b[45]\d\d[ -]).{0,200}?<?ADDRESS")  # a transcript of SMTP
_SHAPES = (BRACKETED, LABELLED, ALONE, NAMED, LEADING, SAID)


@dataclass(frozen=True, slots=True)
class Form:
    """What one family of mailers writes: `evidence` names it, `sign` is found in its text."""

    evidence: str
    sign: re.Pattern[str]
    shapes: tuple[re.Pattern[str], ...] = _SHAPES


@dataclass(frozen=True, slots=True)
class Refusal:
    """A home-made bounce as read; `text` is what the mailer says, without the letter that came back."""

    evidence: str
    recipients: tuple[str, ...]
    text: str


def _form(evidence: str, sign: str, *shapes: re.Pattern[str]) -> Form:
    return Form(evidence, re.compile(sign, re.IGNORECASE), (*shapes, *_SHAPES) if shapes else _SHAPES)


# Read from top to bottom; those whose words others have borrowed stand below.
FORMS = (
    _form(
        "qmail",
        r"Hi\. (?:This is|I'm) (?!the ezmlm)|invoked for bounce|I (?:wasn't|"
        r"was not) able to deliver your message",
    ),
    _form("Postfix", r"This is the (?:mail system|Postfix program) |The Postfix (?:program|mail system)"),
    _form("Exim", r"created automatically by (?:the )?mail delivery(?: software)?", ALONE, LEADING),
    _form("Exim", r"(?:has been frozen|was frozen on arrival)|address\(es\) failed|-eximdsn-"),
    _form("Facebook", r"created automatically by Facebook"),
    _form("Zoho", r"ERROR_CODE ?:", LEADING),
    _form("DragonFly Mail Agent", r"This is the DragonFly Mail Agent"),
    _form("OpenSMTPD", r"This is the MAILER-DAEMON, please DO NOT REPLY"),
    _form(
        "Domino",
        r"was not delivered to:|Domino Directory|annuaire Domino|Directorio de Domino|"
        r"public Name & Address Book",
    ),
    _form("Notes", r"-{3,7} ?Failure Reasons ?-{0,3}"),
    _form(
        "Sendmail",
        r"addresses had (?:permanent fatal errors|transient non-fatal errors|successful|"
        r"delivery problems)|Transcript of session",
    ),
    _form("Active!hunter", r"addresses had permanent", LABELLED),
    _form("PowerMTA", r"Hello, this is the mail server on"),
    _form("Courier", r"UNDELIVERABLE MAIL|DELAYS IN DELIVERING YOUR MESSAGE|delivery status notification from"),
    _form("Oracle Messaging Server", r"This report relates to a message you sent with the following header fields"),
    _form("James", r"Message details:\s{1,20}Subject: [^\n]{0,500}\n\s{0,20}Sent date:|Error message below:", LABELLED),
    _form("m-FILTER", r"m-FILTER|-{5,9}server message"),
    _form(
        "SMTP32",
        r"Body of message generated response|^(?:Unknown user|undeliverable to|"
        r"User mailbox exceeds)",
        LABELLED,
    ),
    _form("InterScan", r"Sent <<< |Unable to deliver message to <|InterScan"),
    _form(
        "KDDI",
        r"Your mail (?:sent on|attempted to be delivered on):|The user\(s\) account is|"
        r"recipients was rejected by a remote",
    ),
    _form("MailFoundry", r"Unable to deliver message to:"),
    _form("MailMarshal", r"The following recipients were affected:", ALONE),
    _form("SurfControl", r"A transcript of the attempts to send the message follows", LABELLED),
    _form("Barracuda", r"blocked by our bulk e-?mail filter|was blocked by our Spam Firewall"),
    _form("MDaemon", r"PERMANENT fatal delivery errors|Failed address:", LABELLED),
    _form("Mercury", r"addresses? in your message (?:have|has) failed|Mercury/(?:32|NLM)"),
    _form("GroupWise", r"message that you sent was undeliverable to the following"),
    _form("CommuniGate", r"We had trouble delivering your message|Failed to deliver to '"),
    _form("MMS gateway", r"Message could not be delivered to mobile"),
    _form("SES", r"An error occurred while trying to deliver the mail|The following message to <|Technical report:"),
    _form("MessageLabs", r"This is the mail delivery agent at messagelabs"),
    _form("Google Groups", r"group you tried to contact"),
    _form(
        "Gmail",
        r"Delivery to the following recipient|Technical details of (?:permanent|temporary) failure|"
        r"\*\* ?(?:Address not found|Message (?:blocked|not delivered|too large)|Delivery incomplete|"
        r"Recipient inbox full|Adresse introuvable|Message bloqué|Message non distribué|Distribution incomplète|"
        r"Adresse nicht gefunden|No se ha encontrado la dirección|Indirizzo non trovato|Adres niet gevonden|"
        r"Endereço não encontrado)",
    ),
    _form("Yahoo", r"Sorry, we were unable to deliver your message|Remote host said:"),
    _form(
        "Exchange",
        r"did not reach (?:the following|some or all)|Delivery has failed to these recipients|"
        r"rejected your message to the following e-?mail addresses|(?:couldn't|could not) be delivered\. |"
        r"automatically generated Delivery Status Notification|Diagnostic information for administrators|"
        # French, German, Spanish, Italian, Dutch, Portuguese
        r"[ÉE]chec de la remise [àa] ces destinataires|n['’]est pas parvenu à certains|"
        r"(?:remis|remise|parvenu) aux destinataires|"
        r"informations de diagnostic pour les administrateurs|notification d['’]état de remise|"
        r"Fehler bei der Nachrichtenzustellung|Die Nachricht konnte nicht an|"
        r"Diagnoseinformationen für Administratoren|"
        r"No se pudo entregar el mensaje a (?:estos|los)|Error de entrega a estos destinatarios|"
        r"Información de diagnóstico para los administradores|"
        r"Impossibile recapitare il messaggio|Recapito non riuscito (?:a|per) (?:questi|i)|"
        r"Informazioni di diagnostica per gli amministratori|"
        r"Uw bericht kan niet worden bezorgd|Bezorging aan de volgende geadresseerden|"
        r"Diagnostische gegevens voor beheerders|"
        r"Falha na entrega a estes destinat|Informações de diagnóstico para administradores",
    ),
    # Mailman, Sympa, fml, ezmlm: a list that does not take the letter
    _form(
        "mailing list",
        r"You are not (?:a member of|allowed to post to) this (?:mailing )?list|has been rejected by the list|"
        r"votre message .{0,80}liste .{0,40}(?:rejeté|refusé)|NOT MEMBER article from|"
        r"reject(?:s|ed)? (?:mail from|spammers)|"
        r"Duplicated Message-ID in|detected a loop condition|Loop Back Warning|header may cause mail loop",
        _match_lines(r".{0,200}?(?:list|in|from|to) <ADDRESS>"),
    ),
    _form(
        WORDS,
        # English
        r"(?:could ?n[o']t|cannot|can't|can ?not|was ?n[o']t|were not|has not been|not|"
        r"never) (?:be )?(?:successfully )?deliver(?:ed|able)\b|undeliver(?:able|ed)|"
        r"(?:unable|not able|failed|failure|impossible) to (?:be )?(?:deliver|send|relay)|(?:could not|"
        r"couldn't|can't|cannot) (?:deliver|send|be sent)|"
        r"delivery .{0,60}(?:failed|failure|impossible|problem|error)|error .{0,20}deliver|"
        r"failed permanently|permanent (?:delivery )?(?:error|failure)|"
        r"returned to (?:the )?sender|following (?:address|recipient|user)(?:es|s|\(es\)|"
        r"\(s\))? .{0,40}(?:fail|error|problem|reject|affected)|delivery problems|"
        r"did not reach|message .{0,60}(?:was|were|has been) rejected|permanent errors|"
        # French
        r"n['’](?:a|ont|as|avons|est|ai) (?:pas )?(?:encore )?(?:pu (?:être )?|pu vous |été |pas )?(?:remis|"
        r"délivr|livr|distribu|achemin|transmi|envoy)|"
        r"(?:[ée]chec|erreur|problème|défaut) .{0,20}(?:remise|livraison|distribution|envoi|acheminement|"
        r"délivrance|transmission)|"
        r"(?:impossible|incapable) d[e'’] ?(?:la |le |l['’])?(?:remettre|délivrer|distribuer|livrer|"
        r"acheminer|envoyer|transmettre|remise)|"
        r"non[- ](?:remis|remise|distribu|délivr|livr)|retour(?:né)? à l['’]expéditeur|"
        # German, Dutch, Scandinavian
        r"(?:konnte|kann|konnten|wurde) .{0,80}nicht .{0,40}(?:zugestellt|zustellen|übermittelt|"
        r"ausgeliefert|gesendet)|unzustellbar|zustellung .{0,40}(?:fehl|gescheitert)|zustellfehler|"
        r"(?:kan|kon) niet .{0,20}(?:bezorgd|afgeleverd|verzonden)|onbestelbaar|niet (?:bezorgd|afgeleverd)|"
        r"kunde inte leverer|kunne ikke lever|"
        # Spanish, Italian, Portuguese, Romanian
        r"no (?:se )?(?:ha podido|pudo|puede|ha sido|fue) (?:ser )?(?:entreg|envi)|no entregad|(?:error|"
        r"fallo) (?:de|en la|en el) (?:entrega|envío)|"
        r"non (?:è stato possibile|è stato|ha potuto|può essere) .{0,20}(?:recapit|consegn|invi)|"
        r"mancat[oa] (?:recapito|consegna)|"
        r"(?:impossibile|recapito|consegna) (?:recapitare|consegnare|non riuscit|fallit)|"
        r"não (?:pôde|foi possível|foi|pode) (?:ser )?(?:entreg|envi)|falha (?:na|de) entrega|não entregue|"
        # Russian, Polish, Japanese, Chinese
        r"не доставлен|не удалось доставить|не может быть доставлен|nie (?:można|mogła?|został[ao]?) .{0,20}dostarcz|"
        r"送信できま|配信できま|送信に失敗|配送できま|届けられま|お届けできま|无法送达|退信|投递失败",
    ),
)

# The letter that came back begins here: what is below says nothing of the refusal.
_COPY = re.compile(
    r"^[ \t*>=|\"'-]{0,70}(?:this is a copy of|below this line is a copy|below is a copy|"
    r"original (?:message|mail)\b|returned message|"
    r"unsent message|(?:the )?(?:message )?headers? (?:follow|of the original)|the header of the original|"
    r"message headers follow|"
    r"included is a copy of|here is a copy of|a copy of the original|copy of (?:the|your) message|"
    r"no message was collected|"
    r"undelivered message|(?:the )?attachment contains the original|original-nachricht|der header der|"
    r"en-t[êe]tes? d[eu] (?:votre )?message|message d['’]origine|message original|ursprüngliche nachricht|"
    r"encabezados (?:originales|del mensaje)|mensaje original|intestazioni originali|messaggio originale|"
    r"cabeçalhos originais|"
    r"oorspronkelijk|ursprüngliche nachrichtenkopfzeilen|kopfzeilen der ursprünglichen|"
    r"non-delivered information|smtp command$)|"
    r"^(?:return-path|received|delivered-to|dkim-signature|x-received): ?\S|"
    r"^content-type: ?(?:message/rfc822|text/rfc822-headers|message/partial)",
    re.IGNORECASE,
)
_CODED = re.compile(r"(?<![\d.])[45](?:\d\d(?=[ :;,-])|\.\d{1,3}\.\d{1,3})")
_QUOTED = re.compile(r">(?!>>)")
_FORWARDED = re.compile(
    r"[\s>*_-]{0,40}(?:begin forwarded message|forwarded message|message (?:transféré|réexpédié|transmis)|"
    r"début du message|"
    r"weitergeleitete nachricht|mensaje reenviado|messaggio inoltrato|doorgestuurd bericht|mensagem encaminhada)",
    re.IGNORECASE,
)


def read_refusal(text: str, ours: frozenset[str]) -> Refusal | None:
    """What a mailer says in `text`, None when it is no refusal. `ours` are addresses that it was sent to."""
    own = cut_copy(text)
    found = ((form, form.sign.search(own)) for form in FORMS)
    form, sign = next(((form, sign) for form, sign in found if sign), (None, None))
    if form is None or sign is None:
        return None
    below = own[own.rfind("\n", 0, sign.start()) + 1 :]
    # An address may stand in the sentence itself, a line above the words that tell.
    found_below = find_recipients(below, form.shapes, ours)
    return Refusal(form.evidence, found_below or find_recipients(own, form.shapes, ours), own)


def find_recipients(text: str, shapes: Iterable[re.Pattern[str]], ours: frozenset[str]) -> tuple[str, ...]:
    """Addresses where the first shape that fits has them, lower case, `ours` left out."""
    lines = [line.strip() for line in text.split("\n")]
    found = (_find_addresses(lines, shape) for shape in shapes)
    fitting = ([one for one in addresses if one not in ours] for addresses in found)
    return tuple(next((kept for kept in fitting if kept), ()))[:_MAX_RECIPIENTS]


def cut_copy(text: str) -> str:
    """What the mailer itself says: no quoted lines, nothing of the letter that came back."""
    kept: list[str] = []
    for line in text.split("\n", _LINES)[:_LINES]:
        short = line[:_LINE_CHARS]
        if _FORWARDED.match(short) or (kept and _COPY.match(short)):
            break
        if not _QUOTED.match(short):
            kept.append(short)
    return "\n".join(kept)


def pick_cause(text: str) -> str:
    """The lines in which a server speaks, by the codes they hold, each with the line below."""
    lines = text.split("\n")
    spoken = {at + more for at, line in enumerate(lines) if _CODED.search(line) for more in (0, 1)}
    return "\n".join(lines[at] for at in sorted(spoken) if at < len(lines))


def _find_addresses(lines: Iterable[str], shape: re.Pattern[str]) -> list[str]:
    found = (match[1] for line in lines if "@" in line and (match := shape.match(line)))
    return list(dict.fromkeys(one.lower().replace('"', "").rstrip(".") for one in found))

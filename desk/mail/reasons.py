"""Why a letter was refused, in one word: by status code first (RFC 3463, RFC 5248), then by what servers write."""

from __future__ import annotations

import re

REASONS = frozenset(
    {
        "mailbox-full",
        "unknown-user",
        "unknown-host",
        "too-large",
        "refused-as-spam",
        "blocked",
        "suspended",
        "relaying-denied",
        "loop",
        "rate-limited",
        "network",
        "content",
        "server-failure",
        "expired",
    }
)

_TEXT_CHARS = 4_000  # of what servers write; the reason stands at the beginning
_CODE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
# Only where a server speaks: a number alone may be the end of a telephone number or a port.
_REPLY = re.compile(
    r"(?:^|smtp;|said:|[:\[(<>*\"'-]|\bcode|\berror|\breply|erreur|"
    r"fehler)[ \t:#>*-]{0,4}([45]\d\d)(?=[ \t:;,.#\[\]-]|$)",
    re.IGNORECASE | re.MULTILINE,
)

# RFC 3463 §3 and the IANA registry; subject and detail, for either class. These tell enough by themselves.
_CODES = {
    "1.1": "unknown-user",
    "1.2": "unknown-host",
    "1.3": "unknown-user",
    "1.4": "unknown-user",
    "1.6": "unknown-user",
    "1.7": "blocked",
    "1.8": "blocked",
    "2.2": "mailbox-full",
    "2.3": "too-large",
    "3.4": "too-large",
    "4.4": "unknown-host",
    "4.5": "rate-limited",
    "4.6": "loop",
    "4.7": "expired",
    "4.14": "loop",  # Exchange: hop count
    "4.300": "expired",  # Exchange Online, as are all codes of three digits
    "4.310": "unknown-host",
    "4.312": "network",
    "4.316": "expired",
    "5.3": "rate-limited",  # too many recipients
    "7.13": "suspended",  # RFC 5248
    "7.25": "blocked",  # RFC 7372: no reverse DNS; 7.26: neither SPF nor DKIM
    "7.26": "blocked",
    "7.28": "rate-limited",  # Gmail
    "7.509": "blocked",  # Exchange Online: DMARC, banned address, suspicious tenant
    "7.606": "blocked",
    "7.705": "blocked",
    "7.750": "blocked",
}
# What is left when the text tells nothing either: codes that servers give to everything.
_LIKELY = {
    "1.0": "unknown-user",
    "1.10": "unknown-user",  # Exchange Online; RFC 7505 gives it to a domain without mail, whose text is told below
    "2.1": "suspended",
    "3.0": "server-failure",
    "3.1": "server-failure",
    "3.2": "server-failure",
    "3.5": "server-failure",
    "4.0": "network",
    "4.1": "network",
    "4.2": "network",
    "4.3": "network",
}
_SUBJECTS = {"3": "server-failure", "4": "network", "5": "server-failure", "6": "content", "7": "blocked"}
_ADDRESSES = re.compile(r"[^\s<>@]{1,100}@[\w.-]{1,255}")  # their words are no reason: "blocked@school.example"

# Read from top to bottom: what stands higher is the narrower word, or names the cause of what stands below.
_TEXTS = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (
            "mailbox-full",
            # Exim, Postfix, Dovecot, Exchange (QUOTA), Gmail, Yahoo, Orange, Free; German, Spanish, Italian …
            r"mail ?box (?:is |has )?(?:full|exceed|over)|mail ?box for .{1,80} is full|full mail ?box|"
            r"(?:over|exceed(?:s|ed|ing)?|out of|disk|disc|mail ?box|user|storage|account|email|"
            r"inbox) {0,3}(?:the |its |their |his )?"
            r"(?:allowed |disk |storage |mail ?box )?quota|quota[- ](?:exceed|exhausted|full|issues)|"
            r"quota .{0,40}(?:exceeded|exceeds|dépassé|superad|überschritten)|overquota|QuotaExceeded|"
            r"insufficient (?:disk |system )?(?:storage|space|quota)|not enough (?:storage|space|disk)|"
            r"exceeded (?:its |their |the )?(?:storage|mail ?box|disk|max)|storage (?:allocation|limit) exceeded|"
            r"no (?:space left|room) |inbox is full|is full: |too much mail data|has too many (?:mails|messages)|"
            r"bo[iî]te .{0,60}(?:pleine|satur|remplie)|quota .{0,30}(?:dépass|depass|atteint)|"
            r"espace .{0,40}(?:plein|insuffisant|satur)|"
            r"postfach .{0,60}(?:voll|überfüllt|belegt)|speicherplatz|buz[oó]n .{0,60}lleno|"
            r"casella .{0,60}piena|postvak .{0,60}vol|caixa .{0,60}(?:cheia|lotada)|mbox_full|box full",
        ),
        (
            "too-large",
            r"message (?:is )?too long|(?:message|mail|e-?mail|content|data|attachment|body|"
            r"file) .{0,40}(?:size |length )?(?:too (?:big|large)|"
            r"exceeds? .{0,60}(?:size|limit|maximum|bytes)|larger than)|size .{0,40}exceed|exceed.{0,40} size|"
            r"size limit|MessageTooLarge|RecipSizeLimit|SizeLimit|max(?:imum)? (?:message |mail )?size|"
            r"oversized|too big|"
            r"taille .{0,60}(?:dépass|depass|maxim|limit|autoris)|trop (?:volumineux|gros|lourd|grand)|"
            r"nachricht .{0,60}zu groß|zu gro(?:ß|ss)|demasiado grande|troppo grande|te groot|muito grande",
        ),
        (
            "relaying-denied",
            r"relay(?:ing)? (?:access |is )?(?:denied|not (?:allowed|permitted)|prohibited|disallowed)|"
            r"not (?:allowed|permitted) to relay|"
            r"(?:unable|refuse[sd]?|cannot|can't|won't|will not|don't|do not|does not|no|not|"
            r"we do not) (?:to )?relay\b|relaying|"
            r"not local host|not a (?:local|open) relay|isn't in my (?:control/locals|list of allowed rcpthosts)|"
            r"not in my list of allowed rcpthosts|relais .{0,30}(?:refus|interdit)|relay .{0,20}verweigert",
        ),
        (
            "loop",
            r"mail (?:is )?loop(?:s|ing)?\b|loops? (?:back|detected|to (?:myself|itself))|too many (?:hops|"
            r".?received)|hop ?count|"
            r"message (?:is )?looping|mail forwarding loop|routing loop|loop (?:alert|back|condition)|"
            r"boucle|MxLoopback|mail ?schleife",
        ),
        (
            "refused-as-spam",
            r"\bspam|\bspamhaus|\bspamcop|unsolicited|bulk (?:e-?mail|filter)|junk ?mail|\bUBE\b|\bUCE\b|pourriel|"
            r"ind[eé]sirable|spam-related|courrier non sollicit|gefiltert|correo no deseado|bayes|dnsbl|"
            r"rbl\b|black ?list|liste noire",
        ),
        (
            "rate-limited",
            r"too many (?:connections|messages|recipients|mails|concurrent|errors|sessions)|rate[- ]?limit|"
            r"(?:mail|message|sending) rate|"
            r"too (?:quickly|fast|frequent|much mail)|throttl|slow down|trop de (?:connexions|messages|"
            r"destinataires)|RecipLimit|"
            r"exceed.{0,40}(?:per|connection|hourly|daily|rate|limit on the number)|zu viele|demasiados|troppi|"
            r"(?:limit|quota).{0,30} (?:per hour|per day|par heure|par jour)",
        ),
        (
            "suspended",
            r"(?:account|mail ?box|user|recipient|address|e-?mail|login|box|subscriber|member|domain) .{0,50}"
            r"(?:disabled|inactive|suspend|deactivated|blocked due|locked|frozen|expired|closed|"
            r"temporarily limited|not active|blocked by)|"
            r"(?:disabled|inactive|suspended|deactivated|dormant|closed|blocked|locked|"
            r"expired) .{0,10}(?:account|mail ?box|user|recipient|address)|"
            r"account .{0,30}(?:has been |is )(?:disabled|suspended)|(?:compte|bo[iî]te|adresse|utilisateur) .{0,40}"
            r"(?:désactivé|desactiv|suspendu|inactif|inactive|bloqué|clôturé|fermé)|"
            r"konto .{0,40}(?:gesperrt|deaktiviert)|cuenta .{0,40}"
            r"(?:desactivada|suspendida)|inactive-mailbox|no longer (?:active|on server)",
        ),
        (
            "unknown-host",
            r"host (?:or domain name )?(?:unknown|not found)|unknown host|(?:domain|"
            r"host)(?: name)?(?: [\w.<>-]{1,80})? (?:was |is |may )?"
            r"(?:not found|does(?: not|n't) exist|unknown|not exist|couldn't be found|could not be found|"
            r"isn't reachable|doesn't receive)|no such (?:domain|host)|(?:bad|unknown|invalid|"
            r"non-?existent) domain|bad-domain|"
            r"couldn't find any host|name (?:service|server) error .{0,60}(?:not found|NXDOMAIN)|NXDOMAIN|"
            r"NonExistentDomain|null ?mx|does not accept mail \(nullmx|"
            r"no (?:valid |usable )?MX|all relevant MX|host address lookups failed|unrouteable (?:mail )?domain|"
            r"dns lookup failure|domain name not found|illegal host|domaine .{0,60}(?:inconnu|introuvable|"
            r"n'existe pas|existe pas)|"
            r"h[oô]te .{0,30}(?:inconnu|introuvable)|dom[aä]n .{0,40}(?:existiert nicht|nicht gefunden)|"
            r"dominio .{0,60}(?:no existe|inesistente|no encontrado)|"
            r"domain is not reachable|could not find a gateway|host name lookup failure|"
            r"DNS server returned answer with no data",
        ),
        (
            "unknown-user",
            r"(?:user|recipient|mail ?box|account|(?<!ip )address|addressee|person|login|alias|name|"
            r"customer|local[- ]part|member|subscriber|id)(?:\(s\)|s|es)? .{0,80}?"
            r"(?:unknown|not (?:found|known|exist|a valid|valid|listed|registered|local|here|available|"
            r"recognized)|does(?: not|n't|nt) (?:exist|have)|"
            r"do(?: not|n't) exist|couldn't be found|could not be found|wasn't found|not.{0,4}our customer|"
            r"invalid|unavailable|incorrect|lookup failure|has moved|"
            r"no longer|rejected: access denied)|"
            r"(?:unknown|no such|invalid|not a (?:known|valid)|bad|non-?existent|undefined|incorrect|"
            r"not our|no valid) .{0,20}"
            r"(?:user|recipient|mail ?box|account|address|addressee|local[- ]part|local user|person|alias|"
            r"destination|customer|username|rcpt|id\b)|"
            r"no (?:mail ?box|user|account|recipient|person) |unrouteable address|"
            r"doesn't have an? .{0,60}account|RecipNotFound|RecipientNotFound|"
            r"not listed in|non r[eé]pertori|userunk|user_unknown|bad-mailbox|"
            r"unable to find (?:the )?(?:recipient|user|mailbox)|"
            r"no encuentra|moved to|nobody here|no longer (?:with|work|employed)|i have no |"
            r"adresse .{0,60}(?:inconnue|invalide|inexistante|n'existe|introuvable|erron|non valide|incorrecte)|"
            r"(?:destinataire|utilisateur|usager|compte|bo[iî]te) .{0,60}(?:inconnu|invalide|inexistant|"
            r"n'existe|introuvable|n'a pas été trouvé)|"
            r"(?:n'a pas pu être trouvée?|est introuvable|inconnu chez)|"
            r"(?:empfänger|benutzer|adresse|postfach|adressat) .{0,60}(?:unbekannt|existiert nicht|ungültig|"
            r"nicht gefunden|nicht bekannt|nicht verfügbar)|"
            r"(?:usuario|destinatario|direcci[oó]n|buz[oó]n|cuenta) .{0,60}(?:desconocid|no existe|"
            r"inv[aá]lid|no se (?:ha )?encontr)|"
            r"(?:utente|destinatario|indirizzo|casella) .{0,60}(?:sconosciut|inesistente|non (?:esiste|"
            r"valido|trovato))|"
            r"(?:gebruiker|ontvanger|adres) .{0,60}(?:onbekend|bestaat niet|niet gevonden)|"
            r"(?:usu[aá]rio|destinat[aá]rio|endereço) .{0,60}(?:desconhecid|n[aã]o existe|inv[aá]lid|"
            r"n[aã]o encontrad)",
        ),
        (
            "expired",
            r"retry time(?:out)? .{0,30}(?:exceeded|not reached)|(?:message|delivery|envelope|"
            r"queue) .{0,20}(?:expired|timeout)|delivery time(?:d)?[- ]?out|"
            r"message-expired|(?:undeliverable|not .{0,30}delivered|could not deliver|unable to deliver|"
            r"cannot send message) .{0,40}"
            r"(?:for|within|in the last|after|for the last) .{0,5}\d{1,7}\.?\d? (?:day|hour|second|minute)|"
            r"QUEUE\.Expired|too (?:old|long in)|in the queue too long|"
            r"could not deliver for the last|maximum .{0,30}(?:attempts|retries)|délai .{0,40}(?:dépass|"
            r"expir)|expir[eé]|zeitüberschreitung|was not delivered within",
        ),
        (
            "content",
            r"line (?:limit|length)|virus|infected|malware|attachment .{0,40}(?:not allowed|type|blocked|"
            r"prohibited|rejected)|banned|(?:message|mail) content|content (?:rejected|violat|filter)|"
            r"(?:bad|invalid|illegal|malformed|missing|multiple|duplicate).{0,30}header|"
            r"header .{0,40}(?:missing|invalid|malformed|cause)|phish|executable|"
            r"RFC ?2822|RFC ?5322|non-?compliant|not (?:rfc )?compliant|conversion|8-?bit|SMTPUTF8|"
            r"line too long|pi[eè]ce jointe|contenu .{0,20}(?:refus|interdit|rejet)",
        ),
        (
            "network",
            r"connection (?:timed out|refused|reset|lost|was|failed|dropped|closed)|timed? ?out|network|"
            r"not respond|unreachable|could not connect|"
            r"(?:unable|failed|couldn't|cannot|can't) (?:to )?(?:establish|connect|reach)|no route|"
            r"lost connection|connect to |lookup failure|name server|"
            r"(?<!reverse )\bdns\b|\bTLS\b|\bSSL\b|delai d'attente|délai d'attente|injoignable|no answer|"
            r"could not be reached|not reachable|no smtp connection|"
            r"temporary failure in MX|did not accept our requests",
        ),
        (
            "blocked",
            r"block(?:ed|ing|list)|polic(?:y|ies)|reputation|access denied|denied|not (?:allowed|permitted|"
            r"authori[sz]ed|accepted|welcome)|"
            r"authenticat|unauthenticated|\bSPF\b|\bDKIM\b|\bDMARC\b|reverse dns|\bPTR\b|greylist|graylist|"
            r"grey-?listed|prohibited|refus(?:ed|ons|é|e)\b|"
            r"rejected|administrative(?:ly)?|security|bloqu|interdit|non autoris|abgelehnt|rechazad|"
            r"rifiutat|not (?:a )?member|"
            r"AuthRequired|NotAuthorized|filtered|filter",
        ),
        (
            "server-failure",
            r"(?:local|system|server|internal|configuration|service|i/o|resource|processing|mailer|"
            r"delivery) .{0,20}(?:error|failure|problem|unavailable|failed|not available)|"
            r"service (?:un|not )available|try again later|please try later|temporar(?:y|ily)|unavailable|"
            r"mail system|command (?:died|output|failed)|can't create|cannot open|"
            r"requested action (?:not taken|aborted)|indisponible|erreur|out of (?:memory|resources)|"
            r"misconfig|several matches",
        ),
    )
)

# RFC 5321 §4.2.3 by RFC 3463, where a reason tells more than the reply does.
_DETAILS = {
    "mailbox-full": "2.2",
    "unknown-user": "1.1",
    "unknown-host": "1.2",
    "too-large": "3.4",
    "refused-as-spam": "7.1",
    "blocked": "7.1",
    "suspended": "2.1",
    "relaying-denied": "7.1",
    "loop": "4.6",
    "rate-limited": "4.5",
    "network": "4.1",
    "content": "6.0",
    "server-failure": "3.0",
    "expired": "4.7",
}
_REPLIES = {
    "421": "4.3.2",
    "422": "4.2.2",
    "450": "4.2.0",
    "451": "4.3.0",
    "452": "4.3.1",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "530": "5.7.0",
    "535": "5.7.8",
    "550": "5.0.0",
    "551": "5.1.6",
    "552": "5.2.2",
    "553": "5.1.3",
    "554": "5.0.0",
}


def tell_reason(status: str, *texts: str) -> str:
    """One of REASONS: by the code where it is narrow, then by the texts, the nearest first, then by the code at all."""
    detail = status.partition(".")[2]
    narrow = _CODES.get(detail, "")
    if narrow and not (narrow == "unknown-host" and status.startswith("4.")):
        return narrow
    told = (_tell_text(text) for text in texts)
    return next((one for one in told if one), "") or _guess_reason(detail)


def find_status(*texts: str) -> str:
    """The narrowest RFC 3463 code in the texts: "5.1.1" goes before "5.0.0"; empty when there is none."""
    found = [code for text in texts for code in _CODE.findall(text[:_TEXT_CHARS])]
    narrow = (code for code in found if not code.endswith(".0.0") and not code.startswith("2"))
    return next(narrow, "") or next(iter(found), "")


def derive_status(reason: str, *texts: str) -> str:
    """A code for a mere SMTP reply (RFC 5321 §4.2): its class, and the detail that the reason has; or nothing."""
    replies = (found[1] for text in texts for found in _REPLY.finditer(text[:_TEXT_CHARS]))
    reply = next(replies, "")
    if reply and reason:
        return f"{reply[0]}.{_DETAILS[reason]}"
    return _REPLIES.get(reply, f"{reply[0]}.0.0" if reply else "")


def _tell_text(text: str) -> str:
    flat = _ADDRESSES.sub("", " ".join(text[:_TEXT_CHARS].split()))
    return next((reason for reason, pattern in _TEXTS if pattern.search(flat)), "")


def _guess_reason(detail: str) -> str:
    if not detail or detail == "0.0":
        return ""
    return _LIKELY.get(detail) or _SUBJECTS.get(detail.partition(".")[0], "")

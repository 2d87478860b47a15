"""Words of programs that write by themselves: absences, acknowledgements, receipts, notices, in seven languages.

Each is beside what it must not be taken for: people write most of these words as well.
"""

from __future__ import annotations

import re

# Prefixes that programs write before the subject they answer; a person's own "Absence du bureau" has no colon. None
# with "Re:" before it: that is a person who answers a notice.
ABSENT = re.compile(
    r"(?:\[[^\]]{1,40}\] ?)?(?:"
    # French: Exchange, Zimbra, Lotus Notes
    r"réponse auto(?:matique)?|message automatique|absence (?:du bureau|automatique)|absente? du bureau|"
    r"(?:message|notification|avis) d['’]absence|"
    # English
    r"auto(?:matic|mated)?[- ]?(?:reply|response|answer)|out[- ]of[- ](?:the )?office(?: (?:auto)?reply)?|"
    r"away from (?:my )?(?:office|mail)|"
    # German, Dutch, Danish and Norwegian, Swedish
    r"automatische (?:antwort|abwesenheitsnotiz)|abwesenheits(?:notiz|nachricht)|automatisch antwoord|"
    r"afwezigheidsbericht|auto(?:matisk)?[ -]?svar|automatiskt svar|"
    # Spanish, Italian, Portuguese, Polish, Russian, Chinese, Japanese
    r"respuesta automática|fuera de la oficina|risposta automatica|fuori (?:sede|ufficio)|resposta automática|"
    r"odpowiedź automatyczna|автоматический ответ|автоответ|自动回复|自動回覆|自動応答|自動返信"
    r")\s?(?:[:：]|de \S{1,100}@)",
    re.IGNORECASE,
)
# Words that people put before a colon as well ("Absence : Léa Martin"): only a program's own fields make them one's.
ABSENT_WORD = re.compile(
    r"(?:auto|absence|absente?|(?:en )?congés?|vacances|ooo|(?:on )?vacation|abwesenheit|afwezigheid|ausência)\s?:",
    re.IGNORECASE,
)
_GREETING = (
    r"(?:(?:bonjour|madame|monsieur|hello|hi|dear|hallo|guten tag|sehr geehrte|buenos d[ií]as|hola|buongiorno|salve|"
    r"ol[aá]|bom dia|geachte|beste)[^\n]{0,60}\s{1,20}){0,2}"
    r"(?:(?:thank(?:s| you) for your (?:e-?mail|message)|merci (?:de|pour) votre (?:message|mail|courriel)|"
    r"vielen dank für ihre (?:nachricht|e-?mail)|gracias por su (?:mensaje|correo)|grazie per (?:la sua|il suo) "
    r"(?:messaggio|e-?mail)|bedankt voor uw (?:bericht|e-?mail)|"
    r"obrigad[oa] pel[ao] (?:sua )?mensagem)[^\n]{0,20}?\s{1,20})?"
)
# What only a notice opens with …
AWAY_FORMULA = re.compile(
    _GREETING + r"(?:je (?:suis|serai) (?:actuellement|en ce moment|momentanément) (?:absente?|en (?:cong|"
    r"vac|arr)|hors)|"
    r"(?:je suis )?absente? du bureau|nos bureaux (?:sont|seront) fermés|(?:our|the) office (?:is|will be) closed|"
    r"i(?: am|['’]m| will be|['’]ll be) (?:currently |presently )?(?:out of (?:the |my )?office|"
    r"on (?:annual |maternity |parental |sick )?(?:leave|vacation|holidays?))|"
    r"ich bin (?:derzeit|zurzeit|momentan|aktuell|bis|vom|ab) [^\n]{0,60}(?:nicht|abwesend|außer haus|urlaub)|"
    r"(?:actualmente )?(?:estoy|estaré|me encuentro) (?:actualmente )?(?:fuera de la oficina|de vacaciones)|"
    r"(?:attualmente )?(?:sono|sarò) (?:attualmente )?(?:fuori (?:sede|ufficio)|in ferie)|"
    r"ik ben (?:momenteel|op dit moment|tot) [^\n]{0,40}(?:afwezig|niet (?:aanwezig|op kantoor)|vakantie|verlof)|"
    r"(?:estou|estarei|encontro-me) (?:atualmente |de momento )?(?:fora do escritório|de férias))",
    re.IGNORECASE,
)
AWAY_UNTIL = re.compile(
    r"retour|jusqu['’]|\bdu \d|\bau \d|until|\bfrom \w|return|\bback\b|\bbis\b|wieder|hasta|regres|fino al|rientr|"
    r"\btot\b|terug|\baté\b",
    re.IGNORECASE,
)
# … and what people write too; then the notice must go on like one.
AWAY = re.compile(
    _GREETING + r"(?:je (?:suis|serai) (?:absente?|en cong[ée]s?|en vacances|en arrêt)|i(?: am|['’]m| will be) away|"
    r"ich bin [^\n]{0,60}(?:nicht erreichbar|abwesend|urlaub)|(?:estoy|estaré) ausente|(?:sono|sarò) assente|"
    r"ik ben afwezig|(?:estou|estarei) ausente)",
    re.IGNORECASE,
)
AWAY_MORE = re.compile(
    r"(?:en|pendant|durant) mon absence|en cas d['’]urgence|pour toute (?:urgence|demande|question)|"
    r"vous (?:pouvez|êtes invités? à) (?:contacter|joindre|écrire)|veuillez (?:contacter|vous adresser)|"
    r"(?:in|during) my absence|limited access|please contact|(?:for|in case of) urgent|"
    r"in dringenden|meine[r]? vertretung|wenden sie sich|mi ausencia|en caso de urgencia|mia assenza|"
    r"in caso di urgenza|mijn afwezigheid|dringende (?:zaken|gevallen)|minha ausência|em caso de urgência",
    re.IGNORECASE,
)
# "absent(e)": a form's word, which nobody writes of himself (Lotus Notes). It need not answer anything.
AWAY_FORM = re.compile(_GREETING + r"je (?:suis|serai) (?:actuellement )?absent ?\(e\)", re.IGNORECASE)
# A program that says so itself, on the first line.
SAYS_AUTOMATIC = re.compile(
    r"\W{0,10}(?:ceci est une réponse (?:automatique|générée)|réponse automatique\b|this is an auto(?:mated|"
    r"matic|-?generated)[ -](?:reply|response|acknowledge?ment)|"
    r"(?:dies|das) ist eine automatische antwort|esta es una respuesta automática|questa è una risposta automatica|"
    r"dit is een automatisch antwoord|esta é uma resposta automática)",
    re.IGNORECASE,
)
SAYS_MACHINE = re.compile(
    r"\W{0,10}(?:ce(?:ci est un)? (?:message|mail|courriel|e-mail|courrier) (?:automatique|(?:est |"
    r"a été )?(?:envoyé|généré|adressé|émis) (?:automatiquement|par un automate))|"
    r"message (?:automatique|généré automatiquement)|ne pas répondre à ce|merci de ne pas répondre|"
    r"(?:please )?do not reply to this|"
    r"this (?:is an automat(?:ed|ic)|message (?:is|was) (?:automatically|auto-?)|e-?mail (?:is|"
    r"was) (?:automatically|auto-?))|"
    r"(?:dies|das) ist eine automatische nachricht|diese (?:e-?mail|nachricht) wurde automatisch|"
    r"este (?:es un mensaje|mensaje es) automático|"
    r"questo (?:è un messaggio|messaggio è) automatico|dit is een automatisch (?:bericht|gegenereerd)|"
    r"esta (?:é uma )?mensagem (?:é )?automática)",
    re.IGNORECASE,
)
# Help desks tell that a request came in: Zendesk, Freshdesk, OTRS, GLPI, Kayako, osTicket, Request Tracker.
TAKEN_IN = re.compile(
    r"(?:\[[^\]]{1,60}\] ?:? ?|\([^)]{1,40}\) ?|#\d{1,12} ?:? ?|ticket ?#?\d{1,12} ?[:-]? ?){0,2}\[?(?:"
    r"autoreply|auto[- ]?ack|request received|ticket (?:received|created|opened|has been)|"
    r"new ticket (?:created|confirmation)|"
    r"(?:we|we['’]ve|we have) received your|your (?:request|ticket|message|e-?mail|case|enquiry|"
    r"inquiry) .{0,60}(?:received|created|registered|logged)|"
    r"thank you for (?:contacting|your (?:message|e-?mail|request))|(?:acknowledge?ment|"
    r"confirmation) of (?:receipt|your)|support (?:ticket|request) received|"
    r"(?:accusé|confirmation) de réception|(?:votre )?(?:demande|message|courriel|mail|requête|ticket|"
    r"incident) .{0,60}(?:bien )?(?:reçue?|enregistrée?|prise? en compte|créée?|ouverte?)\b|"
    r"nous avons (?:bien )?reçu votre|merci (?:de|pour) (?:nous avoir contactés?|votre (?:message|demande|"
    r"mail))|création d[eu] (?:votre )?ticket|nouveau ticket|"
    r"eingangsbestätigung|ihre anfrage|ticket .{0,20}(?:eröffnet|erstellt)|hemos recibido|acuse de recibo|"
    r"solicitud recibida|"
    r"abbiamo ricevuto|conferma di ricezione|ontvangstbevestiging|wij hebben uw|confirmação de recebimento|"
    r"recebemos)",
    re.IGNORECASE,
)
READ = re.compile(
    r"(?:lu|read|non lu|not read|deleted|gelesen|ungelesen|leído|letto|gelezen|lido|accusé de lecture|return receipt|"
    r"read receipt|confirmation de lecture|reçu)\b.{0,40}?[:\-]|disposition notification",
    re.IGNORECASE,
)
WAS_READ = re.compile(r"(?:lu|non lu|read|not read|gelesen|ungelesen|leído|letto|gelezen|lido) ?:", re.IGNORECASE)
ANSWER = re.compile(r"\s*(?:re|ré|réf|aw|sv|rv|antw)\s?(?:\[\d{1,3}\])?\s?:", re.IGNORECASE)
# Webmails that tell of a reading in words alone.
READ_NOTICE = re.compile(
    r"(?:confirmation|accusé) de lecture|read receipt|return receipt|lesebestätigung|confirmación de lectura|"
    r"conferma di lettura|leesbevestiging|confirmação de leitura",
    re.IGNORECASE,
)
FORWARD = re.compile(r"\s*(?:fwd?|tr|wg|i|enc|doorst|rv)\s?:", re.IGNORECASE)

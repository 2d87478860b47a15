"""What mail programs write around a text, in the languages they speak: the words that tell whose a line is.

Single words are kept in sets and looked up, which costs nothing on hostile text; the patterns look at one short line.
"""

from __future__ import annotations

import re


def _list_words(words: str) -> frozenset[str]:
    return frozenset(words.split())


LINE_CHARS = 500  # a longer line is never a program's mark

# Fields of a header block as Outlook, Apple Mail, Zimbra, Notes and the webmails print them, by what they name.
_LABELS = {
    "from": "from|de|von|absender|da|mittente|van|afzender|remitente|remetente|expéditeur|expediteur|exp|fra|från|"
    "lähettäjä|od|nadawca|odesílatel|feladó|kimden|gönderen|de la|от|от кого|від|від кого|从|发件人|寄件者|寄件人|"
    "差出人|送信者|보낸 사람|보낸사람|από",
    "sent": "sent|sent on|envoyé|envoyé le|envoyée|envoyée le|date d'envoi|date d’envoi|gesendet|gesendet am|enviado|"
    "enviado el|enviado em|enviada|enviada em|enviada el|inviato|inviato il|inviata|verzonden|verzonden op|sendt|"
    "skickat|skickades|lähetetty|wysłano|wysłane|data wysłania|odesláno|odoslané|küldve|elküldve|gönderildi|"
    "gönderilme|trimis|отправлено|дата отправки|надіслано|发送时间|傳送時間|寄件日期|送信日時|보낸 날짜|στάλθηκε",
    "date": "date|message du|date et heure|datum|fecha|data|dato|päivämäärä|päiväys|dátum|tarih|дата|日期|日付|날짜|"
    "ημερομηνία",
    "to": "to|à|a|pour|destinataire|destinataires|an|empfänger|para|per|aan|til|till|vastaanottaja|do|komu|címzett|"
    "kime|către|кому|收件人|宛先|받는 사람|받는사람|προς",
    "cc": "cc|cci|bcc|copie|copie à|copie a|kopie|copia|cópia|kopi|kopia|kopio|dw|kopie an|másolat|bilgi|копия|"
    "抄送|副本|참조",
    "subject": "subject|objet|sujet|betreff|asunto|oggetto|onderwerp|assunto|emne|ämne|aihe|temat|předmět|predmet|"
    "tárgy|konu|subiect|тема|主题|主旨|件名|제목|θέμα",
    "other": "reply-to|répondre à|répondre a|antwort an|organisation|importance|priorité|priority|pièces jointes|"
    "attachments|anlagen|list-id|newsgroups",
}
LABELS = {label: role for role, labels in _LABELS.items() for label in labels.split("|")}

# The word that says "wrote" in an attribution ("Le 3 mars, Jean a écrit :").
VERBS = _list_words(
    "écrit écrivait ecrit wrote writes sent schrieb geschrieben escribió escribio escribe scritto scrive schreef "
    "geschreven escreveu escreve skrev napisał napisała napisał(a) napisali pisze napsal napsala napsal(a) kirjoitti "
    "написал написала написал(а) написав написала(в) пишет пише viết yazdı írta scris έγραψε "
    "написа napisao napisala píše napísal napísala napísal(a) rašė rakstīja kirjutas escriure menulis skrifaði כתב كتب"
)
# Languages that do not part their words.
WROTE_ENDS = ("写道", "寫道", "のメール", "は書きました", "書き込みました", "작성")
# A word before the verb by which a person tells what somebody wrote.
TELLERS = _list_words(
    "I You Ich Vous i you we they he she it who which that m'a m’a m'as m’as t'a t’a nous vous lui leur j'ai j’ai il "
    "elle on ils qui qu'il qu’il qu'elle qu’elle ont avons avez suis ich du er sie wir ihr es yo tú él ella nos "
    "me te le les mi ti ci vi ik jij je hij zij we eu ele ela jag jeg han hun hon vi already just also déjà"
)
# Between a writer and the verb.
AUXILIARIES = frozenset(("a", "ha", "heeft", "hat", "has", "het", "volgende", "đã", "avait", "le", "şunu"))
# What goes before a noun, not before a name.
ARTICLES = _list_words(
    "le la les un une des l' mon ma mes notre votre ton ta son sa ce cette the a an my our your his her their this "
    "der die das ein eine mein meine unser el los las una mi su nuestro il lo gli i mio de het een mijn o os as um uma "
    "meu minha logiciel"
)
# First words of an attribution; a date or a day's name may be there instead.
OPENINGS = _list_words(
    "le on am el il op em den dnia dne w pe på in a vào в du på ma ti ke to pe la su no na il data en date sa o 在 "
    "den d. kl. kello lúc ngày"
)
CLOCK = re.compile(r"\b\d{1,2} ?[:.hH] ?\d{2}\b|\b\d{1,2} ?[ap]\.?m\b", re.IGNORECASE)
ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]{1,64}@[^\s<>()\[\]\"',;:]{1,190}")

# Gmail's and Apple's bracket: the mail that is passed on follows.
FORWARDED = re.compile(
    r"[-_=*>|\s]{0,24}(?:(?:begin )?forwarded (?:message|by [^-:]{1,80})|original message forwarded|"
    r"(?:début du )?(?:message|courriel|mail|e-mail) (?:transféré|transmis|réexpédié|retransmis)|"
    r"(?:anfang der )?weitergeleitete[nr]? (?:nachricht|e-?mail)|(?:inicio del )?mensaje (?:reenviado|remitido)|"
    r"(?:inizio )?(?:messaggio|del messaggio|mail) inoltrat[oa]|(?:begin )?doorgestuurd bericht|"
    r"(?:início da )?mensagem (?:reencaminhada|encaminhada)|wiadomość przekazana|przekazana wiadomość|"
    r"videresendt (?:besked|melding)|vidarebefordrat (?:meddelande|brev)|vidarebefordrat mail|"
    r"välitetty viesti|přeposlaná zpráva|пересылаемое сообщение|пересланное сообщение|переслане повідомлення|"
    r"转发的(?:消息|邮件)|轉寄的郵件|転送メッセージ|転送されたメッセージ|전달된 메시지|iletilen (?:ileti|mesaj))"
    r"\s?:?\s?[-_=*]{0,24}:?",
    re.IGNORECASE,
)
# What Outlook, Zimbra, Samsung, Yahoo and QQ put above the mail that is answered; Samsung adds text on the same line.
ORIGINAL = re.compile(
    r"[-_=*—>|\s]{2,40}(?:original(?: (?:message|e-?mail|appointment|nachricht|meddelelse))?|"
    r"(?:message|mail|courriel|e-?mail|rendez-vous) (?:d['’]origine|original|initial|précédent)|"
    r"ursprüngliche (?:nachricht|mail|e-mail)|ursprünglicher termin|originalnachricht|"
    r"(?:mensaje|correo) original|(?:messaggio|mail) original[ei]|oorspronkelijk(?:e)? (?:bericht|e-mail)|"
    r"mensagem original|op?rindelig (?:besked|meddelelse|e-mail)|oprindelig mail|opprinnelig melding|"
    r"ursprungligt meddelande|originalmeddelande|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|"
    r"původní (?:zpráva|e-mail)|eredeti üzenet|orijinal (?:ileti|mesaj)|исходное сообщение|"
    r"оригинальное сообщение|原始邮件|原始郵件|邮件原件|元のメッセージ|원본 (?:메일|메시지)|"
    r"mesaj original|mensaje anterior)"
    r"\s?[-_=*—]{2,40}",
    re.IGNORECASE,
)
# "Mes réponses sont en rouge dans votre message": a word of each, in one line.
ANSWERS = (
    "répon", "repon", "commentaire", "my comment", "our comment", "remarque", "annot", "answer", "repl", "response",
    "antwort", "anmerkung", "respuesta", "comentario", "rispost", "antwoord", "opmerking", "respost", "comentári",
)  # fmt: skip
BELOW = (
    "ci-dessous", "ci-après", "ci-apres", "plus bas", "dans le texte", "dans votre m", "dans ton m", "dans le corps",
    "entre les lignes", "en rouge", "en bleu", "en vert", "en gras", "en couleur", "below", "inline", "in-line",
    "in line", "in red", "in blue", "in green", "in bold", "in colour", "in color", "within your", "in the text",
    "unten", "im text", "in rot", "in blau", "in grün", "abajo", "en rojo", "en azul", "en el texto", "di seguito",
    "sotto", "in rosso", "in blu", "nel testo", "hieronder", "in rood", "in het blauw", "in de tekst", "abaixo",
    "a vermelho", "em vermelho", "no texto",
)  # fmt: skip
# Help desks ask for an answer above a line: Zendesk, Jira, FreeScout, Help Scout, osTicket, Basecamp.
REPLY_LINE = re.compile(
    r"##-.{1,200}-##|"
    r"[\W_]{0,20}(?:please |veuillez |merci de |bitte |por favor,? |si prega di |gelieve )?"
    r"(?:(?:type|write|enter|add|send) (?:your |a )?(?:reply |answer |response )?|reply |respond |"
    r"répond(?:ez|re) |(?:saisi[rs]sez|saisir|écrivez|écrire|tap(?:ez|er)|entrez|ajoutez) "
    r"(?:votre |une )?(?:réponse )?|"
    r"(?:ihre )?antwort(?:en)? (?:sie )?|schreiben sie (?:ihre antwort )?|respond[ae] |responder |"
    r"escrib[ae] (?:su respuesta )?|rispond(?:i|ere|ete) |scriv(?:i|ere) (?:la risposta )?|antwoord |"
    r"typ (?:uw antwoord )?)"
    r"(?:only |uniquement |bitte )?"
    r"(?:above|au[- ]dessus|over|oberhalb|über|por encima|encima|sopra|al di sopra|boven|acima|arriba)"
    r"(?: de| di| da)? ?(?:this|cette|dieser|diese|esta|questa|deze|desta|d'esta) ?"
    r"(?:line|ligne|linie|zeile|línea|linea|riga|regel|lijn|linha)\b.{0,80}",
    re.IGNORECASE,
)
# How such a line begins when no rule is drawn before it; five letters are enough to look closer.
REPLY_STARTS = frozenset(
    start[:5]
    for start in (
        *(
            "Please",
            "Reply",
            "Respond",
            "Write",
            "Type ",
            "Enter",
            "Répondez",
            "Répondre",
            "Veuillez",
            "Merci ",
            "Écrivez",
        ),
        *("Saisissez", "Tapez", "Bitte", "Antworten", "Schreiben", "Por favor", "Responda", "Responde", "Escriba"),
        *("Si prega", "Rispondi", "Scrivi", "Gelieve", "Antwoord", "Typ uw"),
    )
)

# Below a text: what telephones and webmails praise themselves with.
MOBILE = re.compile(
    r"\W{0,3}(?:(?:sent|written|posted) (?:from|via|with|using|by) (?!here|there|the (?:office|school))|"
    r"sent on the go|get (?:outlook|the new)|try the new outlook|download (?:outlook|the all.new)|"
    r"(?:message |courriel |mail )?(?:envoyée?|expédié|écrit|rédigé) "
    r"(?:depuis|à partir de|à partir d['’]|à partir|de|d['’]|via|avec|par) ?"
    r"(?:l['’]application |la (?:messagerie|webmail|version)|le webmail |l['’]appli |un |une |mon|ma |mes |mobile|"
    r"outlook|yahoo|gmail|proton|orange|sfr|free|la ?poste|mail (?:pour|for|orange)|samsung|galaxy|android|iphone|"
    r"ipad|bluemail|courrier|windows|huawei|xiaomi|typeapp|k-9|thunderbird|aqua|spark|canary|tutanota|infomaniak|zimbra|sosh|"
    r"bouygues|[A-Z][\w-]{2,20} mail)|provenance : courrier|"
    r"(?:télécharge[rz]|obtenez|obtenir) (?:outlook|yahoo|bluemail)|"
    r"(?:von|mit|aus) .{0,60}gesendet|gesendet (?:von|mit|über|aus)|diese nachricht wurde von .{1,80} gesendet|"
    r"holen sie sich outlook|outlook für (?:ios|android)|enviado (?:desde|con|do|a partir|via|pelo|através)|"
    r"obt(?:ener|enga|er|enha) (?:o )?outlook|descargar outlook|inviato (?:da|dal|con)|ottieni outlook|scarica outlook|"
    r"verzonden (?:vanaf|met|via|door)|verstuurd (?:vanaf|met|via)|outlook voor (?:ios|android)|download outlook|"
    r"sendt fra|sendt via|hent outlook|skickat från|hämta outlook|lähetetty |wysłan[eo] (?:z|za)|"
    r"pobierz outlook|odesláno z|отправлено (?:с|из)|iphone(?:から|から)送信|从我的|發自|发自|나의 .{1,20}에서 보냄)"
    r".{0,120}",
    re.IGNORECASE,
)
# Google's ISO attribution without an address; Orange's block head without a colon.
BARE_DATES = re.compile(
    r"\d{4}-\d\d-\d\d \d{1,2}:\d\d GMT[+-]\d\d:\d\d .{2,80}|"
    r"message du \d\d/\d\d/\d{2,4}(?: à)? \d\d[:h]\d\d",
    re.IGNORECASE,
)

# What printers, virus scanners and lawyers add below, told by its first words.
LEGAL = re.compile(
    r"[\W_]{0,6}(?:P )?(?:(?:avis|clause|mention|note|notice) (?:de |légale|sur la ).{0,20}confidentialité|"
    r"mentions? légales?\s?:|l['’]absence de virus|garanti sans virus|sans virus\s?[.!]|"
    r"(?:pensez|merci de penser|avant d['’]imprimer|n['’]imprimez|(?:ensemble,? )?préservons|afin de|adoptez)"
    r".{0,60}(?:environnement|planète|éco-?(?:geste|attitude|responsable)|arbres?)|"
    r"c(?:e|et) (?:message|courriel|courrier|mail|mél|e-?mail)(?: électronique)? a été (?:vérifié|analysé) par|"
    r"(?:confidentiality|privacy|legal) (?:notice|note|disclaimer)|disclaimer\s?:|privileged (?:and|/) ?confidential|"
    r"(?:please )?(?:consider|think (?:of|about)) (?:the environment|your environmental)|virus[- ]free|"
    r"this (?:e-?mail|message) has been (?:scanned|checked) (?:for|by)|"
    r"vertraulichkeitshinweis|haftungsausschluss|virenfrei|bitte (?:denken|prüfen) sie .{0,60}(?:umwelt|ausdruck)|"
    r"aviso (?:legal|de confidencial)|(?:antes de imprimir|piense).{0,60}(?:medio ?ambiente|ambiente)|libre de virus|"
    r"avviso di riservatezza|(?:prima di stampare|rispetta).{0,60}ambiente|privo di virus|"
    r"denk aan het milieu|aviso de confidencialidade)",
    re.IGNORECASE,
)
# People begin a sentence so, too: enough of the words below must follow.
LEGAL_OPENING = re.compile(
    r"[\W_]{0,6}(?:c(?:e|et) (?:message|courriel|courrier|mail|mél|e-?mail)|ces (?:messages?|informations)|"
    r"les informations (?:contenues|figurant)|si vous (?:n['’]êtes pas|avez reçu|recevez)|le contenu de ce|"
    r"this (?:e-?mail|message|communication|electronic|transmission|document)|the (?:information|contents?|message)|"
    r"if you (?:are not|have received|received)|any (?:unauthori|views)|"
    r"diese[rs]? (?:e-?mail|nachricht|mitteilung)|der inhalt dieser|die (?:in dieser|information)|sollten sie|wenn sie|"
    r"est[ea] (?:mensaje|correo|e-?mail|comunicación|mensagem)|la información|si usted|se você|"
    r"(?:questo|il presente|la presente) (?:messaggio|e-?mail|documento|comunicazione)|le informazioni|"
    r"(?:dit|deze) (?:e-?mail|bericht|boodschap)|de informatie|indien u|important|attention|achtung|atención)",
    re.IGNORECASE,
)
LEGAL_WORDS = (
    "confiden", "vertraulich", "vertrouwelijk", "riservat", "destinat", "intended", "recipient", "empfänger",
    "bestimmt", "geadresseerde", "addressee", "virus", "unauthori", "autoris", "erreur", "error", "irrtümlich",
    "errone", "détrui", "supprim", "delete", "löschen", "responsab", "liab", "haft", "disclos", "divulg", "protégé",
    "privileg", "secret", "prohib", "interdit", "intégrité", "altéré", "exclusi", "solely", "avertir", "notify",
)  # fmt: skip
CONFIDENTIAL = LEGAL_WORDS[:11]  # one of these at least

# The formula before a name.
CLOSING = re.compile(
    r"\W{0,3}(?:(?:bien |très |sincères? |meilleures? |amicales? )?(?:cordialement|respectueusement|sincèrement|"
    r"amicalement|courtoisement|salutations|amitiés)(?: (?:vôtre|distinguées?|à vous|dévouée?s?))?|"
    r"bien à (?:vous|toi)|"
    r"cdlt|cdt|crdlt|bàv|à bientôt|bonne (?:journée|soirée|réception|fin de journée|semaine)|"
    r"(?:mes |avec mes |recevez.{0,40}|veuillez.{0,80}|je vous prie.{0,100})?"
    r"(?:sincères |meilleures |cordiales )?salutations"
    r"(?: (?:distinguées|les meilleures|respectueuses|sincères))?|(?:un grand |avec mes )?(?:merci|remerciements)"
    r"(?: (?:d['’]avance|à vous|par avance|beaucoup|pour votre (?:aide|retour|réponse)))?|"
    r"(?:with |my |warm |warmest |kind |kindest |best |many ){0,4}(?:regards|wishes|thanks)"
    r"(?: (?:in advance|again|and regards))?|"
    r"sincerely(?: yours)?|yours (?:sincerely|faithfully|truly)|respectfully(?: yours)?|cheers|best|cordially|"
    r"thank you|thx|thanks(?: (?:so much|a lot|in advance|again))?|"
    r"(?:mit )?(?:freundliche[nrm]?|beste[nm]?|herzliche[nm]?|viele[nm]?|liebe[nm]?|schöne[nm]?|sonnige[nm]?) "
    r"gr(?:ü|ue)(?:ß|ss)e?n?|gr(?:ü|ue)(?:ß|ss)e?|hochachtungsvoll|mfg|lg|vg|vielen dank|danke(?: im voraus)?|"
    r"(?:un |muchos |atentos )?(?:cordial |cordiales )?saludos?(?: cordiales)?|atentamente|muchas gracias|gracias|"
    r"(?:reciba.{0,40}|un )(?:abrazo|saludo)|(?:cordiali |distinti |tanti )?saluti|cordialmente|grazie(?: mille)?|"
    r"(?:met )?(?:vriendelijke|hartelijke|beste) groet(?:en)?|groet(?:en|jes)?|mvg|hoogachtend|"
    r"bedankt|alvast bedankt|(?:com os )?(?:melhores |meus )?cumprimentos|atenciosamente|att|abraços?|obrigad[oa]|"
    r"pozdrawiam|z poważaniem|s pozdravem|med vänlig(?:a)? hälsning(?:ar)?|hälsningar|mvh|"
    r"(?:med )?venlig(?:e)? hilsen(?:er)?|med vennlig hilsen|hilsen|terveisin|ystävällisin terveisin|"
    r"с уважением|з повагою)"
    r"(?:[,.!;:\s]|$)",
    re.IGNORECASE,
)

# Words of an organisation's name, and of what somebody is there.
ORGANISATION = re.compile(
    r"\b(?:école|ecole|lycée|lycee|collège|college|académie|academie|rectorat|université|universite|institut|mairie|"
    r"commune de|ville de|communauté|conseil (?:départemental|régional)|préfecture|ministère|association|fondation|"
    r"syndicat|crèche|hôpital|clinique|cabinet|agence|librairie|société|groupe|entreprise|établissements?|ets|"
    r"atelier|sarl|sasu|eurl|scop|scic|(?-i:SAS|SA|AG|UG|KG|IES|GIE)|inc|llc|ltd|limited|plc|corp|company|co\.|university|school|academy|"
    r"institute|council|foundation|hospital|library|gmbh|ohg|e\.? ?v\.|schule|gymnasium|grundschule|"
    r"realschule|hochschule|universität|stadt|gemeinde|verein|stiftung|s\.?l\.?u?\.|s\.a\.|ceip|colegio|escuela|instituto|"
    r"universidad|ayuntamiento|fundación|s\.?r\.?l\.?|s\.?p\.?a\.?|scuola|liceo|istituto|università|comune di|"
    r"b\.?v\.|n\.?v\.|universiteit|gemeente|stichting|lda|ltda|escola|colégio|universidade|câmara)(?!\w)",
    re.IGNORECASE,
)
TITLE = re.compile(
    r"\W{0,3}(?:(?:la|le|the|l['’])\s?)?(?:direct(?:eur|rice|ion|or|ora|eur)|principal|proviseur|professeure?|"
    r"gestionnaire|secrétaire|secrétariat|secretary|secretaria|assistante?|responsable|chef|cheffe|chargée?|"
    r"technicien(?:ne)?|ingénieure?|développeu(?:r|se)|administrat(?:eur|rice|or)|comptable|enseignante?|"
    r"documentaliste|référente?|coordinat(?:eur|rice|or)|président|présidente|gérante?|manager|head|teacher|bursar|"
    r"engineer|developer|accountant|officer|chief|c[etf]o|founder|consultante?|product|sales|account|support|leiter|"
    r"leiterin|geschäftsführer|geschäftsführerin|sekretariat|lehrer|lehrerin|direttore|direttrice|docente|"
    r"directeur|docent|diretor|diretora|professora?)\b",
    re.IGNORECASE,
)

# How the line begins that stands above a mail that is passed on.
FORWARD_STARTS = (
    "--", "__", "==", "**", ">", "Forwarded", "Message", "Courriel", "Mail ", "Weiter", "Mensaje", "Messaggio",
    "Doorge", "Mensagem", "Begin ", "Début ", "Anfang ", "Inicio ", "Inizio ", "Início ", "Wiadom", "Videre", "Vidare",
    "Välit", "Přepos", "Перес", "转发", "轉寄", "転送", "전달", "İlet",
)  # fmt: skip

# Prefixes of a subject that passes a mail on.
FORWARD_SUBJECT = re.compile(
    r"\s{0,4}(?:fwd?|tr|wg|i|enc|rv|doorst|vb|pd|fyi|weitergeleitet|inoltro|reenv|转发|轉寄|転送)\s?(?:\[\d+\])?\s?[:：]",
    re.IGNORECASE,
)


def name_label(line: str) -> str:
    """Which field of a header block a line prints: "from", "sent", "date", "to", "cc", "subject", "other" or none."""
    head, colon, _ = line[:40].replace("：", ":").partition(":")
    return LABELS.get(head.strip(" \t*_>|\xa0\u202f").lower(), "") if colon else ""

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
    "написал написала написал(а) написав написала(в) пишет пише viết yazdı írta scris έγραψε"
)
# Languages that do not part their words.
WROTE_ENDS = ("写道", "寫道", "写道", "书写道", "のメール", "は書きました", "書き込みました", "작성", "님이 작성")
# A word before the verb by which a person tells what somebody wrote.
TELLERS = _list_words(
    "i you we they he she it who which that m'a m’a m'as m’as t'a t’a nous vous lui leur j'ai j’ai il elle on ils qui "
    "qu'il qu’il qu'elle qu’elle ont avons avez suis ich du er sie wir ihr es yo tú él ella nos me te le les mi ti ci "
    "vi ik jij je hij zij we eu ele ela jag jeg han hun hon vi already just also déjà"
)
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
REPLY_LINE_WORDS = (
    "##-", "his line", "HIS LINE", "ette ligne", "ieser Linie", "ieser Zeile", "iese Zeile", "sta línea", "uesta riga",
    "uesta linea", "eze regel", "eze lijn", "sta linha",
)  # fmt: skip

# Below a text: what telephones and webmails praise themselves with.
MOBILE = re.compile(
    r"\W{0,3}(?:(?:sent|written|posted) (?:from|via|with|using|by) (?!here|there|the (?:office|school))|"
    r"sent on the go|get (?:outlook|the new)|try the new outlook|download (?:outlook|the all.new)|"
    r"(?:message |courriel |mail )?(?:envoyée?|expédié|écrit|rédigé) (?:de(?:puis)?|à partir d|via|avec|par) ?(?:de )?"
    r"(?:l['’]application |la (?:messagerie|webmail|version)|le webmail |l['’]appli |un |une |mon|ma |mes |mobile|"
    r"outlook|yahoo|gmail|proton|orange|sfr|free|la ?poste|mail|samsung|galaxy|android|iphone|ipad|bluemail|"
    r"courrier|windows|huawei|xiaomi|typeapp|k-9|thunderbird|aqua|spark|canary|tutanota|infomaniak|zimbra|sosh|"
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

# First words of what lawyers, printers and virus scanners add below.
LEGAL_OPENING = re.compile(
    r"[\W_]{0,6}(?:P )?(?:ce (?:message|courriel|courrier|mail|mél|e-?mail)(?: électronique)?,? "
    r"(?:et |ainsi que |ses |est |peut |contient |\(|transmis|a été (?:vérifié|envoyé))|"
    r"(?:avis|clause|mention|note|notice) (?:de |légale|sur la )?.{0,20}(?:confidentialité|légale|importante)?\s?[:.-]|"
    r"avis de confidentialité|mentions? légales?|les informations contenues dans ce|l['’]absence de virus|"
    r"si vous (?:n['’]êtes pas le destinataire|avez reçu ce)|afin de (?:respecter|préserver) l['’]environnement|"
    r"(?:pensez|merci de penser|n['’]imprimez|avant d['’]imprimer|préservons|ensemble,? préservons|"
    r"adoptez l['’]éco)|garanti sans virus|sans virus\b|"
    r"this (?:e-?mail|message|communication|electronic (?:mail|message)|transmission)(?: message)?,? "
    r"(?:and |is |may |contains |including |\(|has been (?:scanned|checked)|was (?:scanned|sent))|"
    r"the (?:information|contents?) (?:contained |transmitted )?(?:in|of|by) this|confidentiality (?:notice|note)|"
    r"(?:legal )?disclaimer\b|privileged (?:and|/) ?confidential|if you (?:are not the intended|have received this)|"
    r"please consider (?:the environment|your environmental)|(?:think|save) (?:before you print|paper)|virus[- ]free|"
    r"(?:important )?notice:|diese (?:e-?mail|nachricht|mitteilung)(?: ist| enthält| und| kann| einschließlich|\s?\()|"
    r"der inhalt dieser|die (?:in dieser|information(?:en)? in)|vertraulichkeitshinweis|haftungsausschluss|virenfrei|"
    r"sollten sie (?:nicht der|diese)|bitte (?:denken|prüfen) sie (?:an|vor|,)|"
    r"est[ea] (?:mensaje|correo|e-?mail|comunicación|mensagem)(?: electrónico| eletrónica)?,? (?:y |e |es |puede |"
    r"contiene|contém|pode |se dirige|va dirigido|\()|aviso (?:legal|de confidencial)|"
    r"(?:antes de imprimir|piense antes)|libre de virus|"
    r"(?:questo|il presente) (?:messaggio|e-?mail|documento)|le informazioni contenute|avviso di riservatezza|"
    r"(?:prima di stampare|rispetta l['’]ambiente)|privo di virus|"
    r"(?:dit|deze) (?:e-?mail(?:bericht)?|bericht|boodschap)(?: en| is| kan| bevat|\s?\()|"
    r"de informatie (?:in|verzonden)|aan dit bericht|denk aan het milieu)",
    re.IGNORECASE,
)
LEGAL_WORD = re.compile(
    r"confiden|vertraulich|vertrouwelijk|riservat|destinat|intended|recipient|empfänger|geadresseerde|bestimmt|"
    r"virus|unauthori|autoris|erreur|error|irrtümlich|errone|détrui|delete|löschen|imprim|print|environ|umwelt|"
    r"responsab|liab|haft|disclos|divulg|dissémin|protégé|privileg|secret|prohib|interdit",
    re.IGNORECASE,
)

# The formula before a name.
CLOSING = re.compile(
    r"\W{0,3}(?:(?:bien |très |sincères? |meilleures? |amicales? )?(?:cordialement|respectueusement|sincèrement|"
    r"amicalement|courtoisement|salutations|amitiés)(?: (?:vôtre|distinguées?|à vous|dévouée?s?))?|"
    r"bien à (?:vous|toi)|"
    r"cdlt|cdt|crdlt|bàv|à bientôt|bonne (?:journée|soirée|réception|fin de journée|semaine)|"
    r"(?:mes |avec mes |recevez.{0,40}|veuillez.{0,80}|je vous prie.{0,100})?"
    r"(?:sincères |meilleures |cordiales )?salutations(?: (?:distinguées|les meilleures|respectueuses|sincères))?|(?:un grand |avec mes )?(?:merci|remerciements)"
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

# Prefixes of a subject that passes a mail on.
FORWARD_SUBJECT = re.compile(
    r"\s{0,4}(?:fwd?|tr|wg|i|enc|rv|doorst|fw|vs|vb|pd|fyi|weitergeleitet|inoltro|reenv|转发|轉寄|転送)\s?(?:\[\d+\])?\s?[:：]",
    re.IGNORECASE,
)


def name_label(line: str) -> str:
    """Which field of a header block a line prints: "from", "sent", "date", "to", "cc", "subject", "other" or none."""
    head, colon, _ = line[:40].replace("：", ":").partition(":")
    return LABELS.get(head.strip(" \t*_>|\xa0\u202f").lower(), "") if colon else ""

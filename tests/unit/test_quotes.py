"""The reply_text of a mail is what a person wrote now; when in doubt, more is kept."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.mail.quotes import cut_quotes, is_attribution, split_text

OWN = "Bonjour,\n\nOui, la tablette marche.\nMerci"
ASKED = "Bonjour,\nAvez-vous redémarré la tablette ?"
ARROWS = "> Bonjour,\n> Avez-vous redémarré la tablette ?"
INNER = "> > Bonjour,\n> > première demande"
HELP = "Aide <aide@x.example>"

# How programs name whom they quote, in their languages and over as many lines as they break them.
ATTRIBUTIONS = {
    "gmail-fr": f"Le lun. 9 nov. 2026 à 20:11, {HELP} a écrit :",
    "gmail-fr-two-lines": "Le lun. 9 nov. 2026 à 20:11, Aide\n<aide@x.example> a écrit :",
    "gmail-fr-three-lines": "Le lun. 9 nov. 2026 à 20:11,\nL'équipe d'aide (du collège)\n<aide@x.example> a écrit :",
    "gmail-fr-colon-alone": "Le lun. 9 nov. 2026 à 20:11, Aide - L'Atelier <\naide@x.example> a écrit\n:",
    "gmail-fr-hard-spaces": "Le lun. 9 nov. 2026 à\u202f20:11, Aide <aide@x.example> a écrit\xa0:",
    "apple-fr": f"Le 9 nov. 2026 à 20:11, {HELP} a écrit :",
    "yahoo-fr": f"Le lundi 9 novembre 2026 à 20:11:12 UTC+1, {HELP} a écrit :",
    "yahoo-fr-old": f"En date de : Lun 9.11.26, {HELP} a écrit :",
    "thunderbird-fr": "Le 09/11/2026 à 20:11, Aide a écrit :",
    "horde-fr": f"{HELP} a écrit :",
    "gmail-en": f"On Mon, Nov 9, 2026 at 8:11 PM {HELP} wrote:",
    "apple-en": f"On Nov 9, 2026, at 8:11 PM, {HELP} wrote:",
    "zoho-en": "---- On Mon, 09 Nov 2026 20:11:12 +0100 aide@x.example wrote ----",
    "polymail-en": "On Mon, Nov 9, 2026 at 8:11 PM Aide\n\n<\nmailto:Aide <aide@x.example>\n> wrote:",
    "mailbox-en": f"On 9-Nov-2026, at 8:11 PM, {HELP} sent:",
    "thunderbird-de": "Am 09.11.26 um 20:11 schrieb Aide:",
    "gmail-de": f"Am Mo., 9. Nov. 2026 um 20:11 Uhr schrieb {HELP}:",
    "gmail-de-name-first": f"{HELP} schrieb am Mo., 9. Nov. 2026\num 20:11 Uhr:",
    "gmail-es": "El lun, 9 nov 2026 a las 20:11, Aide (<aide@x.example>)\nescribió:",
    "gmail-it": f"Il giorno lun 9 nov 2026 alle ore 20:11 {HELP}\nha scritto:",
    "apple-it": f"Il giorno 9 nov 2026, alle ore 20:11, {HELP} ha scritto:",
    "gmail-nl": f"Op ma 9 nov 2026 om 20:11 schreef {HELP}:",
    "apple-nl": f"Op 9 nov. 2026 om 20:11 heeft {HELP} het volgende geschreven:",
    "gmail-pt": f"Em seg., 9 de nov. de 2026 às 20:11, {HELP}\nescreveu:",
    "gmail-pl": f"pon., 9 lis 2026 o 20:11 {HELP} napisał(a):",
    "gmail-sv": f"Den mån 9 nov. 2026 kl 20:11 skrev {HELP}:",
    "gmail-da": f"Den man. 9. nov. 2026 kl. 20.11 skrev {HELP}:",
    "gmail-no-broken": "man. 9. nov. 2026 kl. 20:11 skrev Aide <aide@x.example\n>:",
    "gmail-fi": "ma 9. marrask. 2026 klo 20.11 Aide (aide@x.example) kirjoitti:",
    "gmail-cs": f"po 9. 11. 2026 v 20:11 odesílatel {HELP} napsal:",
    "gmail-ru": f"пн, 9 нояб. 2026 г. в 20:11, {HELP}:",
    "mail.ru": "Понедельник, 9 ноября 2026, 20:11 +03:00 от Aide <aide@x.example>:",
    "gmail-vi": f"Vào 20:11 9 tháng 11, 2026, {HELP} đã viết:",
    "gmail-tr": f"9 Kas 2026 Pzt 20:11 tarihinde {HELP} şunu yazdı:",
    "gmail-ja": f"2026年11月9日(月) 20:11 {HELP}:",
    "gmail-zh": f"{HELP} 于2026年11月9日周一 20:11写道：",
    "apple-zh": f"在 2026年11月9日，下午8:11，{HELP} 写道：",
    "gmail-ko": f"2026년 11월 9일 (월) 오후 8:11, {HELP}님이 작성:",
    "tutanota-fr": "9 nov. 2026, 20:11 de aide@x.example :",
}
# Blocks and rules below which a program puts what it quotes, unmarked.
HISTORIES = {
    "outlook-fr": f"De : {HELP}\nEnvoyé : lundi 9 novembre 2026 20:11\nÀ : Moi\nObjet : Tablette\n",
    "outlook-fr-bold": f"*De :* {HELP}\n*Envoyé :* lundi 9 novembre 2026\n*À :* Moi\n*Objet :* Tablette\n",
    "outlook-web-fr": f"{'_' * 32}\nDe : {HELP}\nEnvoyé : lundi\nÀ : Moi\nObjet : Tablette\n",
    "outlook-mac-fr": f"De : {HELP}\nDate : lundi 9 novembre 2026 à 20:11\nÀ : Moi <moi@x.example>\nObjet : Tablette\n",
    "outlook-en": f"From: {HELP}\nSent: Monday, November 9, 2026 8:11 PM\nTo: Me\nSubject: Tablet\n",
    "hotmail": "Date: Mon, 9 Nov 2026 20:11:12 +0100\nSubject: Tablet\nFrom: aide@x.example\nTo: moi@x.example\n",
    "outlook-de": f"Von: {HELP}\nGesendet: Montag, 9. November 2026\nAn: Ich\nBetreff: Tablet\n",
    "outlook-es": f"De: {HELP}\nEnviado el: lunes\nPara: Yo\nAsunto: Tableta\n",
    "outlook-it": f"Da: {HELP}\nInviato: lunedì\nA: Me\nOggetto: Tablet\n",
    "outlook-nl": f"Van: {HELP}\nVerzonden: maandag\nAan: Mij\nOnderwerp: Tablet\n",
    "outlook-pt": f"De: {HELP}\nEnviada em: segunda\nPara: Mim\nAssunto: Tablet\n",
    "outlook-pl": f"Od: {HELP}\nWysłano: poniedziałek\nDo: Ja\nTemat: Tablet\n",
    "outlook-sv": f"Från: {HELP}\nSkickat: den 9 november\nTill: Mig\nÄmne: Platta\n",
    "outlook-da": f"Fra: {HELP}\nSendt: mandag\nTil: Mig\nEmne: Tablet\n",
    "outlook-fi": f"Lähettäjä: {HELP}\nLähetetty: maanantai\nVastaanottaja: Minä\nAihe: Tabletti\n",
    "outlook-ru": "От: Aide\nОтправлено: понедельник\nКому: Мне\nТема: Планшет\n",
    "outlook-ja": "差出人: Aide\n送信日時: 月曜\n宛先: 私\n件名: タブレット\n",
    "outlook-zh": "发件人: Aide\n发送时间: 周一\n收件人: 我\n主题: 平板\n",
    "outlook-ko": "보낸 사람: Aide\n보낸 날짜: 월요일\n받는 사람: 나\n제목: 태블릿\n",
    "outlook-one-line": "From: aide@x.example Date: Mon, 9 Nov 2026 20:11:12 +0100",
    "notes-fr": 'De :\t"Aide" <aide@x.example>\nA :\tmoi@x.example\nDate :\t09/11/2026 20:11\nObjet :\tTablette\n',
    "zimbra-fr": '----- Mail original -----\nDe: "Aide" <aide@x.example>\nÀ: "Moi" <moi@x.example>\nEnvoyé: Lundi',
    "samsung-fr": f"-------- Message d'origine --------De : {HELP} Date : 09/11/2026 20:11 À : Moi Objet : x",
    "orange-fr": f"Message du 09/11/26 20:11\nDe : {HELP}\nA : moi@x.example\nCopie à :\nObjet : Tablette\n",
    "sfr-fr": f"====================\n\nMessage du : 09/11/2026 20:11\nDe : {HELP}\nA : moi@x.example\nSujet : x\n",
    "orange-new-fr": "envoyé : 9 novembre 2026 à 20:11\nde : Aide <aide@x.example>\nà : moi\nobjet : Tablette\n",
    "original-fr": "-----Message d'origine-----",
    "original-en": "-----Original Message-----",
    "original-de": "-----Ursprüngliche Nachricht-----",
    "original-es": "-----Mensaje original-----",
    "original-it": "-----Messaggio originale-----",
    "original-nl": "-----Oorspronkelijk bericht-----",
    "original-pt": "-----Mensagem original-----",
    "original-da": "-------- Oprindelig besked --------",
    "original-qq": "------------------ 原始邮件 ------------------",
    "zendesk-en": "##- Please type your reply above this line -##",
    "zendesk-fr": "##- Veuillez taper votre réponse au-dessus de cette ligne -##",
    "jira-en": "-—-—-—-\nReply above this line.",
    "freescout-en": "-- Please reply above this line --",
    "desk-fr": "Veuillez répondre au-dessus de cette ligne",
    "desk-de": "=== Bitte antworten Sie oberhalb dieser Linie ===",
}
# What programs and lawyers add at the end of what a person wrote.
ENDINGS = {
    "iphone-fr": "Envoyé de mon iPhone",
    "iphone-de": "Von meinem iPhone gesendet",
    "iphone-es": "Enviado desde mi iPhone",
    "iphone-it": "Inviato da iPhone",
    "iphone-nl": "Verstuurd vanaf mijn iPhone",
    "galaxy-en": "Sent from my Galaxy",
    "galaxy-fr": "Envoyé depuis mon appareil Galaxy",
    "outlook-android-fr": "Télécharger Outlook pour Android<https://x.example/a>",
    "outlook-ios-fr": "Obtenir Outlook pour iOS",
    "outlook-ios-com-fr": "Envoyé à partir d'Outlook pour iOS",
    "yahoo-mail-fr": "Envoyé à partir de Yahoo Mail pour iPhone",
    "orange-mail-fr": "Envoyé depuis l'application Mail Orange",
    "proton-fr": "Envoyé avec la messagerie sécurisée Proton Mail.",
    "windows-fr": "Provenance : Courrier pour Windows",
    "streak": "ᐧ",
    "rule": "________________________________",
    "legal-fr": "Ce message et toutes les pièces jointes sont confidentiels et établis à l'intention exclusive de ses "
    "destinataires.\nSi vous l'avez reçu par erreur, merci de le détruire.",
    "legal-fr-title": "AVIS DE CONFIDENTIALITÉ : ce courriel est destiné à la seule personne nommée.",
    "legal-en": "This e-mail may contain confidential information. If you are not the intended recipient, delete it.",
    "legal-de": "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der Empfänger sind, löschen Sie sie.",
    "legal-two-languages": "Ce message est confidentiel et destiné à ses seuls destinataires ; détruisez-le sinon.\n\n"
    "This message is confidential and intended solely for its recipients; delete it otherwise.",
    "printer-fr": "Pensez à l'environnement avant d'imprimer ce message",
    "scanner-fr": "Garanti sans virus. www.avast.com",
}


@pytest.mark.parametrize("above", ["\n\n", "\n"], ids=["apart", "close"])
@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_quoted_lines_go_with_the_line_that_names_their_writer(attribution: str, above: str) -> None:
    assert cut_quotes(f"{OWN}{above}{attribution}\n\n{ARROWS}\n{INNER}") == OWN


@pytest.mark.parametrize("name", [name for name in ATTRIBUTIONS if name not in ("thunderbird-fr", "yahoo-fr-old")])
def test_unmarked_history_goes_below_an_address_or_a_time(name: str) -> None:
    assert cut_quotes(f"{OWN}\n\n{ATTRIBUTIONS[name]}\n\n{ASKED}") == OWN


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_an_answer_below_the_whole_mail_survives_alone(attribution: str) -> None:
    assert cut_quotes(f"{attribution}\n\n{ARROWS}\n\n{OWN}") == OWN


@pytest.mark.parametrize("above", ["\n\n", "\n"], ids=["apart", "close"])
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_history_goes_with_its_head(history: str, above: str) -> None:
    assert cut_quotes(f"{OWN}{above}{history}\n{ASKED}") == OWN


@pytest.mark.parametrize("quoted", [name for name in HISTORIES if "desk" not in name])
def test_a_quoted_head_is_quoted(quoted: str) -> None:
    head = "\n".join(f"> {line}" for line in HISTORIES[quoted].split("\n"))
    assert cut_quotes(f"{OWN}\n\n{head}\n{ARROWS}") == OWN
    assert cut_quotes(f"{head}\n{ARROWS}\n\n{OWN}") == OWN


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_what_programs_and_lawyers_add_goes(ending: str) -> None:
    assert cut_quotes(f"{OWN}\n\n{ending}") == OWN
    assert cut_quotes(f"{OWN}\n\n{ending}\n\n{ATTRIBUTIONS['gmail-fr']}\n{ARROWS}") == OWN


@pytest.mark.parametrize(
    "text",
    [
        "Le problème est que le logiciel a écrit ceci :\nerreur 12\nAidez-moi",
        "Bonjour,\nLe 3 mars à 10:00, le support m'a écrit :\nredémarrez\nmais rien ne change",
        "Bonjour,\nLe 3 mars à 10:00, le support a écrit :\nredémarrez\nmais rien ne change",
        "Bonjour,\nLe 3 mars 2026, le directeur a écrit :\nredémarrez\nmais rien ne change",
        "Bonjour,\nLe 12 mars à 10h15 le logiciel a écrit ceci :\nerreur 12",
        "Bonjour,\nLe 12/11 à 10h15 l'application a écrit :\nerreur 12",
        "Bonjour,\nLe 3 mars à 10:00 Paul Martin a écrit 3 messages :\nun\ndeux",
        "Le directeur a écrit : rien\nC'est tout.",
        "Voyez donc...\n>>> >>>  https://x.example <<<\net cliquez sur le lien ci-dessus",
        "Entretien :\n\nDate: Wednesday 3, October 2011\nTime: 7 : 00am\nAddress: 130 Fox St\n\nBring your ID.",
        "Hello,\nOn page 3 at 10:00 you wrote:\nclick on export\nbut there is no such button",
        "Hello,\nOn 3 March at 10:00 I wrote:\nplease stop\nNothing happened.",
        "Cordialement parlant, je ne comprends pas.\nDe plus : rien ne marche.",
        "De : Jean\nObjet : panne\nLa tablette est en panne.",
        "De : Paris À : Lorient Objet : voyage",
        "Le trajet est faux :\n\nDe : Paris\nÀ : Lorient\nDate : vendredi 20 novembre\nObjet : sortie\n\nMerci",
        "Bonjour,\n\n---------- Forwarded message ---------\nDe : Jean\nDate : hier\nÀ : moi\nObjet : x\n\nPanne",
        "> tout est cité\n> et rien n'est nouveau",
        "Trois choix :\n--\nle premier" + "\nune ligne" * 20,
        "Trois choix :\n--\nle premier\n--\nou bien le second ?",
        "##- Répondez au-dessus de cette ligne -##\nAncien",
        "J'ai répondu au-dessus de cette ligne, l'avez-vous vu ?\nMerci",
        "Bonjour,\nEnvoyé depuis le secrétariat hier, toujours rien reçu.",
        "Bonjour,\n\nCe message est affiché par erreur à chaque impression du bulletin.",
        "Bonjour,\n\nCe message est-il confidentiel, et que dire au destinataire s'il y a une erreur ?",
        "Bonjour,\n\nCe message dit : erreur, fichier protégé, à supprimer. Je ne peux pas le faire seul.",
        "Merci,\nappelez-moi au 06 12 34 56 78 avant 17 h.",
        "Bonjour,\n\nMerci\n\nLa clé est 4412, le mot de passe www.x.example ne passe pas.",
        "Il manque :\n- un\n* deux\n___ trois\n== quatre",
    ],
)
def test_when_in_doubt_everything_is_kept(text: str) -> None:
    assert cut_quotes(text) == text


def test_answers_between_quotations_are_kept_with_what_they_answer() -> None:
    inline = (
        "Bonjour,\n\nLe 3 mars 2026 à 10:00, Aide a écrit :\n> Un ?\nOui.\n> Deux ?\n>\nNon.\n> Salutations\n> Aide"
    )
    kept = "Bonjour,\n> Un ?\nOui.\n> Deux ?\n>\nNon."
    assert cut_quotes(inline) == kept
    assert cut_quotes(f"{inline}\n\nMerci,\nSam") == f"{kept}\n> Salutations\n> Aide\n\nMerci,\nSam"


def test_regards_below_a_quotation_answer_nothing() -> None:
    assert cut_quotes(f"Oui.\n\n{ATTRIBUTIONS['gmail-en']}\n{ARROWS}\n\nRegards, Roman") == "Oui.\n\nRegards, Roman"
    assert ARROWS in cut_quotes(f"Oui.\n\n{ATTRIBUTIONS['gmail-en']}\n{ARROWS}\n\nMerci de vérifier aussi.")


def test_a_long_quotation_is_kept_as_far_as_it_is_near() -> None:
    asked = "\n".join(f"> ligne {number}" for number in range(100))
    kept = cut_quotes(f"Bonjour\n{asked}\nOui")
    assert "> ligne 99\nOui" in kept
    assert "> ligne 10\n" not in kept


def test_answers_that_a_person_says_are_below_are_kept() -> None:
    said = f"Mes réponses sont en rouge dans votre message.\n\n{HISTORIES['outlook-fr']}\n1. Combien ?\nVingt."
    assert cut_quotes(said) == said
    assert cut_quotes(said.replace("Mes réponses sont en rouge", "Je ne vois rien de faux")).endswith("votre message.")


def test_a_quoted_line_that_was_wrapped_on_the_way_is_quoted() -> None:
    long = "> et nous avons donc décidé de remplacer toutes les tablettes de la classe de la"
    wrapped = f"Oui.\n\n{ATTRIBUTIONS['gmail-fr']}\n{long}\nsixième A, dès demain.\n> Aide"
    assert cut_quotes(wrapped) == "Oui."
    assert "Sixième B !" in cut_quotes(wrapped.replace("sixième A, dès demain.", "Sixième B !"))
    assert "oui" in cut_quotes(f"Bonjour\n{ATTRIBUTIONS['gmail-fr']}\n> Est-ce la bonne ?\noui\n> Aide").split("\n")


def test_arrows_in_a_first_mail_are_the_writer_s_own() -> None:
    assert cut_quotes("Voici :\n> erreur 12", reply=False) == "Voici :\n> erreur 12"
    assert cut_quotes("Voici :\n> erreur 12", reply=True) == "Voici :"
    assert cut_quotes(f"{OWN}\n\n{ATTRIBUTIONS['gmail-fr']}\n{ARROWS}", reply=False) == OWN


def test_a_form_in_a_first_mail_is_what_it_is_about() -> None:
    form = "Message du site :\n\nDe : Jean <jean@x.example>\nDate : 3 mars 2026 10:30\nObjet : Panne\n\nRien ne marche."
    assert cut_quotes(form, reply=False) == form
    assert cut_quotes(form, reply=True) == "Message du site :"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Oui.\n\nLe 3 mars 2026 à 10:00, Aide <a@x.example> a écrit :\n> Non ?", "Oui."),
        ("Oui.\n\nLe 3 mars 2026 à 10:00, Aide\n<a@x.example> a écrit :\n\nNon ?", "Oui."),
        ("Yes.\n\nOn Mon, Mar 3, 2026, at 10:00 AM, Help wrote:\nNo?", "Yes."),
        ("Oui\n-----Message d'origine-----\nDe : Aide\nNon ?", "Oui"),
        ("Oui\n\nDe : Aide\nEnvoyé : lundi\nÀ : Moi\nObjet : x\n\nNon ?", "Oui"),
        ("> Un ?\nOui.\n> Deux ?\nNon.", "> Un ?\nOui.\n> Deux ?\nNon."),
        ("reply--- On Wed, Apr 4, 2012 at 3:59 PM, me@x.example wrote:\n> Hi", "reply"),
        ("reply On Wed, Apr 4, 2012 at 3:59 PM, me@x.example wrote:\n> Hi", "reply"),
        ("Oui.\n\n2026-11-09 20:11 GMT+01:00 Aide\n\nNon ?", "Oui."),
        ("Oui.\n\nLe 9 nov. 2026 à 20:11, le support <s@x.example> a écrit :\n\nNon ?", "Oui."),
        ("Oui.\n\n---- Jean Petit wrote ----\n\n> Non ?", "Oui."),
        ("Oui.\n\nLe 9 nov. 2026 à 20:11 Marie de la Tour a écrit :\nNon ?", "Oui."),
        ("Yes.\n\nOn Nov 30, 2011, at 12:47 PM, Sam <\n416ffd3258d4d2fa@x.example>\nwrote:\n\nNo?", "Yes."),
        ("Yes.\n\n *From:* bob@x.example [mailto:\n bob@x.example]\n *Sent:* Friday\n *To:* me\n\nNo?", "Yes."),
    ],
)
def test_what_is_quoted_is_cut(text: str, own: str) -> None:
    assert cut_quotes(text) == own


def test_nothing_left_means_everything() -> None:
    assert cut_quotes(ARROWS) == ARROWS
    assert cut_quotes("> x", whole="le tout") == "le tout"
    assert cut_quotes("") == ""


# --- signatures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["-- ", "--"])
def test_a_signature_below_its_mark_is_cut_and_told_apart(mark: str) -> None:
    written = split_text(f"{OWN}\n{mark}\nAnne\n02 97 12 34 56\n\n{ATTRIBUTIONS['gmail-fr']}\n{ARROWS}")
    assert (written.text, written.signature) == (OWN, "Anne\n02 97 12 34 56")


def test_contacts_below_regards_are_cut_and_the_name_stays() -> None:
    written = split_text(
        f"Oui.\n\nCordialement,\n\nAnne Le Goff\nSecrétaire\nTél. : 02 97 12 34 56\n\n{HISTORIES['outlook-fr']}"
    )
    assert written.text == "Oui.\n\nCordialement,\n\nAnne Le Goff"
    assert written.signature == "Anne Le Goff\nSecrétaire\nTél. : 02 97 12 34 56"


@pytest.mark.parametrize(
    "text",
    [
        "Voici mes coordonnées.\n\nMerci,\nAnne\nJe suis au 02 97 12 34 56 le matin.",
        "Mes coordonnées :\nAnne\n02 97 12 34 56",
        "Oui.\n\nCordialement,\nAnne Le Goff",
        "Oui.\nMerci de vérifier\nAnne\n02 97 12 34 56",
    ],
)
def test_what_may_be_an_answer_is_no_signature(text: str) -> None:
    assert cut_quotes(text) == text


# --- whatever a person writes ----------------------------------------------------------------------------------

SENTENCES = [
    "Bonjour,", "Merci beaucoup !", "Oui.", "Le support m'a écrit : rien de neuf", "De : Paris À : Lorient",
    "1) la première", "- un point", "* un autre", "Voici ce que je vois :", "Prix : 12 € (hors taxe)", "erreur 403 <x>",
    "On n'y arrive pas depuis le 3 mars à 10:00.", "Mon adresse est moi@x.example", "À : voir", "Cordialement,", "Sam",
]  # fmt: skip
LINES = st.sampled_from(SENTENCES) | st.text("abcdé ,;!?'", min_size=1, max_size=60).map(str.strip).filter(bool)
TEXTS = st.lists(LINES | st.just(""), min_size=1, max_size=12).map("\n".join).filter(lambda text: bool(text.strip()))
FORMS = st.sampled_from([f"{one}\n\n{ARROWS}" for one in ATTRIBUTIONS.values()]) | st.sampled_from(
    [f"{one}\n{ASKED}" for one in HISTORIES.values()]
)


def list_written(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TEXTS, FORMS)
def test_every_line_of_a_person_survives_any_quotation_below(own: str, quoted: str) -> None:
    assert list_written(cut_quotes(f"Début.\n{own}\nFin.\n\n{quoted}")) == ["Début.", *list_written(own), "Fin."]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(list(ATTRIBUTIONS.values())), TEXTS)
def test_every_line_of_a_person_survives_below_a_quotation(attribution: str, own: str) -> None:
    kept = list_written(cut_quotes(f"{attribution}\n\n{ARROWS}\n\nDébut.\n{own}\nFin."))
    assert kept == ["Début.", *list_written(own), "Fin."]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_every_answer_between_quotations_survives(answers: list[str]) -> None:
    inline = "\n".join(f"> Question {at} ?\nRéponse.\n{one}\nFin." for at, one in enumerate(answers))
    kept = list_written(cut_quotes(f"{ATTRIBUTIONS['gmail-fr']}\n{inline}"))
    assert kept == list_written(inline)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(LINES | st.sampled_from([*ATTRIBUTIONS.values(), *HISTORIES.values(), *ENDINGS.values(), ARROWS, "-- "]))
)
@example([])
def test_nothing_is_made_up_and_something_is_left(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    kept = list_written(cut_quotes(text))
    assert set(kept) <= set(list_written(text))
    assert bool(kept) == bool(text.strip())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=400), st.booleans())
def test_any_text_has_an_answer(text: str, reply: bool) -> None:
    assert bool(cut_quotes(text, reply=reply).strip()) == bool(text.strip())
    assert is_attribution(text[:80]) in (True, False)


@pytest.mark.timeout(60)  # each of these took minutes in a careless reader
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("@:\n" * 60_000, id="colons"),
        pytest.param("x@y a écrit :\n" * 14_000, id="attributions"),
        pytest.param("\n" * 100_000 + "Le 3 mars 10:00 a@b a écrit :\n> x\n" * 2_800, id="attributions after blanks"),
        pytest.param("Le 3 mars 2026 à 10:00 x@y\n" * 7_000 + "a écrit :", id="openings"),
        pytest.param("De : a@b\n" * 22_000, id="labels"),
        pytest.param("De: " * 50_000, id="labels in a line"),
        pytest.param("--\n" * 60_000, id="signatures"),
        pytest.param("> x\n\n" * 40_000, id="quotes"),
        pytest.param("> a\nb\n" * 30_000, id="answers"),
        pytest.param("> " + "x" * 200_000, id="long quote"),
        pytest.param("a--- On " * 25_000, id="shared lines"),
        pytest.param("Cordialement,\n" + "0" * 190_000, id="digits"),
        pytest.param("Cordialement,\n" + ("01 23 45 67 89 " * 12 + "\n") * 15, id="numbers"),
        pytest.param(("Ce message est confidentiel, destinataire\n" * 60 + "\n") * 80, id="legal"),
        pytest.param(("wrote " * 80 + ":\n") * 400, id="verbs"),
    ],
)
def test_a_hostile_text_is_cut_in_time(text: str) -> None:
    assert cut_quotes(text)
    assert cut_quotes(text, reply=False)

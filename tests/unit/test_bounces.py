"""What a bounce says: whom the letter did not reach, for how long, why, and which letter it was."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail import Bounce, Kind, Mail, read_mail
from desk.mail.bounces import REASONS, read_report
from desk.mail.parts import list_leaves, parse_parts
from desk.mail.reasons import derive_status, find_status, tell_reason
from desk.mail.refusals import FORMS
from desk.mail.values import Address

GONE = "anne.roux@gone.example"
LETTER = "<20261107.42@desk.example>"
DAEMON = "From: Mail Delivery System <MAILER-DAEMON@mx.relay.example>\nTo: support@desk.example\n"
COPY = (
    f"Return-Path: <support@desk.example>\nReceived: from desk.example by mx.relay.example; Sat, 7 Nov 2026 "
    f"08:00:00 +0100\n"
    f"From: Support <support@desk.example>\nTo: {GONE}\nSubject: Votre demande\nMessage-ID: {LETTER}\n\nBonjour Anne,\n"
)


def read(head: str, body: str) -> Mail:
    mail = read_mail(f"{head.strip()}\n\n{body}".encode())
    assert isinstance(mail, Mail)
    return mail


@dataclass(frozen=True)
class Form:
    """A home-made bounce: who sends it, what it says, what is to be read in it."""

    name: str
    subject: str
    text: str
    status: str = ""
    reason: str = ""
    permanent: bool = True
    head: str = DAEMON
    letter: str = LETTER


HOME_MADE = (
    Form(
        "qmail-send",
        "failure notice",
        "Hi. This is the qmail-send program at mx.relay.example.\nI'm afraid I wasn't able to deliver your "
        "message to the "
        "following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{GONE}>:\n192.0.2.5 does not like recipient.\nRemote host said: 550 5.1.1 <{GONE}>: Recipient address "
        f"rejected: "
        f"User unknown\nGiving up on 192.0.2.5.\n\n--- Below this line is a copy of the message.\n\n{COPY}",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "qmail-send in the queue too long",
        "failure notice",
        f"Hi. This is the qmail-send program at mx.relay.example.\n\n<{GONE}>:\nSorry, I wasn't able to "
        f"establish an SMTP "
        "connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.\n\n"
        f"--- Below this line is a copy of the message.\n\n{COPY}",
        "4.4.1",
        "expired",
    ),
    Form(
        "Postfix without a report",
        "Undelivered Mail Returned to Sender",
        "This is the Postfix program at host mx.relay.example.\n\nI'm sorry to have to inform you that your "
        "message could "
        "not be\nbe delivered to one or more recipients. It's attached below.\n\n"
        f"<{GONE}>: host mx.gone.example[192.0.2.9] said: 552 5.2.2 Mailbox full (in reply to RCPT TO "
        f"command)\n\n{COPY}",
        "5.2.2",
        "mailbox-full",
    ),
    Form(
        "Exim",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be "
        "delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
        f"  {GONE}\n    host mx.gone.example [192.0.2.9]\n    SMTP error from remote mail server after RCPT "
        f"TO:<{GONE}>:\n"
        f"    550 No such user here\n\n------ This is a copy of the message, including all the headers. "
        f"------\n\n{COPY}",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "Exim, not yet",
        "Warning: message 1kabcd-0001ab-XY delayed 24 hours",
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been "
        f"delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.relay.example.\n\n"
        f"The message identifier is: 1kabcd-0001ab-XY\n\nThe address to which the message has not yet been "
        f"delivered is:\n\n"
        f"  {GONE}\n    Delay reason: Connection refused\n\nNo action is required on your part. Delivery attempts will "
        "continue for\nsome time, and this warning may be repeated at intervals.\n",
        "",
        "network",
        permanent=False,
        letter="",
    ),
    Form(
        "GMX",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not "
        "be delivered "
        f'to one or more of\nits recipients. The following addresses failed:\n\n"{GONE}":\nquota exceeded\n\n'
        f"--- The header of the original message is following. ---\n\n{COPY}",
        "",
        "mailbox-full",
    ),
    Form(
        "1&1",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not "
        "be\ndelivered "
        f"to one or more of its recipients. This is a permanent error.\nThe following address "
        f"failed:\n\n{GONE}\n\nFor the "
        "following reason:\n\nMail size limit exceeded. For explanation "
        "visit\nhttp://postmaster.host.example/errors\n\n"
        f"--- The header of the original message is following. ---\n\n{COPY}",
        "",
        "too-large",
    ),
    Form(
        "Sendmail without a report",
        "Returned mail: User unknown",
        "The original message was received at Sat, 7 Nov 2026 08:00:00 +0100\nfrom desk.example [192.0.2.1]\n\n"
        f"   ----- The following addresses had permanent fatal errors -----\n<{GONE}>\n    (reason: 550 5.1.1 "
        f"User unknown)\n\n"
        f"   ----- Transcript of session follows -----\n... while talking to mx.gone.example.:\n>>> DATA\n<<< "
        f"550 5.1.1 User "
        f"unknown\n\n   ----- Original message follows -----\n\n{COPY}",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "Sendmail 5: the address in the transcript only",
        "Returned mail: Host unknown",
        f"   ----- Transcript of session follows -----\n550 <{GONE}>... Host unknown\n\n   ----- Unsent message "
        f"follows -----\n"
        f"{COPY}",
        "5.1.2",
        "unknown-host",
    ),
    Form(
        "Exchange 5.5",
        "Undeliverable: Votre demande",
        f"Your message\n\n  To:      {GONE}\n  Subject: Votre demande\n  Sent:    Sat, 7 Nov 2026 08:00:00 +0100\n\n"
        f"did not reach the following recipient(s):\n\n{GONE} on Sat, 7 Nov 2026 08:00:01 +0100\n    The "
        f"recipient name is not "
        "recognized\n\tThe MTS-ID of the original message is: c=fr;a= ;p=desk;l=MX0-261107\n    MSEXCH:IMS:RELAY:MX0 0 "
        "(000C05A6) Unknown Recipient\n",
        "",
        "unknown-user",
        head="From: System Administrator <postmaster@relay.example>\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "Exchange 365 in French",
        "Non remis : Votre demande",
        f"Échec de la remise à ces destinataires ou groupes :\n\nAnne Roux ({GONE})<mailto:{GONE}>\nL’adresse "
        f"e-mail que vous "
        "avez entrée est introuvable. Vérifiez l’adresse e-mail du destinataire et essayez de renvoyer le message.\n\n"
        "Informations de diagnostic pour les administrateurs :\n\nServeur de génération : "
        "PR0P264MB0001.FRAP264.PROD.OUTLOOK.COM\n\n"
        f"{GONE}\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP "
        f"address lookup'\n\n"
        f"En-têtes de message d'origine :\n\n{COPY}",
        "5.1.10",
        "unknown-user",
        head="From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@desk.example>\nTo: "
        "support@desk.example\n",
    ),
    Form(
        "Exchange 2007 in French",
        "Non_remis_: Votre demande",
        f"Échec de la remise aux destinataires ou listes de distribution suivants :\n\n{GONE}\nLa boîte aux "
        f"lettres du destinataire "
        "est pleine. Microsoft Exchange n'essaiera plus de remettre ce message.\n\nInformations de diagnostic pour les "
        f"administrateurs :\nServeur de génération : mx.relay.example\n{GONE}\n#550 5.2.2 STOREDRV.Deliver: "
        f"mailbox full. ##\n",
        "5.2.2",
        "mailbox-full",
        head="From: postmaster@relay.example\nTo: support@desk.example\nContent-Language: fr-FR\n",
        letter="",
    ),
    Form(
        "Exchange in German",
        "Unzustellbar: Votre demande",
        f"Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nAnne Roux "
        f"({GONE})<mailto:{GONE}>\nDas "
        "Postfach des Empfängers ist voll.\n\nDiagnoseinformationen für Administratoren:\n\nGenerierender "
        "Server: mx.relay.example\n",
        "",
        "mailbox-full",
        letter="",
    ),
    Form(
        "Exchange in Spanish",
        "No se puede entregar: Votre demande",
        f"Error de entrega a estos destinatarios o grupos:\n\n{GONE}\nNo se encontró la dirección de correo "
        f"electrónico: el "
        "usuario no existe.\n",
        "",
        "unknown-user",
        letter="",
    ),
    Form(
        "Exchange in Italian",
        "Non recapitabile: Votre demande",
        f"Recapito non riuscito per questi destinatari o gruppi:\n\n{GONE}\nIl destinatario "
        f"inesistente.\n\nInformazioni di "
        f"diagnostica per gli amministratori:\n\nIntestazioni originali del messaggio:\n\n{COPY}",
        "",
        "unknown-user",
    ),
    Form(
        "Exchange in Dutch",
        "Onbestelbaar: Votre demande",
        f"Uw bericht kan niet worden bezorgd bij de volgende geadresseerden of groepen:\n\n{GONE}\nDe ontvanger "
        f"is onbekend.\n",
        "",
        "unknown-user",
        letter="",
    ),
    Form(
        "Exchange in Portuguese",
        "Não entregue: Votre demande",
        f"Falha na entrega a estes destinatários ou grupos:\n\n{GONE}\nO endereço não encontrado.\n",
        "",
        "unknown-user",
        letter="",
    ),
    Form(
        "Gmail",
        "Delivery Status Notification (Failure)",
        f"Delivery to the following recipient failed permanently:\n\n     {GONE}\n\nTechnical details of "
        f"permanent failure:\n"
        "Google tried to deliver your message, but it was rejected by the server for the recipient domain "
        "gone.example.\n\nThe "
        "error that the other server returned was:\n550 5.7.1 Message refused: spam\n\n----- Original message -----\n\n"
        f"{COPY}",
        "5.7.1",
        "refused-as-spam",
    ),
    Form(
        "Gmail in French",
        "Delivery Status Notification (Failure)",
        f"** Adresse introuvable **\n\nVotre message n'a pas été distribué à {GONE}, car l'adresse est "
        f"introuvable ou ne peut pas "
        "recevoir de messages.\n\nLa réponse était :\n\n550 5.1.1 The email account that you tried to reach does "
        "not exist.\n",
        "5.1.1",
        "unknown-user",
        head=f"From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nTo: "
        f"support@desk.example\nIn-Reply-To: {LETTER}\n",
    ),
    Form(
        "Yahoo",
        "Failure Notice",
        f"Sorry, we were unable to deliver your message to the following address.\n\n<{GONE}>:\nRemote host "
        f"said: 554 delivery "
        "error: dd This user doesn't have a gone.example account [-5] - mta1 [BODY]\n\n--- Below this line is a "
        "copy of the "
        f"message.\n\n{COPY}",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "Outlook.com's old service",
        "Delivery Status Notification (Failure)",
        "This is an automatically generated Delivery Status Notification.\n\nDelivery to the following "
        "recipients failed.\n\n"
        f"       {GONE}\n",
        head="From: postmaster@mail.live.example\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "Courier",
        "NOTICE: mail delivery status.",
        "This is a delivery status notification from mx.relay.example,\nrunning the Courier mail server, version "
        "0.65.\n\n"
        "           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n"
        f"<{GONE}>:\n    mx.gone.example [192.0.2.9]:\n>>> RCPT TO:<{GONE}>\n<<< 550 5.1.1 User unknown\n",
        "5.1.1",
        "unknown-user",
        head='From: "Courier mail server at mx.relay.example" <@>\nTo: support@desk.example\n',
        letter="",
    ),
    Form(
        "OpenSMTPD",
        "Delivery status notification: error",
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.\n\n    An error has "
        "occurred while "
        f"attempting to deliver a message for\n    the following list of recipients:\n\n{GONE}: 550 5.2.1 "
        f"Mailbox disabled\n\n"
        f"    Below is a copy of the original message:\n\n{COPY}",
        "5.2.1",
        "suspended",
    ),
    Form(
        "DragonFly Mail Agent",
        "Mail delivery failed",
        f"This is the DragonFly Mail Agent v0.13 at mx.relay.example.\n\nThere was an error delivering your mail "
        f"to <{GONE}>.\n\n"
        "Could not deliver for the last 432000 seconds. Giving up.\n\nMessage headers follow.\n\n"
        f"{COPY}",
        "",
        "expired",
        head="From: MAILER-DAEMON <>\nTo: support@desk.example\n",
    ),
    Form(
        "Domino",
        "DELIVERY FAILURE: User Anne Roux not listed in Domino Directory",
        f"Your message\n\n  Subject: Votre demande\n\nwas not delivered to:\n\n  {GONE}\n\nbecause:\n\n  User "
        f"Anne Roux ({GONE}) "
        "not listed in Domino Directory\n",
        "",
        "unknown-user",
        head="From: Postmaster@relay.example\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "Lotus Notes",
        "Undeliverable message",
        "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\n"
        f"{GONE}\n\n------- Returned Message --------\n\n{COPY}",
        "",
        "unknown-user",
    ),
    Form(
        "GroupWise",
        "Mail System Error - Returned Mail",
        f"The message that you sent was undeliverable to the following:\n\t{GONE} (user not found)\n",
        "",
        "unknown-user",
        letter="",
    ),
    Form(
        "James",
        "[BOUNCE]",
        "Message details:\n  Subject: Votre demande\n  Sent date: Sat Nov 07 08:00:00 CET 2026\n  MAIL FROM: "
        "support@desk.example\n"
        f"  RCPT TO: {GONE}\n  From: Support <support@desk.example>\n  To: {GONE}\n  Size (in bytes): "
        f"1024\n\nError message "
        "below:\n550 - Requested action not taken: no such user here\n",
        "5.1.1",
        "unknown-user",
        head="From: postmaster@relay.example\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "m-FILTER",
        "failure notice",
        f"このメールは「m-FILTER」が自動的に生成して送信しています。\n以下のメールアドレスへの送信に失敗しました。\n{GONE}\n\n"
        f"-------server message\n550 5.1.1 unknown user <{GONE}>\n\n-------SMTP command\nDATA\n\n-------original "
        f"message\n{COPY}",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "SMTP32",
        "Undeliverable Mail",
        f"Unknown user: {GONE}\n\n\nOriginal message follows.\n\n{COPY}",
        "",
        "unknown-user",
        head="From: Postmaster <postmaster@relay.example>\nX-Mailer: <SMTP32 v8.22>\nTo: support@desk.example\n",
    ),
    Form(
        "InterScan",
        "Mail could not be delivered",
        f"Unable to deliver message to <{GONE}> and other recipients.\n\nSent <<< RCPT TO:<{GONE}>\nReceived >>> "
        f"550 5.1.1 user "
        "unknown\n",
        "5.1.1",
        "unknown-user",
        head='From: "InterScan MSS" <interscan@relay.example>\nTo: support@desk.example\n',
        letter="",
    ),
    Form(
        "KDDI",
        "Undelivered Mail",
        f"Your mail sent on: Sat, 7 Nov 2026 08:00:00 +0100\n    Could not be delivered to: <{GONE}>\n    As "
        f"their mailbox is full.\n",
        "",
        "mailbox-full",
        head="From: no-reply@relay.example\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "MailFoundry",
        "Message delivery has failed",
        f"Unable to deliver message to: <{GONE}>\nDelivery failed for the following reason:\nServer "
        f"mx.gone.example[192.0.2.9] "
        "failed with: 550 No such user here\n\nThis has been a permanent failure. No further delivery attempts "
        "will be made.\n",
        "5.1.1",
        "unknown-user",
        letter="",
    ),
    Form(
        "MailMarshal",
        'Undeliverable Mail: "Votre demande"',
        "Your message:\n   From:    support@desk.example\n   Subject: Votre demande\nCould not be delivered "
        "because of\n\n"
        f"550 5.1.1 User unknown\n\nThe following recipients were affected:\n   {GONE}\n\nAdditional Information\n",
        "5.1.1",
        "unknown-user",
        letter="",
    ),
    Form(
        "SurfControl",
        "Undeliverable Mail",
        f"Your message could not be sent.\nA transcript of the attempts to send the message follows.\nThe number "
        f"of attempts made: 1\n"
        f"Addressed To: {GONE}\n\nSat 7 Nov 2026 08:00:00 +0100\nFailed to send to identified "
        f"host,\nmx.gone.example: [192.0.2.9], "
        "550 5.1.1 User unknown\n",
        "5.1.1",
        "unknown-user",
        letter="",
    ),
    Form(
        "Zoho",
        "Undelivered Mail Returned to Sender",
        "This message was created automatically by mail delivery software.\nA message that you sent could not be "
        "delivered to one "
        f"or more of its recipients. This is a permanent error.\n\n{GONE} Invalid Address, ERROR_CODE :550, "
        f"ERROR_CODE :5.1.1 User "
        "Unknown\n\nReceived:from mail.relay.example by mx.relay.example\n\twith SMTP id 1\nMessage-ID:"
        f"{LETTER}\n",
        "5.1.1",
        "unknown-user",
    ),
    Form(
        "Oracle Messaging Server",
        "Delivery Notification: Delivery has failed",
        "This report relates to a message you sent with the following header fields:\n\n  Message-id: "
        f"{LETTER}\n  Date: Sat, 7 Nov 2026 08:00:00 +0100\n  From: Support <support@desk.example>\n  Subject: "
        f"Votre demande\n\n"
        f"Your message cannot be delivered to the following recipients:\n\n  Recipient address: {GONE}\n  "
        f"Reason: Over quota\n",
        "",
        "mailbox-full",
    ),
    Form(
        "CommuniGate",
        "There was an error sending your mail",
        "We had trouble delivering your message. Full details follow:\n\nSubject: 'Votre demande'\n\n1 error(s):\n\n"
        f"SMTP Server <mx.gone.example> rejected recipient <{GONE}> \n  (Error following RCPT command). It "
        f"responded as follows: "
        "[550 5.1.1 User unknown]\n",
        "5.1.1",
        "unknown-user",
        letter="",
    ),
    Form(
        "MDaemon",
        "Permanent Delivery Failure",
        "The attached message had PERMANENT fatal delivery errors!\n\nAfter one or more unsuccessful delivery "
        "attempts the attached "
        f"message has\nbeen removed from the mail queue on this server.\n\nFailed address: {GONE}\n\n--- Session "
        f"Transcript ---\n"
        "<-- 550 5.1.1 user unknown\n",
        "5.1.1",
        "unknown-user",
        head="From: MDaemon@relay.example\nTo: support@desk.example\n",
        letter="",
    ),
    Form(
        "MMS gateway",
        "Undeliverable Message",
        f"Message could not be delivered to mobile.\nError: No valid recipients for this MM\n\n\nOriginal "
        f"Message:\n{COPY}",
        "",
        "unknown-user",
        head="Return-Path: <>\nFrom: MMSC NDR Administrator <sysadmin@mms.relay.example>\nTo: support@desk.example\n",
    ),
    Form(
        "an operator's webmail, in French",
        "Votre message n'a pas pu être remis",
        f"Bonjour,\n\nVotre message du 07/11/2026 n'a pas pu être délivré au destinataire suivant :\n\n    "
        f"{GONE}\n\nMotif : la boîte "
        "aux lettres du destinataire est saturée.\n\nCordialement,\nLe service messagerie\n",
        "",
        "mailbox-full",
        letter="",
    ),
    Form(
        "a host's server, in French, not yet",
        "Remise différée de votre message",
        f"Votre message n'a pas encore pu être remis à l'adresse suivante :\n\n<{GONE}>\n\nDe nouvelles "
        f"tentatives auront lieu pendant "
        "cinq jours. Raison : connection timed out\n",
        "",
        "network",
        permanent=False,
        letter="",
    ),
    Form(
        "a refusal for a filter, in French",
        "Message refusé : Votre demande",
        f"Votre message à {GONE} n'a pas été distribué : il a été reconnu comme indésirable par notre filtre.\n",
        "",
        "refused-as-spam",
        letter="",
    ),
    Form(
        "mail.ru",
        "Ваше сообщение не доставлено. Mail failure.",
        "Это письмо создано автоматически сервером.\nК сожалению, Ваше письмо не может быть доставлено одному "
        "или нескольким "
        f"получателям:\n\n**********************\n\n{GONE}\nSMTP error from remote mail server after RCPT "
        f"TO:<{GONE}>:\nhost "
        "mx.gone.example [192.0.2.9]: 550 5.1.1 User unknown\n",
        "5.1.1",
        "unknown-user",
        letter="",
    ),
    Form(
        "a mailing list that takes members only",
        "You support@desk.example are not member (parents ML)",
        "You are not a member of this mailing list <parents@lists.example>.\n\nIf you know the general guide of "
        "this list, please "
        "send mail with\nthe mail body\n\n\tguide\n",
        "",
        "blocked",
        head="Return-Path: <parents-admin@lists.example>\nFrom: parents-admin@lists.example\nTo: support@desk.example\n"
        f"X-MLServer: fml [fml 4.0.3 release]\nReferences: {LETTER}\n",
    ),
)


@pytest.mark.parametrize("form", HOME_MADE, ids=lambda form: form.name)
def test_a_home_made_bounce_tells_whom_the_letter_did_not_reach(form: Form) -> None:
    mail = read(f"{form.head}Subject: {form.subject}", form.text)
    expected = "parents@lists.example" if "mailing list" in form.name else GONE
    assert mail.kind is Kind.BOUNCE
    assert mail.bounce == Bounce((expected,), form.permanent, form.status, form.letter, form.reason)


def make_report(
    fields: str, text: str = "Undeliverable.", kind: str = "message/delivery-status", copy: str = COPY
) -> str:
    parts = (f"\n{text}\n", f"Content-Type: {kind}\n\n{fields}\n", f"Content-Type: message/rfc822\n\n{copy}")
    return "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"


REPORT = f"{DAEMON}Subject: Undelivered Mail\nContent-Type: multipart/report; report-type=delivery-status; boundary=b"
MTA = "Reporting-MTA: dns; mx.relay.example\n\n"
FIELDS = f"{MTA}Final-Recipient: rfc822; {GONE}\nAction: failed\nStatus: 5.1.1\n"

STANDARD = {
    "as RFC 3464 has it": (REPORT, make_report(FIELDS)),
    "as RFC 6533 has it": (REPORT, make_report(FIELDS, kind="message/global-delivery-status")),
    "retyped as text": (REPORT, make_report(FIELDS, kind="text/plain; name=status.txt")),
    "retyped as octets": (REPORT, make_report(FIELDS, kind="application/octet-stream; name=ATT00001")),
    "in a mixed mail": (
        REPORT.replace("multipart/report; report-type=delivery-status", "multipart/mixed"),
        make_report(FIELDS),
    ),
    "without a report type": (REPORT.replace(" report-type=delivery-status;", ""), make_report(FIELDS)),
    "fields in one block": (REPORT, make_report(FIELDS.replace("\n\n", "\n"))),
    "fields far apart": (REPORT, make_report(FIELDS.replace("\nAction", "\n\nAction"))),
    "the action first": (
        REPORT,
        make_report(f"{MTA}Action: failed\nFinal-Recipient: rfc822;{GONE}\nStatus: 5.1.1 (bad mailbox)\n"),
    ),
    "a boundary that is indented": (REPORT, make_report(FIELDS).replace("\n--b\nContent", "\n --b\nContent")),
    "no parts at all": (f"{DAEMON}Subject: Undelivered Mail", f"Sorry.\n\n{FIELDS}\n{COPY}"),
    "the original recipient": (
        REPORT,
        make_report(
            f"{MTA}Original-Recipient: rfc822;{GONE}\nFinal-Recipient: rfc822; moved@else.example\nStatus: 5.1.1\n"
        ),
    ),
    "a pipe, and Exim's own field": (
        REPORT.replace("\nSubject", f"\nX-Failed-Recipients: {GONE}\nSubject"),
        make_report(FIELDS.replace(f"rfc822; {GONE}", "rfc822;|/usr/bin/vacation anne"), copy="Subject: x\n\n"),
    ),
    "an X.400 address, and the letter's own": (
        REPORT,
        make_report(FIELDS.replace(f"rfc822; {GONE}", "X400; /G=Anne/S=Roux/O=Gone/C=FR/")),
    ),
    "a code in the diagnosis only": (
        REPORT,
        make_report(FIELDS.replace("Status: 5.1.1", "Status: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 No such user")),
    ),
    "a reply in the diagnosis only": (
        REPORT,
        make_report(FIELDS.replace("Status: 5.1.1", "Diagnostic-Code: smtp;\n 550 No such user here")),
    ),
    "carriage returns alone": (REPORT, make_report(FIELDS)),
    "passed on within a mail of the daemon": (
        f"{DAEMON}Subject: Returned mail\nContent-Type: multipart/mixed; boundary=o",
        f"--o\nContent-Type: message/rfc822\n\n{REPORT}\n\n{make_report(FIELDS)}\n--o--\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STANDARD)
def test_a_report_is_read_whole_or_damaged(name: str) -> None:
    head, body = STANDARD[name]
    raw = f"{head}\n\n{body}"
    mail = read_mail((raw.replace("\n", "\r") if "carriage" in name else raw).encode())
    assert isinstance(mail, Mail)
    assert mail.kind is Kind.BOUNCE
    assert mail.bounce is not None
    named = (mail.bounce.recipients, mail.bounce.permanent, mail.bounce.status, mail.bounce.reason)
    assert named == ((GONE,), True, "5.1.1", "unknown-user")


def test_the_letter_that_came_back_is_named() -> None:
    mail = read(REPORT, make_report(FIELDS))
    assert mail.bounce is not None
    assert mail.bounce.message_id == LETTER


def test_only_those_count_whom_it_did_not_reach() -> None:
    others = "\nFinal-Recipient: rfc822; paul@here.example\nAction: delivered\nStatus: 2.0.0\n\n"
    late = "Final-Recipient: rfc822; late@slow.example\nAction: delayed\nStatus: 4.4.1\n"
    mail = read(REPORT, make_report(FIELDS + others + late))
    assert mail.bounce is not None
    assert (mail.bounce.recipients, mail.bounce.permanent) == ((GONE,), True)


def test_recipients_that_no_blank_line_parts_are_read_apart() -> None:
    second = FIELDS.removeprefix(MTA).replace(GONE, "paul@gone.example")
    mail = read(REPORT, make_report(FIELDS + second))
    assert mail.bounce is not None
    assert mail.bounce.recipients == (GONE, "paul@gone.example")


def test_an_original_recipient_belongs_to_the_fields_below_it() -> None:
    second = FIELDS.replace(MTA, "\nOriginal-Recipient: rfc822; paul@gone.example\n").replace(GONE, "p@else.example")
    mail = read(REPORT, make_report(FIELDS + second))
    assert mail.bounce is not None
    assert mail.bounce.recipients == (GONE, "paul@gone.example")


def test_our_own_address_is_none_that_failed() -> None:
    text = f"Your message could not be delivered.\n\n<support@desk.example>\nwas its sender, and\n\n  {GONE}\nfailed.\n"
    mail = read(f"{DAEMON}Subject: Mail delivery failed", text)
    assert mail.bounce is not None
    assert mail.bounce.recipients == (GONE,)


def test_an_address_may_stand_above_the_words() -> None:
    text = f"Le message que vous avez envoyé à {GONE}\nn'a pas été remis : utilisateur inconnu."
    mail = read(f"{DAEMON}Subject: Message non délivré", text)
    assert mail.bounce == Bounce((GONE,), True, "", "", "unknown-user")


def test_a_delay_that_has_ended_is_permanent() -> None:
    text = f"Your message was delayed and could not be delivered. This is a permanent failure.\n\n<{GONE}>\n"
    mail = read(f"{DAEMON}Subject: Mail delivery failed", text)
    assert mail.bounce is not None
    assert mail.bounce.permanent


def test_what_no_form_of_ours_knows_is_left_to_flufl_bounce() -> None:
    text = f"Here is your list of failed recipients:\n\n<{GONE}>\n\nHere is your returned mail:\n\n{COPY}"
    mail = read(f"{DAEMON}Subject: Notice", text)
    assert mail.evidence == "flufl.bounce"
    assert mail.bounce == Bounce((GONE,), True, "", LETTER)


def test_an_international_address_is_read() -> None:
    fields = FIELDS.replace(f"rfc822; {GONE}", "utf-8; jos\\x{E9}@gone.example")
    mail = read(REPORT, make_report(fields, kind="message/global-delivery-status"))
    assert mail.bounce is not None
    assert mail.bounce.recipients == ("josé@gone.example",)


def test_an_original_recipient_is_read_from_its_codes() -> None:
    fields = FIELDS.replace("Final", "Original-Recipient: rfc822; anne+2Broux@gone.example\nFinal")
    mail = read(REPORT, make_report(fields))
    assert mail.bounce is not None
    assert mail.bounce.recipients == ("anne+roux@gone.example",)


def test_our_own_return_path_tells_whom_the_letter_was_for() -> None:
    head = (
        "From: MAILER-DAEMON@mx.relay.example\nTo: bounces+anne.roux=gone.example@desk.example\nSubject: failure notice"
    )
    mail = read(head, "Sorry, your message could not be delivered.")
    assert mail.bounce is not None
    assert mail.bounce.recipients == (GONE,)


@pytest.mark.parametrize(
    ("subject", "action"),
    [("Delivered: Votre demande", "delivered"), ("Remis : Votre demande", "relayed"), ("Successful", "expanded")],
)
def test_a_report_of_success_is_no_bounce(subject: str, action: str) -> None:
    fields = FIELDS.replace("failed", action).replace("5.1.1", "2.0.0")
    mail = read(REPORT.replace("Undelivered Mail", subject), make_report(fields))
    assert (mail.kind, mail.bounce) == (Kind.RECEIPT, None)


def test_a_success_told_in_words_is_no_bounce() -> None:
    mail = read(f"{DAEMON}Subject: Delivery Status Notification (Success)", "Your message has arrived.")
    assert (mail.kind, mail.bounce) == (Kind.RECEIPT, None)


NOTICE = (
    '{"Type" : "Notification", "Message" : "{\\"notificationType\\":\\"%s\\",\\"%s\\":{\\"bounceType\\":\\"%s\\",'
    '\\"bouncedRecipients\\":[{\\"emailAddress\\":\\"anne.roux@gone.example\\",\\"status\\":\\"5.1.1\\"}]}}"}\n\n--\nUnsubscribe'
)
NOTICE_HEAD = (
    "From: AWS Notifications <no-reply@sns.relay.example>\nX-Amz-Sns-Message-Id: 1\nSubject: AWS Notification Message"
)


@pytest.mark.parametrize(("kind", "permanent"), [("Permanent", True), ("Transient", False)])
def test_amazon_tells_of_bounces_in_json(kind: str, permanent: bool) -> None:
    mail = read(NOTICE_HEAD, NOTICE % ("Bounce", "bounce", kind))
    assert mail.evidence == "Amazon SNS"
    assert mail.bounce == Bounce((GONE,), permanent, "5.1.1", "", "unknown-user")


@pytest.mark.parametrize("body", [NOTICE % ("Complaint", "complaint", "x"), "{", "[" * 100_000, '{"Message": 3}', "{}"])
def test_other_json_is_no_bounce(body: str) -> None:
    assert read(NOTICE_HEAD, body).bounce is None


EXIM = next(form.text for form in HOME_MADE if form.name == "Exim")

PEOPLE = {
    "who ask about one": ("From: jean@school.example\nSubject: Undelivered mail?", "Que veut dire ce message ?"),
    "who paste one": ("From: jean@school.example\nSubject: Mail delivery failed", EXIM),
    "who forward one": (
        "From: jean@school.example\nSubject: Fwd: Mail delivery failed: returning message to sender",
        f"Voici ce que je reçois.\n\n---------- Forwarded message ---------\nFrom: Mail Delivery System\n\n{EXIM}",
    ),
    "who quote one": (
        "From: jean@school.example\nSubject: Re: Undeliverable: Votre demande\nIn-Reply-To: <1@desk.example>",
        "Je n'ai rien reçu\n\n> " + EXIM.replace("\n", "\n> "),
    ),
    "who attach its parts": (
        "From: jean@school.example\nSubject: Undelivered mail\nContent-Type: multipart/mixed; boundary=b",
        make_report(FIELDS, text="Bonjour, que faire ?"),
    ),
    "who are an administrator": ("From: admin@school.example\nSubject: Mail delivery failed", EXIM),
    "who are a postmaster and forward one": (
        "From: postmaster@school.example\nSubject: TR: Mail delivery failed",
        f"Pouvez-vous regarder ?\n\n-----Message d'origine-----\n{EXIM}",
    ),
    "who are a postmaster and answer": (
        "From: postmaster@school.example\nSubject: Re: Votre demande",
        "Nous avons changé le filtre.\n\n> Votre message n'a pas pu être remis à anne.roux@gone.example",
    ),
    "who are a postmaster and write": (
        "From: postmaster@school.example\nSubject: Bonjour",
        "Bonjour, pouvez-vous nous appeler ?",
    ),
    "who are a postmaster and pass one on": (
        "From: postmaster@school.example\nSubject: Question",
        f"Qu'est-ce que c'est ?\n\n---------- Forwarded message ---------\n{EXIM}",
    ),
    "who are a postmaster and quote one": (
        "From: postmaster@school.example\nSubject: Question",
        "Qu'est-ce que c'est ?\n\n> " + EXIM.replace("\n", "\n> "),
    ),
    "who are a postmaster and tell of a failure": (
        "From: postmaster@school.example\nSubject: Messagerie",
        f"Bonjour, votre mail à {GONE} n'a pas été remis, notre serveur était en panne.",
    ),
    "who call themselves mail": ("From: mail@school.example\nSubject: Mail delivery failed", EXIM),
    "whose own mail failed elsewhere": (
        "From: jean@school.example\nSubject: Échec de la remise de mes devoirs",
        "Mes devoirs n'ont pas pu être envoyés à m.martin@school.example, pouvez-vous m'aider ?",
    ),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_people_stay_people(who: str) -> None:
    mail = read(*PEOPLE[who])
    assert (mail.kind, mail.bounce) == (Kind.PERSON, None)


def test_a_vacation_notice_that_answers_a_word_of_ours_is_no_bounce() -> None:
    head = "Return-Path: <>\nFrom: Anne <anne@school.example>\nSubject: Auto: Delivery problem with your order"
    mail = read(f"{head}\nAuto-Submitted: auto-replied", "Je suis absente. Ecrivez à paul@school.example")
    assert (mail.kind, mail.bounce) == (Kind.AUTO_REPLY, None)


@pytest.mark.parametrize("said", ["; report-type=disposition-notification", ""])
def test_a_read_receipt_is_no_bounce(said: str) -> None:
    part = f"Final-Recipient: rfc822;{GONE}\nDisposition: manual-action/MDN-sent-manually; displayed"
    head = REPORT.replace("; report-type=delivery-status", said)
    mail = read(head, make_report(part, kind="message/disposition-notification"))
    assert (mail.kind, mail.bounce) == (Kind.RECEIPT, None)


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        ("5.1.1", "", "unknown-user"),
        ("4.2.2", "", "mailbox-full"),
        ("5.1.2", "", "unknown-host"),
        ("5.2.3", "", "too-large"),
        ("5.3.4", "", "too-large"),
        ("5.4.6", "", "loop"),
        ("5.4.14", "", "loop"),
        ("4.4.7", "", "expired"),
        ("4.4.1", "", "network"),
        ("5.2.1", "", "suspended"),
        ("5.7.1", "", "blocked"),
        ("5.7.1", "Message refused: spam", "refused-as-spam"),
        ("5.7.1", "The IP address sending this message does not have a PTR record", "blocked"),
        ("4.4.4", "", "network"),
        ("5.4.4", "", "unknown-host"),
        ("5.7.1", "Relaying denied", "relaying-denied"),
        ("5.7.1", "Unable to relay for anne@gone.example", "relaying-denied"),
        ("5.6.0", "", "content"),
        ("4.3.2", "", "server-failure"),
        ("5.4.1", "Recipient address rejected: Access denied", "unknown-user"),
        ("5.0.0", "mailbox is full", "mailbox-full"),
        ("5.0.0", "", ""),
        ("", "", ""),
        ("", "552 user over quota", "mailbox-full"),
        ("", "La boîte aux lettres du destinataire est pleine", "mailbox-full"),
        ("", "Le quota de ce compte est dépassé", "mailbox-full"),
        ("", "Das Postfach ist voll", "mailbox-full"),
        ("", "El buzón está lleno", "mailbox-full"),
        ("", "message size exceeds fixed limit", "too-large"),
        ("", "La taille du message dépasse la limite autorisée", "too-large"),
        ("", "Adresse d'au moins un destinataire invalide. Invalid recipient.", "unknown-user"),
        ("", "Utilisateur inconnu", "unknown-user"),
        ("", "Empfänger unbekannt", "unknown-user"),
        ("", "Host or domain name not found. Name service error for name=gone.example", "unknown-host"),
        ("", "Le domaine gone.example est introuvable", "unknown-host"),
        ("", "This account has been disabled or discontinued", "suspended"),
        ("", "Le compte de ce destinataire est désactivé", "suspended"),
        ("", "Too many connections, slow down. OFR005_104", "rate-limited"),
        ("", "Trop de connexions, veuillez verifier votre configuration", "rate-limited"),
        ("", "connect to mx.gone.example[192.0.2.9]:25: Connection timed out", "network"),
        ("", "Too many hops (30)", "loop"),
        ("", "retry timeout exceeded", "expired"),
        ("", "Virus found in attachment", "content"),
        ("", "Client host rejected: cannot find your reverse hostname, PTR", "blocked"),
        ("", "Local configuration error", "server-failure"),
        ("", "blocked@gone.example spam@gone.example", ""),
    ],
)  # fmt: skip
def test_the_reason_is_told_by_code_then_by_words(status: str, text: str, reason: str) -> None:
    assert tell_reason(status, text) == reason


def test_every_reason_can_be_told_and_has_a_code() -> None:
    assert {derive_status(reason, "550 no")[:2] for reason in REASONS} == {"5."}
    assert all(derive_status(reason, "450 no").startswith("4.") for reason in REASONS)


@pytest.mark.parametrize(
    ("texts", "status"),
    [
        (("5.0.0", "smtp; 550 5.1.1 no"), "5.1.1"),
        (("4.4.7 (timeout)",), "4.4.7"),
        (("host 192.5.1.1 said",), ""),
        (("version 8.5.1.1",), ""),
        (("2.0.0",), "2.0.0"),
        (("",), ""),
    ],
)
def test_the_narrowest_code_is_taken(texts: tuple[str, ...], status: str) -> None:
    assert find_status(*texts) == status


@pytest.mark.parametrize(
    ("reason", "text", "status"),
    [
        ("mailbox-full", "said: 452 no", "4.2.2"),
        ("", "421 try later", "4.3.2"),
        ("", "smtp; 554 no", "5.0.0"),
        ("", "call 0550 123", ""),
        ("unknown-user", "no number", ""),
    ],
)
def test_a_reply_becomes_a_code(reason: str, text: str, status: str) -> None:
    assert derive_status(reason, text) == status


def test_each_family_of_mailers_has_a_name_of_its_own() -> None:
    names = [form.evidence for form in FORMS]
    assert len(names) - len(set(names)) <= 1  # Exim speaks in two ways


HOSTILE = {
    "one long line": "x@" * 400_000,
    "many addresses": "<a@b.example>:\n" * 50_000,
    "a ladder of brackets": "<" * 500_000,
    "fields without end": "Final-Recipient: rfc822; a@b.example\n" * 20_000,
    "gaps without end": " \n" * 300_000,
    "words without end": "user " * 200_000,
    "folded without end": "Final-Recipient: x\n" + " y\n" * 200_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("head", [REPORT, f"{DAEMON}Subject: failure notice"], ids=["report", "home-made"])
def test_a_hostile_bounce_is_read_in_bounded_time(name: str, head: str) -> None:
    mail = read(head, make_report(HOSTILE[name], text=HOSTILE[name]))
    assert mail.bounce is None or len(mail.bounce.recipients) <= 100


WORDS = st.sampled_from(
    [
        *(line for form in HOME_MADE for line in form.text.split("\n")),
        *FIELDS.split("\n"),
        "",
        "--b",
        "{",
        "=?utf-8?q?=",
        "\x00",
    ]
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(WORDS | st.text(max_size=40), max_size=30), head=st.sampled_from([REPORT, NOTICE_HEAD, DAEMON]))
def test_no_mixture_of_their_lines_stops_the_reading(lines: list[str], head: str) -> None:
    raw = f"{head.strip()}\n\n".encode() + "\n".join(lines).encode("utf-8", "surrogatepass")
    mail = parse_parts(raw)
    report = read_report(mail, list_leaves(mail), Address("", "mailer-daemon@mx.relay.example"))
    if report and report.bounce:
        assert report.evidence
        assert report.bounce.reason in REASONS | {""}
        assert all("@" in one for one in report.bounce.recipients)


MACHINES = {
    "a contact form": (
        "From: no-reply@site.example\nSubject: Contact",
        f"Message details:\nName: Anne Roux\nE-mail: {GONE}\nMessage: mon mail n'a pas pu être envoyé",
    ),
    "a shop": (
        "From: noreply@shop.example\nSubject: Expédition",
        f"Votre colis n'a pas pu être livré. Client : {GONE}",
    ),
    "one that tells of no address": (
        "From: no-reply@shop.example\nSubject: Message non distribué",
        "Votre message n'a pas pu être remis.",
    ),
    "a receipt whose part was taken out": (
        REPORT.replace("delivery-status", "disposition-notification").replace("MAILER-DAEMON", "no-reply"),
        "--b\n\nLu.\n--b--",
    ),
    "an answering machine": (
        "Return-Path: <>\nFrom: paul@school.example\nSubject: Absence",
        f"Merci de transmettre aux destinataires suivants : {GONE}",
    ),
}


@pytest.mark.parametrize("who", MACHINES)
def test_other_machines_send_no_bounces(who: str) -> None:
    mail = read(*MACHINES[who])
    assert (mail.kind, mail.bounce) == (Kind.MACHINE, None)

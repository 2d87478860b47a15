"""What servers and networks say when they refuse, as errors of the house.

Providers tell apart a wrong password, a throttle and a missing permission by free text only, so the texts
are a table. What the server said is never repeated: it may carry an address.
"""

from __future__ import annotations

import imaplib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imapclient.exceptions import LoginError

from desk.errors import (
    ByreturnError,
    ConfigurationError,
    NetworkTrouble,
    ProtocolTrouble,
    SignInRefused,
    Throttled,
)

APP_PASSWORD = "Create an app password in the provider's account settings and put it in the credential block."  # noqa: S105
NO_PASSWORDS = "This provider asks for OAuth2: passwords won't be taken again, whatever they are."
ENCRYPT = "Choose security `tls` or `starttls`."
PORTS = "Check port and security: IMAP 993 or SMTP 465 with `tls`, IMAP 143 or SMTP 587 with `starttls`."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a refusal means: the error, what to say of it, what to do, and its code (empty: the error's own)."""

    error: type[ByreturnError]
    detail: str
    remedy: str = ""
    code: str = ""

    def raised_at(self, place: str) -> ByreturnError:
        """The error, naming the place (host and port) where it happened."""
        return self.error(f"{place} {self.detail}", remedy=self.remedy, code=self.code)


REFUSED = Answer(SignInRefused, "does not take this user and secret")
UNCLEAR = Answer(ProtocolTrouble, "gave an answer that says nothing known")
OUT_OF_REACH = Answer(NetworkTrouble, "is out of reach")

# Read from top to bottom: the first pattern found decides. Sources: RFC 5530 response codes, RFC 4954 §6 and
# RFC 3463 codes, providers' pages and issue trackers (the texts are in tests/integration/test_blocks.py).
ANSWERS: tuple[tuple[str, Answer], ...] = (
    (r"application-specific password|app password",
     Answer(SignInRefused, "wants an app password", APP_PASSWORD, "app-password")),
    (r"SmtpClientAuthentication is disabled",
     Answer(SignInRefused, "has SMTP sign-in switched off",
            "Switch authenticated SMTP on for it in the Exchange admin centre, or use OAuth2.")),
    (r"basic authentication|5\.7\.30\b", Answer(SignInRefused, "takes no passwords", NO_PASSWORDS, "no-passwords")),
    (r"PRIVACYREQUIRED|must issue a STARTTLS|encryption required",
     Answer(ConfigurationError, "wants an encrypted connection", ENCRYPT)),
    (r"LOGINDISABLED|login (is )?disabled|plaintext authentication disallowed",
     Answer(SignInRefused, "takes no password on this connection", ENCRYPT)),
    (r"web login required|please log in via your web browser",
     Answer(SignInRefused, "wants a sign-in by web browser first",
            "Sign in once with a browser, confirm that it was you, then check the block again.")),
    (r"5\.7\.60\b|permissions? to send as",
     Answer(ConfigurationError, "does not let this user send as this sender",
            "Grant the user Send As on the mailbox, or make `sender` the user's own address.")),
    (r"simultaneous connections|number of connections|too many connections|authenticated but not connected",
     Answer(Throttled, "sees too many connections of this user",
            "Close mail clients that nobody uses, or raise the account's limit; the desk waits and tries again.",
            "too-many-connections")),
    (r"\[OVERQUOTA\]|bandwidth limits|quota exceeded|over quota",
     Answer(Throttled, "says that the account's quota is used up",
            "Wait for the provider's day to end, or make room in the mailbox; the desk waits and tries again.",
            "overquota")),
    (r"too many|try again later|\[(THROTTLED|UNAVAILABLE|LIMIT|INUSE)\]|^421|^45\d|\b4\.7\.\d",
     Answer(Throttled, "asks for a pause")),
    (r"\[(AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED)\]|(authenticate|login|authentication) failed"
     r"|authentication unsuccessful|credentials|password|^53[0458]|\b5\.7\.[389]\b",
     REFUSED),
    (r"(unsupported|invalid) authentication mechanism|^504",
     Answer(ConfigurationError, "does not take this kind of sign-in", "Choose another kind of credential block.")),
    (r"does not exist|NONEXISTENT|TRYCREATE|mailbox not found",
     Answer(ConfigurationError, "has no such folder", "Create it in the mailbox or correct its name.")),
    (r"STARTTLS|AUTH extension not supported|No suitable authentication",
     Answer(ConfigurationError, "does not offer what the block asks for", PORTS)),
)  # fmt: skip

# The same for failures below the protocols, from the narrowest type to the widest.
FAILURES: tuple[tuple[type[Exception], Answer], ...] = (
    (ssl.SSLCertVerificationError,
     Answer(NetworkTrouble, "shows a certificate that is not trusted",
            "Use the host name that stands in the certificate; for a private authority set SSL_CERT_FILE.")),
    (ssl.SSLError, Answer(NetworkTrouble, "and we agree on no TLS", PORTS)),
    (socket.gaierror, Answer(NetworkTrouble, "is a name nobody knows", "Correct the host in the block.")),
    (ConnectionRefusedError, Answer(NetworkTrouble, "refused the connection", PORTS)),
    (TimeoutError, Answer(NetworkTrouble, "did not answer in time")),
    (imaplib.IMAP4.abort, Answer(NetworkTrouble, "broke the connection")),
    (smtplib.SMTPRecipientsRefused,
     Answer(ConfigurationError, "takes none of the recipients", "Correct the recipients in the block.")),
    (smtplib.SMTPServerDisconnected, Answer(NetworkTrouble, "broke the connection")),
    (ConnectionError, Answer(NetworkTrouble, "broke the connection")),
)  # fmt: skip

MAIL_ERRORS = (imaplib.IMAP4.error, smtplib.SMTPException)
TALKING: tuple[type[Exception], ...] = (*MAIL_ERRORS, *(kind for kind, _ in FAILURES))
OPENING: tuple[type[Exception], ...] = (*TALKING, OSError)


def read_answer(text: str, otherwise: Answer = UNCLEAR) -> Answer:
    """What a server's refusal means; `text` begins with the code for SMTP ("535 5.7.8 …")."""
    known = (answer for pattern, answer in ANSWERS if re.search(pattern, text, re.IGNORECASE))
    return next(known, otherwise)


def read_failure(failure: Exception, place: str, otherwise: Answer = UNCLEAR) -> ByreturnError:
    """The error of the house for any exception of imaplib, smtplib, ssl or socket.

    `otherwise` stands for what no table knows; at sign-in it also tells how this kind of credential is mended.
    """
    # IMAPClient calls everything at login a LoginError, a lost connection too; its context is the true one
    origin = failure.__context__ if isinstance(failure, LoginError) else failure
    answer = read_answer(tell_failure(failure)) if isinstance(failure, MAIL_ERRORS) else UNCLEAR
    if answer is UNCLEAR:
        answer = next((known for kind, known in FAILURES if isinstance(origin, kind)), otherwise)
    if answer is REFUSED and otherwise.error is SignInRefused:
        answer = otherwise
    return answer.raised_at(place)


def tell_failure(failure: Exception) -> str:
    """The server's own words in an exception; for reading only, never to be shown."""
    if isinstance(failure, smtplib.SMTPResponseException):
        said = failure.smtp_error
        return f"{failure.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(failure)


@contextmanager
def translate_opening(place: str) -> Iterator[None]:
    """Raise errors of the house while a connection is made, when every OSError is the network's."""
    try:
        yield
    except OPENING as failure:
        raise read_failure(failure, place, OUT_OF_REACH) from None


@contextmanager
def translate_talk(place: str, otherwise: Answer = UNCLEAR) -> Iterator[None]:
    """Raise errors of the house instead of those of mail and network libraries; others pass untouched.

    A full disk is an OSError too and none of the server's faults, so only the kinds in `TALKING` are read.
    """
    try:
        yield
    except TALKING as failure:
        raise read_failure(failure, place, otherwise) from None

"""Every error of the house, in one tree.

    ByreturnError                     anything we raise on purpose; has a `remedy`
    ├── ConfigurationError            a setting is wrong: nothing was touched
    │   ├── PolicyError               policy.yaml: names the key, the line and what is allowed
    │   ├── BlockError                a Prefect block is missing or incomplete
    │   └── DeskKeyError              a master, token or tombstone key is missing or not the one we used before
    ├── ConnectionTrouble             an outside system did not answer as it should
    │   ├── NetworkTrouble            refused, timed out, name unknown, TLS broken
    │   ├── SignInRefused             the user or the secret was refused; do not try again by yourself
    │   ├── Throttled                 the server asks us to slow down; has `retry_after`
    │   └── ProtocolTrouble           the server answered something that we can't work with
    ├── ModelTrouble                  the model gave nothing usable
    │   ├── ModelUnavailable          down, slow, throttled, over budget
    │   └── ModelAnswerInvalid        answered outside the closed sets
    ├── MailTrouble                   one mail can't be handled: it goes to quarantine with this as cause
    ├── LetterTrouble                 one letter can't go out as it stands: it becomes a draft or waits for a person
    │   └── LetterHole                a value that its template asks for is missing
    ├── ClaimLost                     somebody else has the work now: drop ours, nothing was committed
    ├── TimeOver                      a work that lasts by the clock has had its time: no fault of anybody's
    ├── StaleDecision                 facts changed under a decision: decide again
    └── Incident                      the guard's clean face of any other exception; the cause is in our database

The class docstring is the message; ids are attributes; `code` is the class's own or a narrower word for the same
("too-many-connections" of Throttled); no text of a mail, no address ever enters one of these,
because Prefect stores what it is shown.
"""

from __future__ import annotations

from datetime import timedelta

from desk.classification import Usage


class ByreturnError(Exception):
    """Something went wrong."""

    code = "error"
    remedy = ""

    def __init__(self, detail: str = "", *, remedy: str = "", code: str = "") -> None:
        self.detail = detail
        self.remedy = remedy or type(self).remedy
        self.code = code or type(self).code
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """First line of the docstring, then the detail, then what to do."""
        first = (type(self).__doc__ or "").strip().splitlines()[0].rstrip(".")
        said = f"{first}: {self.detail}" if self.detail else first
        return f"{said}. {self.remedy}" if self.remedy else said


class ConfigurationError(ByreturnError):
    """A setting is wrong."""

    code = "configuration"


class PolicyError(ConfigurationError):
    """The policy can't be used."""

    code = "policy"


class BlockError(ConfigurationError):
    """A Prefect block is missing or incomplete."""

    code = "block"
    remedy = "Create or edit it in the Prefect UI under Blocks, or run `byreturn setup`."


class DeskKeyError(ConfigurationError):
    """A desk key is missing or is not the one used before."""

    code = "key"
    remedy = "Restore the desk keys block from its export; never generate a new set over an existing store."


class ConnectionTrouble(ByreturnError):
    """An outside system did not answer as it should."""

    code = "connection"


class NetworkTrouble(ConnectionTrouble):
    """The server can't be reached."""

    code = "network"
    remedy = "Check host, port, security and firewall; the desk tries again by itself."


class SignInRefused(ConnectionTrouble):
    """The server refused the sign-in."""

    code = "auth"
    remedy = "Renew the password in the credential block: once it is saved the desk signs in again, and not before."


class Throttled(ConnectionTrouble):
    """The server asks us to slow down."""

    code = "throttled"
    remedy = "Nothing to do: the desk waits and tries again; lengthen the interval if it comes back."

    def __init__(
        self, detail: str = "", *, retry_after: timedelta | None = None, remedy: str = "", code: str = ""
    ) -> None:
        self.retry_after = retry_after
        super().__init__(detail, remedy=remedy, code=code)


class ProtocolTrouble(ConnectionTrouble):
    """The server answered something that can't be worked with."""

    code = "protocol"
    remedy = "Run the block's check; if it passes and this comes back, report the server's name and version."


class ModelTrouble(ByreturnError):
    """The model gave nothing usable."""

    code = "model"
    remedy = "The local model judged instead."


class ModelUnavailable(ModelTrouble):
    """The model did not answer."""

    code = "model-unavailable"

    def __init__(
        self, detail: str = "", *, retry_after: timedelta | None = None, remedy: str = "", code: str = ""
    ) -> None:
        self.retry_after = retry_after
        super().__init__(detail, remedy=remedy, code=code)


class ModelAnswerInvalid(ModelTrouble):
    """The model answered outside the closed sets.

    `answer` keeps its raw words and `usage` their price, for our own store; neither enters the message.
    """

    code = "model-answer"

    def __init__(self, detail: str = "", *, answer: str = "", usage: Usage | None = None) -> None:
        self.answer = answer
        self.usage = usage or Usage()
        super().__init__(detail)


class MailTrouble(ByreturnError):
    """One mail can't be handled."""

    code = "mail"
    remedy = "It is in quarantine: see `byreturn quarantine`, replay it when the cause is mended."


class LetterTrouble(ByreturnError):
    """A letter can't go out as it stands."""

    code = "letter"
    remedy = "See `byreturn letters`: it tells what became of it."


class LetterHole(LetterTrouble):
    """A letter lacks a value that its template asks for."""

    code = "hole"


class ClaimLost(ByreturnError):
    """Another worker has this work now."""

    code = "claim-lost"


class TimeOver(ByreturnError):
    """The time for this is over."""

    code = "time-over"


class StaleDecision(ByreturnError):
    """Facts changed under a decision."""

    code = "stale"


class Incident(ByreturnError):
    """Something unforeseen happened."""

    code = "incident"

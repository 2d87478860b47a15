"""What a bounce says: RFC 3464 reports, whole or damaged, and home-made ones by their words and by flufl.bounce."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

from flufl.bounce import all_failures

from desk.mail.bodies import read_body
from desk.mail.charsets import decode_bytes
from desk.mail.headers import Headers, decode_words, read_addresses, read_headers, read_ids, read_message_id
from desk.mail.parts import Leaf, Part, list_leaves
from desk.mail.reasons import REASONS, derive_status, find_status, tell_reason
from desk.mail.refusals import WORDS, Refusal, cut_copy, pick_cause, read_refusal
from desk.mail.values import Address, Bounce, Receipt, Told, Word

__all__ = ["REASONS", "Report", "is_daemon", "read_report"]

# Its detectors log the traceback of a damaged mail, text and all (Yale's: IndexError on an empty From).
logging.getLogger("flufl.bounce").addHandler(logging.NullHandler())
logging.getLogger("flufl.bounce").propagate = False

_SCAN_BYTES = 1_000_000
_SCAN_CHARS = 200_000
_GUESS_BYTES = 50_000  # twenty detectors go over every line
_MAX_RECIPIENTS = 100
_DAEMONS = re.compile(
    r"(?:mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|daemon|post[-_.]?master|bounces?|mmdf|smtpd|uucp|mdsmail|"
    r"mail[-_.]delivery.*|microsoftexchange[0-9a-f]{32})(?:[-+].*)?",
    re.IGNORECASE,
)
_POSTMASTERS = re.compile(r"post[-_.]?master@", re.IGNORECASE)
# No person writes from these; their words of refusal count beside a subject that says the same.
_ROBOTS = re.compile(
    r"no[-_.]?reply|mail[-_.]?(?:system|gateway|server)|system|mta|smtp|interscan|antispam|spamfilter", re.IGNORECASE
)
_NAMES = re.compile(
    r"mail (?:deliver[y]?|administrator|system|server).{0,40}|(?:system|mail|postmaster) administrator|"
    r"administrateur système|systemadministrator|"
    r"postmaster.{0,40}|courier mail server at .{1,80}|interscan (?:mss|notification)|mailer-daemon.{0,40}|"
    r"microsoft outlook|microsoft exchange|internet mail delivery|(?:e?mail )?delivery (?:sub)?system.{0,40}",
    re.IGNORECASE,
)
# Fields that only mailers write: Exim and Gmail, Active!hunter, Amazon SNS, fml, Exchange Online, X.400 gateways.
_MARKS = frozenset(
    {
        "x-failed-recipients", "x-ahmailid", "x-amz-sns-message-id", "x-mlserver", "x-ms-exchange-message-is-ndr",
        "x-ms-embedded-report", "x400-content-return",
    }
)  # fmt: skip
_SUBJECTS = re.compile(
    r"undeliver|non[- ]?deliver|unzustellbar|non[- _]?(?:remis|distribu|délivr|livr)|"
    r"delivery[- _](?:status notification|failure|has failed|failed|problem|report|"
    r"delay|notification|error|unsuccessful|status|incomplete)|mail delivery|failure (?:notice|delivery)|"
    r"failed delivery|"
    r"(?:mail|message|e-?mail) (?:failure|failed|error|undeliver|not delivered|rejected|rejection|bounced|"
    r"you sent blocked|delayed|frozen)|message status|"
    r"returned (?:mail|e-?mail|message|to sender)|returning (?:mail|message)|"
    r"could ?n[o']t (?:be )?(?:deliver|send)|error sending your mail|mail system error|"
    r"notice: mail delivery|(?:are|is) not (?:a )?member|not member article|reject mail|is rejected|fml system error|"
    r"unix from loop|loop (?:alert|back warning)|warning: (?:message|could not|mail|delayed)|delayed (?:mail|delivery)|"
    r"delivery delayed|"
    r"still being retried|"
    r"\[?bounce\]?\b|nondeliverable|bounced mail|wasn['’]t delivered|blocked by our bulk|error\(s\) in forwarding|"
    r"[ée]chec (?:de |d['’]) ?(?:la )?(?:remise|envoi|distribution|livraison|transmission|délivrance)|"
    r"retour (?:de courrier|à l['’]expéditeur)|"
    r"(?:message|mail|courriel|courrier) (?:non |pas |retourné|retardé|refusé|rejeté)|(?:avis|rapport|"
    r"notification) de non[- ]|(?:remise|distribution) (?:retardée|différée)|"
    r"notification d['’](?:échec|état)|zustell(?:ung|fehler|bericht)|nachricht (?:nicht|konnte)|"
    r"nicht zustellbar|fehler bei der|"
    r"no (?:se pudo |se puede |)entreg|(?:error|fallo) (?:de|en la) entrega|non recapit|"
    r"mancat[oa] (?:recapito|consegna)|recapito (?:non|ritard)|"
    r"falha na entrega|não entregue|niet[- ]bezorg|onbestelbaar|не доставлено|недоставлен|niedostarcz|"
    r"配信|送信でき|エラー|退信|无法送达|系统退信",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"\s*(?:re|ré|réf|aw|sv|antw|fwd?|tr|wg|enc|doorst|i|rv|"
    r"auto(?:matic)?[ a-z]{0,10})\s?(?:\[\d{1,3}\])?\s?:",
    re.IGNORECASE,
)
_SUCCESS = re.compile(
    r"\(?\b(?:success|relay(?:ed)?|delivered|expanded)\b\)?|successful(?:ly)? (?:mail )?deliver|^(?:remis|"
    r"relayé|delivered|zugestellt|entregado|consegnato) ?:",
    re.IGNORECASE,
)
_RELAYED = re.compile(r"\brelay", re.IGNORECASE)
_FAILURE = re.compile(r"\bnot\b|fail|un(?:success|deliver)|delay|warning", re.IGNORECASE)
_DELAYED = re.compile(
    r"delay|still being retried|will (?:continue|keep) |has not (?:yet )?been delivered|not yet been|"
    r"warning message only|warning:|temporary (?:failure|problem|error)|"
    r"will be (?:retried|re-?attempted)|transient non-fatal|you do not need to re-?send|retard|différé|"
    r"pas encore (?:été|pu)|sera (?:retenté|réessay)|nouvelles? tentatives?|"
    r"verzöger|noch nicht zugestellt|retrasad|ritardat|in ritardo|vertraagd|atrasad",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(
    r"permanent(?:ly)? |giv(?:ing|en) up|will not be (?:retried|re)|no further (?:attempts|delivery)|unrecoverable|"
    r"could not be delivered for|définiti|erreur permanente|endgültig",
    re.IGNORECASE,
)

_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "text/rfc822"}
)
_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})  # the latter of RFC 6533
# A read receipt names a Final-Recipient too (RFC 8098); a complaint may carry a Mail-From (RFC 5965).
_OTHER_REPORTS = frozenset(
    {"message/disposition-notification", "message/global-disposition-notification", "message/feedback-report"}
)
_OTHER_TYPES = frozenset({"disposition-notification", "feedback-report"})
_NAMED = re.compile(
    r"^[ \t>*]{0,10}(?:original[- ])?message[- ]id ?:[ \t]{0,10}(<[^<>\s]{1,990}>)", re.IGNORECASE | re.MULTILINE
)
_STATUS_FIELD = re.compile(
    r"(?im)^[ \t]{0,3}(original-envelope-id|original-recipient|final-recipient|action|status|diagnostic-code|"
    r"x-supplementary-info)"
    r"[ \t]{0,5}:([^\n]{0,5000}(?:\n[ \t]+[^\n]{1,1000}){0,50})"
)
_LEADERS = frozenset({"original-recipient", "final-recipient", "action", "status"})  # a second one: the next recipient
_GAP = re.compile(r"\n[ \t]*\n")
_HAS_FIELDS = re.compile(r"(?im)^[ \t]{0,3}(?:final|original)-recipient[ \t]{0,5}:")
_UTF8_CHAR = re.compile(r"\\x\{([0-9a-f]{2,6})\}", re.IGNORECASE)
_HEX = re.compile(r"\+([2-7][0-9A-F])")
_ENVID_CHARS = 100  # RFC 3461 §4.4
_VERP = re.compile(r"[^+=]{1,64}[+-]([^@=]{1,64})=([\w.-]{3,200})")  # "bounces+anne=school.example": whom we wrote to
_ACTIONS = (
    ("fail", Word.FAILED),
    ("delay", Word.DELAYED),
    ("deliver", Word.DELIVERED),
    ("relay", Word.RELAYED),
    ("expand", Word.EXPANDED),
)
_TROUBLES = frozenset({Word.FAILED, Word.DELAYED})


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report: a failure or a delay has a `bounce`, a success has none. What a program tells of each
    recipient is in its `receipt`.
    """

    bounce: Bounce | None
    evidence: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A mail that may be a report, as far as it had to be looked at."""

    mail: Part
    leaves: tuple[Leaf, ...]
    subject: str
    text: str
    ours: frozenset[str]
    certain: bool  # a mail system sent it; otherwise more than its words is asked for
    robot: bool  # at least no person did
    human: bool  # a postmaster, who may be one, and no sign of a mailer beside


@dataclass(slots=True)
class _Block:
    """What a report says of one recipient (RFC 3464 §2.3), fields by lower-cased name."""

    fields: dict[str, str]

    @property
    def action(self) -> Word:
        """Told by the status where the action is missing or unknown."""
        value = self.fields.get("action", "").strip(" ;").lower()
        known = next((action for start, action in _ACTIONS if value.startswith(start)), None)
        return known or {"2": Word.DELIVERED, "4": Word.DELAYED}.get(self.status[:1], Word.FAILED)

    @property
    def status(self) -> str:
        return find_status(self.fields.get("status", ""))

    @property
    def recipient(self) -> str:
        """As the letter was addressed, else as it was delivered; empty for a pipe, a file or an X.400 address."""
        original = read_recipient(self.fields.get("original-recipient", ""))
        return _undo_xtext(original) or read_recipient(self.fields.get("final-recipient", ""))

    @property
    def diagnosis(self) -> str:
        """What the servers said, the diagnostic code first."""
        names = ("diagnostic-code", "x-supplementary-info", "status")
        return " ".join(self.fields.get(name, "") for name in names)


def read_report(mail: Part, leaves: tuple[Leaf, ...], sender: Address) -> Report | None:
    """The delivery report in a mail, None when it is none."""
    if not _may_report(mail, sender) or _is_other_report(mail, leaves):
        return None
    case = _open_case(mail, leaves, sender)
    return _read_standard(case) or _read_notification(case) or _read_home_made(case)


def is_daemon(headers: Headers, sender: Address) -> bool:
    """Whether a mail system, not a person, is the likely sender (RFC 5321 §4.5.5: an empty reverse path)."""
    return _is_mailer(sender) or _has_null_path(headers)


def _may_report(mail: Part, sender: Address) -> bool:
    """Ordinary mail ends here: this must cost next to nothing."""
    if mail.content_type == "multipart/report" or is_daemon(mail.headers, sender):
        return True
    return _is_robot(mail.headers, sender) or bool(_NAMES.fullmatch(sender.name))


def _is_other_report(mail: Part, leaves: tuple[Leaf, ...]) -> bool:
    kind = mail.params.get("report-type", "").lower()
    return kind in _OTHER_TYPES or any(leaf.content_type in _OTHER_REPORTS for leaf in leaves)


def _is_mailer(sender: Address) -> bool:
    return not sender.address or bool(_DAEMONS.fullmatch(sender.address.partition("@")[0]))


def _is_robot(headers: Headers, sender: Address) -> bool:
    return not _MARKS.isdisjoint(headers.fields) or bool(_ROBOTS.fullmatch(sender.address.partition("@")[0]))


def _has_null_path(headers: Headers) -> bool:
    return "return-path" in headers and headers.first("return-path").replace(" ", "") == "<>"


def _open_case(mail: Part, leaves: tuple[Leaf, ...], sender: Address) -> _Case:
    headers = mail.headers
    to_us = (*headers.every("to"), *headers.every("delivered-to"))
    ours = frozenset(one.address for one in (*read_addresses(to_us), sender))
    named = _is_mailer(sender) or bool(_NAMES.fullmatch(sender.name)) or "x-failed-recipients" in headers
    subject = decode_words(headers.first("subject"))
    null_path = _has_null_path(headers)
    # Postmasters are people too: they answer and forward, and what they send then is theirs.
    certain = mail.content_type == "multipart/report" or (named and (null_path or not _ANSWERS.match(subject)))
    human = bool(_POSTMASTERS.match(sender.address)) and not null_path
    return _Case(mail, leaves, subject, _gather_text(leaves), ours, certain, _is_robot(headers, sender), human)


def _gather_text(leaves: tuple[Leaf, ...]) -> str:
    """The body, and text that came as a file: McAfee and Exchange give theirs a name."""
    named = (_read_text(leaf) for leaf in leaves if leaf.attached and leaf.content_type == "text/plain")
    return "\n\n".join((read_body(leaves).text, *named))[:_SCAN_CHARS]


def _read_standard(case: _Case) -> Report | None:
    """RFC 3464. A person who forwards a bounce may attach its parts: the mail itself must be a report."""
    blocks, evidence = _find_blocks(case)
    sound = evidence == "multipart/report" and case.mail.content_type == evidence
    if not (sound or (blocks and _is_trusted(case))):
        return None
    failed = [block for block in blocks if block.action is Word.FAILED]
    delayed = [block for block in blocks if block.action is Word.DELAYED]
    if blocks and not (failed or delayed):
        return Report(None, "Action", _tell_blocks(case, blocks, None))
    bounce = _judge_blocks(case, failed or delayed)
    return Report(bounce, evidence, _tell_blocks(case, blocks, bounce))


def _is_trusted(case: _Case) -> bool:
    return case.certain or (_is_told(case) and (case.robot or _has_null_path(case.mail.headers)))


def _find_blocks(case: _Case) -> tuple[list[_Block], str]:
    """(blocks, evidence): from the status parts, else from any text that has their fields (gateways retype them)."""
    status = [leaf for leaf in _list_reported(case) if leaf.content_type in _STATUS]
    blocks = [block for leaf in status for block in _read_blocks(_read_text(leaf))]
    if blocks or status:
        return blocks, "multipart/report"
    files = (leaf for leaf in case.leaves if leaf.content_type.startswith(("application/", "message/delivery")))
    texts = (case.text, *(_read_text(leaf) for leaf in files if b"-recipient" in leaf.part.read_content().lower()))
    found = (_read_blocks(cut_copy(text)) for text in texts if _HAS_FIELDS.search(text))
    return next((blocks for blocks in found if blocks), []), "Final-Recipient"


def _list_reported(case: _Case) -> Iterator[Leaf]:
    """All parts, and those of the report that a mail system passes on within a mail of its own."""
    yield from case.leaves
    if case.certain and case.mail.content_type != "multipart/report":
        for leaf in case.leaves:
            yield from (inner for part in leaf.part.parts[:1] for inner in list_leaves(part))


def _read_blocks(text: str) -> list[_Block]:
    """One for each recipient; blank lines may be missing or too many, fields may be folded or out of order."""
    blocks: list[dict[str, str]] = [{}]
    for piece in _GAP.split(text.replace("\r\n", "\n").replace("\r", "\n")[:_SCAN_CHARS]):
        if "final-recipient" in blocks[-1] and ("status" in blocks[-1] or "action" in blocks[-1]):
            blocks.append({})
        for name, value in _STATUS_FIELD.findall(piece):
            if name.lower() in _LEADERS and name.lower() in blocks[-1]:
                blocks.append({})
            blocks[-1].setdefault(name.lower(), " ".join(value.split()))
    told = (one for one in blocks if "final-recipient" in one or "action" in one or "original-recipient" in one)
    return [_Block(one) for one in told][:_MAX_RECIPIENTS]


def _tell_blocks(case: _Case, blocks: list[_Block], bounce: Bounce | None) -> Receipt | None:
    """What each recipient's block says; of one alone the whole report speaks."""
    alone = bounce if len(blocks) == 1 else None
    told = tuple(_tell_block(block, alone) for block in blocks)
    found = (block.fields.get("original-envelope-id", "") for block in blocks)
    letter = bounce.message_id if bounce else _find_letter(case, _read_copies(case))
    return Receipt(told, letter, next((read_xtext(one) for one in found if one), "")) if told else None


def _tell_block(block: _Block, alone: Bounce | None) -> Told:
    if block.action not in _TROUBLES:
        return Told(block.recipient, block.action, block.status)
    if alone:
        named = block.recipient or next(iter(alone.recipients), "")
        return Told(named, block.action, alone.status, alone.reason)
    reason = tell_reason(block.status, block.diagnosis)
    return Told(block.recipient, block.action, block.status or derive_status(reason, block.diagnosis), reason)


def read_xtext(value: str) -> str:
    """An ENVID as it was given (RFC 3461 §4): "+2B" is "+"."""
    return _HEX.sub(lambda found: chr(int(found[1], 16)), value.strip())[:_ENVID_CHARS]


def read_recipient(value: str) -> str:
    """The address in "rfc822; <anne@school.example>" (RFC 3464 §2.3, RFC 6533 §3)."""
    kind, _, rest = value.rpartition(";")
    address = _UTF8_CHAR.sub(_read_char, rest.strip().strip("<>\"'").strip())
    address = re.sub(r"^(?:rfc822|smtp|mailto):", "", address, flags=re.IGNORECASE).lower()
    if kind and "@" in address and re.search(r"\s|^[|/]", address):
        return next((one.address for one in read_addresses((address,)) if "|" not in address), "")
    return address if "@" in address and not re.search(r"\s|^[|/]", address) else ""


def _undo_xtext(address: str) -> str:
    """RFC 3461 §4: in an Original-Recipient, "+" and "=" are written as their codes."""
    return address.replace("+2b", "+").replace("+3d", "=")


def _read_char(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return chr(code) if 0x20 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _judge_blocks(case: _Case, blocks: list[_Block]) -> Bounce:
    diagnosis = " ".join(block.diagnosis for block in blocks[:10])
    coded = [block.status for block in blocks if block.status]
    permanent = any(block.action == "failed" for block in blocks) or any(one.startswith("5") for one in coded)
    recipients = tuple(dict.fromkeys(block.recipient for block in blocks if block.recipient))
    return _make_bounce(case, recipients, permanent, (" ".join(coded), diagnosis))


def _read_notification(case: _Case) -> Report | None:
    """Amazon SES tells of bounces through SNS, as JSON in a mail; complaints and deliveries too."""
    if "x-amz-sns-message-id" not in case.mail.headers:
        return None
    notice = _load_notice(case.text)
    bounced = notice.get("bounce")
    if not isinstance(bounced, dict):
        return None
    told = bounced.get("bouncedRecipients")
    about = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    said = " ".join(f"{one.get('status', '')} {one.get('diagnosticCode', '')}" for one in about[:10])
    named = (str(one.get("emailAddress", "")).lower() for one in about)
    recipients = tuple(dict.fromkeys(one for one in named if "@" in one))[:_MAX_RECIPIENTS]
    permanent = bounced.get("bounceType") != "Transient"
    return Report(
        _make_bounce(case, recipients, permanent, (said, str(bounced.get("bounceSubType", "")))), "Amazon SNS"
    )


def _load_notice(text: str) -> dict[str, Any]:
    """The notice in a body of JSON, which may be wrapped in SNS's own; empty for anything else."""
    try:
        notice, _ = json.JSONDecoder().raw_decode(text[text.index("{") :].replace("!\n ", ""))
        wrapped = notice.get("Message") if isinstance(notice, dict) else None
        found = json.loads(wrapped) if isinstance(wrapped, str) else notice
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_home_made(case: _Case) -> Report | None:
    refusal = read_refusal(case.text, case.ours)
    named = _read_failed_recipients(case.mail.headers)
    if not (named or _is_refused(case, refusal)):
        found = _scan_failures(case) if case.certain and not case.human else ()
        return _judge_text(case, found, "flufl.bounce", refusal) if found else None
    told = named or (refusal.recipients if refusal else ())
    evidence = refusal.evidence if refusal else "X-Failed-Recipients" if named else "Subject"
    return _judge_text(case, told or _scan_failures(case), evidence, refusal)


def _is_refused(case: _Case, refusal: Refusal | None) -> bool:
    """A mail system's own words or its subject are enough; of anybody else more is asked for."""
    told, null_path = _is_told(case), _has_null_path(case.mail.headers)
    if refusal is None:
        return told and case.certain
    known, named = refusal.evidence != WORDS, bool(refusal.recipients)
    if case.certain:
        return told or known or null_path or (named and not case.human)
    return (told and (null_path or (case.robot and named))) or (known and null_path and named)


def _is_told(case: _Case) -> bool:
    return bool(_SUBJECTS.search(case.subject)) and not _ANSWERS.match(case.subject)


def _judge_text(case: _Case, recipients: tuple[str, ...], evidence: str, refusal: Refusal | None) -> Report:
    if not refusal and _SUCCESS.search(case.subject) and not _FAILURE.search(case.subject):
        return Report(None, "Subject", _tell_success(case, recipients))
    said = refusal.text if refusal else cut_copy(case.text)
    delayed = bool(_DELAYED.search(case.subject) or _DELAYED.search(said)) and not _GIVEN_UP.search(said)
    return Report(_make_bounce(case, recipients, not delayed, (pick_cause(said), said)), evidence)


def _tell_success(case: _Case, recipients: tuple[str, ...]) -> Receipt:
    copies = _read_copies(case)
    word = Word.RELAYED if _RELAYED.search(case.subject) else Word.DELIVERED
    named = recipients or _find_recipients(case, cut_copy(case.text), copies) or ("",)
    return Receipt(tuple(Told(one, word) for one in named), _find_letter(case, copies))


def _make_bounce(case: _Case, recipients: tuple[str, ...], permanent: bool, said: tuple[str, ...]) -> Bounce:
    """What is not in the fields is looked for in the words, then in the letter that came back."""
    words = cut_copy(case.text)
    copies = _read_copies(case)
    status = find_status(*said) or find_status(words)
    reason = tell_reason(status, *said, words)
    return Bounce(
        recipients=(recipients or _find_recipients(case, words, copies))[:_MAX_RECIPIENTS],
        permanent=permanent,
        status=status or derive_status(reason, *said, words),
        message_id=_find_letter(case, copies),
        reason=reason,
    )


def _find_recipients(case: _Case, words: str, copies: list[Headers]) -> tuple[str, ...]:
    """Where no field tells: Exim's own, the words, the letter's only addressee, our own return path (VERP)."""
    if named := _read_failed_recipients(case.mail.headers):
        return named
    refusal = read_refusal(words, case.ours)
    if refusal and refusal.recipients:
        return refusal.recipients
    sent = [one.address for copy in copies for one in read_addresses(copy.every("to")) if one.address not in case.ours]
    paths = (_VERP.fullmatch(one.rpartition("@")[0]) for one in sorted(case.ours))
    return tuple(sent) if len(sent) == 1 else tuple(f"{path[1]}@{path[2]}" for path in paths if path)


def _read_failed_recipients(headers: Headers) -> tuple[str, ...]:
    """Exim and Gmail name them in a header of its own."""
    value = ",".join(headers.every("x-failed-recipients"))
    named = (one.strip().strip("<>").lower() for one in value.split(","))
    return tuple(dict.fromkeys(one for one in named if "@" in one))[:_MAX_RECIPIENTS]


def _scan_failures(case: _Case) -> tuple[str, ...]:
    try:
        temporary, permanent = all_failures(message_from_bytes(case.mail.raw[:_GUESS_BYTES]))
    except Exception:  # noqa: BLE001 - twenty detectors, each with its own way to stumble on a damaged mail
        return ()
    found = sorted(decode_bytes(one).strip("<> ").lower() for one in permanent or temporary)
    return tuple(one for one in found if "@" in one and one not in case.ours)[:_MAX_RECIPIENTS]


def _read_copies(case: _Case) -> list[Headers]:
    """Header parts of the letter that came back: attached, or below the words."""
    attached = [_read_head(leaf) for leaf in case.leaves if leaf.content_type in _RETURNED][:10]
    below = case.text[len(cut_copy(case.text)) :] if not attached else ""
    fields = (piece.encode("utf-8", "replace") for piece in _list_heads(below))
    return [read_headers(head) for head in (*attached, *fields)]


def _list_heads(text: str) -> Iterator[str]:
    pieces = _GAP.split(text[:_SCAN_CHARS], maxsplit=20)
    return (piece.strip("\n") + "\n\n" for piece in pieces if re.search(r"(?im)^(?:message-id|subject): ", piece))


def _find_letter(case: _Case, copies: list[Headers]) -> str:
    """Message-ID of the letter that came back: in its copy, in the words, else what the report answers."""
    headers = case.mail.headers
    in_copies = (read_message_id(copy) for copy in copies)
    in_text = read_ids(_NAMED.findall(case.text))
    answered: Iterable[str] = (*headers.every("in-reply-to"), *headers.every("references"))
    return next((one for one in (*in_copies, *in_text, *read_ids(answered)) if one), "")


def _read_text(leaf: Leaf) -> str:
    text = decode_bytes(leaf.part.read_content()[:_SCAN_BYTES], leaf.part.params.get("charset", ""))
    return text.replace("\r\n", "\n")[:_SCAN_CHARS]


def _read_head(leaf: Leaf) -> bytes:
    return re.split(rb"\r?\n\r?\n", leaf.part.read_content()[:_SCAN_BYTES].lstrip(), maxsplit=1)[0] + b"\n\n"

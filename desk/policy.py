"""What policy.yaml says, under the same names as its keys; each fault with its line, key and what is allowed.

Reading goes text → YAML nodes (they know their lines) → plain data → models. The models check shapes; `RULES`
check, on the plain data, what must fit across sections: so one fault never hides another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

import holidays
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from desk.errors import PolicyError
from desk.plan import Verdict

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Mode = Literal["off", "draft", "auto"]
Priority = Literal["normal", "important", "urgent"]
Segment = Literal["pilot", "standard", "academy", "international"]
Condition = Literal["category", "priority", "segment"]
Receipt = Literal["delivery", "read"]
FieldKind = Literal["name", "date", "class", "version", "platform", "number", "text"]
DigestType = Literal[
    "new", "answered", "waiting", "late", "escalated", "categories", "teams", "organisations", "times",
    "bounces", "quarantine", "trend", "articles",
]  # fmt: skip

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)  # in the order of `date.weekday()`
DIGEST_TYPES: tuple[DigestType, ...] = get_args(DigestType)
LEVELS = range(1, 5)
ACADEMY = "{academy}"
DAY = timedelta(days=1)

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)+(?!\d+\Z){LABEL}")
LOCAL_PART = re.compile(r"(?=.{1,64}\Z)[a-z0-9!#$%&'*+/=?^_`|~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`|~-]+)*")
LINE = r"^[^\p{Cc}\p{Zl}\p{Zp}]*$"  # these as Rust's regex reads them: what a mail header takes on one line
FILLED_LINE = r"^[^\p{Cc}\p{Zl}\p{Zp}]*[^\p{C}\s][^\p{Cc}\p{Zl}\p{Zp}]*$"
LANGUAGE = r"^[a-z]{2}$"
SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
TEAM_NAME = r"^[a-z][a-z0-9_-]*$"
FIELD_NAME = r"^[a-z][a-z0-9_]{0,39}$"
CATEGORY_NAME = r"^[a-z][a-z0-9_]*$"
SPAN = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?")
CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:(00)")


# --- words of the file --------------------------------------------------------------------------------------


def read_span(value: object) -> timedelta:
    """A duration such as "8h", "30d", "10m", "60s" or "1h30m"; never zero."""
    match = SPAN.fullmatch(value) if isinstance(value, str) else None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not span:
        raise ValueError("a duration such as 8h, 30d, 10m, 60s or 1h30m")
    return span


def read_work_span(value: object) -> timedelta:
    """A duration on the business clock, where "1d" would be read as 24 open hours: days are refused."""
    if isinstance(value, str) and "d" in value:
        raise ValueError("open hours such as 8h or 1h30m, since days differ in open hours")
    return read_span(value)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of local wall-clock time; `start` and `end` count from midnight, `end` up to 24 h."""

    start: timedelta
    end: timedelta


def read_clock_time(text: str) -> timedelta:
    match = CLOCK_TIME.fullmatch(text)
    if not match:
        raise ValueError('text in quotes such as "08:30-12:30"')
    hour, minute, midnight = match.groups()
    return DAY if midnight else timedelta(hours=int(hour), minutes=int(minute))


def read_stretch(value: object) -> Stretch:
    start, _, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    return Stretch(read_clock_time(start.strip()), read_clock_time(end.strip()))


def read_opening(value: object) -> Stretch:
    opening = read_stretch(value)
    if opening.start >= opening.end:
        raise ValueError("an opening that ends after it starts, on the same day (24:00 is midnight)")
    return opening


def read_quiet_hours(value: object) -> Stretch | None:
    """Quiet hours may pass midnight; "" is none."""
    if value == "":
        return None
    quiet = read_stretch(value)
    if quiet.start == quiet.end:
        raise ValueError('two different times such as "20:00-07:00", or ""')
    return quiet


def sort_openings(openings: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    ordered = tuple(sorted(openings, key=lambda opening: opening.start))
    if any(later.start < earlier.end for earlier, later in pairwise(ordered)):
        raise ValueError("openings that do not overlap")
    return ordered


def check_domain(value: str) -> str:
    if not DOMAIN.fullmatch(value.lower()):
        raise ValueError("a domain name of at least two parts, such as school.example")
    return value.lower()


def check_address(value: str) -> str:
    """Syntax only, the plain form of RFC 5321 §4.1.2 (no quotes, no literals), lower-cased."""
    local, _, domain = value.lower().rpartition("@")
    if not (LOCAL_PART.fullmatch(local) and DOMAIN.fullmatch(domain)):
        raise ValueError("an e-mail address such as support@school.example")
    return value.lower()


def check_team_address(value: str) -> str:
    """As `check_address`; `{academy}` stands for the academy of a listed organisation."""
    check_address(value.replace(ACADEMY, "academy"))
    return value.lower()


def check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; ill-formed; a folder of the time-zone database
        raise ValueError("a time zone of the IANA database, such as Europe/Paris") from None
    return value


def check_priority(value: str) -> str:
    if value not in get_args(Priority):
        raise ValueError(f"one of: {', '.join(get_args(Priority))}")
    return value


def check_country(value: str) -> str:
    if value and value not in holidays.list_supported_countries():
        raise ValueError('a country as ISO 3166 code, such as FR, or ""')
    return value


def read_day(value: object) -> date:
    """A day, as YAML reads one or as text; not an instant, not a number of seconds."""
    try:
        return value if type(value) is date else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("a date such as 2026-12-24") from None


T = TypeVar("T")


def read_list(value: object) -> object:
    """Tuples in the models, lists in YAML; anything else is refused rather than iterated."""
    return tuple(value) if isinstance(value, list) else value


def check_some(values: tuple[T, ...]) -> tuple[T, ...]:
    """As min_length=1, which would also complain of a list whose only entry is faulty."""
    if not values:
        raise ValueError("at least one entry")
    return values


Many = Annotated[tuple[T, ...], BeforeValidator(read_list)]
Some = Annotated[Many[T], AfterValidator(check_some)]
Day = Annotated[date, PlainValidator(read_day)]
Span = Annotated[timedelta, PlainValidator(read_span)]
WorkSpan = Annotated[timedelta, PlainValidator(read_work_span)]
Opening = Annotated[Stretch, PlainValidator(read_opening)]
Openings = Annotated[Many[Opening], AfterValidator(sort_openings)]
Quiet = Annotated[Stretch | None, PlainValidator(read_quiet_hours)]
Line = Annotated[StrictStr, Field(pattern=FILLED_LINE, max_length=200)]
Language = Annotated[StrictStr, Field(pattern=LANGUAGE)]
Slug = Annotated[StrictStr, Field(pattern=SLUG, max_length=63)]
TeamName = Annotated[StrictStr, Field(pattern=TEAM_NAME)]
FieldName = Annotated[StrictStr, Field(pattern=FIELD_NAME)]
CategoryName = Annotated[StrictStr, Field(pattern=CATEGORY_NAME)]
PriorityName = Annotated[StrictStr, AfterValidator(check_priority)]  # a str: tickets look theirs up
Domain = Annotated[StrictStr, AfterValidator(check_domain)]
EmailAddress = Annotated[StrictStr, AfterValidator(check_address)]
TeamAddress = Annotated[StrictStr, AfterValidator(check_team_address)]
Count = Annotated[StrictInt, Field(ge=1)]
Share = Annotated[StrictFloat, Field(ge=0, le=1)]
Folder = Annotated[StrictStr, Field(pattern=LINE, max_length=200)]
LevelNumber = Annotated[StrictInt, Field(ge=1, le=4)]


# --- sections of the file -----------------------------------------------------------------------------------


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class OrganisationSection(Section):
    """Who we are. `domain` is the right-hand side of our Message-IDs."""

    name: Line
    domain: Domain
    sender: EmailAddress
    operator: EmailAddress
    languages: Some[Language]
    signature: Mapping[Language, Line]


class Calendar(Section):
    """The business clock: openings per weekday, sorted, in local wall-clock time of `timezone`."""

    timezone: Annotated[StrictStr, AfterValidator(check_timezone)]
    hours: Mapping[Weekday, Openings]
    holidays: Annotated[StrictStr, AfterValidator(check_country)] = ""
    closed: Many[Day] = ()
    quiet_hours: Quiet = None
    break_quiet: Many[Priority] = ()


class PriorityTimes(Section):
    """Durations on the business clock."""

    respond_in: WorkSpan
    resolve_in: WorkSpan


class Preferences(Section):
    """How somebody likes letters: as HTML or plain text, where answers to them go ("" for the usual place), signed by
    whom ("" for the organisation), how important they are marked, and which receipts are asked for.
    """

    format: Literal["html", "text"] = "html"
    reply_to: EmailAddress | Literal[""] = ""
    signature: Line | Literal[""] = ""
    importance: Literal["normal", "high"] = "normal"
    receipts: Many[Receipt] = ()


class Level(Preferences):
    """Who is rung once `at` (1.0 is the whole) of the running deadline is gone."""

    name: Line
    address: EmailAddress
    at: Annotated[StrictFloat, Field(gt=0, le=100)]


class Category(Section):
    """One subject of mail, described in the languages of the organisation by the keys fr, en, …

    `folder` is where its mails are filed, and from where an agent's move tells us better; `fields` are what is looked
    for in its mails, name → kind (desk.fields); `answers` tells what its letters say: their template's words alone, or
    passages of approved articles as well, without which nothing goes out by itself.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Line]

    mode: Mode
    threshold: Share = 0.6
    priority: Priority | None = None
    ticket: StrictBool = True
    folder: Folder = ""
    fields: Mapping[FieldName, FieldKind] = Field(default_factory=dict)
    answers: Literal["template", "articles"] = "template"

    def describe(self, language: str) -> str:
        """The description in `language`, else the first one given."""
        told = self.__pydantic_extra__
        return told.get(language) or next(iter(told.values()))


class SortingConditions(Section):
    """What a mail must show, all of it; of each list one entry is enough. `sender` and `attachment` are patterns with
    * and ? (addresses, file names), `organisation` names or segments of listed organisations, `words` stand in subject
    or text, `header` is a field's name → pattern of its value.
    """

    sender: Many[Line] = ()
    organisation: Many[Line] = ()
    words: Many[Line] = ()
    attachment: Many[Line] = ()
    header: Mapping[Line, Line] = Field(default_factory=dict)


class SortingRule(Section):
    """One row of the table that is read before any model is asked; the first one that holds decides."""

    name: Line
    when: SortingConditions
    category: StrictStr
    priority: Priority | None = None


class Price(Section):
    """Euros for a million tokens."""

    input: Annotated[StrictFloat, Field(ge=0)]
    output: Annotated[StrictFloat, Field(ge=0)]


class Shadow(Section):
    """A second judge without effect, for this `share` of mails: another `model`, other `instructions` (a file), another
    `policy` (a file).
    """

    classifier: Literal["mistral", "local"] = "mistral"
    share: Share = 0.0
    model: StrictStr = ""
    instructions: StrictStr = ""
    policy: StrictStr = ""


class ClassificationSection(Section):
    """How mail is judged: rules, then Mistral while its budget of the day (euros) lasts, then the local model, then a
    person, in the category `fallback`. Backfills of more than `batch_over` mails go to the batch API.
    """

    fallback: StrictStr = ""
    rules: Many[SortingRule] = ()
    budget_eur: Annotated[StrictFloat, Field(ge=0)] = 5.0
    prices: Mapping[Line, Price] = Field(default_factory=dict)
    batch_over: Count = 500
    shadow: Shadow = Shadow()


class Team(Preferences):
    """Who handles tickets. `address` may hold `{academy}`, see `desk.routing`."""

    address: TeamAddress


class Route(Section):
    """One row of the routing table; holds when all of `when` hold."""

    when: Mapping[Condition, StrictStr] = Field(default_factory=dict)
    team: StrictStr


class ListedOrganisation(Section):
    """Who writes, told by the domain of a verified sender; `academy` fills `{academy}`."""

    name: Line
    domains: Some[Domain]
    segment: Segment
    academy: Slug | Literal[""] = ""


class TrustSection(Section):
    """Whose Authentication-Results count (RFC 8601 §5; "-" is a server that writes no name), and whether DKIM
    signatures are checked here where those say nothing.
    """

    authserv_ids: Many[Line] = ()
    check_dkim: StrictBool = True


class Smime(Section):
    """S/MIME (RFC 8551): whether letters are signed, and encrypted never, where the reader's certificate is known, or
    always, so that whoever has none gets no letter.
    """

    sign: StrictBool = False
    encrypt: Literal["never", "possible", "always"] = "never"


class LettersSection(Section):
    """`plus_address`: answers go to an address with the ticket in it; the mail server must take those (RFC 5233).
    `templates`: a folder of the organisation's own, looked into before ours. `sent_copy`: what went out is laid in the
    mailbox's Sent folder. `receipts` are asked for in letters to requesters. `most_bytes`: a larger letter is made
    smaller. `links_for`: how long a link to a file holds. `give_up_after`: a letter that nobody took until then is
    refused. `suppress_for`: an address that letters came back from is not written to for so long.
    """

    plus_address: StrictBool = False
    templates: StrictStr = ""
    sent_copy: StrictBool = True
    receipts: Many[Receipt] = ()
    most_bytes: Count = 20_000_000
    links_for: Span = timedelta(days=14)
    give_up_after: Span = timedelta(days=2)
    suppress_for: Span = timedelta(days=180)
    smime: Smime = Smime()


class KnowledgeSection(Section):
    """`folder` holds the articles; of these `passages` at most are quoted. `embeddings` names the model that also
    searches by meaning, "" for none; `propose_after`: so many resolved tickets with like questions make a candidate.
    """

    folder: StrictStr = "knowledge"
    passages: Annotated[StrictInt, Field(ge=1, le=5)] = 2
    embeddings: StrictStr = ""
    propose_after: Count = 2


class Limits(Section):
    """Caps. `letters_per_…` and `letters_in_all`: at most so many automatic letters within each duration, then drafts;
    `sent_per_mailbox`: letters of all kinds that the provider lets out of one, then they wait; `mail_bytes` in bytes;
    `silent_visits`: of a mailbox's intervals without a good visit before the operator hears of it.
    """

    answer_within: Span
    letters_per_sender: Mapping[Span, Count] = Field(min_length=1)
    letters_per_ticket: Mapping[Span, Count] = Field(min_length=1)
    letters_per_mailbox: Mapping[Span, Count] = {timedelta(hours=1): 200, DAY: 500}
    letters_in_all: Mapping[Span, Count] = {DAY: 2000}
    sent_per_mailbox: Mapping[Span, Count] = {DAY: 500, 30 * DAY: 10_000}
    mail_bytes: Count
    silent_visits: Count = 6
    attempts: Count
    claim: Span
    chunk: Annotated[Count, Field(le=500)]  # one task run per chunk: 100–500 is what Prefect takes well


class Reader(Preferences):
    """One reader of the digest; no `teams` means all of them."""

    name: TeamName
    address: EmailAddress
    language: Language
    frequency: Literal["daily", "weekly", "on_demand"]
    weekday: Weekday = "mon"
    types: Many[DigestType] = DIGEST_TYPES
    teams: Many[StrictStr] = ()


class Digest(Section):
    readers: Many[Reader] = ()


class Retention(Section):
    """How long what is kept, from a ticket's closing, or from arrival for mail without a ticket; `examples` are texts
    under pseudonyms that agents' corrections left for the local model to learn from.
    """

    mails: Span
    letters: Span
    drafts: Span
    attachments: Span
    logs: Span
    examples: Span = timedelta(days=30)
    close_after: Span
    orphan_packs: Span


class Policy(Section):
    """policy.yaml as a whole. Made by `load_policy` only: the models alone don't check across sections."""

    version: Annotated[StrictInt, Field(ge=1, le=1)]
    organisation: OrganisationSection
    calendar: Calendar
    priorities: Mapping[PriorityName, PriorityTimes]
    levels: Mapping[LevelNumber, Level]
    categories: Mapping[CategoryName, Category] = Field(min_length=1)
    classification: ClassificationSection = ClassificationSection()
    teams: Mapping[TeamName, Team] = Field(min_length=1)
    routes: Some[Route]
    organisations: Many[ListedOrganisation] = ()
    agents: Many[EmailAddress] = ()
    trust: TrustSection
    letters: LettersSection = LettersSection()
    knowledge: KnowledgeSection = KnowledgeSection()
    limits: Limits
    filing: Mapping[Verdict, Folder] = Field(default_factory=dict)
    digest: Digest = Digest()
    retention: Retention

    _fingerprint: str = PrivateAttr("")

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of the YAML text: the policy's version, stored with each verdict."""
        return self._fingerprint

    @property
    def fallback(self) -> str:
        """The category of what no judge could judge: the one named, else the last that opens tickets, else the last."""
        ticketed = [name for name, each in self.categories.items() if each.ticket]
        return self.classification.fallback or (ticketed or list(self.categories))[-1]

    def model_post_init(self, context: Any, /) -> None:
        self._fingerprint = context or ""


# --- faults -------------------------------------------------------------------------------------------------

Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong where; `text` tells kinds and what is allowed, never the value found."""

    keys: Keys
    text: str


KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",  # as `read_list` left it
    dict: "a mapping",
    date: "a date",
    datetime: "an instant",
    type(None): "nothing",
}

ALLOWED = {  # pydantic's error type → what is allowed, filled from its context
    "bool_type": "true or false",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "{pattern}",
    "too_short": "at least one entry",
    "literal_error": "one of: {expected}",
    "enum": "one of: {expected}",
    "value_error": "{error}",
}

FORMS = {  # patterns said in words
    LINE: "one line of text",
    FILLED_LINE: "one line of text, not empty",
    LANGUAGE: "a language of two letters, such as fr",
    CATEGORY_NAME: "a name of lower-case letters, digits and _",
    FIELD_NAME: "a name of lower-case letters, digits and _",
    TEAM_NAME: "a name of lower-case letters, digits, _ and -",
    SLUG: "a name of lower-case letters, digits and -",
}

YAML_SWITCH = '; YAML reads off, on, yes and no as true or false unless they stand in quotes: "off"'


def read_fault(error: Mapping[str, Any]) -> Fault:
    """One of pydantic's error details as a fault."""
    keys = tuple(key for key in error["loc"] if key != "[key]")
    kind: str = error["type"]
    if kind == "missing":
        return Fault(keys, "is missing")
    if kind in ("extra_forbidden", "invalid_key"):
        return Fault(keys, f"is no key of ours; allowed: {join(find_fields(keys[:-1]))}")
    found = KINDS.get(type(error["input"]), "something else")
    return Fault(keys, f"found {found}; allowed: {tell_allowed(error)}{tell_hint(error)}")


def tell_allowed(error: Mapping[str, Any]) -> str:
    context = dict(error.get("ctx", {}))
    if "pattern" in context:
        context["pattern"] = FORMS[context["pattern"]]
    if "expected" in context:
        context["expected"] = context["expected"].replace("'", "").replace(" or ", ", ")
    return ALLOWED.get(error["type"], "another kind of value").format(**context)


def tell_hint(error: Mapping[str, Any]) -> str:
    return YAML_SWITCH if isinstance(error["input"], bool) and error["type"] != "bool_type" else ""


def find_fields(keys: Keys) -> Iterable[str]:
    """The keys that the section at `keys` may have."""
    kind: Any = Policy
    for key in keys:
        kind = kind.model_fields[key].annotation if is_section(kind) else find_item(kind)
    return kind.model_fields if is_section(kind) else ()


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def find_item(kind: Any) -> Any:
    """The model inside Mapping[…, Model] or tuple[Model, …]."""
    return next((inner for inner in get_args(kind) if is_section(inner)), None)


def join(names: Iterable[object]) -> str:
    return ", ".join(map(name_key, names))


# --- rules across sections ----------------------------------------------------------------------------------

Data = Mapping[str, Any]


def pick(data: object, *keys: str) -> Any:
    """The value at `keys`, or None where the data has another shape: the models tell that."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def list_items(value: object) -> Iterator[tuple[str | int, Any]]:
    """Key and value of a mapping, or number (from 0) and value of a list."""
    if isinstance(value, dict):
        yield from value.items()
    if isinstance(value, list):
        yield from enumerate(value)


def list_names(data: Data) -> Iterator[tuple[Keys, object, object]]:
    """Every name that must be known elsewhere: where it stands, the name, the names known."""
    for number, language in list_items(pick(data, "organisation", "languages")):
        yield ("organisation", "languages", number), language, pick(data, "organisation", "signature")
    yield ("classification", "fallback"), pick(data, "classification", "fallback"), pick(data, "categories")
    for number, rule in list_items(pick(data, "classification", "rules")):
        yield ("classification", "rules", number, "category"), pick(rule, "category"), pick(data, "categories")
    for number, route in list_items(pick(data, "routes")):
        yield ("routes", number, "team"), pick(route, "team"), pick(data, "teams")
        for key, known in (("category", "categories"), ("priority", "priorities")):
            yield ("routes", number, "when", key), pick(route, "when", key), pick(data, known)
        yield ("routes", number, "when", "segment"), pick(route, "when", "segment"), get_args(Segment)
    for number, reader in list_items(pick(data, "digest", "readers")):
        keys: Keys = ("digest", "readers", number)
        yield (*keys, "language"), pick(reader, "language"), pick(data, "organisation", "languages")
        for place, team in list_items(pick(reader, "teams")):
            yield (*keys, "teams", place), team, pick(data, "teams")


def check_names(data: Data) -> Iterator[Fault]:
    for keys, name, known in list_names(data):
        if isinstance(name, str) and isinstance(known, dict | list | tuple) and known and name not in known:
            yield Fault(keys, f"found an unknown name; allowed: one of: {join(known)}")


def check_descriptions(data: Data) -> Iterator[Fault]:
    """What is neither a setting of a category nor a language of ours is a slip of the pen."""
    languages = [language for _, language in list_items(pick(data, "organisation", "languages"))]
    allowed = join([*languages, *Category.model_fields])
    for name, category in list_items(pick(data, "categories")):
        told = [key for key, _ in list_items(category) if key not in Category.model_fields]
        for key in told if languages else ():
            if key not in languages:
                yield Fault(("categories", name, key), f"is no key of ours; allowed: {allowed}")
        if not told:
            yield Fault(("categories", name), f"has no description; allowed: one of: {join(languages)}")


def check_hours(data: Data) -> Iterator[Fault]:
    hours = pick(data, "calendar", "hours")
    if isinstance(hours, dict) and not any(hours.values()):
        yield Fault(("calendar", "hours"), "is never open; allowed: at least one opening in the week")


def check_priorities(data: Data) -> Iterator[Fault]:
    priorities = pick(data, "priorities")
    if not isinstance(priorities, dict):
        return
    for name in get_args(Priority):
        respond, resolve = (try_span(pick(priorities, name, key)) for key in ("respond_in", "resolve_in"))
        if name not in priorities:
            yield Fault(("priorities", name), "is missing")
        elif respond and resolve and resolve < respond:
            yield Fault(("priorities", name, "resolve_in"), "is shorter than respond_in; allowed: no shorter")


def try_span(value: object) -> timedelta | None:
    """None where the models tell that it is no duration."""
    try:
        return read_work_span(value)
    except ValueError:
        return None


def check_levels(data: Data) -> Iterator[Fault]:
    levels = pick(data, "levels")
    if not isinstance(levels, dict):
        return
    yield from (Fault(("levels", number), "is missing") for number in LEVELS if number not in levels)
    shares = [(number, pick(levels.get(number), "at")) for number in LEVELS]
    for (_, lower), (number, upper) in pairwise(pair for pair in shares if type(pair[1]) in (int, float)):
        if upper <= lower:
            yield Fault(("levels", number, "at"), "does not ascend; allowed: more than the level before")


def check_routes(data: Data) -> Iterator[Fault]:
    """Someone must take every mail: the last row takes what is left, and only the last."""
    rows = dict(list_items(pick(data, "routes")))
    for number, route in rows.items():
        last, bound = number == len(rows) - 1, bool(pick(route, "when"))
        if last and bound:
            yield Fault(("routes", number, "when"), "is on the last route; allowed: on every route but the last")
        if not last and not bound:
            yield Fault(("routes", number), "hides all routes below; allowed: no `when` on the last route only")


def check_academies(data: Data) -> Iterator[Fault]:
    """An address with a hole must have something to fill it, on every way that leads there."""
    listed = dict(list_items(pick(data, "organisations")))
    known = any(pick(organisation, "academy") for organisation in listed.values())
    holed = [name for name, team in list_items(pick(data, "teams")) if has_hole(team)]
    for name in [] if known else holed:
        yield Fault(("teams", name, "address"), f"holds {ACADEMY}; allowed: once organisations list an academy")
    for number, route in list_items(pick(data, "routes")):
        if pick(route, "team") in holed and pick(route, "when", "segment") != "academy":
            yield Fault(("routes", number, "team"), f"needs {ACADEMY}; allowed: only when segment: academy")
    for number, organisation in listed.items():
        if pick(organisation, "segment") == "academy" and not pick(organisation, "academy"):
            yield Fault(("organisations", number, "academy"), "is missing; allowed: the academy's name")


def has_hole(team: object) -> bool:
    return ACADEMY in str(pick(team, "address"))


def check_repeats(data: Data) -> Iterator[Fault]:
    """Domains tell organisations apart, names tell readers apart."""
    domains = [
        (("organisations", number, "domains", place), domain)
        for number, organisation in list_items(pick(data, "organisations"))
        for place, domain in list_items(pick(organisation, "domains"))
    ]
    readers = [
        (("digest", "readers", number, "name"), pick(reader, "name"))
        for number, reader in list_items(pick(data, "digest", "readers"))
    ]
    yield from (Fault(keys, "is there already; allowed: once") for keys in [*seen_twice(domains), *seen_twice(readers)])


def check_sorting(data: Data) -> Iterator[Fault]:
    """A rule that asks for nothing would hold for every mail, or for none; a field is of one kind everywhere."""
    wanted = f"allowed: at least one of: {join(SortingConditions.model_fields)}"
    for number, rule in list_items(pick(data, "classification", "rules")):
        when = pick(rule, "when")
        if isinstance(when, dict) and not any(when.values()):
            yield Fault(("classification", "rules", number, "when"), f"has no condition; {wanted}")
    kinds: dict[object, object] = {}
    for name, category in list_items(pick(data, "categories")):
        for field, kind in list_items(pick(category, "fields")):
            if kind in get_args(FieldKind) and kinds.setdefault(field, kind) != kind:
                yield Fault(("categories", name, "fields", field), f"is of another kind above; allowed: {kinds[field]}")


def seen_twice(places: Iterable[tuple[Keys, object]]) -> Iterator[Keys]:
    seen: set[str] = set()
    for keys, value in places:
        name = value.lower() if isinstance(value, str) else ""
        if name and name in seen:
            yield keys
        seen.add(name)


RULES: tuple[Callable[[Data], Iterator[Fault]], ...] = (
    check_names,
    check_descriptions,
    check_hours,
    check_priorities,
    check_levels,
    check_routes,
    check_academies,
    check_repeats,
    check_sorting,
)


# --- the file -----------------------------------------------------------------------------------------------


class Reading(yaml.SafeLoader):
    """YAML 1.1 whose every complaint has a line, also about dates and numbers that don't exist."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(
                None, None, "found a date or number that does not exist", node.start_mark
            ) from error


def load_policy(text: str) -> Policy:
    """The policy that `text` (YAML) holds.

    Raises PolicyError that lists every fault: line, key path (list entries count from 0), what is allowed.
    """
    tree, data, faults = parse_text(text)
    faults += [fault for rule in RULES for fault in rule(data)]
    try:
        policy = Policy.model_validate(data, context=take_fingerprint(text))
    except ValidationError as error:
        faults += [read_fault(detail) for detail in error.errors()]
        raise PolicyError(tell_faults(tree, faults)) from None
    if faults:
        raise PolicyError(tell_faults(tree, faults))
    return policy


def read_policy(path: Path) -> Policy:
    """The policy in the file at `path` (UTF-8). Raises PolicyError."""
    try:
        return load_policy(path.read_text(encoding="utf-8"))
    except OSError:
        remedy = "Start the command in the folder that holds it, or name the file; it must be readable."
        raise PolicyError(f"there is no readable file {path.name}", remedy=remedy) from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path.name} is not UTF-8 text", remedy="Save it as UTF-8.") from None


def take_fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_text(text: str) -> tuple[yaml.Node | None, Any, list[Fault]]:
    """The tree of nodes, the data they hold and the keys written twice."""
    try:
        loader = Reading(text)
        tree = loader.get_single_node()
        repeats = list(find_repeats(tree))  # before the data is built: that copies `<<` merges into the tree
        return tree, loader.construct_document(tree) if tree else {}, repeats
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyError(tell_syntax(text, error)) from None


def tell_syntax(text: str, error: Exception) -> str:
    """Where YAML stopped and why, without the words it stopped at."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        return tell_place(before.count("\n"), len(before) - before.rfind("\n") - 1, "a character is not allowed")
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        why = re.sub(r"(['\"])(?!<).{4,}\1", "…", error.problem or "this is no YAML")
        return tell_place(error.problem_mark.line, error.problem_mark.column, why)
    return "this is no YAML"


def tell_place(line: int, column: int, why: str) -> str:
    return f"line {line + 1}, column {column + 1}: {why}"


def find_repeats(tree: yaml.Node | None) -> Iterator[Fault]:
    """Keys written twice, of which YAML would silently keep the last."""
    for keys, node in walk_nodes(tree, (), set()):
        seen: dict[tuple[str, str], yaml.Node] = {}
        for key, _ in node.value:
            first = seen.setdefault((key.tag, str(key.value)), key)
            if first is not key:
                line = first.start_mark.line + 1
                yield Fault((*keys, key.value), f"is written twice, first on line {line}; allowed: once")


def walk_nodes(node: yaml.Node | None, keys: Keys, seen: set[int]) -> Iterator[tuple[Keys, yaml.MappingNode]]:
    """Every mapping with its key path; an alias (`*name`) is walked once, where it is first met."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield keys, node
    for key, child in list_children(node):
        yield from walk_nodes(child, (*keys, key), seen)


def list_children(node: yaml.Node) -> list[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return [(key.value, child) for key, child in node.value]
    return list(enumerate(node.value)) if isinstance(node, yaml.SequenceNode) else []


def find_line(tree: yaml.Node | None, keys: Keys) -> int:
    """The line (from 1) of the key or list entry at `keys`, or of the nearest one around it.

    A key that is there twice has its last line, the one YAML would keep.
    """
    node, line = tree, 0
    for key in keys:
        places = list_places(node)
        if str(key) not in places:
            break
        line, node = places[str(key)]
    return line + 1


def list_places(node: yaml.Node | None) -> dict[str, tuple[int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): (key.start_mark.line, child) for key, child in node.value}
    children = list_children(node) if node else []
    return {str(key): (child.start_mark.line, child) for key, child in children}


def tell_faults(tree: yaml.Node | None, faults: Iterable[Fault]) -> str:
    """All faults, one a line, in the order of the file."""
    found = sorted({(find_line(tree, fault.keys), name_keys(fault.keys), fault.text) for fault in faults})
    lines = [f"line {line}, {name}: {text}" for line, name, text in found]
    return "\n  ".join([f"{len(lines)} fault{'s' if len(lines) > 1 else ''}", *lines])


def name_keys(keys: Keys) -> str:
    """categories.billing.mode, or "the whole file"."""
    return ".".join(map(name_key, keys)) or "the whole file"


def name_key(key: object) -> str:
    """A key as said in messages: what is no plain word might be an address, and is not said."""
    return str(key) if re.fullmatch(r"[\w-]{1,40}", str(key)) else "…"

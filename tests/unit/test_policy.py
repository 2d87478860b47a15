"""policy.yaml is read whole, and told off with line, key and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from desk.errors import PolicyError
from desk.plan import Verdict
from desk.policy import DIGEST_TYPES, Category, Stretch, load_policy, read_policy

HOUR = timedelta(hours=1)

GOOD = """\
version: 1
organisation:
  name: Maison d'Essai
  domain: desk.example
  sender: desk@desk.example
  operator: Operator@desk.example
  languages: [fr, en]
  signature: {fr: L'équipe, en: The team}
calendar:
  timezone: Europe/Paris
  hours:
    mon: ["13:30-18:00", "08:30-12:30"]
    sat: ["20:00-24:00"]
  holidays: FR
  closed: [2026-12-24]
  quiet_hours: "20:00-07:00"
  break_quiet: [urgent]
priorities:
  normal: {respond_in: 8h, resolve_in: 40h}
  important: {respond_in: 4h, resolve_in: 16h}
  urgent: {respond_in: 1h30m, resolve_in: 4h}
levels:
  1: {name: One, address: one@desk.example, at: 0.75}
  2: {name: Two, address: two@desk.example, at: 1}
  3: {name: Three, address: three@desk.example, at: 1.5}
  4: {name: Four, address: four@desk.example, at: 2.0}
categories:
  programme: {fr: Programmes, en: Syllabus, mode: auto, threshold: 0.5}
  billing: {fr: Factures, mode: draft, priority: important}
  spam: {en: Spam, mode: "off", ticket: false}
teams:
  support: {address: support@desk.example}
  regional: {address: "{academy}@desk.example"}
routes:
  - {when: {segment: academy}, team: regional}
  - {when: {category: billing, priority: urgent}, team: support}
  - {team: support}
organisations:
  - {name: North, domains: [north.example], segment: academy, academy: north}
  - {name: South, domains: [South.example], segment: pilot}
agents: [agent@desk.example]
trust: {authserv_ids: [mx.desk.example]}
limits:
  answer_within: 3d
  letters_per_sender: {10m: 3, 1h: 6}
  letters_per_ticket: {1d: 12}
  mail_bytes: 1000
  attempts: 5
  claim: 60s
  chunk: 200
filing: {ignored: Sorted, held: ""}
digest:
  readers:
    - {name: head, address: head@desk.example, language: fr, frequency: daily}
    - {name: team, address: team@desk.example, language: en, frequency: weekly, weekday: tue, teams: [support]}
retention: {mails: 30d, letters: 30d, drafts: 30d, attachments: 30d, logs: 30d, close_after: 10d, orphan_packs: 1d}
"""


def change(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, "the change must be about one place"
    return GOOD.replace(old, new)


def complain(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    return caught.value.detail


def test_the_policy_that_we_ship_has_no_fault() -> None:
    assert read_policy(Path(__file__).parents[2] / "policy.yaml").version == 1


def test_values_stand_under_the_names_of_their_keys() -> None:
    policy = load_policy(GOOD)
    assert policy.organisation.signature["en"] == "The team"
    assert policy.organisation.operator == "operator@desk.example"
    assert policy.priorities["urgent"].respond_in == 1.5 * HOUR
    assert [policy.levels[number].at for number in (1, 2, 3, 4)] == [0.75, 1.0, 1.5, 2.0]
    assert policy.teams["support"].address == "support@desk.example"
    assert policy.routes[1].when == {"category": "billing", "priority": "urgent"}
    assert policy.organisations[1].domains == ("south.example",)
    assert policy.limits.letters_per_sender == {HOUR / 6: 3, HOUR: 6}
    assert policy.filing[Verdict.IGNORED] == "Sorted"
    assert policy.retention.orphan_packs == timedelta(days=1)


def test_signatures_are_checked_and_answer_addresses_plain_unless_said_otherwise() -> None:
    policy = load_policy(GOOD)
    assert (policy.trust.check_dkim, policy.letters.plus_address) == (True, False)
    other = load_policy(change("[mx.desk.example]}", "['-'], check_dkim: false}\nletters: {plus_address: true}"))
    assert (other.trust.check_dkim, other.letters.plus_address) == (False, True)
    assert other.trust.authserv_ids == ("-",)


def test_openings_are_sorted_wall_clock_stretches() -> None:
    calendar = load_policy(GOOD).calendar
    assert calendar.hours["mon"] == (Stretch(8.5 * HOUR, 12.5 * HOUR), Stretch(13.5 * HOUR, 18 * HOUR))
    assert calendar.hours["sat"] == (Stretch(20 * HOUR, 24 * HOUR),)
    assert calendar.quiet_hours == Stretch(20 * HOUR, 7 * HOUR)
    assert calendar.closed == (date(2026, 12, 24),)


def test_what_a_category_does_not_say_has_a_default() -> None:
    billing = load_policy(GOOD).categories["billing"]
    assert (billing.threshold, billing.ticket, billing.priority) == (0.6, True, "important")
    assert load_policy(GOOD).categories["programme"].priority is None


@pytest.mark.parametrize(("name", "language", "told"), [
    ("programme", "en", "Syllabus"),
    ("programme", "de", "Programmes"),
    ("billing", "en", "Factures"),
])  # fmt: skip
def test_a_category_is_described_in_the_language_asked_or_in_its_first(name: str, language: str, told: str) -> None:
    assert load_policy(GOOD).categories[name].describe(language) == told


def test_a_digest_reader_gets_everything_unless_told_otherwise() -> None:
    head, team = load_policy(GOOD).digest.readers
    assert (head.types, head.teams, head.format) == (DIGEST_TYPES, (), "html")
    assert (team.weekday, team.teams) == ("tue", ("support",))
    asked = load_policy(change("frequency: daily", "frequency: daily, types: [articles]")).digest.readers[0]
    assert asked.types == ("articles",)


def test_a_policy_does_not_change() -> None:
    policy = load_policy(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        policy.limits.chunk = 1  # type: ignore[misc]


def test_a_model_does_not_tell_what_it_refused_either() -> None:
    with pytest.raises(ValueError, match="threshold") as caught:
        Category.model_validate({"mode": "auto", "threshold": "person@private.example"})
    assert "private" not in str(caught.value)


def test_the_fingerprint_tells_texts_apart() -> None:
    same, other = load_policy(GOOD).fingerprint, load_policy(change("chunk: 200", "chunk: 100")).fingerprint
    assert same == load_policy(GOOD).fingerprint
    assert same != other
    assert len(bytes.fromhex(same)) == 8


RULED, RULES = "[mx.desk.example]}", "\nclassification: {rules: ["

FAULTS = [  # what stands in the file, what is written instead, key, words of the complaint
    ("version: 1", "version: 2", "version", "at most 1"),
    ("version: 1", "version: one", "version", "found text; allowed: a whole number"),
    ("domain: desk.example", "domain: desk", "organisation.domain", "a domain name of at least two parts"),
    ("sender: desk@desk.example", "sender: desk", "organisation.sender", "an e-mail address such as"),
    ("sender: desk@desk.example", "sender: a@b..example", "organisation.sender", "an e-mail address such as"),
    ("name: Maison d'Essai", 'name: "a\\nb"', "organisation.name", "one line of text"),
    ("name: Maison d'Essai", 'name: "a\\u2028b"', "organisation.name", "one line of text"),
    ("name: Maison d'Essai", 'name: " "', "organisation.name", "one line of text, not empty"),
    ("name: Maison d'Essai", "name:", "organisation.name", "found nothing; allowed: text"),
    ("languages: [fr, en]", "languages: [fr, en, de]", "organisation.languages.2", "allowed: one of: fr, en"),
    ("languages: [fr, en]", "languages: fr", "organisation.languages", "found text; allowed: a list"),
    ("Europe/Paris", "Europe/Nowhere", "calendar.timezone", "such as Europe/Paris"),
    ("Europe/Paris", "Europe", "calendar.timezone", "such as Europe/Paris"),
    ("Europe/Paris", "../../etc", "calendar.timezone", "such as Europe/Paris"),
    ("holidays: FR", "holidays: ATLANTIS", "calendar.holidays", "ISO 3166"),
    ("holidays: FR", "holidays: NO", "calendar.holidays", "unless they stand in quotes"),
    ("closed: [2026-12-24]", "closed: [christmas]", "calendar.closed.0", "a date such as 2026-12-24"),
    ("closed: [2026-12-24]", "closed: [20261224000]", "calendar.closed.0", "a date such as 2026-12-24"),
    ("closed: [2026-12-24]", "closed: [2026-12-24 10:00:00]", "calendar.closed.0", "found an instant"),
    ('sat: ["20:00-24:00"]', 'sat: ["20:00-24:01"]', "calendar.hours.sat.0", 'such as "08:30-12:30"'),
    ('sat: ["20:00-24:00"]', 'sat: ["20:00"]', "calendar.hours.sat.0", 'such as "08:30-12:30"'),
    ('sat: ["20:00-24:00"]', 'sat: ["20:00-08:00"]', "calendar.hours.sat.0", "ends after it starts"),
    ('sat: ["20:00-24:00"]', 'sat: ["08:00-12:00", "11:59-13:00"]', "calendar.hours.sat", "do not overlap"),
    ('sat: ["20:00-24:00"]', 'saturday: ["20:00-24:00"]', "calendar.hours.saturday", "mon, tue, wed"),
    ('"20:00-07:00"', "20:00", "calendar.quiet_hours", 'such as "08:30-12:30"'),
    ('"20:00-07:00"', '"20:00-20:00"', "calendar.quiet_hours", "two different times"),
    ("break_quiet: [urgent]", "break_quiet: [urgency]", "calendar.break_quiet.0", "normal, important, urgent"),
    ("respond_in: 8h", "respond_in: 8 hours", "priorities.normal.respond_in", "a duration such as 8h"),
    ("respond_in: 8h", "respond_in: 0h", "priorities.normal.respond_in", "a duration such as 8h"),
    ("respond_in: 8h", "respond_in: 1d", "priorities.normal.respond_in", "open hours such as 8h"),
    ("respond_in: 8h", "respond_in: 41h", "priorities.normal.resolve_in", "is shorter than respond_in"),
    ("important: {respond_in: 4h", "major: {respond_in: 4h", "priorities.major", "normal, important, urgent"),
    ("at: 1.5", "at: 1.0", "levels.3.at", "more than the level before"),
    ("at: 0.75", "at: 0", "levels.1.at", "more than 0"),
    ("at: 2.0", "at: .inf", "levels.4.at", "allowed: a finite number"),
    ("at: 2.0", "at: true", "levels.4.at", "found true or false; allowed: a number"),
    ("mode: draft", "mode: off", "categories.billing.mode", "off, draft, auto; YAML reads off, on"),
    ("mode: draft", "mode: automatic", "categories.billing.mode", "found text; allowed: one of: off, draft, auto"),
    ("threshold: 0.5", "threshold: 1.5", "categories.programme.threshold", "at most 1"),
    ("threshold: 0.5", "threshold: -0.5", "categories.programme.threshold", "at least 0"),
    ("threshold: 0.5", "treshold: low", "categories.programme.treshold", "fr, en, mode, threshold, priority"),
    ("ticket: false", 'ticket: "no"', "categories.spam.ticket", "found text; allowed: true or false"),
    ("{fr: Factures, mode", "{mode", "categories.billing", "has no description; allowed: one of: fr, en"),
    ("  spam:", "  Spam:", "categories.Spam", "a name of lower-case letters, digits and _"),
    ("category: billing", "category: bills", "routes.1.when.category", "one of: programme, billing, spam"),
    ("priority: urgent", "priority: high", "routes.1.when.priority", "one of: normal, important, urgent"),
    ("category: billing", "segment: none", "routes.1.when.segment", "pilot, standard, academy, international"),
    ("category: billing", "subject: billing", "routes.1.when.subject", "one of: category, priority, segment"),
    ("- {team: support}", "- {team: suport}", "routes.2.team", "one of: support, regional"),
    ("- {team: support}", "- {when: {segment: pilot}, team: support}", "routes.2.when", "on the last route"),
    ("{when: {category: billing, priority: urgent}, team", "{team", "routes.1", "hides all routes below"),
    ("- {team: support}", "- {team: regional}", "routes.2.team", "only when segment: academy"),
    ('"{academy}@desk.example"', '"{school}@desk.example"', "teams.regional.address", "an e-mail address such as"),
    ("[South.example]", "[South.example, NORTH.example]", "organisations.1.domains.1", "is there already"),
    ("[South.example]", "[]", "organisations.1.domains", "at least one entry"),
    ("agents: [agent@desk.example]", "agents: agent@desk.example", "agents", "found text; allowed: a list"),
    ("{fr: L'équipe, en: The team}", "us", "organisation.signature", "found text; allowed: a mapping"),
    ("[South.example]", "[example]", "organisations.1.domains.0", "a domain name of at least two parts"),
    ("segment: pilot", "segment: pilote", "organisations.1.segment", "pilot, standard, academy, international"),
    ("agents: [agent@desk.example]", "agents: [agent]", "agents.0", "an e-mail address such as"),
    ("claim: 60s", "claim: 60", "limits.claim", "found a number; allowed: a duration"),
    ("chunk: 200", "chunk: 501", "limits.chunk", "at most 500"),
    ("attempts: 5", "attempts: 0", "limits.attempts", "at least 1"),
    ("attempts: 5", "attempts: 5.5", "limits.attempts", "a whole number"),
    ("{1d: 12}", "{1day: 12}", "limits.letters_per_ticket.1day", "a duration such as 8h"),
    ("{1d: 12}", "{}", "limits.letters_per_ticket", "at least one entry"),
    ("ignored: Sorted", "ignore: Sorted", "filing.ignore", "answered, drafted, handed_over"),
    ("weekday: tue", "weekday: tuesday", "digest.readers.1.weekday", "mon, tue, wed"),
    ("language: en", "language: de", "digest.readers.1.language", "one of: fr, en"),
    ("teams: [support]", "teams: [suport]", "digest.readers.1.teams.0", "one of: support, regional"),
    ("name: team", "name: head", "digest.readers.1.name", "is there already"),
    ("frequency: daily", "frequency: hourly", "digest.readers.0.frequency", "daily, weekly, on_demand"),
    ("frequency: daily", "frequency: daily, types: [new, old]", "digest.readers.0.types.1", "answered, waiting"),
    ("frequency: daily", "frequency: daily, types: [article]", "digest.readers.0.types.0", "trend, articles"),
    ("close_after: 10d", "close_after: 10", "retention.close_after", "a duration such as 8h"),
    ("trust: {authserv_ids: [mx.desk.example]}", "trust: []", "trust", "found a list; allowed: a mapping"),
    ("[mx.desk.example]}", "[mx.desk.example], check_dkim: 1}", "trust.check_dkim", "true or false"),
    ("[mx.desk.example]}", "[mx.desk.example]}\nletters: {plus_address: 1}", "letters.plus_address", "true or false"),
    ("trust: {authserv_ids:", "trust: {authserv:", "trust.authserv", "is no key of ours; allowed: authserv_ids"),
    ("chunk: 200", "chunk: 200\n  a@b.example: 1", "limits.…", "is no key of ours; allowed: answer_within"),
    ("chunk: 200", "chunk: 200\n  chunk: 100", "limits.chunk", "is written twice, first on line"),
    ("{10m: 3, 1h: 6}", "{10m: 3, 10m: 6}", "limits.letters_per_sender.10m", "is written twice, first on line"),
    (RULED, f"{RULED}{RULES}{{name: x, when: {{}}, category: spam}}]}}", "classification.rules.0.when",
     "has no condition; allowed: at least one of: sender, organisation, words, attachment, header"),
    (RULED, f"{RULED}{RULES}{{name: x, when: {{words: [], header: {{}}}}, category: spam}}]}}",
     "classification.rules.0.when", "has no condition"),
    (RULED, f"{RULED}{RULES}{{name: x, when: {{words: [a]}}, category: spams}}]}}", "classification.rules.0.category",
     "found an unknown name; allowed: one of: programme, billing, spam"),
    (RULED, f"{RULED}{RULES}{{name: x, when: {{word: [a]}}, category: spam}}]}}", "classification.rules.0.when.word",
     "is no key of ours; allowed: sender, organisation, words"),
    ("mode: draft, priority: important}", "mode: draft, priority: important, fields: {since: day}}",
     "categories.billing.fields.since", "one of: name, date, class, version, platform, number, text"),
    ("mode: draft, priority: important}", "mode: draft, priority: important, fields: {Since: date}}",
     "categories.billing.fields.Since", "a name of lower-case letters, digits and _"),
    ("threshold: 0.5}\n  billing: {fr: Factures, mode: draft, priority: important}",
     "threshold: 0.5, fields: {since: date}}\n  billing: {fr: F, mode: draft, fields: {since: version}}",
     "categories.billing.fields.since", "is of another kind above; allowed: date"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "keys", "words"), FAULTS)
def test_a_fault_is_told_with_line_key_and_what_is_allowed(old: str, new: str, keys: str, words: str) -> None:
    text = change(old, new)
    line = text[: GOOD.index(old) + len(new)].count("\n") + 1
    told = [told for told in complain(text).splitlines() if f"line {line}, {keys}: " in told]
    assert any(words in each for each in told)


FOLLOWED = ("priorities.major", "categories.programme.treshold", "categories.Spam")  # by what is missing then


@pytest.mark.parametrize(("old", "new"), [row[:2] for row in FAULTS if row[2] not in FOLLOWED])
def test_one_slip_is_one_fault(old: str, new: str) -> None:
    assert complain(change(old, new)).startswith("1 fault\n")


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    text = change("timezone: Europe/Paris", "timezone: Mars")
    for old, new in [("mode: draft", "mode: off"), ("- {team: support}", "- {team: nobody}"), ("claim: 60s", "")]:
        text = text.replace(old, new)
    first, *told = complain(text).splitlines()
    assert first == "4 faults"
    assert [line.split(", ")[1].split(": ")[0] for line in told] == [
        "calendar.timezone", "categories.billing.mode", "routes.2.team", "limits.claim"
    ]  # fmt: skip


def test_a_calendar_that_is_never_open_is_refused() -> None:
    text = GOOD.replace('["13:30-18:00", "08:30-12:30"]', "[]").replace('["20:00-24:00"]', "[]")
    assert "calendar.hours: is never open" in complain(text)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_level_that_is_missing_is_named(number: int) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"  {number}: ")]
    assert f"levels.{number}: is missing" in complain("\n".join(lines))


def test_a_fifth_level_is_refused() -> None:
    assert "levels.5: found a number; allowed: at most 4" in complain(change("  4: {", "  5: {"))


def test_an_academy_without_its_name_is_refused() -> None:
    assert "organisations.0.academy: is missing" in complain(change(", academy: north", ""))


def test_a_hole_in_an_address_needs_an_academy_to_fill_it() -> None:
    told = complain(change("segment: academy, academy: north", "segment: pilot"))
    assert "teams.regional.address: holds {academy}; allowed: once organisations list an academy" in told


def test_a_missing_section_is_named() -> None:
    assert complain(GOOD[: GOOD.index("retention:")]) == "1 fault\n  line 1, retention: is missing"


def test_a_value_may_be_merged_over_a_shared_one() -> None:
    text = change("{address: support@desk.example}", "&one {address: support@desk.example}")
    policy = load_policy(text.replace('{address: "{academy}@', '{<<: *one, address: "{academy}@'))
    assert policy.teams["regional"].address == "{academy}@desk.example"


@pytest.mark.parametrize(("text", "told"), [
    ("a: [", "line 1, column 5: expected the node content"),
    ("version: 1\n\tx: 1", "line 2, column 1: found character"),
    ("version: 1\na: b: c", "line 2, column 5: mapping values are not allowed here"),
    ("version: 1\nname: \x07", "line 2, column 7: a character is not allowed"),
    ("version: 1\nclosed: [2026-13-45]", "line 2, column 10: found a date or number that does not exist"),
    ("a: !person@private.example 1", "line 1, column 4: could not determine a constructor for the tag …"),
    ("--- 1\n--- 2", "line 2, column 1: but found another document"),
    ("[" * 5000, "this is no YAML"),
    ("- 1", "line 1, the whole file: found a list; allowed: a mapping"),
    ("", "calendar: is missing"),
])  # fmt: skip
def test_what_is_no_mapping_in_yaml_is_told_with_its_place(text: str, told: str) -> None:
    assert told in complain(text)


PLAIN = yaml.safe_load(GOOD)


def list_leaves(data: Any, *keys: Any) -> Iterator[tuple[Any, ...]]:
    """The path to every value, and to every value within."""
    for key in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield (*keys, key)
        yield from list_leaves(data[key], *keys, key)


def plant(value: Any, path: tuple[Any, ...]) -> str:
    place = data = deepcopy(PLAIN)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return str(yaml.dump(data, Dumper=yaml.CSafeDumper))


def find_complaint(text: str) -> str:
    try:
        load_policy(text)
    except PolicyError as error:
        return error.message
    return ""


@pytest.mark.parametrize("value", ["person@private.example x", None, True, -1, [[]], {"k": {}}])
def test_whatever_stands_anywhere_is_a_policy_or_a_clean_complaint(value: Any) -> None:
    paths = [path for path in list_leaves(PLAIN) if path[0] != "retention" and 2 not in path]
    complaints = {path: find_complaint(plant(value, path)) for path in paths}  # but for what is told elsewhere
    assert sum(map(bool, complaints.values())) > 50
    assert [path for path in paths if "private" in complaints[path]] == []
    assert [path for path in paths if "another kind of value" in complaints[path]] == []


def test_a_missing_file_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no readable file") as caught:
        read_policy(tmp_path / "policy.yaml")
    assert caught.value.remedy
    assert str(tmp_path) not in caught.value.message


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(PolicyError, match="not UTF-8"):
        read_policy(tmp_path / "policy.yaml")


def test_a_file_is_read_as_its_text_would_be(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(GOOD, encoding="utf-8")
    assert read_policy(tmp_path / "policy.yaml").fingerprint == load_policy(GOOD).fingerprint

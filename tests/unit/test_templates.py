"""Which words a letter is made of, what it is told, and what no template can do, not even the organisation's own."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from desk.decide import HINDRANCES
from desk.errors import ConfigurationError, LetterHole
from desk.mail import Address
from desk.policy import Level, Team, load_policy
from letters.checking import check_templates
from letters.compose import compose_letter
from letters.dates import say_date
from letters.manners import choose_signature, read_manners
from letters.render import Rendered, list_letters, render_letter
from letters.sandbox import MOST_CHARS
from letters.shapes import lay_passage, write_html, write_plain
from letters.slots import CATEGORIES, SLOTS, sample_slots
from letters.variants import Wording, choose_variant, find_segment, find_wording, list_wordings, read_name
from letters.words import REASONS
from tasks.opening import check_letters

TEXT = (Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8")
POLICY = load_policy(TEXT)
NUMBERS = [f"2026-{number:06}" for number in range(2000)]
BIDI = "\u202egpj.exe\u2066"
NASTY = "{{ 7*7 }}{% for x in range(9) %}x{% endfor %}<b onclick=x>&\r\nBcc: all@x.example\r\n--\r\n" + BIDI

SENDER = Address("L'Atelier", "support@atelier.example")
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)

Own = Callable[..., str]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Writes templates of the organisation's own, path → words; their folder."""

    def write(**files: str) -> str:
        for name, words in files.items():
            language, _, rest = name.partition("_")
            path = tmp_path / language / f"{rest.replace('__', '@').replace('_AS_', '.')}.j2"
            path.parent.mkdir(exist_ok=True)
            path.write_text(words, encoding="utf-8")
        return str(tmp_path)

    return write


def body(words: str, language: str = "fr") -> str:
    return f'{{% extends "layouts/requester.{language}.j2" %}}{{% block body %}}\n{words}\n{{% endblock %}}'


def render(
    template: str = "account", language: str = "fr", gaps: bool = False, folder: str = "", **changed: object
) -> Rendered:
    slots = {**sample_slots(template, language), **changed}
    return render_letter(template, language, slots, folder=folder, gaps=gaps)


# --- which file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("account.j2", Wording("account")),
        ("account@short.j2", Wording("account", "", "short")),
        ("technical.pilot.j2", Wording("technical", "pilot")),
        ("too_large.academy@v-2.j2", Wording("too_large", "academy", "v-2")),
        ("account@.j2", None),
        ("account.j2~", None),
        ("Account.j2", None),
        ("account@a@b.j2", None),
        ("../account.j2", None),
    ],
)
def test_a_file_name_says_template_segment_and_variant(file: str, said: Wording | None) -> None:
    assert read_name(file) == said
    assert said is None or said.file == file


def test_tickets_are_split_evenly_and_always_alike() -> None:
    drawn = [choose_variant("account", "fr", "", number) for number in NUMBERS]
    assert drawn == [choose_variant("account", "fr", "", number) for number in NUMBERS]
    shares = Counter(drawn)
    assert set(shares) == {"", "short"}
    assert min(shares.values()) > 0.45 * len(NUMBERS)


def test_every_language_draws_alike_and_another_one_changes_nothing(own: Own) -> None:
    before = [choose_variant("account", "en", "", number) for number in NUMBERS]
    assert before == [choose_variant("account", "fr", "", number) for number in NUMBERS]
    folder = own(de_account="x", de_account__long="x", de_account__short="x")
    assert before == [choose_variant("account", "en", "", number, folder) for number in NUMBERS]
    assert {choose_variant("account", "de", "", number, folder) for number in NUMBERS} == {"", "long", "short"}


def test_a_variant_that_is_added_takes_tickets_and_moves_no_other(own: Own) -> None:
    folder = own(fr_account="x", fr_account__short="x")
    before = {number: choose_variant("account", "fr", "", number, folder) for number in NUMBERS}
    own(fr_account__long="x")
    after = {number: choose_variant("account", "fr", "", number, folder) for number in NUMBERS}
    moved = {number for number in NUMBERS if before[number] != after[number]}
    assert {after[number] for number in moved} == {"long"}
    assert 0.25 * len(NUMBERS) < len(moved) < 0.42 * len(NUMBERS)


def test_two_experiments_are_drawn_apart(own: Own) -> None:
    folder = own(fr_account="x", fr_account__short="x", fr_billing="x", fr_billing__short="x")
    pairs = Counter(
        (choose_variant("account", "fr", "", number, folder), choose_variant("billing", "fr", "", number, folder))
        for number in NUMBERS
    )
    assert len(pairs) == 4
    assert min(pairs.values()) > 0.2 * len(NUMBERS)


def test_without_a_number_or_a_choice_the_plain_words_go() -> None:
    assert choose_variant("account", "fr", "", "") == ""
    assert {choose_variant("billing", "fr", "", number) for number in NUMBERS[:50]} == {""}


def test_a_segment_has_its_own_words_or_everybodys() -> None:
    assert find_segment("technical", "fr", "pilot") == "pilot"
    assert find_segment("technical", "fr", "academy") == ""
    assert find_wording("technical", "en", "pilot") == Wording("technical", "pilot")
    assert find_wording("technical", "en", "academy") == Wording("technical")
    assert "avant les autres" in render_letter("technical", "fr", sample_slots("technical", "fr"), segment="pilot").text
    assert "avant les autres" not in render("technical").text


def test_a_variant_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"fr/account@long\.j2"):
        render_letter("account", "fr", sample_slots("account", "fr"), variant="long")


def test_the_organisations_own_words_take_the_place_of_all_of_ours(own: Own) -> None:
    folder = own(fr_account=body("Les nôtres."), fr_technical=body("Pour tous."), fr_canteen=body("La cantine."))
    assert "Les nôtres." in render(folder=folder).text
    assert {choose_variant("account", "fr", "", number, folder) for number in NUMBERS[:50]} == {""}
    assert find_segment("technical", "fr", "pilot", folder) == ""
    assert "your school's portal" in render("account", "en", folder=folder).text  # theirs is in French only
    assert "La cantine." in render("canteen", folder=folder).text
    assert list_letters("fr", folder) == frozenset({*SLOTS, "canteen"})
    assert Wording("account", "", "short") not in list_wordings("fr", folder)


def test_their_words_may_change_one_part_of_ours(own: Own) -> None:
    folder = own(fr_account='{% extends "ours/fr/account.j2" %}{% block closing %}À bientôt.{% endblock %}')
    shown = render(folder=folder).text
    assert "À bientôt." in shown
    assert "touche majuscule" in shown
    assert "automatiquement, d'après" not in shown


def test_their_layout_holds_for_our_words(own: Own) -> None:
    frame = "{% extends layout %}{% block text %}Cadre\n\n{% block body %}{% endblock %}{% endblock %}"
    folder = own(layouts_requester_AS_fr=frame)
    assert render(folder=folder).text.startswith("Cadre\n\nSi vous n'arrivez pas")


def test_their_words_are_read_again_when_they_change(own: Own) -> None:
    folder = own(fr_account=body("Avant."))
    assert "Avant." in render(folder=folder).text
    file = Path(folder, "fr", "account.j2")
    written = file.stat().st_mtime
    own(fr_account=body("Après."))
    os.utime(file, (written + 5, written + 5))
    assert "Après." in render(folder=folder).text


def test_a_folder_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="folder of letter templates"):
        list_wordings("fr", str(tmp_path / "nowhere"))


# --- what is missing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "slot"),
    [
        ("{{ fields.colour }}", "fields.colour"),
        ("{{ fields['colour'] }}", "fields.colour"),
        ("{{ fields.colour | upper }}", "fields.colour"),
        ("{{ fields.colour | day }}", "fields.colour"),
        ("{{ 'a' ~ fields.colour }}", "fields.colour"),
        ("{{ 'a' + fields.colour }}", "fields.colour"),
        ("{{ fields.colour.lower() }}", "fields.colour"),
        ("{% if fields.colour < 3 %}x{% endif %}", "fields.colour"),
        ("{{ respond_by | deadline }}", "respond_by"),
        ("{{ nobody }}", "nobody"),
        ("{% if nobody %}x{% endif %}", "nobody"),
        ("{% for x in nobody %}x{% endfor %}", "nobody"),
        ("{% if nobody == 'x' %}x{% endif %}", "nobody"),
        ("{{ passages[9].title }}", "an element"),
        ("{{ files[0].colour }}", "colour"),
    ],
)
def test_a_value_that_is_missing_is_a_hole_in_a_letter_and_a_gap_in_a_draft(words: str, slot: str, own: Own) -> None:
    told: dict[str, Any] = {"respond_by": None, "files": [{"name": "secret-name.pdf"}], "subject": "secret subject"}
    folder = own(fr_other=body(words))
    with pytest.raises(LetterHole) as caught:
        render("other", folder=folder, **told)
    assert caught.value.message.startswith(
        f"A letter lacks a value that its template asks for: letter fr/other has nothing for {slot}."
    )
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    draft = render("other", folder=folder, gaps=True, **told)
    asked = "{% if" in words or "{% for" in words
    assert (f"[… à compléter : {slot}]" in draft.text.replace("\N{NO-BREAK SPACE}", " ")) is not asked
    assert (slot in draft.html) is not asked


def test_a_gap_is_marked_in_the_readers_language(own: Own) -> None:
    folder = own(en_other=body("{{ fields.colour }}", "en"))
    assert "[… to be filled in: fields.colour]" in render("other", "en", gaps=True, folder=folder).text


@pytest.mark.parametrize(
    "words", ["{{ fields.colour | default('rouge') }}", "{{ fields.colour or 'rouge' }}",
              "{% if fields.colour is defined %}x{% else %}rouge{% endif %}", "{{ respond_by | d('rouge') }}"],
)  # fmt: skip
def test_a_value_with_a_stand_in_is_no_hole(words: str, own: Own) -> None:
    folder = own(fr_other=body(words))
    assert "rouge" in render("other", folder=folder, respond_by=None).text


def test_a_hole_in_the_subject_counts_as_well(own: Own) -> None:
    folder = own(fr_other=body("x") + "{% block subject %}{{ fields.colour }}{% endblock %}")
    with pytest.raises(LetterHole, match=r"fields\.colour"):
        render("other", folder=folder)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("template", CATEGORIES)
def test_our_own_words_have_no_hole_whatever_is_not_known(template: str, language: str) -> None:
    slots = {**sample_slots(template, language), "fields": {}, "passages": [], "respond_by": None, "earlier": "",
             "requester_name": "", "requester_organisation": "", "subject": ""}  # fmt: skip
    for one in list_wordings(language):
        if one.template == template:
            shown = render_letter(template, language, slots, segment=one.segment, variant=one.variant)
            assert not re.search(r"à compléter|filled in|None|\(\)|  |« »|\"\"", shown.text)


# --- what they are told --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "language", "fields", "said"),
    [
        ("timetable", "fr", {"school_class": "CE2", "day": "--11-24"}, "concerne la classe de CE2, le 24 novembre ;"),
        ("timetable", "fr", {"day": "2026-12-01"}, "concerne le mardi 1er décembre 2026 ;"),
        ("timetable", "en", {"school_class": "Year 4"}, "is about Year 4; if not"),
        ("timetable", "en", {"school_class": "Year 4", "day": "--11-24"}, "is about Year 4, 24 November; if not"),
        ("programme", "fr", {"school_class": "6e B"}, "la classe de 6e B ;"),
        ("programme", "en", {"school_class": "Grade 6"}, "about Grade 6; if not"),
    ],
)
def test_what_was_found_in_the_mail_is_said(template: str, language: str, fields: dict[str, str], said: str) -> None:
    told = render(template, language, fields=fields)
    assert said in told.text.replace("\N{NO-BREAK SPACE}", " ")
    nothing = render(template, language, fields={}).text
    assert "comprenons" not in nothing
    assert "understand" not in nothing


@pytest.mark.parametrize(
    ("written", "language", "said"),
    [
        ("2026-11-24", "fr", "mardi 24 novembre 2026"),
        ("--11-01", "fr", "1er novembre"),
        ("--02-29", "en", "29 February"),
        ("--13-01", "en", "--13-01"),
        ("demain", "fr", "demain"),
    ],
)
def test_a_day_of_the_mail_is_said_as_people_do(written: str, language: str, said: str) -> None:
    assert say_date(written, language) == said


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_passage_is_quoted_with_its_title_and_source_and_its_steps_stay_a_list(language: str) -> None:
    steps = "Do this:\n1. first\n   thing\n\n2. second\n\nDone."
    passage = {"title": "The & title", "text": steps, "cites": ["en/a#1", "en/b#2"]}
    shown = render("technical", language, passages=[passage])
    assert "> Do this:\n>\n> 1. first thing\n> 2. second\n>\n> Done.\n" in shown.text
    assert "The & title" in shown.text
    assert "(en/a#1, en/b#2)" in shown.text
    assert re.search(
        r"<blockquote.*<ol[^>]*>\n<li>first thing</li>\n<li>second</li>\n</ol>.*</blockquote>", shown.html, re.S
    )
    assert "The &amp; title" in shown.html


@pytest.mark.parametrize("template", CATEGORIES)
def test_without_passages_nothing_of_them_shows(template: str) -> None:
    shown = render(template, passages=[])
    assert "article «" not in shown.text
    assert "blockquote" not in shown.html


def test_in_an_emergency_numbers_come_before_articles() -> None:
    shown = render("urgent").text
    assert shown.index("112") < shown.index("D'après notre article")


def test_an_acknowledgement_quotes_no_article() -> None:
    passages = sample_slots("account", "fr")["passages"]
    assert "D'après notre article" not in render("acknowledgement", passages=passages).text


@pytest.mark.parametrize(
    ("text", "laid"),
    [
        ("a\n\n\nb", "| a\n|\n| b"),
        ("a\nb", "| a\n| b"),
        ("- a\n- b\n1. c", "| - a\n| - b\n|\n| 1. c"),
        ("1. a\n\n2. b", "| 1. a\n| 2. b"),
        ("1. a\n\nwords", "| 1. a\n|\n| words"),
        ("> forged\n--\n    code\n| # x", "| forged\n|\n| code\n| x"),
        ("-- \n---\n> --", ""),
        ("", ""),
    ],
)
def test_a_passage_keeps_paragraphs_and_lists_and_no_other_mark(text: str, laid: str) -> None:
    assert lay_passage(text) == laid


def test_a_list_that_goes_on_counts_on() -> None:
    assert '<ol start="3"' in write_html("3. c\n4. d")
    assert "start" not in write_html("1. a\n2. b")
    assert write_plain("3. c\n4. d") == "3. c\n4. d\n"


def test_a_request_that_is_still_open_is_told() -> None:
    assert "2026-000117 reste ouverte" in render(earlier="2026-000117").text
    assert "reste ouverte" not in render(earlier="").text


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_reasons_for_drafts_have_words(language: str) -> None:
    new = {"hole", "ungrounded", "others-data", "no-sender", *(reason for _, reason, _ in HINDRANCES)}
    assert new <= set(REASONS[language])
    assert set(REASONS["fr"]) == set(REASONS["en"])
    assert not {reason for reason in new if REASONS["fr"][reason] == REASONS["en"][reason]}


# --- attacks -------------------------------------------------------------------------------------------------

STORIED = (
    "{{ subject }} {{ fields.error }} {{ fields.items }} {{ requester_name }} {{ files[0].name }} "
    "{{ passages[0].title }}"
)


def tell(words: str) -> dict[str, Any]:
    """Slots that all say the same."""
    return {
        "subject": words,
        "requester_name": words,
        "fields": {"error": words, "items": words},
        "passages": [{"title": words, "text": words, "cites": [words]}],
        "files": [{"name": words, "warning": ""}],
    }


def test_what_a_mail_says_shows_as_it_is_and_does_nothing(own: Own) -> None:
    folder = own(fr_other=body(STORIED) + "{% block subject %}{{ subject }}{% endblock %}")
    bent, plain = (render("other", folder=folder, **tell(words)) for words in (NASTY, "x"))
    shown = bent.text.replace("\N{NO-BREAK SPACE}", " ")
    assert shown.count("{{ 7*7 }}{% for x in range(9) %}x{% endfor %}<b onclick=x>&") == 10
    assert "49" not in bent.text
    assert "<b onclick" not in bent.html
    assert bent.text.count("\n-- \n") == plain.text.count("\n-- \n")
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", bent.text + bent.html + bent.subject)
    assert "\n" not in bent.subject
    letter = compose_letter(bent, message_id="<a@x.example>", sender=SENDER, recipients=("a@x.example",), date=NOW)
    assert not re.search(rb"^bcc", letter.partition(b"\r\n\r\n")[0], re.I | re.M)


GAP = r"\[… à compléter\s: [\w. ]+\]"


def try_render(folder: str, gaps: bool) -> str:
    try:
        return render("other", folder=folder, gaps=gaps).text
    except (ConfigurationError, LetterHole) as refused:
        return f"refused: {refused}"


@pytest.mark.parametrize(
    "words",
    [
        *(f"{{{{ {slot}.__class__ }}}}" for slot in
          ("subject", "fields", "passages", "passages[0]", "files", "files[0].name", "received_at",
           "automatic", "retention_days", "self", "loop", "fields.error", "range", "nobody")),
        "{{ subject['__class__'] }}", "{{ subject|attr('__class__') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ (passages|first).__class__ }}", "{{ [subject]|join(attribute='__class__') }}",
        "{{ subject.format(subject) }}", "{{ '{0.__class__}'.format(subject) }}", "{{ subject.format_map(fields) }}",
        "{{ subject.encode() }}", "{{ passages.append(1) }}", "{{ fields.update(a=1) }}",
        "{{ received_at.strftime('%Y') }}",
        "{{ received_at.tzinfo }}", "{{ lipsum() }}", "{{ cycler.__init__.__globals__ }}", "{{ joiner() }}",
        "{{ namespace(a=1) }}", "{{ dict(a=1) }}", "{{ self.__init__ }}", "{{ subject|safe }}", "{{ subject|tojson }}",
        "{{ subject|xmlattr }}", "{{ subject|pprint }}", "{{ subject|format }}",
        "{% autoescape false %}{{ subject }}{% endautoescape %}", "{% include '/etc/passwd' %}",
        "{% include '../../../policy.yaml' %}", "{% import 'os' as os %}", "{{ config }}",
        "{% for a in passages %}{{ loop.__class__ }}{% endfor %}", "{{ super.__class__ }}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("gaps", [False, True])
def test_no_template_reaches_what_is_behind_a_slot(words: str, gaps: bool, own: Own) -> None:
    """An error, or a gap under the name of a slot that isn't there: never a value that Python has."""
    folder = own(fr_other=body(f"MARK {words} MARK"))
    said = try_render(folder, gaps)
    told = re.search(r"MARK (.*) MARK", said, re.S)
    assert said.startswith("refused: ") if told is None else gaps and re.fullmatch(GAP, told[1])


@pytest.mark.parametrize(
    "words",
    [
        "{% for a in range(10**9) %}x{% endfor %}",
        "{% for a in range(1000000000) %}x{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ subject }}{% endfor %}",
        "{{ 'x' * 10**9 }}", "{{ 'x' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ 9**9**9 }}",
        "{{ '%1000000000d' % 1 }}", "{{ 'x'.ljust(1000000000) }}", "{{ 'x'|center(1000000000) }}",
        "{{ 'x'|indent(1000000000) }}", "{{ '{:>1000000000}'.format(1) }}", "{{ (1).to_bytes(1000000000) }}",
        "{{ range(99999)|join('x' ~ subject ~ subject) }}", "{{ range(99999)|map('string')|list|join }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% set a = subject ~ subject %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = subject + subject %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
        "{% for a in range(300) %}" + "x" * 2000 + "{% endfor %}",
        "{% include 'fr/other.j2' %}{% include 'fr/other.j2' %}",
    ],
)  # fmt: skip
def test_no_template_runs_or_grows_without_end(words: str, own: Own) -> None:
    folder = own(fr_other=body(words))
    begun = time.process_time()
    with pytest.raises(ConfigurationError, match="fr/other"):
        render("other", folder=folder)
    assert time.process_time() - begun < 5


def test_what_is_long_and_still_a_letter_is_rendered() -> None:
    sections = [{"title": "t", "columns": ["a", "b"], "rows": [[f"row {number}", "1"] for number in range(1500)]}]
    slots = {**sample_slots("digest", "fr"), "sections": sections}
    shown = render_letter("digest", "fr", slots)
    assert "row 1499" in shown.html
    assert len(shown.html) < MOST_CHARS


# --- check ---------------------------------------------------------------------------------------------------


def check(folder: str) -> str:
    """What the check says of a folder; "" when it is fine."""
    try:
        check_templates(folder, POLICY.categories, ("school_class", "day"))
    except ConfigurationError as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize(
    ("name", "words", "fault"),
    [
        ("fr_account", "a\n{% if %}", r"fr/account.j2, line 2: "),
        ("fr_account", body("a\n\n{{ subject | shout }}"), r"fr/account.j2.*shout.*"),
        ("fr_account", body("a\n{{ requester }}"), r"fr/account.j2, line 3: there is no slot requester"),
        ("fr_account", body("{{ fields.colour }}"), r"fr/account.j2, line 2: no category looks for a field colour"),
        ("fr_account", body("{{ fields['colour'] }}"), r"fr/account.j2, line 2: no category looks for a field colour"),
        ("fr_account", body("a\n{{ subject.title() }}"), r"fr/account.*line 3 of fr/account.j2"),
        ("fr_account", '{% extends "layouts/nowhere.j2" %}', r"fr/account.j2: .*layouts/nowhere.j2"),
        ("fr_acount", body("a"), r"fr/acount.j2: no such template; allowed: account, acknowledgement, "),
        ("fr_account_AS_pilote", body("a"), r"fr/account.pilote.j2: no such segment; allowed: pilot, standard, "),
        ("fr_Account", body("a"), r"fr/Account.j2: no template's name"),
        ("de_account", body("a"), r"de/account.j2: no such language; allowed: en, fr"),
        ("fr_ring", body("{{ excerpt }}"), r"fr/ring.j2, line 2: there is no slot excerpt"),
        ("layouts_requester_AS_fr", "{% block %}", r"layouts/requester.fr.j2, line 1: "),
        ("layouts_mine", "{{ requester }}", r"layouts/mine.j2, line 1: there is no slot requester"),
    ],
)  # fmt: skip
def test_a_broken_template_is_named_with_file_and_line(name: str, words: str, fault: str, own: Own) -> None:
    assert re.search(fault, check(own(**{name: words})))


def test_every_broken_template_is_named_at_once(own: Own) -> None:
    said = check(own(fr_account="{% if %}", en_billing="{{ x }}", fr_other=body("a")))
    assert "fr/account.j2" in said
    assert "en/billing.j2" in said
    assert "fr/other.j2" not in said


def test_a_template_in_another_encoding_is_named(own: Own) -> None:
    folder = own(fr_account="x")
    Path(folder, "fr", "account.j2").write_bytes("é".encode("latin-1"))
    assert "fr/account.j2: can't be read as UTF-8" in check(folder)


def test_good_templates_of_every_kind_pass(own: Own) -> None:
    words = body(
        "{{ fields.day | day }} {{ excerpt }} {{ priority | word }} {% for file in files %}{{ file.name }}{% endfor %}"
    )
    assert check(own(fr_account=words, fr_account__short=words, fr_account_AS_pilot=words, fr_handover=words,
                     fr_ring="{{ level_name }}", layouts_mine="{{ subject }}")) == ""  # fmt: skip


def test_the_policys_check_looks_at_the_folder_it_names(own: Own, tmp_path: Path) -> None:
    folder = own(fr_account="{% if %}")
    policy = load_policy(TEXT.replace('templates: ""', f"templates: {folder}"))
    with pytest.raises(ConfigurationError, match=r"fr/account\.j2, line 1"):
        check_letters(policy)
    missing = load_policy(TEXT.replace('templates: ""', f"templates: {tmp_path}/nowhere"))
    with pytest.raises(ConfigurationError, match="folder of letter templates"):
        check_letters(missing)
    check_letters(POLICY)


# --- manners -------------------------------------------------------------------------------------------------


def test_a_reader_who_says_nothing_gets_a_page_and_no_marks() -> None:
    team = Team(address="team@atelier.example")
    plain = {"html": True, "reply_to": "", "importance": "", "read_receipt": ""}
    assert read_manners(team, "desk@atelier.example") == plain
    assert read_manners(team, "desk@atelier.example", importance="high") == {**plain, "importance": "high"}


def test_a_reader_gets_what_he_likes() -> None:
    level = Level(
        name="x", address="x@atelier.example", at=1.0, format="text", reply_to="back@atelier.example",
        importance="high", receipts=["read", "delivery"],
    )  # fmt: skip
    asked = {"html": False, "reply_to": "back@atelier.example", "importance": "high"}
    assert read_manners(level, "desk@atelier.example") == {**asked, "read_receipt": "back@atelier.example"}
    only = Team(address="x@atelier.example", receipts=["read"])
    assert read_manners(only, "desk@atelier.example")["read_receipt"] == "desk@atelier.example"
    delivery = Team(address="x@atelier.example", receipts=["delivery"])
    assert read_manners(delivery, "desk@atelier.example")["read_receipt"] == ""
    calm = Level(name="x", address="x@atelier.example", at=1.0, importance="normal")
    assert read_manners(calm, "desk@atelier.example", importance="high")["importance"] == ""


def test_a_letter_is_signed_by_whom_the_reader_likes_or_by_the_house() -> None:
    ours = POLICY.organisation
    assert choose_signature(ours, "fr", Team(address="x@atelier.example", signature="Le standard")) == "Le standard"
    assert choose_signature(ours, "fr", Team(address="x@atelier.example")) == ours.signature["fr"]
    assert choose_signature(ours, "de") == ours.name

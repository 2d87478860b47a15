"""Letters say what they should, in both languages and both shapes, and nothing from outside bends them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP, compat32, default
from email.utils import parseaddr
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from desk.errors import ConfigurationError, MailTrouble
from desk.mail import Address, Mail, read_mail
from letters.compose import MOST_REFERENCES, Part, compose_letter
from letters.dates import say_day, say_moment, say_span, say_zone
from letters.lines import greet_name, many_lines, one_line
from letters.mime import LINE, write_header
from letters.preview import write_previews
from letters.render import Rendered, list_letters, render_letter
from letters.shapes import align_table, quote_lines, write_html, write_plain
from letters.slots import CATEGORIES, MEANING, SLOTS, sample_slots
from letters.subject import answer_subject
from letters.words import REASONS, say_reason, say_word

LANGUAGES = ("fr", "en")
EVERY_LETTER = [(name, language) for name in SLOTS for language in LANGUAGES]
EVERY_SLOT = [(name, slot) for name, slots in SLOTS.items() for slot in slots]
TEXT_SLOTS = [
    (name, slot)
    for name, slot in EVERY_SLOT
    if isinstance(sample_slots(name, "fr")[slot], str) and slot not in {"timezone", "excerpt"}
]
NUMBER = "2026-000123"
HOSTILE = "<script>x</script><img src=\"h\" onerror='x'> &amp;\r\nBcc: all\r\n\r\n1. forged\r\n\r\n--\r\n\r\n{{ 7*7 }}"

# Words that one language has and the other has not.
TELLING = {
    "fr": {
        "vous",
        "votre",
        "nous",
        "est",
        "les",
        "des",
        "une",
        "cette",
        "échéance",
        "depuis",
        "pour",
        "au",
        "du",
    },
    "en": {
        "the",
        "your",
        "you",
        "we",
        "of",
        "is",
        "this",
        "request",
        "deadline",
        "since",
        "to",
        "and",
        "by",
        "was",
    },
}


class Page(HTMLParser):
    """What an HTML document holds: its tags with the names of their attributes, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += attrs
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data.split()


def render(template: str, language: str = "fr", **changed: object) -> Rendered:
    return render_letter(template, language, {**sample_slots(template, language), **changed})


def words_of(text: str) -> list[str]:
    """The words of a text letter without the marks that HTML says by tags."""
    return re.sub(r"^(?:> ?)?(?:-- ?|- |\d+\. )?", "", text, flags=re.MULTILINE).split()


def compose(rendered: Rendered | None = None, **changed: Any) -> bytes:
    usual: dict[str, Any] = {
        "message_id": "<a1@atelier.example>",
        "sender": Address("L'Atelier", "support@atelier.example"),
        "recipients": ("camille@ecole.example",),
        "date": datetime(2026, 11, 17, 9, 0, tzinfo=UTC),
    }
    return compose_letter(rendered or render("account"), **{**usual, **changed})


def read(raw: bytes) -> EmailMessage:
    letter = message_from_bytes(raw, policy=default)
    assert isinstance(letter, EmailMessage)
    return letter


def structure(part: EmailMessage) -> str:
    inside = ", ".join(structure(each) for each in part.iter_parts())  # type: ignore[arg-type]  # all EmailMessage
    return f"{part.get_content_type()}({inside})" if inside else part.get_content_type()


# --- templates ---------------------------------------------------------------------------------------------


def test_every_letter_exists_in_every_language() -> None:
    assert [list_letters(language) for language in LANGUAGES] == [frozenset(SLOTS)] * len(LANGUAGES)


def test_every_slot_has_a_meaning_and_every_meaning_a_slot() -> None:
    assert set(MEANING) == {slot for slots in SLOTS.values() for slot in slots}


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_a_letter_renders_with_exactly_its_slots(template: str, language: str) -> None:
    slots = sample_slots(template, language)
    shown = render_letter(template, language, slots)
    assert set(slots) == set(SLOTS[template])
    assert shown.subject
    assert "\n" not in shown.subject
    assert not re.search(r"\{[{%#]|None|Undefined|\n{3}", shown.text)


@pytest.mark.parametrize(("template", "slot"), EVERY_SLOT)
def test_a_missing_slot_is_named_and_no_value_is(template: str, slot: str) -> None:
    slots = sample_slots(template, "fr")
    del slots[slot]
    with pytest.raises(ConfigurationError) as caught:
        render_letter(template, "fr", slots)
    assert f"fr/{template}" in str(caught.value)
    assert re.search(rf"\b{slot}\b", str(caught.value))
    assert not any(str(value) in str(caught.value) for value in slots.values() if len(str(value)) > 4)


@pytest.mark.parametrize(("template", "language"), [("canteen", "fr"), ("account", "xx"), ("../fr/account", "en")])
def test_a_missing_template_is_named(template: str, language: str) -> None:
    slots = sample_slots("account", "fr")
    with pytest.raises(ConfigurationError, match=f"{language}/{template}"):
        render_letter(template, language, slots)


@pytest.mark.parametrize("unfit", ["tomorrow", 12, datetime(2026, 11, 17, 9, 0)])  # noqa: DTZ001 (naive is the point)
def test_an_unfit_slot_is_a_configuration_error_without_the_value(unfit: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        render("acknowledgement", respond_by=unfit)
    assert str(unfit) not in str(caught.value)


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_text_and_html_say_the_same_words(template: str, language: str) -> None:
    shown = render(template, language)
    page, text = Page(shown.html), words_of(shown.text)
    if template == "digest":  # its tables are laid out otherwise
        assert set(text) <= set(page.said)
    else:
        assert page.said[-len(text) :] == text


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_html_is_whole_balanced_and_in_its_language(template: str, language: str) -> None:
    shown = render(template, language)
    page = Page(shown.html)
    assert shown.html.startswith("<!DOCTYPE html>")
    assert page.open == []
    assert ("lang", language) in page.attributes
    assert not re.search(r"&(?!(?:amp|lt|gt|#34|#39);)", shown.html)


@pytest.mark.parametrize(("template", "language"), [pair for pair in EVERY_LETTER if "number" in SLOTS[pair[0]]])
def test_subject_text_and_html_carry_the_number(template: str, language: str) -> None:
    shown = render(template, language)
    assert f"[#{NUMBER}]" in shown.subject
    assert NUMBER in shown.text
    assert NUMBER in " ".join(Page(shown.html).said)


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_no_word_of_the_other_language_is_left_over(template: str, language: str) -> None:
    slots = sample_slots(template, language)
    bare = {name: "" if isinstance(value, str) else value for name, value in slots.items()}
    kept = {name: slots[name] for name in slots if name in {"number", "timezone", "category", "priority", "reason"}}
    shown = render_letter(template, language, {**bare, **kept, "sections": []})
    said = set(re.findall(r"\w+", f"{shown.subject} {shown.text} {' '.join(Page(shown.html).said)}".lower()))
    other = "en" if language == "fr" else "fr"
    assert said & TELLING[language]
    assert not said & TELLING[other]


@pytest.mark.parametrize(("template", "slot"), TEXT_SLOTS)
def test_a_hostile_value_adds_no_tag_and_no_line(template: str, slot: str) -> None:
    plain, bent = render(template, **{slot: "simple"}), render(template, **{slot: HOSTILE})
    assert Page(bent.html).tags == Page(plain.html).tags
    assert bent.text.count("\n") == plain.text.count("\n")
    assert "\n" not in bent.subject
    assert "49" not in bent.text


def test_a_hostile_excerpt_stays_inside_its_quotation() -> None:
    bent, plain = render("handover", excerpt=HOSTILE), render("handover", excerpt="simple")
    lines = HOSTILE.replace("\r\n", "\n").split("\n")
    quoted = [line for line in bent.text.split("\n") if line.startswith(">")]
    assert quoted == [f"> {each}".rstrip() for each in lines]
    assert [tag for tag in Page(bent.html).tags if tag[0] != "br"] == Page(plain.html).tags


def test_a_hostile_cell_of_a_digest_is_escaped() -> None:
    sections = [{"title": HOSTILE, "columns": [HOSTILE, "n"], "rows": [[HOSTILE, "1"]]}]
    tags = {tag for tag, _ in Page(render("digest", sections=sections).html).tags}
    assert tags <= {tag for tag, _ in Page(render("digest").html).tags}


def test_a_ragged_digest_table_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="fr/digest"):
        render("digest", sections=[{"title": "t", "columns": ["a", "b"], "rows": [["1"]]}])


def test_a_digest_shows_every_cell_its_chart_and_only_then() -> None:
    shown, bare = render("digest", chart_cid="chart"), render("digest", sections=[], empty=True)
    assert ("src", "cid:chart") in Page(shown.html).attributes
    assert {"technique", "7", "1"} <= set(Page(shown.html).said)
    assert not {"img", "h2"} & {tag for tag, _ in Page(bare.html).tags}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", [*CATEGORIES, "acknowledgement"])
def test_a_letter_promises_the_given_deadline_and_no_other(template: str, language: str) -> None:
    deadline = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    said = say_moment(deadline, language, "Europe/Paris")
    assert render(template, language, respond_by=deadline).text.count(said) == 1
    promised_nothing = render(template, language, respond_by=None).text
    assert len(re.findall(r"\b2026\b(?!-)", promised_nothing)) == 1  # the day the mail came


@pytest.mark.parametrize(
    ("language", "word"), [("fr", "automatiquement, d'après"), ("en", "sent automatically, going")]
)
@pytest.mark.parametrize("template", CATEGORIES)
def test_a_draft_does_not_call_itself_automatic(template: str, language: str, word: str) -> None:
    assert word in render(template, language, automatic=True).text
    assert word not in render(template, language, automatic=False).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_emergency_numbers_stand_in_urgent_letters_only(language: str) -> None:
    assert "112" in render("urgent", language).text
    assert "112" in render("acknowledgement", language, priority="urgent").text
    assert "112" not in render("acknowledgement", language, priority="normal").text


@pytest.mark.parametrize(("days", "said"), [(30, "conservées 30 jours après"), (1, "conservées 1 jour après")])
def test_the_data_notice_tells_how_long(days: int, said: str) -> None:
    shown = render("account", retention_days=days)
    assert said in shown.text
    assert said in " ".join(Page(shown.html).said)


@pytest.mark.parametrize(
    ("late_by", "said"),
    [
        (timedelta(hours=2, minutes=5), "dépassée de 2 h 05"),
        (timedelta(0), "proche"),
        (timedelta(hours=-1), "proche"),
    ],
)
def test_a_ring_says_whether_the_deadline_is_past(late_by: timedelta, said: str) -> None:
    assert said in render("ring", late_by=late_by).subject


def test_a_handover_speaks_of_a_draft_only_when_one_waits() -> None:
    assert "brouillon" in render("handover", drafted=True).text
    assert "brouillon" not in render("handover", drafted=False).text


def test_a_handover_shows_no_quotation_without_an_excerpt() -> None:
    assert "blockquote" not in {tag for tag, _ in Page(render("handover", excerpt="").html).tags}


def test_a_mail_without_subject_still_gets_one() -> None:
    assert render("account", subject="").subject == f"Re: [#{NUMBER}] votre demande"
    assert "(«" not in render("account", subject="").text


def test_previews_are_written_for_every_letter(tmp_path: Path) -> None:
    written = write_previews(tmp_path / "new")
    assert len(written) == 2 * len(EVERY_LETTER)
    assert all(path.stat().st_size > 200 for path in written)


# --- words, dates, lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "language", "said"),
    [
        (datetime(2026, 11, 17, 10, 30, tzinfo=UTC), "fr", "mardi 17 novembre 2026 à 11 h 30"),
        (datetime(2026, 11, 17, 10, 30, tzinfo=UTC), "en", "Tuesday 17 November 2026 at 11:30"),
        (datetime(2026, 7, 31, 22, 5, tzinfo=UTC), "fr", "samedi 1er août 2026 à 0 h 05"),
        (datetime(2026, 7, 31, 22, 5, tzinfo=UTC), "en", "Saturday 1 August 2026 at 00:05"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "fr", "dimanche 25 octobre 2026 à 2 h 30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "fr", "dimanche 25 octobre 2026 à 2 h 30"),
        (
            datetime(2027, 1, 1, 8, 0, tzinfo=timezone(timedelta(hours=9))),
            "fr",
            "vendredi 1er janvier 2027 à 0 h 00",
        ),
    ],
)
def test_an_instant_is_said_on_local_clocks(moment: datetime, language: str, said: str) -> None:
    assert say_moment(moment, language, "Europe/Paris") == said


def test_a_naive_instant_or_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        say_moment(datetime(2026, 11, 17, 9, 0), "fr", "Europe/Paris")  # noqa: DTZ001 (naive is the point)
    with pytest.raises(ConfigurationError):
        say_day(datetime(2026, 11, 17, 9, 0, tzinfo=UTC), "xx")


@pytest.mark.parametrize(
    ("zone", "language", "said"),
    [
        ("Europe/Paris", "fr", "heure de Paris"),
        ("America/New_York", "en", "New York time"),
        ("UTC", "fr", "UTC"),
    ],
)
def test_a_zone_is_said_by_its_place(zone: str, language: str, said: str) -> None:
    assert say_zone(zone, language) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(minutes=45), "45 min"),
        (timedelta(hours=2, minutes=5), "2 h 05"),
        (timedelta(minutes=59, seconds=40), "1 h 00"),
        (timedelta(days=3, hours=4), "76 h 00"),
        (timedelta(minutes=-30), "30 min"),
    ],
)
def test_a_span_is_said_in_hours_and_minutes(span: timedelta, said: str) -> None:
    assert say_span(span) == said


def test_reasons_are_said_in_every_language_and_unknown_words_stay() -> None:
    assert len({frozenset(REASONS[language]) for language in LANGUAGES}) == 1
    assert say_reason("doubt", "fr") != "doubt"
    assert say_reason("brand-new", "fr") == "brand-new"
    assert say_word("timetable", "fr") == "emplois du temps"
    assert say_word("school_meals", "en") == "school meals"


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Emploi du temps", f"Re: [#{NUMBER}] Emploi du temps"),
        ("Re: Emploi du temps", f"Re: [#{NUMBER}] Emploi du temps"),
        ("RE : re: AW: Emploi du temps", f"Re: [#{NUMBER}] Emploi du temps"),
        (f"Re: [#{NUMBER}] Emploi du temps", f"Re: [#{NUMBER}] Emploi du temps"),
        (f"Re: [#{NUMBER}] Re: Emploi", f"Re: [#{NUMBER}] Emploi"),
        ("Re: [#2025-000001] Emploi", f"Re: [#{NUMBER}] Emploi"),
        ("Réf : 12", f"Re: [#{NUMBER}] Réf : 12"),
        ("TR: Emploi", f"Re: [#{NUMBER}] TR: Emploi"),
        ("Retard: re: x", f"Re: [#{NUMBER}] Retard: re: x"),
        ("a\r\nBcc: x@y.example", f"Re: [#{NUMBER}] a Bcc: x@y.example"),
        ("", f"Re: [#{NUMBER}]"),
    ],
)
def test_an_answer_has_one_re_and_one_number(subject: str, answered: str) -> None:
    assert answer_subject(subject, NUMBER) == answered


@settings(deadline=None)
@given(some.text(max_size=400))
def test_one_line_holds_no_control_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in line)
    assert len(line) <= 180
    assert one_line(line) == line


def test_a_line_too_long_is_cut_and_says_so() -> None:
    assert one_line("x" * 181) == "x" * 179 + "…"
    assert one_line("x" * 180) == "x" * 180


@pytest.mark.parametrize("text", ["a\u202eb", "a\u2066b", "a\ufeffb", "a\u200eb"])
def test_direction_marks_are_taken_out(text: str) -> None:
    assert one_line(text) == "ab"


def test_lone_surrogates_do_not_survive() -> None:
    assert one_line("a\udce9b") == "a?b"


def test_many_lines_keeps_breaks_and_drops_controls() -> None:
    assert many_lines("\r\na\x00b \r\rc\x1b[1m\n\n") == "a b\n\nc [1m"


@pytest.mark.parametrize("name", ["Camille Martin", "Anne-Lise d'Orly", "Dr. Zoé Müller", "李明", "Zoe\u0301"])
def test_a_name_is_greeted(name: str) -> None:
    assert greet_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "www.win.example",
        "a@b.example",
        "Win 1000",
        "http://x",
        "Zoé\n\nWin!",
        "x" * 61,
        "<b>Zoé</b>",
        "Z\u202eoé<",
    ],
)
def test_what_is_no_name_is_not_greeted(name: str) -> None:
    assert greet_name(name) == ""


def test_one_wording_has_two_shapes() -> None:
    wording = "A b\nc :\n\n- one\n  more\n- two\n\n1. x\n\n> q\n> r\n\n    t  1\n\n--\n\nfoot\n"
    assert write_plain(wording) == (
        "A b c\u00a0:\n\n- one more\n- two\n\n1. x\n\n> q\n> r\n\n    t  1\n\n-- \n\nfoot\n"
    )
    tags = [tag for tag, _ in Page(write_html(wording)).tags]
    assert tags == ["p", "ul", "li", "li", "ol", "li", "blockquote", "br", "pre", "div", "p"]


def test_a_long_quotation_is_cut_and_says_so() -> None:
    lines = quote_lines("\n".join(str(number) for number in range(99))).split("\n")
    assert len(lines) == 16
    assert lines[-1] == "> […]"


def test_a_table_is_aligned() -> None:
    assert align_table(["Team", "n"], [["one", "7"], ["fourteen", "12"]]) == (
        "    Team       n\n    one        7\n    fourteen  12"
    )


# --- mails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "shape"),
    [
        ({}, "multipart/alternative(text/plain, text/html)"),
        ({"html": False}, "text/plain"),
        ({"html": False, "inline": (Part("c.png", "image/png", b"1", "c"),)}, "text/plain"),
        (
            {"inline": (Part("c.png", "image/png", b"1", "c"),)},
            "multipart/alternative(text/plain, multipart/related(text/html, image/png))",
        ),
        (
            {"attachments": (Part("b.csv", "text/csv", b"1"),)},
            "multipart/mixed(multipart/alternative(text/plain, text/html), text/csv)",
        ),
        (
            {
                "attachments": (Part("b.eml", "message/rfc822", b"1"), Part("x", "a/b; c\r\nd", b"1")),
                "html": False,
            },
            "multipart/mixed(text/plain, application/octet-stream, application/octet-stream)",
        ),
    ],
)
def test_parts_stand_in_the_right_order(changed: Mapping[str, Any], shape: str) -> None:
    assert structure(read(compose(**changed))) == shape


def test_words_and_files_come_back_as_they_were() -> None:
    shown, data = render("technical"), bytes(range(256)) * 40
    png = Part("c.png", "image/png", data, "chart")
    letter = read(compose(shown, attachments=(Part("bilan été.xlsx", "application/zip", data),), inline=(png,)))
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == shown.text
    assert html.get_content().split() == shown.html.split()
    (file,) = letter.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("bilan été.xlsx", data)
    (image,) = (part for part in letter.walk() if part["Content-ID"])
    assert (image["Content-ID"], image.get_content_disposition()) == ("<chart>", "inline")
    assert image.get_payload(decode=True) == data


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", SLOTS)
def test_bytes_are_fit_for_any_server(template: str, language: str) -> None:
    raw = compose(render(template, language), sender=Address("Écoles & Cie, « support »", "a@b.example"))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert read(raw)["From"].addresses[0].display_name == "Écoles & Cie, « support »"
    assert not any(part.defects for part in read(raw).walk())


@pytest.mark.parametrize(
    ("changed", "submitted", "suppressed"),
    [
        ({"in_reply_to": "<q@ecole.example>"}, "auto-replied", "OOF, AutoReply"),
        ({}, "auto-generated", "OOF, AutoReply"),
        ({"automatic": False, "in_reply_to": "<q@ecole.example>"}, None, None),
    ],
)
def test_an_automatic_letter_says_so_and_a_draft_does_not(
    changed: Mapping[str, Any], submitted: str | None, suppressed: str | None
) -> None:
    letter = read(compose(**changed))
    assert (letter["Auto-Submitted"], letter["X-Auto-Response-Suppress"]) == (submitted, suppressed)


@pytest.mark.parametrize(("importance", "said"), [("high", ("high", "1 (Highest)")), ("", (None, None))])
def test_importance_is_said_when_high(importance: str, said: tuple[str | None, str | None]) -> None:
    letter = read(compose(importance=importance))
    assert (letter["Importance"], letter["X-Priority"]) == said


LONG_ID = f"<{'A1b2' * 30}@EURP191.PROD.OUTLOOK.example>"


@pytest.mark.parametrize(
    ("references", "parent", "kept"),
    [
        ((), "", []),
        (("<a@x>", "<b@x>"), "<b@x>", ["<a@x>", "<b@x>"]),
        (("<a@x>", "<b@x>", "<a@x>"), "<c@x>", ["<a@x>", "<b@x>", "<c@x>"]),
        (("<b@x>", "<a@x>"), "<b@x>", ["<a@x>", "<b@x>"]),
        ((), LONG_ID, [LONG_ID]),
        ((LONG_ID, "<a@x>"), LONG_ID.lower(), [LONG_ID, "<a@x>", LONG_ID.lower()]),
        (("bare", "<a b@x>", "<a@x>\r\nBcc: y", "<é@x>", f"<{'y' * 999}@x>"), "<c@x>", ["<c@x>"]),
        (
            tuple(f"<{number}@x>" for number in range(50)), "<p@x>",
            ["<0@x>", *(f"<{number}@x>" for number in range(52 - MOST_REFERENCES, 50)), "<p@x>"],
        ),
    ],
)  # fmt: skip
def test_references_lead_back_to_the_parent(references: tuple[str, ...], parent: str, kept: list[str]) -> None:
    raw = compose(references=references, in_reply_to=parent)
    head = re.sub(rb"\r\n[ \t]", b" ", raw.partition(b"\r\n\r\n")[0]).decode("ascii")
    lines = dict(line.split(": ", 1) for line in head.split("\r\n"))
    assert lines.get("References", "").split() == kept  # on the wire: encoded words would break a thread
    assert lines.get("In-Reply-To", "") == parent
    assert len(kept) <= MOST_REFERENCES


ENCODED = "=?utf-8?q?x=0D=0ABcc:all@x.example=0D=0A?="


@pytest.mark.parametrize(
    "changed",
    [
        {"sender": Address("Support\r\nBcc: all@x.example", "support@atelier.example")},
        {"sender": Address("\u2028Bcc: all@x.example\x00\x0b", "support@atelier.example")},
        {"rendered": Rendered("Sujet\r\nBcc: all@x.example\r\n\r\nforged", "text\n", "<p>text</p>")},
        {"rendered": Rendered("Sujet\nBcc: all@x.example\x85X: y\udce9", "text\n", "<p>text</p>")},
        {"sender": Address(ENCODED, "support@atelier.example")},
        {"rendered": Rendered(ENCODED, "text\n", "<p>text</p>")},
        {"rendered": Rendered(f"é {ENCODED}", "text\n", "<p>text</p>")},
        {"references": (f"<{ENCODED}@x>",), "in_reply_to": f"<a{ENCODED}@x>"},
        {"in_reply_to": "<a@x>\r\nBcc: all@x.example", "references": ("<a@x>\nBcc: y@x.example",)},
        {"attachments": (Part("a\r\nBcc: all@x.example.txt", "text/plain\r\nBcc: x", b"1"),)},
        {"inline": (Part("a", "image/png", b"1", "a\r\nBcc: all@x.example"),)},
    ],
)
def test_no_header_can_be_injected(changed: Mapping[str, Any]) -> None:
    raw, letter = compose(**changed), read(compose(**changed))
    allowed = {*read(compose()).keys(), "In-Reply-To", "References", "Content-Transfer-Encoding"}
    assert set(letter.keys()) <= allowed
    assert not re.search(rb"^bcc", raw, re.IGNORECASE | re.MULTILINE)
    assert not any("\r" in str(value) or "\n" in str(value) for value in letter.values())
    assert letter.get_body(("plain",)) is not None
    assert letter["From"].addresses[0].addr_spec == "support@atelier.example"


@pytest.mark.parametrize(
    "subject", ["Problème d'emploi du temps très long " * 4, "x" * 180, "émoji 🙂 " * 20, "=?utf-8?q?a?="]
)
def test_a_long_subject_is_folded_and_comes_back_whole(subject: str) -> None:
    raw = compose(Rendered(subject, "text\n", "<p>text</p>"))
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert read(raw)["Subject"] == one_line(subject)


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "@x.example", "a@", "a b@x.example", "a@x.example\r\nBcc: b@x.example", "<a@x.example>",
     "a@x.example, b@x.example", "zo\u202eé@x.example", f"a@{'y' * 70}.example", "a@x..example", "a@b@x.example",
     "=?utf-8?q?x=0D=0ABcc=3A?=@x.example", "=?utf-8?q?a?=@x.example", " a@x.example", "a@x.example ", "a@x.example\n",
     ".a@x.example", "a..b@x.example", 'a"b@x.example', '"a"b"@x.example', '"a\r\nb"@x.example', "a@[", "a@[1.2.3.4",
     "a@x.example\x00", f"{'y' * 250}@x.example"],
)  # fmt: skip
def test_an_unusable_recipient_is_refused_without_being_named(address: str) -> None:
    with pytest.raises(MailTrouble) as caught:
        compose(recipients=("good@x.example", address))
    assert caught.value.message == MailTrouble("an address of a letter can't be written in a header").message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "address",
    ["o'hara+x=y{z}@x-y.example", '"a b"@x.example', '"a@\\"b"@x.example', "a@[192.0.2.1]", f"{'y' * 100}@x.example"],
)
def test_an_unusual_recipient_stays_as_it_is(address: str) -> None:
    assert read(compose(recipients=("a@x.example", address)))["To"].addresses[1].addr_spec == address


@pytest.mark.parametrize("address", ["zoé@x.example", "用户@例え.example", "zo\u0301e+1@x.example"])
def test_a_recipient_beyond_ascii_is_the_only_thing_of_a_letter_that_is(address: str) -> None:
    raw = compose(Rendered("École", "é\n", "<p>é</p>"), recipients=("a@x.example", address))
    local, _, domain = address.rpartition("@")
    written = f"{local}@{domain.encode('idna').decode()}"
    head = raw.partition(b"\r\n\r\n")[0].decode().splitlines()
    assert f"To: a@x.example, {written}" in head
    assert raw.replace(written.encode(), b"").isascii()


@pytest.mark.parametrize(
    "address",
    ["zoé b@x.example", "zoé\u00a0b@x.example", "zoé\x85Bcc:b@x.example", "zoé<a@x.example", "zoé,b@x.example",
     '"zoé b"@x.example', "zoé..b@x.example", "zo\ud800@x.example", "=?é?=@x.example", f"{'é' * 130}@x.example",
     "zoé@b\uff1e.example"],
)  # fmt: skip
def test_a_recipient_beyond_ascii_ends_neither_its_address_nor_its_line(address: str) -> None:
    with pytest.raises(MailTrouble) as caught:
        compose(recipients=(address,))
    assert "x.example" not in str(caught.value)


def test_nobody_but_a_recipient_is_written_beyond_ascii() -> None:
    for changed in ({"sender": Address("", "zoé@x.example")}, {"reply_to": "zoé@x.example"}):
        with pytest.raises(MailTrouble):
            compose(**changed)


def test_answers_go_where_reply_to_says_under_the_same_name() -> None:
    raw = compose(reply_to="support+1@atelier.example", sender=Address("École", "support@atelier.example"))
    assert str(read(raw)["Reply-To"]) == "École <support+1@atelier.example>"
    assert read(compose())["Reply-To"] is None
    with pytest.raises(MailTrouble):
        compose(reply_to="support+1@atelier.example\r\nBcc: b@x.example")


def test_recipients_stand_in_to_and_foreign_domains_in_ascii() -> None:
    letter = read(compose(recipients=("a@x.example", "b@école.example")))
    assert [each.addr_spec for each in letter["To"].addresses] == ["a@x.example", "b@xn--cole-9oa.example"]


@pytest.mark.parametrize(
    "changed",
    [{"recipients": ()}, {"message_id": "bare"}, {"message_id": "<a@x>\r\nBcc: b"},
     {"date": datetime(2026, 11, 17, 9, 0)}],  # noqa: DTZ001 (naive is the point)
)  # fmt: skip
def test_our_own_mistakes_are_configuration_errors(changed: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        compose(**changed)


@settings(deadline=None)
@given(some.text(max_size=200))
def test_any_subject_comes_back_as_one_line(subject: str) -> None:
    raw = compose(Rendered(subject, "text\n", "<p>text</p>"))
    assert raw.isascii()
    assert read(raw)["Subject"] == one_line(subject)


def test_the_date_is_kept() -> None:
    assert read(compose())["Date"].datetime == datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


# --- bytes -------------------------------------------------------------------------------------------------


def words_alone(raw: bytes) -> list[str]:
    """Each encoded word of the header, decoded by itself: one cut within a character would not be."""
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    found = re.findall(r"=\?utf-8\?[qb]\?[^?\s]*\?=", head)
    assert all(len(word) <= 66 for word in found)
    return [str(make_header(decode_header(word))) for word in found]


def in_lf(text: str) -> str:
    """`text` as a mail's part says it: line breaks are one thing, and the last line ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines if lines.endswith("\n") else f"{lines}\n"


def leaves(letter: EmailMessage) -> list[tuple[object, ...]]:
    """What a reader gets from every part."""
    return [
        (
            part.get_content_type(), part.get_content_charset(), part.get_filename(), part.get_content_disposition(),
            str(part.get_content()).replace("\r\n", "\n"),
        )
        for part in letter.walk() if not part.is_multipart()
    ]  # fmt: skip


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_a_letter_reads_as_if_the_standard_library_had_written_it(template: str, language: str) -> None:
    shown = render(template, language)
    library = EmailMessage(policy=SMTP)
    library["From"] = '"L\'Atelier, été" <support@atelier.example>'
    library["To"] = "camille@ecole.example"
    library["Date"] = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
    library["Message-ID"] = "<a1@atelier.example>"
    library.set_content(shown.text, cte="quoted-printable")
    library.add_alternative(shown.html, subtype="html", cte="quoted-printable")
    library.add_attachment(b"a;b\r\n", "text", "csv", filename="été.csv")
    other = read(library.as_bytes())
    file = Part("été.csv", "text/csv", b"a;b\r\n")
    ours = read(compose(shown, sender=Address("L'Atelier, été", "support@atelier.example"), attachments=(file,)))
    assert structure(ours) == structure(other)
    assert leaves(ours) == leaves(other)
    told = ("From", "To", "Date", "Message-ID", "MIME-Version")  # of subjects, Python 3.11's loses letters
    assert ours["Subject"] == shown.subject
    assert [str(ours[name]) for name in told] == [str(other[name]) for name in told]


@pytest.mark.parametrize(("template", "language"), EVERY_LETTER)
def test_our_own_reader_reads_our_letters(template: str, language: str) -> None:
    shown = render(template, language)
    mail = read_mail(compose(shown, sender=Address("École « A »", "support@atelier.example")))
    assert isinstance(mail, Mail)
    assert mail.subject == shown.subject
    assert mail.sender == Address("École « A »", "support@atelier.example")
    assert mail.message_id == "<a1@atelier.example>"
    assert mail.text.split() == shown.text.split()


@settings(deadline=None)
@given(some.text(max_size=400), some.text(max_size=400))
def test_any_words_come_back(text: str, html: str) -> None:
    raw = compose(Rendered("Sujet", text, html))
    letter = read(raw)
    assert [part.get_content().replace("\r\n", "\n") for part in letter.iter_parts()] == [in_lf(text), in_lf(html)]
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= LINE
    assert not any(part.defects for part in letter.walk())


@pytest.mark.parametrize("width", range(70, 80))
@pytest.mark.parametrize("end", ["", " ", "\t", "  ", "=", "é", "."])
def test_no_line_overhangs_and_no_space_ends_one(width: int, end: str) -> None:
    text = f"{'x' * width}{end}\n"
    raw = compose(Rendered("s", text, ""), html=False)
    assert max(map(len, raw.split(b"\r\n"))) <= LINE
    assert not re.search(rb"[ \t]\r\n", raw)
    assert read(raw).get_content() == text.replace("\n", "\r\n")


@settings(deadline=None)
@given(some.text(max_size=200), some.text(some.sampled_from('aé漢🙂 =?_,."\\<>@()'), max_size=200))
@example("A =?utf-8?q?b?=", "=?")
def test_any_display_name_comes_back(name: str, odd: str) -> None:
    for each in (name, odd):
        raw = compose(sender=Address(each, "support@atelier.example"))
        written, address = parseaddr(message_from_bytes(raw, policy=compat32)["From"].replace("\r\n", ""))
        assert str(make_header(decode_header(written))) == one_line(one_line(each).replace("=?", "= ?"), 999)
        assert address == "support@atelier.example"


@settings(deadline=None)
@given(some.text(max_size=300))
@example("plain words, of which only the first letter is foreign " * 3)
@example("🙂" * 100)
def test_encoded_words_are_short_whole_and_on_short_lines(text: str) -> None:
    raw = compose(Rendered(f"é {text}", "text\n", "<p>text</p>"), sender=Address(text, "support@atelier.example"))
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= LINE
    assert "".join(words_alone(raw)).endswith(one_line(f"é {text}"))


@pytest.mark.parametrize(
    ("subject", "code"), [("Réinitialisation du mot de passe", "?q?"), ("教室に入れません", "?b?"), ("Access", "")]
)
def test_a_subject_takes_the_shorter_code_or_none(subject: str, code: str) -> None:
    (line,) = re.findall(rb"\r\nSubject: (.*)\r\n", compose(Rendered(subject, "text\n", "<p>text</p>")))
    assert (b"=?" in line) == bool(code)
    assert code.encode() in line


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("L'été, à l'école.\n", "quoted-printable"),
        ("plain\n-- \n", "quoted-printable"),
        ("Привет", "base64"),
        ("漢字" * 99, "base64"),
    ],
)
def test_a_text_stays_readable_unless_that_doubles_it(text: str, coding: str) -> None:
    assert read(compose(Rendered("s", text, "x"), html=False))["Content-Transfer-Encoding"] == coding


def test_a_text_cannot_end_its_part() -> None:
    inline, files = (Part("c.png", "image/png", b"1", "c"),), (Part("b.csv", "text/csv", b"1"),)
    usual = read(compose(inline=inline, attachments=files))
    rules = "".join(
        f"--{part.get_boundary()}--\n--{part.get_boundary()}\n" for part in usual.walk() if part.get_boundary()
    )
    bent = read(compose(Rendered("s", rules, rules), inline=inline, attachments=files))
    assert rules.count("\n") == 6
    assert structure(bent) == structure(usual)
    assert [part.get_boundary() for part in bent.walk()] == [part.get_boundary() for part in usual.walk()]
    assert bent.get_body(("plain",)).get_content().replace("\r\n", "\n") == rules  # type: ignore[union-attr]  # it has one


def test_no_boundary_begins_another() -> None:
    inline, files = (Part("c.png", "image/png", b"1", "c"),), (Part("b.csv", "text/csv", b"1"),)
    named = [part.get_boundary() for part in read(compose(inline=inline, attachments=files)).walk()]
    found = [each for each in named if each]
    assert len(found) == 3
    assert not any(one is not other and one.startswith(other) for one in found for other in found)


def test_the_same_letter_is_the_same_bytes_and_another_has_other_boundaries() -> None:
    assert compose() == compose()
    assert read(compose()).get_boundary() != read(compose(message_id="<a2@atelier.example>")).get_boundary()


@settings(deadline=None)
@given(some.text(max_size=250))
def test_any_file_name_comes_back_fit_to_save(name: str) -> None:
    raw = compose(attachments=(Part(name, "text/csv", b"1"),))
    (file,) = read(raw).iter_attachments()
    assert file.get_filename() == (re.sub(r'[/\\:*?"<>|]', "_", one_line(name)) or "file")
    assert max(map(len, raw.split(b"\r\n"))) <= LINE


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b.csv", b'filename="a b.csv"'),
        ("x" * 70, b"filename*0*=utf-8''" + b"x" * 50 + b";\r\n filename*1*=" + b"x" * 20),
        ("été.csv", b"filename*=utf-8''%C3%A9t%C3%A9.csv"),
        ("é" * 16, b"filename*0*=utf-8''" + b"%C3%A9" * 8 + b";\r\n filename*1*=" + b"%C3%A9" * 8),
    ],
)
def test_a_file_name_is_quoted_coded_or_coded_in_pieces(name: str, said: bytes) -> None:
    raw = compose(attachments=(Part(name, "text/csv", b"1"),))
    (found,) = re.findall(rb"Content-Disposition: attachment;\s+(.*?)\r\n\r\n", raw, re.DOTALL)
    assert found == said


@pytest.mark.parametrize("value", ["a\r\nBcc: x", "a\rb", "a\nb", "a\x00b", "a\tb", "a\x7fb", "aéb", "a\u2028b"])
def test_no_header_is_written_with_a_control_or_a_foreign_character(value: str) -> None:
    with pytest.raises(ConfigurationError, match="header X-Test of a letter") as caught:
        write_header("X-Test", ["good", value])
    assert value not in str(caught.value)


def test_a_header_folds_between_its_words_only() -> None:
    assert write_header("To", ["a@x,", "y" * 80, "b@x"]) == f"To: a@x,\r\n {'y' * 80}\r\n b@x\r\n"
    assert write_header("To", ["y" * 72]) == f"To: {'y' * 72}\r\n"
    assert write_header("To", ["y" * 36, "y" * 35]).count("\r\n") == 1
    assert write_header("To", ["y" * 36, "y" * 36]).count("\r\n") == 2
    with pytest.raises(ConfigurationError, match="too long"):
        write_header("To", ["a", "y" * 998])

"""From a template and its slots to the words of a letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    PrefixLoader,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
    pass_eval_context,
)
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from markupsafe import Markup, escape

from desk.errors import ConfigurationError, LetterHole
from letters.dates import say_date, say_moment, say_span, say_zone
from letters.lines import greet_name, one_line, tidy_slots
from letters.sandbox import Hole, LetterEnvironment, Missing, Named, check_size, open_room
from letters.shapes import align_table, lay_passage, quote_lines, write_html, write_plain
from letters.slots import ANSWER, SLOTS
from letters.subject import answer_subject
from letters.variants import OURS, find_wording, list_letters
from letters.words import GAPS, say_reason, say_word

__all__ = ["Rendered", "list_letters", "render_file", "render_letter"]

SHAPES = ("subject", "text", "html")
PREFIX = "ours"  # {% extends "ours/fr/account.j2" %}: ours, even where the organisation has a file of that name


@dataclass(frozen=True, slots=True)
class Rendered:
    """The words of a letter: `subject` on one line, `text` with LF, `html` a document saying the same."""

    subject: str
    text: str
    html: str


def render_letter(
    template: str,
    language: str,
    slots: Mapping[str, object],
    *,
    segment: str = "",
    variant: str = "",
    folder: str = "",
    gaps: bool = False,
) -> Rendered:
    """Fill the file that letters.variants finds, `folder` being the organisation's own; `slots` as told in
    letters.slots.

    A template of the organisation's own category gets the slots of an answer. A value that the words ask for and that
    is not there raises LetterHole, which names template and slot; with `gaps` it is a marked gap in the text, for
    people to fill in. ConfigurationError names the template, and the slot that is missing or unfit, never a value.
    """
    _check_slots(template, language, slots)
    wording = find_wording(template, language, segment, variant, folder)
    return render_file(f"{language}/{wording.file}", language, slots, folder=folder, gaps=gaps)


def render_file(
    file: str, language: str, slots: Mapping[str, object], *, folder: str = "", gaps: bool = False
) -> Rendered:
    """Fill one file of the templates' folders, such as "fr/account@short.j2"."""
    known = {**_prepare(slots), "language": language}
    with open_room(GAPS[language] if gaps else ""):
        subject, text, html = (_fill(shape, file, known, folder) for shape in SHAPES)
    return Rendered(one_line(subject), text, html)


def _check_slots(template: str, language: str, slots: Mapping[str, object]) -> None:
    missing = [name for name in SLOTS.get(template, ANSWER) if name not in slots]
    if missing:
        raise ConfigurationError(f"letter {language}/{template} lacks the slot {', '.join(missing)}")


def _prepare(slots: Mapping[str, object]) -> dict[str, object]:
    """Fit to be shown; what holds nothing is a hole that knows its name."""
    known = tidy_slots(slots)
    named = {name: Named(name, value) for name, value in known.items() if isinstance(value, dict)}
    empty = {name: Hole(name=name) for name, value in known.items() if value is None}
    return {**known, **named, **empty}


def _fill(shape: str, file: str, slots: Mapping[str, object], folder: str) -> str:
    try:
        template = open_environment(folder, shape == "html").get_template(file)
        return check_size(template.render({**slots, "layout": f"layouts/{shape}.j2"}))
    except Missing as hole:
        raise LetterHole(f"letter {_name(file)} has nothing for {hole.message}") from None
    except TemplateNotFound as missing:
        raise ConfigurationError(f"there is no template letters/templates/{missing.name}") from missing
    except TemplateSyntaxError as broken:
        _blame(file, f"is not well-formed (line {broken.lineno} of {broken.name or file}): {broken.message}", broken)
    except TemplateError as forbidden:
        _blame(file, f"asks for what letters may not do{_find_line(forbidden)}", forbidden)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as unfit:
        _blame(file, f"was given an unfit slot{_find_line(unfit)}", unfit)


def _name(file: str) -> str:
    return file.removesuffix(".j2")


def _blame(file: str, fault: str, cause: Exception) -> NoReturn:
    raise ConfigurationError(f"letter {_name(file)} {fault}") from cause


def _find_line(trouble: Exception) -> str:
    """Where in a template it happened; Jinja writes that into tracebacks."""
    places = [place for place in _list_places(trouble.__traceback__) if place[0].endswith(".j2")]
    if not places:
        return ""
    file, line = places[-1]
    return f" (line {line} of {'/'.join(Path(file).parts[-2:])})"


def _list_places(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    return say_moment(moment, context["language"], context["timezone"])


@pass_context
def _deadline(context: Context, moment: datetime) -> str:
    return f"{_moment(context, moment)} ({say_zone(context['timezone'], context['language'])})"


@pass_context
def _word(context: Context, word: str) -> str:
    return say_word(word, context["language"])


@pass_context
def _reason(context: Context, reason: str) -> str:
    return say_reason(reason, context["language"])


@pass_eval_context
def _quote(state: EvalContext, text: str) -> str:
    return Markup(quote_lines(str(escape(text)))) if state.autoescape else quote_lines(text)  # noqa: S704 (escaped)


@pass_context
def _day(context: Context, day: str) -> str:
    return say_date(day, context["language"])


@pass_eval_context
def _guide(state: EvalContext, text: str) -> str:
    return Markup(escape(lay_passage(text))) if state.autoescape else lay_passage(text)  # noqa: S704 (escaped)


@pass_eval_context
def _tag(state: EvalContext, wording: str) -> str:
    """The slots of a wording were escaped while it was filled: then it is mark-up, and else it is made so here."""
    shaped = write_html(str(escape(wording)))
    return Markup(shaped) if state.autoescape else shaped  # noqa: S704 (escaped)


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": _moment, "deadline": _deadline, "day": _day, "span": say_span, "word": _word, "reason": _reason,
    "quote": _quote, "guide": _guide, "greeting": greet_name, "answer": answer_subject,
    "table": align_table, "plain": write_plain, "tag": _tag,
}  # fmt: skip


@lru_cache(maxsize=8)
def open_environment(folder: str, html: bool) -> LetterEnvironment:
    """The organisation's `folder` is looked into first, and again whenever its files change; only HTML is escaped:
    subjects and text hold no markup.
    """
    ours = FileSystemLoader(OURS)
    places = [*([FileSystemLoader(folder)] if folder else []), ours, PrefixLoader({PREFIX: ours})]
    return LetterEnvironment(ChoiceLoader(places), html, _FILTERS, changing=bool(folder))

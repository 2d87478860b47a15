"""From a template and its slots to the words of a letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    UndefinedError,
    pass_context,
    pass_eval_context,
)
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from desk.errors import ConfigurationError
from letters.dates import say_moment, say_span, say_zone
from letters.lines import greet_name, one_line, tidy_slots
from letters.shapes import align_table, quote_lines, write_html, write_plain
from letters.slots import ANSWER, SLOTS
from letters.subject import answer_subject
from letters.words import say_reason, say_word

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The words of a letter: `subject` on one line, `text` with LF, `html` a document saying the same."""

    subject: str
    text: str
    html: str


def render_letter(template: str, language: str, slots: Mapping[str, object]) -> Rendered:
    """Fill letters/templates/<language>/<template>.j2; `slots` as told in letters.slots.

    A template of the organisation's own category gets the slots of an answer. ConfigurationError names the
    template and the slot that is missing or unfit, never a value.
    """
    _check_slots(template, language, slots)
    known = tidy_slots(slots)
    subject, text, html = (_fill(shape, template, language, known) for shape in ("subject", "text", "html"))
    return Rendered(one_line(subject), text, html)


def list_letters(language: str) -> frozenset[str]:
    """Names of the templates that exist in `language`."""
    return frozenset(path.stem for path in (FOLDER / language).glob("*.j2"))


def _check_slots(template: str, language: str, slots: Mapping[str, object]) -> None:
    missing = [name for name in SLOTS.get(template, ANSWER) if name not in slots]
    if missing:
        raise ConfigurationError(f"letter {language}/{template} lacks the slot {', '.join(missing)}")


def _fill(shape: str, template: str, language: str, slots: Mapping[str, object]) -> str:
    environment = _HTML if shape == "html" else _PLAIN
    about = {"language": language, "layout": f"layouts/{shape}.j2"}
    try:
        return environment.get_template(f"{language}/{template}.j2").render({**slots, **about})
    except TemplateNotFound as missing:
        raise ConfigurationError(f"there is no template letters/templates/{missing.name}") from missing
    except UndefinedError as unknown:
        raise ConfigurationError(f"letter {language}/{template} lacks a slot: {unknown.message}") from unknown
    except TemplateError as broken:
        raise ConfigurationError(f"letter {language}/{template} is not well-formed") from broken
    except (TypeError, ValueError, AttributeError, LookupError) as unfit:
        raise ConfigurationError(f"letter {language}/{template} was given an unfit slot") from unfit


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


def _tag(wording: str) -> Markup:
    return Markup(write_html(wording))  # noqa: S704 (its slots were escaped while the wording was filled)


def _open_environment(autoescape: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=autoescape,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False,
        auto_reload=False,
    )  # fmt: skip
    environment.filters |= {
        "moment": _moment, "deadline": _deadline, "span": say_span, "word": _word, "reason": _reason,
        "quote": _quote, "greeting": greet_name, "answer": answer_subject,
        "table": align_table, "plain": write_plain, "tag": _tag,
    }  # fmt: skip
    return environment


_PLAIN = _open_environment(autoescape=False)  # subjects and text hold no markup
_HTML = _open_environment(autoescape=True)

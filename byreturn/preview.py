"""`byreturn letters preview`: a letter as its reader would see it, before anybody does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byreturn.files import read_eml, write_private
from byreturn.show import CONSOLE, show_rows
from desk.errors import ConfigurationError, LetterHole

if TYPE_CHECKING:
    from desk.classification import Classification
    from desk.mail import Mail
    from desk.policy import Policy
    from letters.render import Rendered
    from letters.variants import Wording


@dataclass(frozen=True, slots=True)
class Shown:
    """A letter and what it was made of: `made_up` are slots that nothing told, `hole` the slot that keeps it from
    going out by itself.
    """

    template: str
    segment: str
    variant: str
    language: str
    subject: str
    text: str
    html: str
    made_up: tuple[str, ...]
    judged: str
    hole: str


@dataclass(frozen=True, slots=True)
class TemplateLine:
    template: str
    languages: tuple[str, ...]
    segments: tuple[str, ...]
    variants: tuple[str, ...]


def add_commands(app: typer.Typer) -> None:
    """Make it a command of the group `byreturn letters`."""
    app.command()(preview)


def preview(
    template: Annotated[str, typer.Argument(help="Its name, such as a category's; see --list.")] = "",
    mail: Annotated[Path | None, typer.Option(help="An .eml file that the letter answers.")] = None,
    language: Annotated[str, typer.Option(help="fr or en; else the mail's, else the policy's first.")] = "",
    segment: Annotated[str, typer.Option(help="As the reader's organisation has in the policy.")] = "",
    variant: Annotated[str, typer.Option(help="A wording that is tried beside the plain one.")] = "",
    png: Annotated[Path | None, typer.Option(help="Draw it into this file; it must not exist.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write its page into this file; it must not exist.")] = None,
    every: Annotated[bool, typer.Option("--list", help="Name the templates instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show a letter, filled with what an .eml and the policy tell and made-up values for the rest. Looks nothing up in
    the desk's store, sends nothing.
    """
    policy = find_policy()
    folder = policy.letters.templates if policy else ""
    if every or not template:
        show_rows(list_templates(folder), as_json, "There is no template.")
        return
    shown = fill_template(template, mail, language, segment, variant, policy)
    if png is not None:
        write_private(png, draw(shown))
    if html is not None:
        write_private(html, shown.html.encode())
    print_json(shown) if as_json else tell_letter(shown)


def find_policy() -> Policy | None:
    """The desk's own, where there is one. ConfigurationError when it is not well-formed."""
    from desk.policy import read_policy

    file = Path(os.environ.get("BYRETURN_POLICY", "policy.yaml"))
    return read_policy(file) if file.is_file() else None


def list_templates(folder: str) -> list[TemplateLine]:
    from letters.dates import SPEECH
    from letters.variants import list_wordings

    found = [(language, one) for language in SPEECH for one in list_wordings(language, folder)]
    return [
        TemplateLine(
            name,
            sort_words(language for language, one in found if one.template == name),
            sort_words(one.segment for _, one in found if one.template == name),
            sort_words(one.variant for _, one in found if one.template == name),
        )
        for name in sort_words(one.template for _, one in found)
    ]


def sort_words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words) - {""}))


def draw(shown: Shown) -> bytes:
    from letters.picture import draw_letter

    return draw_letter(shown.html)


# --- filling -------------------------------------------------------------------------------------------------


def fill_template(
    template: str, file: Path | None, language: str, segment: str, variant: str, policy: Policy | None
) -> Shown:
    """ConfigurationError for a template, variant or mail that isn't there."""
    from letters.checking import sample_all
    from letters.variants import find_segment, find_wording

    folder = policy.letters.templates if policy else ""
    mail = read_eml(file)[1] if file else None
    spoken = check_language(language or guess_language(mail, policy))
    wording = find_wording(template, spoken, find_segment(template, spoken, segment, folder), variant, folder)
    judged = judge(mail, template, policy) if mail and policy and asks_judge(wording, spoken, folder) else None
    found = tell_articles(mail, template, policy, spoken, judged) if mail and policy else {}
    told = {**tell_policy(policy, spoken), **tell_mail(mail), **tell_judgement(judged), **found}
    made_up = {name: value for name, value in sample_all(template, spoken).items() if name not in told}
    rendered, hole = fill_twice(wording, spoken, {**made_up, **told}, folder)
    asked = list_asked(wording, spoken, folder)
    judgement = f"{judged.category}, {judged.priority}, confidence {judged.confidence:.2f}" if judged else ""
    return Shown(
        *(wording.template, wording.segment, wording.variant, spoken),
        *(rendered.subject, rendered.text, rendered.html),
        tuple(sorted(made_up.keys() & asked)),
        judgement,
        hole,
    )


def fill_twice(wording: Wording, language: str, slots: Mapping[str, object], folder: str) -> tuple[Rendered, str]:
    """The letter with its gaps marked, and the first of them as an automatic letter would tell it."""
    from letters.render import render_file

    file, hole = f"{language}/{wording.file}", ""
    try:
        render_file(file, language, slots, folder=folder)
    except LetterHole as trouble:
        hole = trouble.detail
    return render_file(file, language, slots, folder=folder, gaps=True), hole


def check_language(language: str) -> str:
    from letters.dates import SPEECH

    if language not in SPEECH:
        raise ConfigurationError(f"no letters in the language {language}; there are {', '.join(SPEECH)}")
    return language


def guess_language(mail: Mail | None, policy: Policy | None) -> str:
    from desk.languages import tell_language

    wanted = policy.organisation.languages if policy else ("fr", "en")
    spoken = tell_language(mail.reply_text) if mail else ""
    return spoken if spoken in wanted else wanted[0]


def list_asked(wording: Wording, language: str, folder: str) -> frozenset[str]:
    from letters.checking import find_asked

    return find_asked(f"{language}/{wording.file}", folder)


def asks_judge(wording: Wording, language: str, folder: str) -> bool:
    """Whether the words depend on what a judge says; it takes seconds to load."""
    return bool(list_asked(wording, language, folder) & {"fields", "category", "priority"})


def judge(mail: Mail, template: str, policy: Policy) -> Classification:
    """By the local model of the repository's examples; fields are those of the template's own category."""
    from classifiers.local import load_classifier
    from tasks.judging import complete, make_question

    asked = make_question(mail, policy)
    said = load_classifier(languages=policy.organisation.languages).classify(asked.question)
    meant = replace(said, category=template) if template in policy.categories else said
    text = f"{asked.question.subject}\n\n{asked.question.text}"
    return replace(complete(meant, text, asked.mapping, policy), category=said.category)


def tell_policy(policy: Policy | None, language: str) -> dict[str, object]:
    if policy is None:
        return {}
    from letters.manners import choose_signature

    return {
        "organisation": policy.organisation.name,
        "signature": choose_signature(policy.organisation, language),
        "timezone": policy.calendar.timezone,
        "retention_days": policy.retention.mails.days,
        "limit_mb": policy.limits.mail_bytes // 10**6,
    }


def tell_mail(mail: Mail | None) -> dict[str, object]:
    """As if its sender were proven."""
    if mail is None:
        return {}
    told: dict[str, object] = {
        "requester_name": mail.sender.name,
        "subject": mail.subject,
        "sender": mail.sender.address,
        "excerpt": mail.reply_text,
        "files": [{"name": one.name, "warning": one.warning} for one in mail.attachments if not one.inline],
        "requester_phone": mail.signature.phone if mail.signature else "",
    }
    return {**told, "received_at": mail.date} if mail.date else told


def tell_judgement(judged: Classification | None) -> dict[str, object]:
    if judged is None:
        return {}
    return {"fields": dict(judged.fields), "category": judged.category, "priority": judged.priority}


def tell_articles(
    mail: Mail, template: str, policy: Policy, language: str, judged: Classification | None
) -> dict[str, object]:
    """What the articles, if they are here, say to it word for word, where letters of this category quote them."""
    if template not in policy.categories or policy.categories[template].answers != "articles":
        return {}
    from classifiers.retrieval import NEAR, Asked, pick_passages
    from tasks.knowing import name_version, read_library
    from tasks.writing import quote_passage

    if not Path(policy.knowledge.folder).is_dir():
        return {}
    version = name_version(policy, judged) if judged else ""
    asked = Asked(f"{mail.subject}\n{mail.reply_text}", language, template, version)
    hits = [hit for hit in read_library(Path(policy.knowledge.folder)).find(asked) if hit.score >= NEAR]
    return {"passages": [quote_passage(one) for one in pick_passages(hits, policy.knowledge.passages)]}


# --- showing -------------------------------------------------------------------------------------------------


def print_json(shown: Shown) -> None:
    print(json.dumps(asdict(shown), ensure_ascii=False, indent=2))


def tell_letter(shown: Shown) -> None:
    CONSOLE.rule(" ".join(filter(None, (shown.language, shown.template, shown.segment, shown.variant))))
    CONSOLE.print(f"Subject: {shown.subject}\n\n{shown.text}", soft_wrap=True)
    CONSOLE.rule()
    notes = {
        "Made up": ", ".join(shown.made_up),
        "Judged by the local model": shown.judged,
        "Would not go out by itself": shown.hole,
    }
    for name, said in notes.items():
        if said:
            CONSOLE.print(f"{name}: {said}.", soft_wrap=True)

"""Door 5: what a mail means. The question is pseudonymised before it leaves; the local model stands in for Mistral."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from blocks import MistralApi
from blocks.base import load_block
from classifiers.judge import Judgement, judge_question
from classifiers.local import load_classifier
from classifiers.mistral import MistralClassifier
from desk.classification import Classifier, Question
from desk.decide import weigh_signals
from desk.mail import Mail
from desk.policy import Policy
from desk.pseudonyms import hide_people
from tasks.opening import DESK


@dataclass(frozen=True, slots=True)
class Bench:
    """The judges of this run, in the order they are asked."""

    engines: tuple[Classifier, ...]


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Mistral when its block is filled in, then always the local model."""
    with ExitStack() as stack:
        engines: list[Classifier] = []
        block = load_block(MistralApi, DESK)
        if block.enabled:
            client = stack.enter_context(block.open_client())
            engines.append(MistralClassifier(client, block.model, timedelta(seconds=block.timeout_seconds)))
        yield Bench((*engines, load_classifier()))


def judge_mail(bench: Bench, mail: Mail, policy: Policy) -> Judgement:
    """Ask the judges in turn. Raises ModelTrouble when none has a usable answer."""
    judged = judge_question(make_question(mail, policy), bench.engines)
    return Judgement(weigh_signals(mail, judged.classification), judged.troubles)


def make_question(mail: Mail, policy: Policy) -> Question:
    """What a judge may see: no address, no phone, no name that the mail's own headers tell."""
    people = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    hidden, _ = hide_people(f"{mail.subject}\n\n{mail.own_text}", people)
    subject, _, text = hidden.partition("\n\n")
    return Question(
        subject=subject,
        text=text,
        attachment_names=_hide_names(tuple(one.name for one in mail.attachments), mail),
        categories=tuple((name, each.describe("en")) for name, each in policy.categories.items()),
        priorities=tuple(policy.priorities),
    )


def _hide_names(names: Sequence[str], mail: Mail) -> tuple[str, ...]:
    return tuple(hide_people(name, (mail.sender, *mail.to, *mail.cc))[0] for name in names)

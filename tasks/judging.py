"""Door 5: what a mail means. The question is pseudonymised before it leaves; the local model stands in for Mistral."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from blocks import MistralApi
from blocks.base import load_block
from classifiers.judge import Breaker, Judgement, judge_question, leave_to_person
from classifiers.local import load_classifier
from classifiers.mistral import MistralClassifier
from desk.classification import Classifier, Question
from desk.decide import weigh_signals
from desk.mail import Mail
from desk.policy import Policy
from desk.pseudonyms import hide_people
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.opening import DESK

ALERT = "mistral"


@dataclass(frozen=True, slots=True)
class Bench:
    """The judges of this run, in the order they are asked, and how often which kind of trouble one of them had."""

    engines: tuple[Classifier, ...]
    troubles: Counter[str] = field(default_factory=Counter)


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Mistral when its block is filled in, then always the local model."""
    with ExitStack() as stack:
        engines: list[Classifier] = []
        block = load_block(MistralApi, DESK)
        if block.enabled:
            client = stack.enter_context(block.open_client())
            timeout = timedelta(seconds=block.timeout_seconds)
            engines.append(Breaker(MistralClassifier(client, block.model, timeout)))
        yield Bench((*engines, load_classifier()))


def judge_mail(bench: Bench, mail: Mail, policy: Policy) -> Judgement:
    """Ask the judges in turn; when none has a usable answer, a person judges."""
    question = make_question(mail, policy)
    judged = judge_question(question, bench.engines, leave_to_person(question, policy.fallback))
    bench.troubles.update(trouble.code for trouble in judged.troubles)
    return Judgement(weigh_signals(mail, judged.classification), judged.troubles)


def report_judges(store: Store, bench: Bench) -> str:
    """Tell the operator once when Mistral fails and once when it is well again; the trouble's code, or nothing."""
    if not bench.troubles:
        end_trouble(store, ALERT)
        return ""
    code, count = bench.troubles.most_common(1)[0]
    tell_trouble(store, ALERT, code, f"The local model judged {count} mails instead. Run the Mistral block's check.")
    return code


def make_question(mail: Mail, policy: Policy) -> Question:
    """What a judge may see: no address, no phone, no name that the mail's own headers tell."""
    people = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    hidden, _ = hide_people(f"{mail.subject}\n\n{mail.reply_text}", people)
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

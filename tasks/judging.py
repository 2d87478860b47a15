"""Door 5: what a mail means. The policy's rules are read first, then Mistral is asked, then the local model; what none
of them can judge goes to a person. A question is pseudonymised before it leaves, its answer is made whole again after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

from blocks import MistralApi
from blocks.base import load_block
from blocks.mistral import MISTRAL_URL
from classifiers.judge import Judgement, judge_question, leave_to_person
from classifiers.mistral import ASK_KEY, ASK_LIVING, ASK_MODEL, MistralClassifier
from desk.acquaintances import Acquaintances, index_names
from desk.classification import Classification, Classifier, Question, Source, Trouble
from desk.decide import weigh_signals
from desk.facts import Organisation
from desk.fields import check_fields, find_fields, list_fields
from desk.mail import Mail
from desk.policy import Policy
from desk.pseudonyms import Known, hide_people, show_people
from desk.sorting import Headers, sort_mail
from store.memory import Store
from store.people import list_names, list_organisations
from tasks.alarm import end_trouble, tell_trouble
from tasks.asking import ASK_BUDGET, PATIENT, RESTING, SPENT, Account, Asker
from tasks.models import load_local
from tasks.opening import DESK, open_policy, open_store
from tasks.pacing import BUSY, open_pace
from tasks.shadowing import open_shadow

NAMES_BEGIN = "\x1e"  # before each attachment's name, where all that is hidden stands in one text; no mail has it

# --- the alerts of this door ---
DOWN, KEY, MODEL, BUDGET, PRICE = "mistral", "mistral-key", "mistral-model", "mistral-budget", "mistral-price"
ASK_PAUSE = "The local model judged instead; if it lasts, lower the limits byreturn-mistral… or take a larger plan."
ASK_CHECK = "The local model judged instead; run the Mistral block's check."
ASK_PRICE = "Without a price for the model under prices in policy.yaml its budget holds nothing back: add it."
# code of a trouble → alert and what to do; a judge that is busy or rests was told of when that began
ALERTS: Mapping[str, tuple[str, str]] = {
    "model-unavailable": (DOWN, ASK_CHECK),
    "model-throttled": (DOWN, ASK_PAUSE),
    "model-rejected": (DOWN, ASK_MODEL),
    "model-answer": (DOWN, ASK_MODEL),
    "model-refused": (KEY, ASK_KEY),
    "model-retired": (MODEL, ASK_LIVING),
    SPENT: (BUDGET, ASK_BUDGET),
}
QUIET = frozenset({BUSY, RESTING})
NOBODY = Known()
ANSWERED = ""  # in place of a trouble's code


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what its pseudonyms stand for."""

    question: Question
    mapping: Mapping[str, str]

    @property
    def text(self) -> str:
        return f"{self.question.subject}\n{self.question.text}"


Shadow = Callable[[Asked], tuple[Classification | Trouble, ...]]  # asked for comparison, without effect


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a mail that it does not say itself."""

    organisation: Organisation | None = None
    headers: Headers = field(default_factory=dict)
    known: Known = NOBODY


@dataclass(frozen=True, slots=True)
class Bench:
    """The judges of this run, in the order they are asked. `threads` mails are judged at a time where one of them is
    far away; 0 where all are here. `people` are those whom such a judge must not hear of, `said` is what Mistral came
    to, mail by mail: a trouble's code, or ANSWERED.
    """

    engines: tuple[Classifier, ...]
    threads: int = 0
    shadow: Shadow | None = None
    account: Account | None = None  # of Mistral, if it is asked at all
    priced: bool = True
    people: Callable[[], Acquaintances] | None = None
    said: list[str] = field(default_factory=list)


@contextmanager
def open_bench(store: Store | None = None, policy: Policy | None = None) -> Iterator[Bench]:
    """Mistral when its block is filled in and it may cost something, then always the local model."""
    store, policy = store or open_store(), policy or open_policy()
    local, block = load_local(store), load_block(MistralApi, DESK)
    with ExitStack() as stack:
        if not (block.enabled and policy.classification.budget_eur):
            yield Bench((local,), shadow=open_shadow(store, policy, stack))
            return
        asker = open_asker(stack, block, store, policy)
        yield Bench(
            (asker, local),
            asker.pace.threads,
            open_shadow(store, policy, stack),
            asker.account,
            block.place != MISTRAL_URL or block.model in policy.classification.prices,
            cache(lambda: know_people(store, policy)),  # when it is first asked for: most runs find nothing to do
        )


def open_asker(stack: ExitStack, block: MistralApi, store: Store, policy: Policy) -> Asker:
    """Mistral behind budget, circuit and limits; all that is open is closed with `stack`."""
    timeout = timedelta(seconds=block.timeout_seconds)
    engine = MistralClassifier(
        stack.enter_context(block.open_client()), block.model, timeout, prices=policy.classification.prices
    )
    account = Account(store, policy.classification.budget_eur, ZoneInfo(policy.calendar.timezone))
    pace = stack.enter_context(open_pace(timeout, timeout))
    return Asker(engine, account, pace, name_circuit(block, store), 2 * timeout, PATIENT)


def know_people(store: Store, policy: Policy) -> Acquaintances:
    listed = (one.name for one in policy.organisations)
    houses = index_names((*listed, *list_organisations(store)))
    return Acquaintances(index_names(list_names(store)), houses)


def name_circuit(block: MistralApi, store: Store) -> str:
    """One for each way to fill in the block, so that whoever mends it need not wait until the old one has rested."""
    _, digest = store.keys.bury(f"{block.place} {block.model} {block.api_key.get_secret_value()}")
    return f"mistral {digest[:16]}"


# --- one mail ------------------------------------------------------------------------------------------------


def judge_mail(
    bench: Bench, mail: Mail, policy: Policy, hints: Hints | None = None, ahead: Classification | None = None
) -> Judgement:
    """The first rule that holds decides; else the judges are asked in turn, and when none has a usable answer, a person
    is. `ahead` stands in for Mistral's answer: what it said of this mail in a batch, as it said it.
    """
    hints = hints or Hints()
    ruled = sort_mail(mail, hints.organisation, hints.headers, policy)
    if ruled:
        return Judgement(weigh_signals(mail, complete(ruled, f"{mail.subject}\n{mail.reply_text}", {}, policy)))
    asked = make_question(mail, policy, hints.known)
    judged = take_ahead(ahead, asked, policy) or ask_judges(bench, asked, policy)
    whole = complete(judged.classification, asked.text, asked.mapping, policy)
    shadows = bench.shadow(asked) if bench.shadow else ()
    return Judgement(weigh_signals(mail, whole), judged.troubles, shadows)


def ask_judges(bench: Bench, asked: Asked, policy: Policy) -> Judgement:
    question = asked.question
    judged = judge_question(question, bench.engines, leave_to_person(question, policy.fallback))
    bench.said.extend(one.code for one in judged.troubles if one.source is Source.MISTRAL)
    if judged.classification.source is Source.MISTRAL:
        bench.said.append(ANSWERED)
    return judged


def take_ahead(ahead: Classification | None, asked: Asked, policy: Policy) -> Judgement | None:
    """Without what it says of people: when it was asked, codes may have stood for others than they do now."""
    if ahead is None or ahead.category not in policy.categories:
        return None
    plain = tuple((name, value) for name, value in ahead.fields if show_people(value, asked.mapping) == value)
    reason = ahead.reason if show_people(ahead.reason, asked.mapping) == ahead.reason else ""
    return Judgement(replace(ahead, fields=plain, reason=reason))


def make_question(mail: Mail, policy: Policy, known: Known = NOBODY) -> Asked:
    """What a judge may see: no address, no phone, no name that the mail's own headers or our contacts tell."""
    people = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    names = [one.name for one in mail.attachments]
    text = NAMES_BEGIN.join([f"{mail.subject}\n\n{mail.reply_text}".replace(NAMES_BEGIN, " "), *names])
    hidden, mapping = hide_people(text, people, known)
    shown, *files = hidden.split(NAMES_BEGIN)
    subject, _, text = shown.partition("\n\n")
    question = Question(
        subject=subject,
        text=text,
        attachment_names=tuple(files),
        categories=tuple((name, each.describe("en")) for name, each in policy.categories.items()),
        priorities=tuple(policy.priorities),
        fields=list_fields(policy),
    )
    return Asked(question, mapping)


def complete(said: Classification, text: str, mapping: Mapping[str, str], policy: Policy) -> Classification:
    """Its fields checked against what was asked about, those that it left out looked for, and all people put back."""
    asked = policy.categories[said.category].fields
    told = dict(check_fields(dict(said.fields), asked, text)) if asked else {}
    left = {name: kind for name, kind in asked.items() if name not in told}
    told |= dict(find_fields(left, text)) if left else {}
    fields = tuple((name, show_people(told[name], mapping)) for name in asked if name in told)
    return replace(said, fields=fields, reason=show_people(said.reason, mapping))


# --- all mails of a run --------------------------------------------------------------------------------------


def report_judges(store: Store, bench: Bench) -> str:
    """Tell the operator once when Mistral fails and once when it is well again; the trouble's code, or nothing."""
    codes = Counter(bench.said)
    answered = bool(codes.pop(ANSWERED, 0)) or bench.account is None
    troubles = tell_troubles(store, codes)
    for alert in {DOWN, KEY, MODEL} - troubles if answered else ():
        end_trouble(store, alert)
    if BUDGET not in troubles and not (bench.account and bench.account.spent):
        end_trouble(store, BUDGET)
    report_price(store, bench.priced)
    return min(codes, key=lambda code: (code in QUIET, -codes[code]), default="")


def tell_troubles(store: Store, codes: Counter[str]) -> set[str]:
    """Each kind of trouble by its commonest code; the alerts that were raised."""
    told: set[str] = set()
    for code, _ in codes.most_common():
        alert, remedy = ALERTS.get(code, (DOWN, ASK_CHECK))
        if code not in QUIET and alert not in told:
            tell_trouble(store, alert, code, remedy)
            told.add(alert)
    return told


def report_price(store: Store, priced: bool) -> None:
    if priced:
        end_trouble(store, PRICE)
    else:
        tell_trouble(store, PRICE, "no-price", ASK_PRICE)

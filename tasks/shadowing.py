"""A second judge on the same mails, without effect: what it says is kept beside the verdict, and nothing else.

It may be another model, other instructions or another policy's categories. It never raises, holds a mail up by its own
time-out at most, its turn at the limits included, and falls silent before the desk's own judges have to save.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from blocks import MistralApi
from classifiers.local import load_classifier
from classifiers.mistral import INSTRUCTIONS, MistralClassifier
from desk.classification import Classification, Classifier, Question, Source, Trouble
from desk.errors import ByreturnError, ConfigurationError, ModelAnswerInvalid, ModelTrouble
from desk.fields import list_fields
from desk.policy import Policy, read_policy
from desk.policy import Shadow as Wanted
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.asking import NOT_ASKED, Account, Asker, Patience
from tasks.opening import open_block
from tasks.pacing import open_pace

if TYPE_CHECKING:
    from tasks.judging import Asked

ALERT = "shadow"
CIRCUIT = "shadow"
BUDGET_SHARE = 0.8  # of the day's budget: what is left then is for the desk's own judges
AT_ONCE = Patience(tries=1)
LATE = "shadow-late"
BROKEN = "shadow-broken"
MEND = "Mend classification.shadow in the policy; the desk judges without it meanwhile."


@dataclass(frozen=True, slots=True)
class Shadow:
    """A judge without effect, for this `share` of mails; `policy` when its categories are those of another one."""

    engine: Classifier
    share: float
    timeout: timedelta
    policy: Policy | None = None

    def __call__(self, asked: Asked) -> tuple[Classification | Trouble, ...]:
        """What it says to the desk's own question; nothing to mails that are none of its share, and when it is not to
        be asked at all.
        """
        said = judge_shadow(self, asked.question)
        return (said,) if said else ()


def open_shadow(store: Store, policy: Policy, stack: ExitStack) -> Shadow | None:
    """The shadow of the policy; None when there is none, or when it can't be had, of which the operator is told.
    What is open is closed with `stack`.
    """
    wanted = policy.classification.shadow
    if not wanted.share:
        return None
    try:
        shadow = _open(wanted, store, policy, stack)
    except ByreturnError as trouble:
        tell_trouble(store, ALERT, trouble.code, trouble.remedy or MEND)
        return None
    end_trouble(store, ALERT)
    return shadow


def _open(wanted: Wanted, store: Store, policy: Policy, stack: ExitStack) -> Shadow:
    block = open_block(MistralApi)
    other = read_policy(Path(wanted.policy)) if wanted.policy else None
    timeout = timedelta(seconds=block.timeout_seconds)
    if wanted.classifier == "local":
        return Shadow(load_classifier(), wanted.share, timeout, other)
    if not block.enabled:
        raise ConfigurationError("the shadow needs Mistral, which is off", remedy=MEND)
    engine = MistralClassifier(
        stack.enter_context(block.open_client()),
        wanted.model or block.model,
        timeout,
        instructions=_read_instructions(wanted.instructions),
        prices=policy.classification.prices,
    )
    return Shadow(_hold_back(engine, store, policy, stack), wanted.share, timeout, other)


def _hold_back(engine: MistralClassifier, store: Store, policy: Policy, stack: ExitStack) -> Asker:
    """Behind a smaller budget, a circuit of its own and the limits."""
    budget = policy.classification.budget_eur * BUDGET_SHARE
    account = Account(store, budget, ZoneInfo(policy.calendar.timezone))
    pace = stack.enter_context(open_pace(engine.timeout, engine.timeout))
    return Asker(engine, account, pace, CIRCUIT, engine.timeout, AT_ONCE)


def _read_instructions(name: str) -> str:
    if not name:
        return INSTRUCTIONS
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("the shadow's instructions can't be read", remedy=MEND) from None


def judge_shadow(shadow: Shadow, question: Question) -> Classification | Trouble | None:
    """Never raises; None when it is not asked."""
    if not draws_lot(f"{question.subject}\n{question.text}", shadow.share):
        return None
    said: list[Classification | Trouble | None] = []
    asked = fill_sets(question, shadow.policy) if shadow.policy else question
    # A thread of its own: its turn at the limits and its answer together have one time-out.
    thread = Thread(target=lambda: said.append(_ask(shadow, asked)), daemon=True)
    thread.start()
    thread.join(shadow.timeout.total_seconds())
    return said[0] if said else Trouble(Source(shadow.engine.source), LATE)


def _ask(shadow: Shadow, question: Question) -> Classification | Trouble | None:
    source = Source(shadow.engine.source)
    try:
        return shadow.engine.classify(question)
    except ModelAnswerInvalid as trouble:
        return Trouble(source, trouble.code, trouble.answer, trouble.usage)
    except ModelTrouble as trouble:
        return None if trouble.code in NOT_ASKED else Trouble(source, trouble.code)
    except Exception:  # noqa: BLE001 - without effect, whatever it is
        return Trouble(source, BROKEN)


def draws_lot(text: str, share: float) -> bool:
    """The same mails for the same share, whoever asks; those of a smaller share are among those of a larger one."""
    digest = hashlib.sha256(text.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def fill_sets(question: Question, policy: Policy) -> Question:
    """The same mail, to be sorted by another policy."""
    return replace(
        question,
        categories=tuple((name, each.describe("en")) for name, each in policy.categories.items()),
        priorities=tuple(policy.priorities),
        fields=list_fields(policy),
    )

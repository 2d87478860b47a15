"""Judge decided mails once more, as the desk would now, and carry it out if that is wanted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from prefect import flow
from prefect.client.schemas.objects import State

from flows.shared import SHOWN_ROWS, end_partial, end_well, show_table
from tasks.again import DONE, LEFT, WOULD, AgainCount, Choice, count_pairs, estimate_again, judge_again
from tasks.guard import guarded


@flow(name="classify-again")
@guarded("classify-again")
def classify_again(
    start: date, end: date, mailbox: str = "", classifier: str = "", apply: bool = False
) -> State[AgainCount]:
    """A rehearsal unless `apply` is set: it shows what would change. Nobody is written to in either case.

    What a person has had in hands (a correction, an answer, a closed or held ticket) is left alone. Answers of a
    rehearsal stand for a day: applying then asks for nothing twice.

    Args:
        start: Mails that arrived on this day or later.
        end: The last day, included.
        mailbox: Name of one mailbox. Empty: all of them.
        classifier: Empty: the policy's rules, Mistral, the local model, as ever. local: without Mistral.
        apply: Change category and priority of tickets, and the category of mails.
    """
    choice = Choice(start, end, mailbox, classifier, apply)
    estimate = estimate_again(choice)
    show_table("again-estimate", [asdict(estimate)], "What is to be judged again, and what that may cost")
    count = judge_again(choice)
    told = "Changed" if apply else "Would change"
    rows = [asdict(row) for row in count.rows[:SHOWN_ROWS]]
    show_table("again-changes", rows, f"{told}: {len(count.rows)} mails, the first {SHOWN_ROWS} shown")
    show_table("again-pairs", count_pairs(count.rows), "Categories, was and would be")
    return tell_end(count, estimate.erased)


def tell_end(count: AgainCount, erased: int) -> State[AgainCount]:
    tally = count.tally()
    told = [f"{count.judged} mails judged again, {count.reused} answers used again, {count.same} as before"]
    told += [f"{tally[word]} {word}" for word in (WOULD, DONE, LEFT) if word in tally]
    told += [f"{erased} erased" if erased else "", f"{count.cost_eur:.4f} EUR"]
    said = "; ".join(filter(None, told))
    left = count.unreadable + count.unsure
    state = end_partial(f"{said}; {left} could not be judged") if left else end_well(said)
    return state.model_copy(update={"data": count})

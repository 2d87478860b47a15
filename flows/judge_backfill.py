"""Have large backfills judged in batches: at half the price, ahead of their decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.shared import end_partial, end_well
from tasks.batching import BatchCount, judge_batches
from tasks.guard import guarded
from tasks.intake import announce_mail


@flow(name="judge-backfill")
@guarded("judge-backfill")
def judge_backfill(minutes: Annotated[int, Field(ge=0, le=600)] = 10) -> State[Any]:
    """Old mails that wait by the hundred are asked about in jobs; what is answered is decided by classify-and-reply.

    A run that was killed is run again: nothing is asked twice.

    Args:
        minutes: How long to look at the jobs; after that the next run goes on.
    """
    count = judge_batches(timedelta(minutes=minutes))
    announce_mail(count.answered + count.failed)
    return tell_end(count)


def tell_end(count: BatchCount) -> State[Any]:
    if not (count.ended or count.left):
        return end_well("Nothing to judge in batches")
    said = f"{count.ended} batches ended: {count.answered} mails answered, {count.spared} need no judge"
    left = f"; {count.left} under way" if count.left else ""
    troubles = [f"{count.failed} not answered, judged one by one"] if count.failed else []
    troubles += [f"Mistral: {count.trouble}"] if count.trouble else []
    told = said + left
    return end_partial("; ".join([told, *troubles])) if troubles else end_well(told)

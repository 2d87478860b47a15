"""What judges said beside and ahead of verdicts, batches of questions, and verdicts looked at once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from desk.classification import Classification, Role, Source, Trouble, Usage
from desk.errors import ClaimLost
from desk.facts import Arrival
from desk.plan import Verdict
from store import batches
from store.batches import (
    Batch,
    claim_batches,
    count_items,
    end_batch,
    keep_answers,
    list_mails,
    name_job,
    prepare_batch,
    release_batches,
    reserve_backfill,
)
from store.corrections import corrections
from store.engine import writing
from store.judgings import (
    Said,
    count_silences,
    find_again,
    find_ahead,
    keep_judgements,
    list_judgements,
    list_pairs,
    list_spending,
    tell_price,
)
from store.memory import Store
from store.messages import claim_conversations, messages, release_claims
from store.reclassify import Change, carry_change, list_decided, look_untouched
from store.retention import forget_mails, hold_ticket
from tests.stores import (
    HANDED_OVER,
    IGNORED,
    JUDGED,
    LEASE,
    NAME,
    NOW,
    bring_in,
    bring_one,
    claim_all,
    count_rows,
    look_up,
    make_mail,
    make_outcome,
    open_ticket,
    run_together,
    settle,
    tables,
    touch_plan,
)

DAY = timedelta(days=1)
SOON = NOW + timedelta(minutes=1)
PROMPT, POLICY = "v1", "p1"
AGAIN = replace(JUDGED, usage=Usage("small", PROMPT, 90, 12, 300, 0.002))


def bring_old(store: Store, *names: str, arrival: Arrival = Arrival.BACKFILL) -> list[int]:
    """Mails of one conversation each that were brought in on purpose."""
    return bring_threads(store, *[(name,) for name in names], arrival=arrival)


def bring_threads(store: Store, *threads: Sequence[str], arrival: Arrival = Arrival.BACKFILL) -> list[int]:
    """Their ids in this order."""
    written = [
        make_mail(name, *thread[:turn], date=NOW + timedelta(minutes=turn))
        for thread in threads
        for turn, name in enumerate(thread)
    ]
    bring_in(store, *written)
    fresh = [look_up(store, "message", "id", header_id=one.message_id)[0] for one in written]
    with writing(store.engine) as connection:
        connection.execute(sa.update(messages).where(messages.c.id.in_(fresh)).values(arrival=arrival.value))
    return fresh


def reserve(store: Store, over: int = 1) -> int:
    return reserve_backfill(store, over, NOW, DAY)


def take_batch(store: Store, token: str = "judge") -> Batch:
    (batch,) = claim_batches(store, token, SOON, LEASE)
    return batch


def ask(store: Store, batch: Batch, *asking: int) -> Batch:
    """As far as the job."""
    prepare_batch(store, batch, asking, "small", PROMPT, POLICY)
    name_job(store, batch, "job-1")
    return replace(batch, job="job-1", state="asked", prompt=PROMPT, policy_version=POLICY)


def answer(store: Store, batch: Batch, said: dict[int, Said]) -> int:
    return keep_answers(store, batch, said, SOON, "2026-11-17", "mistral")


def list_claimable(store: Store) -> set[int]:
    """Mails that a worker would get now; given back at once."""
    taken = claim_all(store, "looking", SOON, limit=1000)
    release_claims(store, "looking")
    return {one.id for one in taken}


# --- mails are held ------------------------------------------------------------------------------------------


def test_few_old_mails_are_decided_like_all_others(store: Store) -> None:
    old = bring_old(store, "a", "b")
    assert reserve(store, over=2) == 0
    assert list_claimable(store) == set(old)


def test_many_old_mails_are_held_and_live_ones_are_not(store: Store) -> None:
    old = bring_old(store, "a", "b", "c")
    live = bring_old(store, "d", arrival=Arrival.LIVE)
    assert reserve(store, over=2) == 3
    assert list_claimable(store) == set(live)
    assert set(look_up(store, "judging_item", "message_id")) == set(old)
    assert reserve(store, over=0) == 0  # each mail once


def test_what_is_held_is_let_go_when_its_time_is_over(store: Store) -> None:
    old = bring_old(store, "a", "b")
    reserve(store)
    assert claim_all(store, now=NOW + DAY - timedelta(seconds=1)) == ()
    assert {one.id for one in claim_all(store, now=NOW + DAY + timedelta(seconds=1))} == set(old)


def test_a_live_mail_takes_its_whole_thread_along_in_order(store: Store) -> None:
    old = bring_threads(store, ("a", "b"), ("c",))
    reserve(store)
    bring_in(store, make_mail("reply", "a", "b", date=NOW + timedelta(hours=1)))
    taken = claim_all(store, now=SOON)
    assert [one.arrival for one in taken] == ["backfill", "backfill", "live"]
    assert [one.id for one in taken][:2] == old[:2]


def test_a_thread_where_a_live_mail_waits_is_not_held(store: Store) -> None:
    bring_threads(store, ("a",), ("b",), ("c",))
    bring_in(store, make_mail("reply", "a"))
    assert reserve(store) == 2


def test_what_is_being_decided_is_not_asked_about_as_well(store: Store) -> None:
    old = bring_old(store, "a", "b", "c")
    (taken,) = claim_conversations(store, "worker", NOW, LEASE, 1)
    assert reserve(store) == 2
    assert set(look_up(store, "judging_item", "message_id")) == set(old) - {taken.id}


def test_a_mail_that_was_tried_before_goes_its_own_way(store: Store) -> None:
    old = bring_old(store, "a", "b", "c")
    with writing(store.engine) as connection:
        connection.execute(sa.update(messages).where(messages.c.id == old[0]).values(attempts=1))
    assert reserve(store) == 2


def test_a_batch_holds_whole_conversations(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_MAILS", 3)
    old = bring_threads(store, ("a", "b"), ("c", "d"), ("e",), ("f", "g", "h", "i"))
    assert reserve(store) == len(old)
    found = dict(
        zip(look_up(store, "judging_item", "message_id"), look_up(store, "judging_item", "batch_id"), strict=True)
    )
    by_thread = dict(zip(look_up(store, "message", "id"), look_up(store, "message", "conversation_id"), strict=True))
    sizes = {one: sum(found[mail] == one for mail in old) for one in set(found.values())}
    assert sorted(sizes.values()) == [2, 3, 4]
    for thread in set(by_thread.values()):
        assert len({found[mail] for mail in old if by_thread[mail] == thread}) == 1


def test_workers_that_claim_and_hold_at_once_never_get_the_same_mail(store: Store) -> None:
    old = bring_old(store, *[f"mail {number}" for number in range(60)])
    claimed: list[int] = []

    def work(name: str) -> None:
        claimed.extend(one.id for one in claim_conversations(store, name, NOW, LEASE, 7))

    def hold() -> None:
        reserve(store)

    run_together(hold, *[partial(work, f"w{number}") for number in range(4)])
    held = look_up(store, "judging_item", "message_id")
    assert len(claimed) == len(set(claimed))
    assert set(claimed).isdisjoint(held)
    assert set(held) <= set(old)


def test_two_that_hold_at_once_hold_each_mail_once(store: Store) -> None:
    bring_old(store, *[f"mail {number}" for number in range(30)])
    run_together(*[lambda: reserve(store)] * 3)
    reserve_backfill(store, 0, SOON, DAY)  # what one left to another that then had it already
    assert count_rows(store, "judging_item") == 30


# --- a batch in hands ----------------------------------------------------------------------------------------


def test_a_batch_is_in_one_pair_of_hands_until_these_are_dead(store: Store) -> None:
    bring_old(store, "a", "b")
    reserve(store)
    assert take_batch(store).state == "open"
    assert claim_batches(store, "other", SOON, LEASE) == ()
    assert len(claim_batches(store, "other", SOON + 2 * LEASE, LEASE)) == 1


def test_a_batch_given_back_can_be_had_at_once(store: Store) -> None:
    bring_old(store, "a", "b")
    reserve(store)
    take_batch(store)
    release_batches(store, "judge")
    assert take_batch(store, "other").token == "other"


def test_nothing_is_done_to_a_batch_that_somebody_else_has_by_now(store: Store) -> None:
    old = bring_old(store, "a", "b")
    reserve(store)
    mine = take_batch(store)
    claim_batches(store, "other", SOON + 2 * LEASE, LEASE)
    steps = (
        lambda: prepare_batch(store, mine, old, "small", PROMPT, POLICY),
        lambda: name_job(store, mine, "job-1"),
        lambda: answer(store, mine, {old[0]: AGAIN}),
        lambda: end_batch(store, mine, "done", SOON),
    )
    for step in steps:
        with pytest.raises(ClaimLost):
            step()
    assert look_up(store, "judging_batch", "job") == [""]
    assert set(look_up(store, "judging_item", "state")) == {"held"}


def test_mails_that_need_no_judge_are_let_go_but_for_those_whose_thread_waits(store: Store) -> None:
    asked, beside, spared = bring_threads(store, ("a", "b"), ("c",))
    reserve(store)
    prepare_batch(store, take_batch(store), [asked], "small", PROMPT, POLICY)
    states = [look_up(store, "judging_item", "state", message_id=one)[0] for one in (asked, beside, spared)]
    assert states == ["held", "spared", "spared"]
    assert list_claimable(store) == {spared}


def test_answers_are_kept_ahead_and_the_mails_are_let_go(store: Store) -> None:
    old = bring_old(store, "a", "b", "c")
    reserve(store)
    batch = ask(store, take_batch(store), *old)
    failure = Trouble(Source.MISTRAL, "model-answer", "what?", Usage("small", PROMPT, 90, 3, 0, 0.001))
    assert answer(store, batch, {old[0]: AGAIN, old[1]: failure, 999: AGAIN}) == 1
    assert list_claimable(store) == set()
    assert end_batch(store, batch, "done", SOON) == 1
    assert count_items(store, batch) == {"answered": 1, "failed": 2}
    assert list_claimable(store) == set(old)
    assert find_ahead(store.engine, old, PROMPT, POLICY) == {old[0]: AGAIN}
    assert claim_batches(store, "judge", SOON + 2 * LEASE, LEASE) == ()


def test_answers_that_come_again_are_kept_and_paid_for_once(store: Store) -> None:
    old = bring_old(store, "a", "b")
    reserve(store)
    batch = ask(store, take_batch(store), *old)
    said: dict[int, Said] = {old[0]: AGAIN, old[1]: AGAIN}
    assert (answer(store, batch, said), answer(store, batch, said)) == (2, 0)
    assert count_rows(store, "judgement", role="ahead") == 2
    (spent,) = list_spending(store.engine, date(2026, 11, 17))
    assert (spent.calls, spent.input_tokens, spent.output_tokens, spent.euros) == (2, 180, 24, 0.004)


def test_an_answer_about_a_mail_that_was_erased_is_not_kept(store: Store) -> None:
    old = bring_old(store, "a", "b")
    reserve(store)
    batch = ask(store, take_batch(store), *old)
    forget_mails(store, old[:1], NOW)
    answer(store, batch, dict.fromkeys(old, AGAIN))
    assert look_up(store, "judgement", "message_id") == old[1:]


def test_only_mails_that_still_wait_are_asked_about(store: Store) -> None:
    old = bring_old(store, "a", "b")
    reserve(store)
    (first, *_) = claim_all(store, now=NOW + 2 * DAY)
    settle(store, first, make_outcome())
    assert {one.id for one in list_mails(store, take_batch(store), "held")} == set(old) - {first.id}


@pytest.mark.parametrize(("prompt", "policy"), [("v2", POLICY), (PROMPT, "p2")])
def test_an_answer_to_another_prompt_or_policy_is_none(store: Store, prompt: str, policy: str) -> None:
    old = bring_old(store, "a", "b")
    keep_judgements(store, {old[0]: AGAIN}, Role.AHEAD, POLICY, NOW)
    assert find_ahead(store.engine, old, prompt, policy) == {}


# --- what was said -------------------------------------------------------------------------------------------


def test_everything_said_of_a_mail_is_shown_in_order_and_nothing_once_it_is_erased(store: Store) -> None:
    waiting = bring_one(store)
    settle(store, waiting, replace(make_outcome(), shadows=(replace(JUDGED, category="account"),)))
    keep_judgements(store, {waiting.id: replace(AGAIN, reason=f"{NAME} asks")}, Role.AGAIN, POLICY, SOON)
    shown = list_judgements(store.engine, waiting.id)
    assert shown is not None
    assert [(one.role, one.trouble, one.category) for one in shown] == [
        ("trouble", "model-answer", ""),
        ("shadow", "", "account"),
        ("verdict", "", "installation"),
        ("again", "", "installation"),
    ]
    assert (shown[-1].reason, shown[-1].cost_eur, shown[-1].prompt) == (f"{NAME} asks", 0.002, PROMPT)
    forget_mails(store, [waiting.id], NOW)
    erased = list_judgements(store.engine, waiting.id)
    assert erased is not None
    assert {one.reason for one in erased} == {""}
    assert list_judgements(store.engine, waiting.id + 1) is None


def test_an_answer_once_more_stands_for_its_judges_policy_and_day(store: Store) -> None:
    waiting = bring_one(store)
    local = replace(AGAIN, source=Source.LOCAL, usage=Usage())
    keep_judgements(store, {waiting.id: AGAIN}, Role.AGAIN, POLICY, NOW)
    keep_judgements(store, {waiting.id: local}, Role.AGAIN, POLICY, SOON)
    judges = [(Source.MISTRAL, PROMPT), (Source.LOCAL, "")]
    assert find_again(store.engine, [waiting.id], judges, POLICY, NOW) == {waiting.id: local}
    assert find_again(store.engine, [waiting.id], judges[:1], POLICY, NOW) == {waiting.id: AGAIN}
    for wrong in (
        ([], POLICY, NOW),
        ([(Source.MISTRAL, "v2")], POLICY, NOW),
        (judges, "p2", NOW),
        (judges, POLICY, SOON + DAY),
    ):
        assert find_again(store.engine, [waiting.id], *wrong) == {}


def test_what_a_question_costs_is_told_by_those_asked_one_by_one(store: Store) -> None:
    waiting = bring_one(store)
    for cost, role in ((0.002, Role.VERDICT), (0.004, Role.SHADOW), (0.1, Role.AHEAD)):
        took = 0 if role is Role.AHEAD else 300
        said = replace(AGAIN, usage=replace(AGAIN.usage, cost_eur=cost, latency_ms=took))
        keep_judgements(store, {waiting.id: said}, role, POLICY, NOW)
    small = tell_price(store.engine, "small")
    assert (small.calls, round(small.euros, 6)) == (2, 0.003)
    assert tell_price(store.engine, "large").calls == 0


def test_a_pair_is_a_verdict_and_what_each_shadow_said_last(store: Store) -> None:
    waiting = bring_one(store)
    shadows: tuple[Classification | Trouble, ...] = (
        replace(JUDGED, category="account"),
        replace(JUDGED, category="billing"),
        replace(JUDGED, category="other", usage=Usage("large", "v1")),
        Trouble(Source.MISTRAL, "model-unavailable"),
    )
    settle(store, waiting, replace(make_outcome(), shadows=shadows))
    with writing(store.engine) as connection:
        row = {"message_id": waiting.id, "at": SOON, "was": "installation", "source": "mistral", "text": ""}
        connection.execute(
            sa.insert(corrections),
            [{**row, "kind": "moved", "became": "billing"}, {**row, "kind": "rewritten", "became": "account"}],
        )
    pairs = list_pairs(store.engine, NOW, SOON)
    assert [(one.verdict.category, one.shadow.model, one.shadow.category, one.became) for one in pairs] == [
        ("installation", "small", "billing", "billing"),
        ("installation", "large", "other", "billing"),
    ]
    assert count_silences(store.engine, NOW, SOON) == 1
    assert list_pairs(store.engine, SOON, SOON + DAY) == ()


# --- verdicts looked at once more ----------------------------------------------------------------------------


def make_change(store: Store) -> Change:
    (message,) = look_up(store, "ticket_origin", "message_id")
    return Change(message, "2026-000001", "installation", "billing", "normal", "urgent")


def test_a_change_touches_mail_ticket_and_history_once(store: Store) -> None:
    open_ticket(store)
    change = make_change(store)
    assert look_untouched(store, change, SOON) == ""
    assert carry_change(store, change, SOON) == ""
    assert look_up(store, "message", "category") == ["billing"]
    assert [look_up(store, "ticket", name)[0] for name in ("category", "priority", "version", "status")] == [
        "billing", "urgent", 2, "new",
    ]  # fmt: skip
    assert look_up(store, "event", "word") == ["opened", "reclassified"]
    assert carry_change(store, change, SOON) == "changed"
    assert count_rows(store, "event") == 2
    assert count_rows(store, "letter") == 0


def correct(store: Store) -> None:
    (message,) = look_up(store, "message", "id")
    row = {"message_id": message, "at": NOW, "kind": "moved", "was": "installation", "became": "account"}
    with writing(store.engine) as connection:
        connection.execute(sa.insert(corrections).values(**row, source="", text=""))


def close(store: Store) -> None:
    set_ticket(store, status="closed")


def resolve(store: Store) -> None:
    set_ticket(store, status="resolved")


def retitle(store: Store) -> None:
    set_ticket(store, category="account")


def set_ticket(store: Store, **values: str) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()["ticket"]).values(**values))


def freeze(store: Store) -> None:
    assert hold_ticket(store, "2026-000001", "a lawsuit", NOW)


def reply(store: Store) -> None:
    answered = bring_one(store, "answer")
    (ticket,) = look_up(store, "ticket", "id")
    plan = touch_plan(ticket, 1, Verdict.APPENDED, event="agent")
    settle(store, answered, make_outcome(plan))


def erase(store: Store) -> None:
    forget_mails(store, look_up(store, "message", "id"), NOW)


@pytest.mark.parametrize(
    ("happen", "why"),
    [
        (correct, "corrected"), (close, "closed"), (resolve, "resolved"), (retitle, "changed"), (freeze, "held"),
        (reply, "answered"), (erase, "erased"),
    ],
)  # fmt: skip
def test_what_a_person_has_had_in_hands_is_left_alone(store: Store, happen: Callable[[Store], None], why: str) -> None:
    open_ticket(store)
    change = make_change(store)
    happen(store)
    before = look_up(store, "ticket", "version")
    assert look_untouched(store, change, SOON) == why
    assert carry_change(store, change, SOON) == why
    assert look_up(store, "ticket", "version") == before
    assert "reclassified" not in look_up(store, "event", "word")
    assert "billing" not in look_up(store, "message", "category")


def test_a_mail_without_a_ticket_changes_for_itself_unless_a_person_did_so(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    (message,) = look_up(store, "message", "id")
    change = Change(message, "", "installation", "billing", "", "")
    assert carry_change(store, change, SOON) == ""
    assert look_up(store, "message", "category") == ["billing"]
    correct(store)
    assert carry_change(store, replace(change, category_was="billing", category="account"), SOON) == "corrected"
    assert count_rows(store, "event") == 0


def test_a_window_holds_judged_mails_and_counts_the_others(store: Store) -> None:
    open_ticket(store, plan=HANDED_OVER)
    settle(store, bring_one(store, "erased"), make_outcome(number="2026-000002"))
    forget_mails(store, look_up(store, "message", "id")[1:], NOW)
    settle(store, bring_one(store, "list"), replace(make_outcome(number="2026-000003"), judged=None))
    window = list_decided(store, NOW, SOON)
    (one,) = window.mails
    assert (one.category, one.number, one.priority, one.source) == ("installation", "2026-000001", "normal", "mistral")
    assert (window.erased, window.unjudged) == (1, 1)
    assert list_decided(store, NOW, SOON, "support").mails == window.mails
    assert list_decided(store, NOW, SOON, "sales").mails == ()
    assert list_decided(store, SOON, SOON + DAY).mails == ()

"""Server against store: every UID falls into one class, and only real gaps are wanted."""

from __future__ import annotations

from collections.abc import Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.gaps import Books, Gaps, find_gaps

NONE = Gaps((), (), (), (), (), 0, 0)


def books(last_uid: int, kept: Set[int], **more: Set[int]) -> Books:
    return Books(last_uid, frozenset(kept), **{name: frozenset(uids) for name, uids in more.items()})


@pytest.mark.parametrize(
    ("server", "held", "expected"),
    [
        pytest.param({1, 2, 3}, books(3, {1, 2, 3}), NONE, id="all is here"),
        pytest.param(set(), books(0, set()), NONE, id="nothing anywhere"),
        pytest.param({1, 2, 3}, books(3, {1, 3}), Gaps((2,), (), (), (), (), 0, 0), id="passed and not kept"),
        pytest.param({1, 2, 3}, books(1, {1}), Gaps((), (), (), (), (), 2, 0), id="not synced yet"),
        pytest.param({1, 5}, books(1, {1, 5}), NONE, id="kept ahead of the cursor, as by a backfill"),
        pytest.param({1, 2}, books(2, {1}, holes={2}), Gaps((), (2,), (), (), (), 0, 0), id="withheld"),
        pytest.param({1, 5}, books(1, {1}, holes={5}), Gaps((), (5,), (), (), (), 0, 0), id="withheld ahead"),
        pytest.param({3}, books(3, {3}, holes={2}), Gaps((), (), (), (), (2,), 0, 0), id="a hole that left the server"),
        pytest.param({1}, books(1, {1}, holes={9}), NONE, id="a hole that came after the list was made"),
        pytest.param({2}, books(2, {1, 2}), Gaps((), (), (), (), (), 0, 1), id="left the server"),
        pytest.param({1, 2}, books(2, {1, 2}, erased={2}), Gaps((), (), (), (2,), (), 0, 0), id="erased here"),
        pytest.param({1, 2}, books(2, {1, 2}, too_large={1}), Gaps((), (), (1,), (), (), 0, 0), id="too large"),
    ],
)
def test_each_difference_has_its_name(server: Set[int], held: Books, expected: Gaps) -> None:
    assert find_gaps(server, held) == expected


uids = st.frozensets(st.integers(1, 30))


@given(server=uids, kept=uids, holes=uids, last_uid=st.integers(0, 30))
def test_every_mail_on_the_server_is_kept_wanted_or_still_to_be_synced(
    server: Set[int], kept: Set[int], holes: Set[int], last_uid: int
) -> None:
    gaps = find_gaps(server, books(last_uid, kept, holes=holes))
    assert len(server & kept) + len(gaps.wanted) + gaps.waiting == len(server)
    assert set(gaps.wanted) <= server - kept

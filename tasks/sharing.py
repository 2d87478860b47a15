"""Files too large for their letter: laid where a link leads to them, taken away when that has expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from blocks.base import load_block
from blocks.sharing import FileSharing
from desk.errors import BlockError
from letters.parts import File
from letters.shrink import Links
from store.memory import Store
from store.sharing import Shared, find_shared, keep_shared, list_expired, list_shared, mark_gone
from tasks.opening import DESK

GRACE = timedelta(days=1)  # a file whose letter never went is swept after this


def open_sharing() -> FileSharing | None:
    """The desk's block, None where the organisation has none."""
    try:
        return load_block(FileSharing, DESK)
    except BlockError as trouble:
        if trouble.detail.endswith("does not exist"):
            return None
        raise


def share_files(
    store: Store, sharing: FileSharing, letter_id: int, files: Sequence[File], now: datetime, links_for: timedelta
) -> Links:
    """Lay the files of a letter, or find them where an earlier try has laid them.

    They lie there before their rows are kept, and both before the letter goes: a crash leaves a file nobody knows of,
    never a link that leads nowhere.
    """
    known = find_shared(store, letter_id, now)
    if [one.size_bytes for one in known] == [len(one.data) for one in files]:
        urls = [sharing.tell_url(one.place, file.name) for one, file in zip(known, files, strict=True)]
        return Links(tuple(urls), min(one.expires_at for one in known))
    laid = [sharing.lay_file(one.name, one.data) for one in files]
    until = now + links_for
    keep_shared(
        store, letter_id, [Shared(one.place, len(file.data), until) for one, file in zip(laid, files, strict=True)]
    )
    return Links(tuple(one.url for one in laid), until)


def clear_shared(store: Store, now: datetime) -> int:
    """Take away the files whose links have expired, and those that no letter knows of; how many that were."""
    sharing = open_sharing()
    if sharing is None:
        return 0
    expired = list_expired(store, now)
    known = list_shared(store)
    lost = [place for place, at in sharing.list_places() if place not in known and now - at > GRACE]
    for place in (*expired, *lost):
        sharing.remove_place(place)
    mark_gone(store, expired)
    return len(expired) + len(lost)

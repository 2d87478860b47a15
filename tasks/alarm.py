"""Tell the operator of a trouble: once when it begins, once when it ends."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.logging import get_run_logger

from blocks import AlertChannel
from blocks.base import load_block
from desk.errors import ByreturnError
from store.memory import Store
from store.troubles import end_alert, list_quarantine, mark_told, raise_alert
from tasks.guard import clean_error
from tasks.opening import DESK


def tell_trouble(store: Store, key: str, code: str, remedy: str) -> None:
    """Raise an alert under `key`, once while it lasts; when nobody could be told, the next call tries again."""
    if raise_alert(store, key, code, remedy, datetime.now(UTC)) and _send_alert(f"{key}: {code}", remedy, key):
        mark_told(store, key, datetime.now(UTC))


def end_trouble(store: Store, key: str) -> None:
    """Say that it is over, to those who were told of it."""
    if end_alert(store, key, datetime.now(UTC)):
        _send_alert(f"{key}: well again", "Nothing to do.", key)


def report_quarantine(store: Store) -> None:
    """Tell the operator when the first mail is set aside, and when none is left there."""
    if list_quarantine(store.engine):
        tell_trouble(store, "quarantine", "mails set aside", "See `byreturn quarantine list`; replay what is mended.")
    else:
        end_trouble(store, "quarantine")


def _send_alert(subject: str, body: str, key: str) -> bool:
    """An alarm that fails must not fail the work it reports on."""
    try:
        load_block(AlertChannel, DESK).send_alert(f"Byreturn: {subject}", body, key)
    except ByreturnError as trouble:
        get_run_logger().warning("alert not sent: %s", clean_error("send alert", trouble).code)
        return False
    return True

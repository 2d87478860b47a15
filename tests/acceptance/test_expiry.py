"""A secret that ends soon is spoken of before it does."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials, load_block
from byreturn.doctor import Finding, examine
from store.troubles import mark_told, raise_alert
from tests.acceptance.scene import PASSWORD, Scene

KEY = "secret:byreturn-password-credentials/app-password"


def set_end(last_day: date | None) -> None:
    """The app password of one mailbox, saved by itself, ends on this day."""
    secret = PasswordCredentials(user="support", password=SecretStr(PASSWORD), secret_expires=last_day)
    secret.save("app-password", overwrite=True)
    mailbox = load_block(ImapMailbox, "support")
    mailbox.credentials = secret
    mailbox.save("support", overwrite=True)


def told(scene: Scene) -> list[str]:
    subjects = [json.loads(one.body)["subject"] for one in scene.hook.posts]
    return [one.removeprefix(f"Byreturn: {KEY}: ") for one in subjects if KEY in one]


def find_secrets() -> list[Finding]:
    return [one for one in examine() if one.what.startswith("secret of")]


def test_the_operator_hears_of_it_once_a_day_and_when_it_is_mended(scene: Scene) -> None:
    today = datetime.now(UTC).date()
    set_end(today + timedelta(days=20))
    scene.sync()
    assert told(scene) == []
    set_end(today + timedelta(days=10))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert raise_alert(scene.store, KEY, "expires-in-11-days", "", yesterday)
    mark_told(scene.store, KEY, yesterday)
    for _ in range(2):
        assert scene.sync().is_completed()
    assert told(scene) == ["expires-in-10-days"]
    set_end(None)
    scene.sync()
    assert told(scene) == ["expires-in-10-days", "well again"]


def test_the_doctor_names_every_last_day_and_faults_the_near_ones(scene: Scene) -> None:
    assert find_secrets() == []
    today = datetime.now(UTC).date()
    for days, ok in ((20, True), (10, False), (-1, False)):
        last_day = today + timedelta(days=days)
        set_end(last_day)
        (found,) = find_secrets()
        assert (found.what, found.ok) == ("secret of byreturn-imap-mailbox support", ok)
        assert str(last_day) in found.detail
        assert ("Make a new one" in found.detail) is not ok

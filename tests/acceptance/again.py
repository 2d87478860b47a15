"""A desk that serves test after test: its blocks and servers stay, everything they hold goes.

To save all blocks anew takes Prefect longer than most tests take.
"""

from __future__ import annotations

import sqlalchemy as sa

from demo.servers import ImapServer, open_mailbox
from store.engine import writing
from tests.acceptance.scene import Scene
from tests.stores import tables


def empty_desk(scene: Scene) -> Scene:
    """No row, no mail, no letter, no alarm; UIDs go on where they were."""
    with writing(scene.store.engine) as connection:
        connection.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        for one in tables().values():
            connection.execute(sa.delete(one))
    for user in scene.imap.users:
        empty_mailbox(scene.imap, user)
    scene.sink.accepted.clear()
    scene.hook.posts.clear()
    return scene


def empty_mailbox(imap: ImapServer, user: str) -> None:
    with open_mailbox(imap, user) as client:
        for folder in ("INBOX", *imap.folders):
            client.select_folder(folder)
            client.delete_messages(client.search())
            client.expunge()

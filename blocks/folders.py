"""Folders with a use of their own: by the server's flag (RFC 6154 §2), else by their name."""

from __future__ import annotations

from imapclient import IMAPClient

SENT_FLAG, DRAFTS_FLAG = b"\\Sent", b"\\Drafts"
SENT_NAMES = frozenset(  # where the server flags none
    {"sent", "sent items", "sent messages", "sent mail", "envoyés", "éléments envoyés", "messages envoyés",
     "objets envoyés", "courrier envoyé", "gesendet", "gesendete objekte", "enviados", "posta inviata"}
)  # fmt: skip


def find_flagged(client: IMAPClient, flag: bytes) -> list[str]:
    """Folders that the server says are for this."""
    return [name for flags, _, name in client.list_folders() if flag in flags]


def find_sent(client: IMAPClient) -> list[str]:
    """Folders that the server flags as holding sent mail, else those named so."""
    listed = [(flags, separator or b"/", name) for flags, separator, name in client.list_folders()]
    flagged = [name for flags, _, name in listed if SENT_FLAG in flags]
    named = [name for _, separator, name in listed if name.split(separator.decode())[-1].casefold() in SENT_NAMES]
    return flagged or named

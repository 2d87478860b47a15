"""How a reader likes letters, as what `letters.compose.compose_letter` is told."""

from __future__ import annotations

from typing import TypedDict

from desk.policy import OrganisationSection, Preferences


class Manners(TypedDict):
    html: bool
    reply_to: str
    importance: str
    read_receipt: str


def read_manners(wanted: Preferences, sender: str, importance: str = "normal") -> Manners:
    """`importance` holds where the reader has not said; receipts go where answers go, else to `sender`."""
    marked = wanted.importance if "importance" in wanted.model_fields_set else importance
    return {
        "html": wanted.format == "html",
        "reply_to": wanted.reply_to,
        "importance": "high" if marked == "high" else "",
        "read_receipt": (wanted.reply_to or sender) if "read" in wanted.receipts else "",
    }


def choose_signature(organisation: OrganisationSection, language: str, wanted: Preferences | None = None) -> str:
    """Who signs: as the reader likes, else as the organisation does in `language`."""
    own = wanted.signature if wanted else ""
    return own or organisation.signature.get(language, organisation.name)

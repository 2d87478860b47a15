"""What retention decides: which classes have had their time, and every place where a person may be kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from desk.policy import Policy

# Every column that may tell of a person, per table: erasing is emptying these (or deleting the row). A store test
# compares this list with the tables, so that a new text column must be declared here or on the list of harmless ones.
PLACES: dict[str, tuple[str, ...]] = {
    "contact": ("address", "name", "organisation", "phone", "segment"),
    "message": ("contact_id", "fingerprint", "header_id", "subject"),
    "delivery": ("wrapped_key",),
    "ticket": ("contact_id", "subject"),
    "participant": ("contact_id",),
    "judgement": ("answer", "fields", "explanation"),
    "correction": ("text",),
    "letter": ("body",),
    "letter_recipient": ("address",),
    "incident": ("cause",),
    "conversation_ref": ("ref",),
    "suppression": ("address",),
    "agent_letter": ("ref", "text"),
    "certificate": ("address", "pem"),
    "faq_candidate": ("question", "answer"),
}


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Everything that ended before these instants has had its time."""

    mails: datetime
    letters: datetime
    drafts: datetime
    logs: datetime
    idle: datetime  # tickets answered or resolved, untouched since then, are closed
    orphan_packs: datetime  # by the real clock: a pack is a file that an intake may be writing now
    examples: datetime  # texts that agents' corrections left


def tell_cutoffs(policy: Policy, now: datetime, real_now: datetime) -> Cutoffs:
    """Cut-offs at `now`; attachments lie inside their mail's seal and go with it, never later than their own period."""
    keep = policy.retention
    return Cutoffs(
        mails=now - min(keep.mails, keep.attachments),
        letters=now - keep.letters,
        drafts=now - keep.drafts,
        logs=now - keep.logs,
        idle=now - keep.close_after,
        orphan_packs=real_now - keep.orphan_packs,
        examples=now - keep.examples,
    )

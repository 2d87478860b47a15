"""What people do with the desk's verdicts, what it says of them, and what a local model may learn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from enum import StrEnum

from desk.facts import Facts
from desk.mail import Address, Mail
from desk.plan import OpenTicket, Plan
from desk.policy import Policy
from desk.pseudonyms import hide_people

ALIKE = 0.9  # of the words of two letters: from here on they are one letter
MOST_WORDS = 2_000  # that are compared
LESSON_CHARS = 3_000  # what a mail is about stands at its beginning
NEWCOMER = 50  # corrections of a category that has no example of its own


class Kind(StrEnum):
    MOVED = "moved"  # into another category's folder
    COMMAND = "command"  # by `byreturn correct`
    REWRITTEN = "rewritten"  # an agent wrote another letter than the draft
    SENT = "sent"  # the draft went as it was


RELABELLED = (Kind.MOVED, Kind.COMMAND)
ANSWERED = (Kind.REWRITTEN, Kind.SENT)


@dataclass(frozen=True, slots=True)
class Standing:
    """A mail's category as it stands now, and what led to it."""

    message_id: int
    state: str
    category: str
    was: str  # the desk's own verdict
    changed: str  # the Kind by which a person changed it last; empty while it stands
    source: str  # of the verdict
    ticket_category: str
    filed: str  # folder that the desk itself moved it to
    passed_on: bool = False  # one of our people sent it in for somebody else
    shared: bool = False  # it lies in several mailboxes

    @property
    def is_judged(self) -> bool:
        return self.state == "decided" and bool(self.category)


def name_folder(plan: Plan, facts: Facts, policy: Policy) -> str:
    """Where a mail is filed: by its verdict, else by the category of its ticket; empty: where it lies."""
    joined = facts.joined.category if facts.joined else ""
    about = plan.ticket.category if isinstance(plan.ticket, OpenTicket) else joined if plan.ticket else ""
    category = policy.categories.get(about)
    return policy.filing.get(plan.verdict, "") or (category.folder if category else "")


def name_categories(policy: Policy) -> dict[str, str]:
    """Folder → the one category whose mails lie there; one that several share tells nothing."""
    shared = Counter(each.folder for each in policy.categories.values())
    return {each.folder: name for name, each in policy.categories.items() if each.folder and shared[each.folder] == 1}


def is_moved(standing: Standing, folder: str, category: str) -> bool:
    """Whether a person moved the mail to this folder: what lies where the desk put it says nothing, unless it had been
    moved away, and neither does an answer that lies with its ticket.
    """
    agreed = {standing.category} if standing.changed else {standing.category, standing.ticket_category}
    moved_away = standing.changed == Kind.MOVED and not standing.shared  # else another mailbox's copy was
    left_there = folder == standing.filed and not moved_away
    return standing.is_judged and category not in agreed and not left_there


# --- drafts --------------------------------------------------------------------------------------------------


def judge_answer(draft: Mail, answer: Mail, sent: bool) -> Kind | None:
    """What an agent made of a draft; None while it may still change, or says nothing."""
    if not answer.reply_text.split():
        return None
    if compare_words(draft.reply_text, answer.reply_text) < ALIKE:
        return Kind.REWRITTEN
    return Kind.SENT if sent else None


def compare_words(one: str, other: str) -> float:
    """How much of two texts is the same, 0…1; case and line breaks don't count."""
    words = [text.casefold().split()[:MOST_WORDS] for text in (one, other)]
    return SequenceMatcher(None, words[0], words[1], autojunk=False).ratio()


# --- lessons -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text and what a person says it is about; `at` is when they said it, None for the repository's examples."""

    text: str
    category: str
    priority: str
    at: datetime | None = None


def write_lesson(mail: Mail, passed_on: bool) -> str:
    """The mail as a judge sees it, under pseudonyms; of one that was passed on, what was passed on."""
    told = mail.forwarded if passed_on else None
    text = (told.text if told else "") or mail.reply_text
    signed = Address(mail.signature.name if mail.signature else "", "")
    people = (mail.sender, *mail.reply_to, *mail.to, *mail.cc, signed, told.sender if told else signed)
    hidden, _ = hide_people(f"{mail.subject}\n{text}", people)
    return hidden[:LESSON_CHARS]


def mix_lessons(examples: Sequence[Lesson], corrections: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """What to learn from: a correction wins over an example of the same text, and over an older one; corrections are
    at most a third of a category's lessons, the newest, so that one busy week can't take over.
    """
    newest = {_fold(one.text): one for one in sorted(corrections, key=_tell_age)}
    given = [one for one in examples if _fold(one.text) not in newest]
    room = Counter(one.category for one in given)
    return (*given, *_take_newest(list(newest.values()), room))


def _take_newest(corrections: Sequence[Lesson], room: Counter[str]) -> Iterator[Lesson]:
    taken: Counter[str] = Counter()
    for one in sorted(corrections, key=_tell_age, reverse=True):
        if taken[one.category] < (room[one.category] // 2 or (0 if room[one.category] else NEWCOMER)):
            taken[one.category] += 1
            yield one


def pick_common(lessons: Sequence[Lesson], least: int) -> tuple[Lesson, ...]:
    """Those whose category and priority come `least` times or more: fewer can't be learnt from."""
    while True:
        categories, priorities = (Counter(getattr(one, name) for one in lessons) for name in ("category", "priority"))
        common = tuple(
            one for one in lessons if categories[one.category] >= least and priorities[one.priority] >= least
        )
        if len(common) == len(lessons):
            return common
        lessons = common


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _tell_age(lesson: Lesson) -> datetime:
    return lesson.at or datetime.min.replace(tzinfo=UTC)

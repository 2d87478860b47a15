"""What the articles say to a mail: looked up here, put into words by Mistral where it may be asked, checked, and quoted
as it stands where it may not or where its words do not stand the check.

The mail leaves this house as every question does: under pseudonyms, within the budget, when the circuit lets it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from classifiers.retrieval import (
    NEAR,
    Asked,
    Hit,
    Index,
    build_index,
    fuse_rankings,
    is_clear,
    pick_passages,
)
from desk.claims import Claim, check_answer
from desk.classification import Classification, Source
from desk.errors import ConfigurationError, ModelTrouble
from desk.knowledge import ArticleFault, Found, Passage, Shelf, read_shelf, tell_newest
from desk.mail import Mail
from desk.policy import Policy
from desk.pseudonyms import Known
from desk.signals import argues_with_model
from store.knowledge import keep_embeddings, read_embeddings
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.asking import Asker
from tasks.judging import ANSWERED, Bench, make_question

if TYPE_CHECKING:
    from classifiers.embedding import Embedder

__all__ = ["Found", "Library", "Passage", "find_passages", "open_library", "read_library"]

ARTICLES = "articles"  # the alert
ASK_ARTICLES = "Run `byreturn articles check`: it names file and line. The other articles are used meanwhile."
SHOWN = 4  # passages that the model sees


@dataclass(frozen=True, slots=True)
class Library:
    """The articles as they are looked up, by language; `served` are the categories whose letters quote them. `vectors`
    are those of passages that this process has seen.
    """

    indexes: Mapping[str, Index] = field(default_factory=dict)
    served: frozenset[str] = frozenset()
    faults: tuple[ArticleFault, ...] = ()
    vectors: dict[str, bytes] = field(default_factory=dict)

    def find(self, asked: Asked) -> list[Hit]:
        index = self.indexes.get(asked.language)
        return index.find(asked) if index else []


CLOSED = Library()


def name_version(policy: Policy, judged: Classification) -> str:
    """The application's, where the mail tells it."""
    kinds = policy.categories[judged.category].fields
    return next((value for name, value in judged.fields if kinds.get(name) == "version"), "")


def open_library(policy: Policy, store: Store) -> Library:
    """Nothing is opened where no category quotes articles. A faulty article is left out and the operator told of it;
    so is a folder that is not there.
    """
    served = frozenset(name for name, one in policy.categories.items() if one.answers == "articles")
    if not served:
        return CLOSED
    try:
        library = read_library(Path(policy.knowledge.folder))
    except ConfigurationError:
        tell_trouble(store, ARTICLES, "no-folder", ASK_ARTICLES)
        return CLOSED
    if library.faults:
        tell_trouble(store, ARTICLES, "faulty-articles", ASK_ARTICLES)
    else:
        end_trouble(store, ARTICLES)
    return replace(library, served=served)


def read_library(folder: Path) -> Library:
    """The articles of a folder, read anew when one of its files has changed. Raises ConfigurationError without it."""
    return _read_library(folder.absolute(), stamp_folder(folder))


def stamp_folder(folder: Path) -> tuple[int, int]:
    """Changes with every file that is written, added or taken away: how many there are, and when the last was changed.

    Folders count as well: their own time moves when a file goes.
    """
    times = [entry.stat().st_mtime_ns for entry in _scan(folder)]
    return len(times), max(times, default=0)


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir():
                yield from _scan(Path(entry.path))


@lru_cache(maxsize=4)
def _read_library(folder: Path, _stamp: tuple[int, int]) -> Library:
    shelf = read_shelf(folder)
    return Library(MappingProxyType(index_shelf(shelf)), faults=shelf.faults)


def index_shelf(shelf: Shelf) -> dict[str, Index]:
    newest = tell_newest(shelf.approved)
    languages = sorted({one.language for one in shelf.approved})
    return {language: build_index(shelf.approved, language, newest) for language in languages}


# --- one mail ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A mail and all that it is looked up with."""

    library: Library
    store: Store
    policy: Policy
    bench: Bench
    mail: Mail
    judged: Classification
    found: Found  # so far: nothing

    @property
    def text(self) -> str:
        return f"{self.mail.subject}\n{self.mail.reply_text}"

    @property
    def steers(self) -> bool:
        return self.judged.steering or argues_with_model(self.text)

    @property
    def stays(self) -> bool:
        """Whether no model is shown the mail: it tries to bend one, or the policy's own rules have sorted it."""
        return self.steers or self.judged.source is Source.RULE

    def ask_in(self, language: str) -> Asked:
        return Asked(self.text, language, self.judged.category, name_version(self.policy, self.judged))


def find_passages(
    library: Library,
    store: Store,
    policy: Policy,
    bench: Bench,
    message_id: int,
    mail: Mail,
    judged: Classification,
) -> Found:
    """What a letter to this mail may say of the articles; nothing where its category does not quote them.

    Never raises on a model's trouble: what it had to say is quoted word for word then.
    """
    if judged.category not in library.served:
        return Found(message_id)
    language = choose_language(policy, judged)
    blank = Found(message_id, outcome="none", category=judged.category, language=language)
    case = Case(library, store, policy, bench, mail, judged, blank)
    hits = look_up(case)
    if not hits:
        return look_elsewhere(case)
    asker = None if case.stays else find_asker(bench)
    return write_answer(case, hits, asker) if asker else quote_articles(case, hits)


def choose_language(policy: Policy, judged: Classification) -> str:
    """That of the letter."""
    known = policy.organisation.languages
    return judged.language if judged.language in known else known[0]


def find_asker(bench: Bench) -> Asker | None:
    """Mistral, behind its budget and limits, where it is asked at all."""
    return next((one for one in bench.engines if isinstance(one, Asker)), None)


def look_up(case: Case) -> list[Hit]:
    """Passages in the letter's language that are near enough to be read, best first."""
    hits = case.library.find(case.ask_in(case.found.language))
    near = [hit for hit in hits if hit.score >= NEAR]
    asker = find_asker(case.bench)
    if not (case.policy.knowledge.embeddings and asker) or case.stays:
        return near
    try:
        return fuse_rankings([near, rank_by_meaning(case, asker)[:SHOWN]])
    except ModelTrouble as trouble:
        case.bench.said.append(trouble.code)
        return near


def look_elsewhere(case: Case) -> Found:
    """In the other languages: for a person to read, never for a letter that goes out by itself."""
    others = [one for one in case.library.indexes if one != case.found.language]
    found = [hit for one in others for hit in case.library.find(case.ask_in(one)) if hit.score >= NEAR]
    hits = sorted(found, key=lambda hit: (-hit.score, hit.passage.cites))
    return replace(quote_articles(case, hits), sound=False) if hits else case.found


def quote_articles(case: Case, hits: Sequence[Hit]) -> Found:
    """Word for word; sound when it is clear which article answers and nobody tried to steer."""
    passages = pick_passages(hits, case.policy.knowledge.passages)
    return replace(
        case.found,
        passages=passages,
        sound=is_clear(hits) and not case.steers,
        article=passages[0].article,
        score=hits[0].score,
        outcome="quoted",
    )


# --- in a model's words --------------------------------------------------------------------------------------


def write_answer(case: Case, hits: Sequence[Hit], asker: Asker) -> Found:
    """In Mistral's words where they stand the check; they are kept nowhere but in the letter."""
    from classifiers.grounding import Writer  # its SDK is slow to import
    from classifiers.mistral import MistralClassifier

    engine = asker.engine
    if not isinstance(engine, MistralClassifier):
        return quote_articles(case, hits)
    asked = make_question(case.mail, case.policy, know_people(case))
    shown = [hit.passage for hit in hits[:SHOWN]]
    writer = Writer(engine.client, engine.terms, engine.timeout)
    try:
        said = asker.ask(lambda: writer.answer(asked.question, shown, case.found.language))
    except ModelTrouble as trouble:
        case.bench.said.append(trouble.code)
        return quote_articles(case, hits)
    case.bench.said.append(ANSWERED)
    if not said.claims:
        return replace(case.found, score=hits[0].score)
    faults = check_answer(said.claims, shown, asked.text, asked.mapping, case.found.language)
    if any(one.hard for one in faults):
        kept = quote_articles(case, hits)
    else:
        kept = replace(quote_articles(case, hits), passages=(join_claims(said.claims, shown),))
    words = tuple(one.word for one in faults)
    return replace(kept, sound=not faults, outcome="refused" if faults else "grounded", faults=words)


def know_people(case: Case) -> Known:
    """Contacts that the mail may speak of, whom Mistral must not hear of."""
    files = " ".join(one.name for one in case.mail.attachments)
    return case.bench.people().find(f"{case.text} {case.mail.text} {files}") if case.bench.people else Known()


def join_claims(claims: Sequence[Claim], shown: Sequence[Passage]) -> Passage:
    """One passage of the model's sentences, under the title of what the first stands on."""
    by_id = {one.cites[0]: one for one in shown}
    cites = tuple(dict.fromkeys(cite for claim in claims for cite in claim.cites if cite in by_id))
    first = by_id[cites[0]] if cites else shown[0]
    return Passage(first.title, " ".join(claim.text.strip() for claim in claims), first.article, cites)


# --- by meaning ----------------------------------------------------------------------------------------------


def rank_by_meaning(case: Case, asker: Asker) -> list[Hit]:
    """All passages of the letter's language that hold for the version, the nearest first. Raises ModelTrouble."""
    from classifiers.embedding import Embedder, name_text, rank_passages, write_text
    from classifiers.mistral import MistralClassifier

    engine, model = asker.engine, case.policy.knowledge.embeddings
    index = case.library.indexes.get(case.found.language)
    if index is None or not isinstance(engine, MistralClassifier):
        return []
    embedder = Embedder(engine.client, model, engine.timeout, engine.prices)
    passages = index.list_passages(case.ask_in(case.found.language))
    texts = {one: write_text(one) for one in passages}
    learn_vectors(case, asker, embedder, list(texts.values()))
    known = {one: case.library.vectors[name_text(model, text)] for one, text in texts.items()}
    asked = make_question(case.mail, case.policy, know_people(case))
    (vector,) = asker.ask(lambda: embedder.embed([asked.text])).vectors
    return rank_passages(vector, known)


def learn_vectors(case: Case, asker: Asker, embedder: Embedder, texts: Sequence[str]) -> None:
    """Those of passages that nobody has asked for yet are asked for, in batches, and kept for all workers."""
    from classifiers.embedding import BATCH, name_text

    known, keys = case.library.vectors, {name_text(embedder.model, one): one for one in texts}
    known |= read_embeddings(case.store, keys.keys() - known.keys())
    missing = [key for key in keys if key not in known]
    for start in range(0, len(missing), BATCH):
        some = missing[start : start + BATCH]
        said = asker.ask(partial(embedder.embed, [keys[key] for key in some]))
        fresh = dict(zip(some, said.vectors, strict=True))
        keep_embeddings(case.store, fresh)
        known |= fresh

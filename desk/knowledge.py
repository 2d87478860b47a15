"""Articles: what the house has written down and approved, the only thing that a letter may quote.

An article is a Markdown file `<language>/<slug>.md` that begins with front matter (YAML between two lines `---`):
`title`, `categories` of the policy, `versions` of the application it holds for ("" for all, PEP 440), `words` that
people use for it and it does not (found by, never shown) and `approved` (`by` a role, `on` a day; without it nobody is
shown it). Below a line `## …` stands a passage of its own, which is
what is looked for and quoted. Twins in other languages bear the same slug.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from desk.errors import ConfigurationError, PolicyError
from desk.policy import (
    CategoryName,
    Day,
    Fault,
    Line,
    Many,
    Section,
    find_line,
    name_keys,
    parse_text,
    pick,
    read_fault,
)
from desk.pseudonyms import KINDS, hide_people

FENCE = "---"
PASSAGE_CHARS = 1_500  # more is no answer but a manual
ARTICLE_BYTES = 64 * 1024
PERSONAL = frozenset(KINDS[:10])  # figures and addresses of a person or an account; names are the writer's to leave out

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2}")
_HEADING = re.compile(r"## (?P<title>\S.*)")
_GAP = re.compile(r"\n{3,}")
_SPOT = re.compile(r"line (\d+), column \d+: (.*)")

# What a letter's wording would show as it stands, or take for something else (letters.shapes)
MARKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("is a heading of another size; allowed: ##", re.compile(r"#(?!# \S)")),
    ("is indented; allowed: no blanks before the words, but for lines that go on with an item", re.compile(r" {4}|\t")),
    ("is a quotation or a rule; allowed: paragraphs, lists and headings", re.compile(r">|-{2,}|\*{3,}|={3,}|_{3,}")),
    ("is a list of another kind; allowed: - and 1.", re.compile(r"[*+] ")),
    ("is a table; allowed: paragraphs, lists and headings", re.compile(r"\|")),
    ("has mark-up; allowed: plain words", re.compile(r".*?(?:\*\*|__|`|\]\(|<[a-zA-Z/!]|\{[{%#])")),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article that answers something by itself. `cites` are the passages its words stand on: of one that
    is quoted as it stands, itself alone.
    """

    title: str
    text: str
    article: str  # "fr/password"
    cites: tuple[str, ...]  # "fr/password#2"


@dataclass(frozen=True, slots=True)
class Article:
    """`name` is "fr/password"; `versions` a PEP 440 specifier, "" for all; `approved_on` is empty until it is."""

    name: str
    title: str
    language: str
    categories: tuple[str, ...]
    versions: str
    approved_by: str
    approved_on: date | None
    passages: tuple[Passage, ...]
    words: tuple[str, ...] = ()  # that people use for it, besides its own

    @property
    def slug(self) -> str:
        return self.name.partition("/")[2]

    @property
    def approved(self) -> bool:
        return self.approved_on is not None


@dataclass(frozen=True, slots=True)
class Found:
    """What the articles say to a mail. `sound`: it may go out by itself. `score` is that of the best passage, whose
    `article` it names; `outcome` is one of "" (not looked for), none, quoted, grounded (in a model's words that stood
    the check) and refused (they did not); `faults` are the words of what the check found.
    """

    message_id: int
    passages: tuple[Passage, ...] = ()
    sound: bool = False
    article: str = ""
    score: float = 0.0
    outcome: str = ""
    faults: tuple[str, ...] = ()
    category: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class ArticleFault:
    """What is wrong in which file and line (from 1); the text never quotes what was found."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The articles that could be read, by name, and all that is wrong with the others."""

    articles: tuple[Article, ...]
    faults: tuple[ArticleFault, ...] = ()

    @property
    def approved(self) -> tuple[Article, ...]:
        return tuple(one for one in self.articles if one.approved)


class Approval(Section):
    by: Line
    on: Day


class Front(Section):
    """The front matter."""

    title: Line
    categories: Many[CategoryName] = ()
    versions: str = ""
    words: Many[Line] = ()
    approved: Approval | None = None


# --- files ---------------------------------------------------------------------------------------------------


def read_shelf(folder: Path) -> Shelf:
    """All articles of the folder. Raises ConfigurationError when it is not there; a faulty file is left out."""
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {folder.name} of articles", remedy="Name it under knowledge.folder in the policy."
        )
    articles: list[Article] = []
    faults: list[ArticleFault] = []
    for path in sorted(folder.glob("*/*.md")):
        read = read_file(path)
        (articles if isinstance(read, Article) else faults).append(read)  # type: ignore[arg-type]  # one or the other
    return Shelf(tuple(articles), tuple(faults))


def read_file(path: Path) -> Article | ArticleFault:
    name = f"{path.parent.name}/{path.stem}"
    try:
        text = path.read_bytes()[: ARTICLE_BYTES + 1].decode()
        return read_article(text, name)
    except UnicodeDecodeError:
        return ArticleFault(f"{name}.md", 1, "is not UTF-8 text")
    except OSError:
        return ArticleFault(f"{name}.md", 1, "can't be read")
    except Faulty as trouble:
        return trouble.fault


class Faulty(ConfigurationError):
    """An article can't be used."""

    def __init__(self, fault: ArticleFault) -> None:
        self.fault = fault
        super().__init__(f"{fault.file}, line {fault.line}: {fault.text}", remedy="See `byreturn articles check`.")


def read_article(text: str, name: str) -> Article:
    """The article `name` ("fr/password") that the text of its file holds. Raises Faulty with the first fault."""
    faults = find_faults(text, name)
    first = next(faults, None)
    if first:
        raise Faulty(first)
    lines, end = text.splitlines(), find_end(text.splitlines())
    front = Front.model_validate(read_front(yaml.safe_load("\n".join(lines[1:end]))))
    approval = front.approved
    return Article(
        name=name,
        title=front.title,
        language=name.partition("/")[0],
        categories=front.categories,
        versions=front.versions,
        approved_by=approval.by if approval else "",
        approved_on=approval.on if approval else None,
        passages=tuple(cut_passages(lines[end + 1 :], name, front.title)),
        words=front.words,
    )


def find_end(lines: Sequence[str]) -> int:
    """The line (from 0) that ends the front matter; 0 when there is none."""
    if not lines or lines[0].rstrip() != FENCE:
        return 0
    return next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), 0)


def cut_passages(lines: Sequence[str], name: str, title: str) -> Iterator[Passage]:
    """What stands before the first heading, then what stands below each."""
    for number, (heading, told) in enumerate(split_sections(lines), 1):
        text = _GAP.sub("\n\n", "\n".join(line.rstrip() for line in told)).strip()
        yield Passage(heading or title, text, name, (f"{name}#{number}",))


def split_sections(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        if heading := _HEADING.fullmatch(line.rstrip()):
            sections.append((heading["title"], []))
        else:
            sections[-1][1].append(line)
    return [one for one in sections if one[0] or any(line.strip() for line in one[1])]


# --- faults --------------------------------------------------------------------------------------------------


def find_faults(text: str, name: str) -> Iterator[ArticleFault]:
    """All that is wrong with the file of an article, in the order of its lines."""
    file, lines = f"{name}.md", text.splitlines()
    language, _, slug = name.partition("/")
    if not _LANGUAGE.fullmatch(language) or not _SLUG.fullmatch(slug):
        yield ArticleFault(file, 1, "is misnamed; allowed: <language>/<slug>.md of small letters, digits and -")
    if len(text.encode()) > ARTICLE_BYTES:
        yield ArticleFault(file, 1, f"is too long; allowed: {ARTICLE_BYTES} bytes")
    end = find_end(lines)
    if not end:
        yield ArticleFault(file, 1, "has no front matter; allowed: YAML between two lines ---")
        return
    yield from (ArticleFault(file, line + 1, told) for line, told in check_front("\n".join(lines[1:end])))
    yield from (ArticleFault(file, line, told) for line, told in check_body(lines, end + 1))


def read_front(data: object) -> object:
    """YAML 1.1 takes the word `on` for true."""
    told = dict(data) if isinstance(data, dict) else data
    approval = told.get("approved") if isinstance(told, dict) else None
    if isinstance(told, dict) and isinstance(approval, dict):
        told["approved"] = {"on" if key is True else key: value for key, value in approval.items()}
    return told


def check_front(text: str) -> Iterator[tuple[int, str]]:
    """(line of the front matter from 1, what is wrong)."""
    try:
        tree, data, repeats = parse_text(text)
    except PolicyError as trouble:
        spot = _SPOT.search(trouble.detail)
        yield (int(spot[1]), spot[2]) if spot else (1, "is no YAML")
        return
    told = read_front(data)
    faults = [*repeats, *check_shapes(told), *check_keys(told), *check_versions(told)]
    yield from sorted({(find_line(tree, one.keys), f"{name_keys(one.keys)} {one.text}") for one in faults})


def check_shapes(told: object) -> Iterator[Fault]:
    try:
        Front.model_validate(told)
    except ValidationError as error:
        yield from (read_fault(one) for one in error.errors() if one["type"] not in ("extra_forbidden", "invalid_key"))


def check_keys(told: object) -> Iterator[Fault]:
    for keys, kind in (((), Front), (("approved",), Approval)):
        place = pick(told, *keys) if keys else told
        for key in place if isinstance(place, dict) else ():
            if key not in kind.model_fields:
                yield Fault((*keys, str(key)), f"is no key of ours; allowed: {', '.join(kind.model_fields)}")


def check_versions(told: object) -> Iterator[Fault]:
    value = pick(told, "versions")
    try:
        SpecifierSet(value if isinstance(value, str) else "")
    except InvalidSpecifier:
        yield Fault(("versions",), "holds what is no version; allowed: such as >=7.2,<8, or nothing")


def check_body(lines: Sequence[str], start: int) -> Iterator[tuple[int, str]]:
    """(line from 1, what is wrong) of what stands from line `start` (from 0) on."""
    for number, line in enumerate(lines[start:], start + 1):
        yield from ((number, told) for told, looks in MARKS if looks.match(line))
        if holds_person(line):
            yield number, "tells of a person or an account; allowed: nobody's address, number or secret"
    yield from check_sections(lines, start)


def holds_person(line: str) -> bool:
    _, codes = hide_people(line, ())
    return any(code.rpartition("_")[0] in PERSONAL for code in codes)


def check_sections(lines: Sequence[str], start: int) -> Iterator[tuple[int, str]]:
    sections = split_sections(lines[start:])
    if not sections:
        yield len(lines), "says nothing; allowed: at least one paragraph"
    for heading, told in sections:
        line = lines.index(f"## {heading}", start) + 1 if f"## {heading}" in lines[start:] else start + 1
        text = "\n".join(told).strip()
        if not text:
            yield line, "is a heading without words; allowed: at least one paragraph below"
        if len(text) > PASSAGE_CHARS:
            yield line, f"begins a passage that is too long; allowed: {PASSAGE_CHARS} characters"


def list_faults(folder: Path) -> list[ArticleFault]:
    """All of every article in the folder, file by file."""
    faults: list[ArticleFault] = []
    for path in sorted(folder.glob("*/*.md")):
        name = f"{path.parent.name}/{path.stem}"
        try:
            faults += find_faults(path.read_bytes().decode(), name)
        except (UnicodeDecodeError, OSError):
            faults.append(ArticleFault(f"{name}.md", 1, "can't be read as UTF-8 text"))
    return faults


def check_shelf(shelf: Shelf, categories: Iterable[str], languages: Iterable[str]) -> Iterator[ArticleFault]:
    """What only the policy can tell: categories and languages that it does not have."""
    known, spoken = frozenset(categories), frozenset(languages)
    for one in shelf.articles:
        if not set(one.categories) <= known:
            yield ArticleFault(f"{one.name}.md", 1, f"names an unknown category; allowed: {', '.join(sorted(known))}")
        if one.language not in spoken:
            yield ArticleFault(f"{one.name}.md", 1, f"is in no language of ours; allowed: {', '.join(sorted(spoken))}")


# --- versions of the application -----------------------------------------------------------------------------


def read_version(text: str) -> Version | None:
    """A version as mails tell it ("v7.4.1"), or None."""
    try:
        return Version(text.strip())
    except InvalidVersion:
        return None


def tell_newest(articles: Iterable[Article]) -> Version:
    """The newest version that any article speaks of: what is meant where a mail names none."""
    named = (read_version(one.version.removesuffix(".*")) for each in articles for one in SpecifierSet(each.versions))
    return max((one for one in named if one), default=Version("0"))


def holds_for(article: Article, version: Version) -> bool:
    return SpecifierSet(article.versions).contains(version, prereleases=True)

"""An evaluation in words: a headline, its figures, the proposal for policy.yaml. No mail is in it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from reports.evaluation import TARGETS, Cut, Evaluation, Interval, Proposal, Release

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # what YAML takes for text without quotes
RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

Row = dict[str, Any]


def tell_headline(evaluation: Evaluation) -> str:
    """macro-F1 0.87 (0.84–0.90), ECE 0.04, 61 % at precision 0.95"""
    ece = f"ECE {evaluation.ece.value:.2f}" if evaluation.ece else "no ECE"
    failed = f"; {evaluation.failed} of {evaluation.count} mails without an answer" if evaluation.failed else ""
    return f"macro-F1 {tell_interval(evaluation.macro_f1)}, {ece}, {tell_cut(evaluation.cuts[0])}{failed}"


def tell_interval(figure: Interval | None) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}–{figure.high:.2f})" if figure else "–"


def tell_cut(cut: Cut) -> str:
    return f"{tell_share(cut.coverage)} at precision {cut.target:.2f}"


def tell_share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def list_figures(evaluation: Evaluation) -> list[tuple[str, str]]:
    """(name, figure) from top to bottom."""
    cost, rate = evaluation.cost_eur, evaluation.cost_per_1000_eur
    figures = [
        ("classifier", evaluation.source or "–"),
        ("mails", str(evaluation.count)),
        ("without an answer", str(evaluation.failed)),
        ("accuracy", f"{evaluation.accuracy:.3f}"),
        ("macro-F1", tell_interval(evaluation.macro_f1)),
        ("calibration error (ECE)", tell_interval(evaluation.ece)),
    ]
    figures += [(f"coverage at precision {one.target:.2f}", tell_reach(one)) for one in evaluation.cuts]
    for release in evaluation.releases:
        figures.append((f"safe categories at {release.target:.2f}", tell_release(release)))
    figures.append(("seconds", f"{evaluation.seconds:.1f} ({evaluation.seconds_per_1000:.1f} per 1,000 mails)"))
    figures.append(("cost", f"{cost:.4f} € ({rate:.4f} € per 1,000 mails)"))
    return figures


def tell_reach(cut: Cut) -> str:
    if cut.threshold is None:
        return "none"
    return f"{tell_share(cut.coverage)} ({cut.covered} mails, from confidence {cut.threshold:.3f} on)"


def tell_release(release: Release) -> str:
    if not release.categories:
        return "none"
    said = f"{tell_share(release.coverage)} of the mails, {tell_share(release.precision)} of them right"
    return f"{release.categories}: {said}"


def list_categories(evaluation: Evaluation) -> list[Row]:
    """A row a category, with what it takes to be answered by itself."""
    return [
        {
            "category": row.label,
            "mails": row.support,
            "guessed": row.guessed,
            "precision": show_figure(row.precision),
            "recall": show_figure(row.recall),
            "F1": show_figure(row.f1),
            **{f"safe at {target:.2f}": tell_threshold(evaluation, row.label, target) for target in TARGETS},
        }
        for row in evaluation.categories
    ]


def show_figure(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"


def tell_threshold(evaluation: Evaluation, label: str, target: float) -> str:
    found = find_proposal(evaluation, label, target)
    return "not yet" if found.threshold is None else f"from {found.threshold:.2f}"


def find_proposal(evaluation: Evaluation, label: str, target: float) -> Proposal:
    return next(one for one in evaluation.proposals if (one.label, one.target) == (label, target))


def list_proposals(evaluation: Evaluation) -> list[Row]:
    return [
        {
            "category": one.label,
            "precision wanted": one.target,
            "threshold": "" if one.threshold is None else one.threshold,
            "verdict": judge_proposal(one),
        }
        for one in evaluation.proposals
    ]


def judge_proposal(proposal: Proposal) -> str:
    """Whether the category is safe to automate, and why."""
    if not proposal.guesses:
        return "not safe to automate yet: no mail was guessed to be of it"
    seen = f"{proposal.right} of {proposal.guesses} right from {proposal.best:.2f} on"
    if proposal.threshold is not None:
        return f"safe: {seen}, surely {proposal.bound:.3f}; {tell_share(proposal.reach)} of its mails get through"
    if proposal.missing:
        return f"not safe to automate yet: {seen}; {proposal.missing} more without a fault would show it"
    return f"not safe to automate yet: at best {seen}"


def write_policy(evaluation: Evaluation, target: float = TARGETS[0]) -> str:
    """The thresholds as lines of policy.yaml; a category without one is a comment, so that it keeps its mode."""
    lines = list(write_thresholds([one for one in evaluation.proposals if one.target == target]))
    empty = "" if any(not line.lstrip().startswith("#") for line in lines) else " {}"
    head = (
        f"# from its threshold on, at least {tell_share(target)} of a category's guesses are right, as sure as 19 to 1"
    )
    return "\n".join([head, f"categories:{empty}", *lines]) + "\n"


def write_thresholds(proposals: Sequence[Proposal]) -> Iterator[str]:
    for one in proposals:
        name, verdict = write_key(one.label), judge_proposal(one)
        if one.threshold is None:
            yield f"  # {name}: {verdict}"
        else:
            yield f"  {name}: {{threshold: {one.threshold:.2f}}}  # {verdict}"


def write_key(label: str) -> str:
    """A label as YAML key: what might be read as something else is quoted, as JSON does it."""
    plain = PLAIN.fullmatch(label) and label.lower() not in RESERVED
    return label if plain else json.dumps(label, ensure_ascii=False)


def write_page(evaluation: Evaluation, notes: Sequence[str], picture: bytes) -> str:
    """Markdown for the run's artifact, the picture inside: the browser that shows it can't read the worker's files."""
    figures = "\n".join(f"| {name} | {figure} |" for name, figure in list_figures(evaluation))
    told = "\n".join(f"- {note}" for note in notes)
    shown = f"![The figures drawn](data:image/png;base64,{b64encode(picture).decode('ascii')})"
    policy = write_policy(evaluation)
    return (
        f"## {tell_headline(evaluation)}\n\n{told}\n\n| figure | value |\n| --- | --- |\n{figures}\n\n"
        f"{shown}\n\n## Proposal for policy.yaml\n\n```yaml\n{policy}```\n"
    )

"""An organisation's own templates, looked at before a letter is made of them: every fault with its file and line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from jinja2 import TemplateSyntaxError, meta, nodes

from desk.errors import ConfigurationError
from desk.policy import Segment
from letters.dates import SPEECH
from letters.render import open_environment, render_file
from letters.slots import MEANING, NOT_OF_A_MAIL, SLOTS, sample_slots
from letters.variants import MEND, SUFFIX, read_name

LAYOUTS = "layouts"
GIVEN = frozenset({"layout", "language"})  # beside the slots


@dataclass(frozen=True, slots=True)
class Rules:
    """What templates may be called, and which fields the policy looks for."""

    templates: frozenset[str]
    fields: frozenset[str]


def check_templates(folder: str, categories: Collection[str], fields: Collection[str]) -> None:
    """Raises ConfigurationError naming each file of `folder` that no letter can be made of, with line and fault."""
    if not Path(folder).is_dir():
        raise ConfigurationError(f"the folder of letter templates {folder} is not there", remedy=MEND)
    rules = Rules(frozenset({*categories, *SLOTS}), frozenset(fields))
    faults = [fault for file in _list_files(Path(folder)) for fault in _check_file(folder, file, rules)]
    if faults:
        raise ConfigurationError("; ".join(faults), remedy="Mend the templates; letters.slots tells what they may ask.")


def _list_files(folder: Path) -> Iterator[str]:
    """Relative to `folder`, as Jinja names them."""
    yield from sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"*{SUFFIX}"))


def find_asked(file: str, folder: str = "") -> frozenset[str]:
    """The slots that a file asks for, with those of its layouts."""
    environment = open_environment(folder, True)
    waiting, asked, seen = [file], set[str](), set[str]()
    while waiting:
        seen.add(name := waiting.pop())
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]  # it has one
        tree = environment.parse(source)
        asked |= meta.find_undeclared_variables(tree)
        waiting += {each for each in meta.find_referenced_templates(tree) if each} - seen
    return frozenset(asked) - GIVEN


def _check_file(folder: str, file: str, rules: Rules) -> Iterator[str]:
    """Its faults; of what can't be read, or has another name, no more than that."""
    misnamed = "" if file.startswith(f"{LAYOUTS}/") else _check_name(file, rules)
    if misnamed:
        yield f"{file}: {misnamed}"
        return
    try:
        tree = open_environment(folder, True).parse((Path(folder) / file).read_text(encoding="utf-8"), file)
        asked = [f"{file}, line {line}: {fault}" for line, fault in _check_slots(tree, file, rules)]
    except (OSError, UnicodeDecodeError):
        yield f"{file}: can't be read as UTF-8"
    except TemplateSyntaxError as broken:
        yield f"{file}, line {broken.lineno}: {broken.message}"
    else:
        yield from asked or _try_file(folder, file, tree)


def _check_name(file: str, rules: Rules) -> str:
    language, _, name = file.rpartition("/")
    wording = read_name(name)
    faults = {
        f"no such language; allowed: {', '.join(sorted(SPEECH))}": language not in SPEECH,
        "no template's name; allowed: <template>[.<segment>][@<variant>].j2": wording is None,
        f"no such template; allowed: {', '.join(sorted(rules.templates))}": (
            wording is not None and wording.template not in rules.templates
        ),
        f"no such segment; allowed: {', '.join(get_args(Segment))}": (
            wording is not None and wording.segment not in ("", *get_args(Segment))
        ),
    }
    return next((fault for fault, holds in faults.items() if holds), "")


def _check_slots(tree: nodes.Template, file: str, rules: Rules) -> Iterator[tuple[int, str]]:
    """(line, fault) of each slot or field that nothing would ever fill."""
    unknown = meta.find_undeclared_variables(tree) - list_slots(file) - {"range"}
    for name in tree.find_all(nodes.Name):
        if name.name in unknown:
            yield name.lineno, f"there is no slot {name.name}"
    for asked in (*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)):
        field = _name_field(asked)
        if field and field not in rules.fields:
            yield asked.lineno, f"no category looks for a field {field}"


def list_slots(file: str) -> frozenset[str]:
    """What a template may ask: a digest what it is given, a letter about a mail all that is known of that."""
    wording = read_name(file.rpartition("/")[2])
    own = SLOTS[wording.template] if wording and wording.template in NOT_OF_A_MAIL else MEANING
    return GIVEN | frozenset(own)


def _name_field(asked: nodes.Node) -> str:
    """`day` of `fields.day` and `fields["day"]`; "" for anything else."""
    if not (
        isinstance(asked, (nodes.Getattr, nodes.Getitem))
        and isinstance(asked.node, nodes.Name)
        and asked.node.name == "fields"
    ):
        return ""
    if isinstance(asked, nodes.Getattr):
        return asked.attr
    return str(asked.arg.value) if isinstance(asked.arg, nodes.Const) else ""


def _try_file(folder: str, file: str, tree: nodes.Template) -> Iterator[str]:
    """Filled with samples, with gaps for the rest; a layout is tried by the letters that extend it."""
    wording = read_name(file.rpartition("/")[2])
    language = file.partition("/")[0]
    if wording is None or language not in SPEECH or not tree.body:
        return
    try:
        render_file(file, language, sample_all(wording.template, language), folder=folder, gaps=True)
    except ConfigurationError as fault:
        yield f"{file}: {fault.detail}"


def sample_all(template: str, language: str) -> Mapping[str, object]:
    """Samples of what `template` is sure to get, and of what letters about mails get besides."""
    if template in NOT_OF_A_MAIL:
        return sample_slots(template, language)
    return {**sample_slots("handover", language), **sample_slots("too_large", language),
            **sample_slots("acknowledgement", language), **sample_slots(template, language)}  # fmt: skip

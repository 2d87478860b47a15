"""The room that templates are filled in: nothing of Python is within reach, nothing can run or grow without end, and
what is missing shows.

Jinja's sandbox keeps templates from Python's inner things. This one keeps an organisation's own template, which may
have been written in a hurry, from taking a worker down or a mail's mark-up at its word as well: it may read and call
what is listed here and nothing else, go round loops MOST_PASSES times in all and make MOST_CHARS.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Any, cast

from jinja2 import BaseLoader, Undefined, UndefinedError, nodes, pass_context, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.filters import FILTERS, do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer

MOST_PASSES = 100_000  # through loops, and calls, in one shape of a letter
MOST_CHARS = 500_000  # of a letter, and of any text on the way to it

# Of Jinja's filters those that don't make much of little, and none that takes a text for mark-up.
_FILTERS = ("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "int", "last", "length", "list",
            "lower", "reverse", "round", "sort", "string", "title", "trim", "truncate", "unique", "upper",
            "wordcount")  # fmt: skip
_DEFAULTS = frozenset({"d", "default"})  # these are for what is missing

_DAY = frozenset({"year", "month", "day"})
_READABLE: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset({"lower", "upper", "strip", "startswith", "endswith"})),
    (timedelta, frozenset({"days", "seconds", "total_seconds"})),
    (datetime, _DAY | {"hour", "minute"}),
    (date, _DAY),
    (int, frozenset()), (float, frozenset()), (tuple, frozenset()), (list, frozenset()), (Mapping, frozenset()),
)  # fmt: skip


# --- what is missing -----------------------------------------------------------------------------------------


class Missing(UndefinedError):
    """A value that isn't there was asked for; its message is the slot's name."""


class Hole(Undefined):
    """A slot that holds nothing: false when asked; used, it is a marked gap where those are wanted, else Missing."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = UndefinedError
    ) -> None:
        super().__init__(hint, obj, name, Missing if exc is UndefinedError else exc)

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)

    def pass_by(self) -> Hole:
        """Itself, where gaps are wanted: what is made of it is one too."""
        if not _ROOM.get().gap or self._undefined_exception is not Missing:
            self._fail_with_undefined_error()
        return self

    def __str__(self) -> str:
        return _ROOM.get().gap.format(self.pass_by()._undefined_name)

    def _compare(self, _other: object) -> Any:
        return not self.pass_by()

    __lt__ = __gt__ = __le__ = __ge__ = _compare


class Unknown(Hole):
    """A slot that nobody ever fills: where gaps aren't wanted, it may not even be asked for."""

    __slots__ = ()

    def __bool__(self) -> bool:
        self.pass_by()
        return False

    def __len__(self) -> int:
        return int(bool(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(() if not self else (self,))

    def __eq__(self, other: object) -> bool:
        return bool(self)

    __hash__ = Undefined.__hash__


class Named(dict[str, Any]):
    """Slots within a slot, any of which may be empty: `fields.day`."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__({each: value for each, value in values.items() if value is not None})
        self.name = name

    def __missing__(self, slot: str) -> Hole:
        return Hole(name=f"{self.name}.{slot}")


# --- bounds --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Room:
    """What is left of the passes of one filling, and how a gap is marked, "" where none may be."""

    gap: str = ""
    passes: int = MOST_PASSES

    def pass_once(self) -> None:
        self.passes -= 1
        if self.passes < 0:
            raise SecurityError(f"more than {MOST_PASSES} passes")


_ROOM: ContextVar[Room] = ContextVar("room", default=Room())  # noqa: B039 (nothing is filled outside of `open_room`)


@contextmanager
def open_room(gap: str) -> Iterator[None]:
    """Room for one filling; `gap` is a format of the slot's name."""
    before = _ROOM.set(Room(gap))
    try:
        yield
    finally:
        _ROOM.reset(before)


def check_size(text: str) -> str:
    """SecurityError for more than MOST_CHARS."""
    if len(text) > MOST_CHARS:
        raise SecurityError(f"more than {MOST_CHARS} characters")
    return text


@pass_context
def _count(_context: Context, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _ROOM.get().pass_once()
        yield value


@pass_eval_context
def _join(state: EvalContext, values: Iterable[Any], d: str = "") -> str:
    """As Jinja's, of a bounded size."""
    parts = list(values)
    check_size(d * len(parts) if len(d) < MOST_CHARS else d)
    check_size("".join(map(str, parts)))
    return str(do_join(state, parts, d)) if not state.autoescape else do_join(state, parts, d)


class _Bounds(NodeTransformer):
    """Loops are counted and `~` is measured; `a["b"]` is `a.b`; nobody switches escaping off."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (Jinja's name)
        node.iter = _filter(cast("nodes.Expr", node.iter), "_count")
        return self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno, environment=node.environment), "join")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        name = node.arg.value if isinstance(node.arg, nodes.Const) else None
        if not isinstance(name, str):
            return node
        return nodes.Getattr(node.node, name, node.ctx, lineno=node.lineno, environment=node.environment)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier) -> nodes.Node:  # noqa: N802
        raise TemplateSyntaxError("autoescape is not a letter's to change", node.lineno)


def _filter(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)


def _let_holes_pass(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of nothing is a gap, or Missing."""

    @wraps(function)
    def passed(*args: Any, **kwargs: Any) -> Any:
        hole = next((one for one in args if isinstance(one, Hole)), None)
        return function(*args, **kwargs) if hole is None else str(hole)

    return passed


# --- the environment -----------------------------------------------------------------------------------------


class LetterEnvironment(ImmutableSandboxedEnvironment):
    """Jinja for letters; `filters` are ours, beside the few of its own that are let in. Files that are `changing` are
    read again when they have.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(
        self, loader: BaseLoader, autoescape: bool, filters: Mapping[str, Callable[..., Any]], changing: bool
    ) -> None:
        super().__init__(
            loader=loader, undefined=Unknown, autoescape=autoescape, trim_blocks=True, lstrip_blocks=True,
            auto_reload=changing,
        )  # fmt: skip
        known = {**{name: FILTERS[name] for name in _FILTERS}, **filters}
        self.filters = {
            **{name: each if name in _DEFAULTS else _let_holes_pass(each) for name, each in known.items()},
            "_count": _count,
            "join": _let_holes_pass(_join),
        }
        self.globals = {"range": safe_range}

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Bounds().visit(source), *args, **kwargs)

    def wrap_str_format(self, value: Any) -> None:
        """`format` is let in by nobody: a width in it is a size."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of what slots hold, only what is listed; of Jinja's own (`loop`), what it lets us."""
        listed = next((names for kind, names in _READABLE if isinstance(obj, kind)), None)
        if listed is not None:
            return attr in listed
        return type(obj).__module__.startswith("jinja2.") and super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Of mappings their values and nothing else: a field may be called `items`."""
        if isinstance(obj, Hole):
            return obj.pass_by()
        if not isinstance(obj, Mapping):
            return super().getattr(obj, attribute)
        try:
            return obj[attribute]
        except KeyError:
            return self.undefined(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As Jinja's, but what is looked up is never told: it may be a value."""
        if isinstance(obj, Hole):
            return obj.pass_by()
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        if isinstance(argument, int) and isinstance(obj, (list, tuple)) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(name="an element")

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (Jinja's)
        _ROOM.get().pass_once()
        if isinstance(__obj, Hole):
            return __obj.pass_by()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 (Jinja's)
        """Sums of numbers, and texts put together; a text is not multiplied, and nothing is raised to a power."""
        holes = [one for one in (left, right) if isinstance(one, Hole)]
        if holes:
            return holes[0].pass_by()
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return check_size(left + right)
        if operator not in _SUMS or not (_is_number(left) and _is_number(right)):
            raise SecurityError(f"{operator} is not for letters")
        return _SUMS[operator](left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, timedelta))


_SUMS: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "*": operator.mul, "%": operator.mod}

"""What Prefect works out of a block's class again and again, worked out once.

To save a block it draws up the whole schema some fifty times and asks the server for every type inside, which takes
longer than most tests do; a class does not change while it is tested.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def remember_schemas() -> None:
    """For the rest of this process: slug, secret fields and checksum of each class, and which server has it."""
    from prefect.blocks import core as blocks

    names, core = vars(blocks), vars(blocks)["Block"]
    names["slugify"] = cache(names["slugify"])  # it looks in vain for a package, every time
    remember_fields(core)
    remember_sums(core)
    remember_servers(core)


def remember_fields(core: Any) -> None:
    find_secrets = core._field_has_secrets

    @cache
    def has_secrets(kind: Any, field: str) -> bool:
        return bool(find_secrets(kind, field))  # it asks no more of a block than its class

    core._field_has_secrets = lambda block, field: has_secrets(block.__class__, field)


def remember_sums(core: Any) -> None:
    sum_schema = core._calculate_schema_checksum.__func__
    sum_class = cache(sum_schema)

    def sum_fields(kind: Any, fields: dict[str, Any] | None = None) -> Any:
        return sum_class(kind) if fields is None else sum_schema(kind, fields)

    core._calculate_schema_checksum = classmethod(sum_fields)


def remember_servers(core: Any) -> None:
    from prefect.settings import PREFECT_API_URL

    register = core.register_type_and_schema.__func__
    known: dict[Any, str | None] = {}

    def register_once(kind: Any, client: Any = None, _sync: bool | None = None) -> Any:
        url = PREFECT_API_URL.value()
        if _sync and known.get(kind) == url:
            return None
        done = register(kind, client) if _sync is None else register(kind, client, _sync=_sync)
        known[kind] = url if _sync else None
        return done

    core.register_type_and_schema = classmethod(register_once)

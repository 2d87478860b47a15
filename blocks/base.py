"""What all our blocks share."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, TypeVar, cast

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from pydantic import ConfigDict, ValidationError

from desk.errors import BlockError


@dataclass(frozen=True, slots=True)
class Checked:
    """What a block's `check()` found; `detail` is one line for the operator, without addresses."""

    ok: bool
    detail: str


class DeskBlock(Block, ABC):
    """A block whose errors never repeat a value. ABC keeps it out of Prefect's list of block types."""

    _block_schema_version: ClassVar[str | None] = "1"  # by default every release would be a new schema

    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)


Kind = TypeVar("Kind", bound=DeskBlock)


def load_block(kind: type[Kind], name: str) -> Kind:
    """The saved block of this kind and name; for flows and tasks that are not async.

    Raises BlockError when there is none, or naming the fields that are wrong.
    """
    slug = f"{kind.get_block_type_slug()}/{name}"
    try:
        return cast(Kind, kind.load(name))
    except BlockError as failure:
        raise BlockError(f"{slug}: {failure.detail}", remedy=failure.remedy) from None
    except RuntimeError as failure:
        raise BlockError(f"{slug} has wrong or missing fields: {name_fields(failure.__cause__)}") from None
    except ValueError:
        raise BlockError(f"{slug} does not exist") from None


def list_blocks(kind: type[DeskBlock]) -> tuple[str, ...]:
    """Names of the saved blocks of this kind, sorted."""
    with get_client(sync_client=True) as client:
        documents = client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=False)
    return tuple(sorted(document.name for document in documents if document.name))


def swap_secret(block: DeskBlock, field: str, used: str, fresh: str) -> bool:
    """Put a new secret into a saved block where the one we used still stands: what somebody else entered stays.

    False when nothing was changed; raises Prefect's and httpx's own errors.
    """
    if block._block_document_id is None:
        return False
    with get_client(sync_client=True) as client:
        saved = client.read_block_document(block._block_document_id, include_secrets=True)
        if saved.data.get(field) != used:
            return False
        update = BlockDocumentUpdate(data={field: fresh}, merge_existing_data=True)
        client.update_block_document(block._block_document_id, update)
    return True


def name_fields(failure: BaseException | None) -> str:
    """The names of the fields that pydantic found wrong, without their values."""
    faults = failure.errors(include_input=False) if isinstance(failure, ValidationError) else []
    return ", ".join(".".join(map(str, fault["loc"])) for fault in faults) or "unknown"

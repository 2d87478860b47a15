"""Mistral's batch API: many requests given away as one job, at half the price, answered within hours.

Source: Mistral API, /v1/batch/jobs and /v1/files (docs.mistral.ai, Batch Processing). Requests travel inline, so no
file of ours is left there when we die; results come inline or as JSON lines in files, in any order. A server of one's
own that lacks the API answers 404 or 405, which is ModelUnavailable like every other refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

import httpx2
from mistralai.client import Mistral
from mistralai.client.errors import MistralError, NoResponseError
from mistralai.client.models import BatchJob, BatchRequest

from classifiers.mistral import name_trouble
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MARK = "byreturn"  # under which a job's metadata bear our marker
PAGE = 100
RUNNING = frozenset({"QUEUED", "RUNNING", "CANCELLATION_REQUESTED"})
OK = 200
PRICE_SHARE = 0.5  # of the live price

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """How far a job is; `files` are the names of all that it left behind, `outputs` what came inline."""

    id: str
    status: str
    done: int
    total: int
    files: tuple[str, ...] = ()
    results: tuple[str, ...] = ()  # of `files`, those with answers
    outputs: tuple[Any, ...] = ()

    @property
    def running(self) -> bool:
        return self.status in RUNNING


@contextmanager
def asking() -> Iterator[None]:
    """Whatever goes wrong within is a ModelTrouble; `from None`, for the SDK quotes what was sent."""
    try:
        yield
    except MistralError as error:
        raise name_trouble(error) from None
    except httpx2.TimeoutException:
        raise ModelUnavailable("timed out") from None
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, NoResponseError):
        raise ModelUnavailable("no connection") from None
    except (ValueError, LookupError):
        raise ModelAnswerInvalid("unreadable response") from None


def create_job(client: Mistral, model: str, marker: str, bodies: Mapping[int, Body], longest: timedelta) -> str:
    """Give requests away under their numbers; the job's id. Raises ModelTrouble: the job may be there all the same."""
    with asking():
        made = client.batch.jobs.create(
            endpoint=ENDPOINT,
            model=model,
            requests=[BatchRequest(custom_id=str(number), body=dict(body)) for number, body in bodies.items()],
            metadata={MARK: marker},
            timeout_hours=max(1, int(longest / timedelta(hours=1))),
            retries=None,
        )
    return made.id


def find_job(client: Mistral, marker: str, since: datetime) -> str | None:
    """The job that bears our marker, created after `since`. Raises ModelTrouble."""
    with asking():
        for page in count():
            listed = client.batch.jobs.list(page=page, page_size=PAGE, created_after=since, retries=None)
            jobs = listed.data or []
            found = [one.id for one in jobs if (one.metadata or {}).get(MARK) == marker]
            if found or len(jobs) < PAGE:
                return found[0] if found else None
    return None


def read_job(client: Mistral, job: str) -> Job:
    """Raises ModelTrouble."""
    with asking():
        return describe_job(client.batch.jobs.get(job_id=job, inline=True, retries=None))


def describe_job(job: BatchJob) -> Job:
    results = tuple(one for one in (job.output_file, job.error_file) if isinstance(one, str) and one)
    outputs = tuple(job.outputs) if isinstance(job.outputs, list) else ()
    files = (*job.input_files, *results)
    return Job(job.id, str(job.status), job.completed_requests, job.total_requests, files, results, outputs)


def read_results(client: Mistral, job: Job) -> dict[int, Body | None]:
    """Answer bodies of a job that has ended, by our numbers; None where the request failed. Of several under one number
    the first that is an answer counts. Raises ModelTrouble.
    """
    found: dict[int, Body | None] = {}
    with asking():
        for line in (*job.outputs, *read_files(client, job.results)):
            number, body = read_line(line)
            if number is not None and found.get(number) is None:
                found[number] = body
    return found


def read_files(client: Mistral, files: Iterable[str]) -> Iterator[Any]:
    """The lines of files as JSON values; those that are none are passed over."""
    for file in files:
        response = client.files.download(file_id=file, retries=None)
        try:
            for line in response.iter_lines():
                with suppress(ValueError, RecursionError):
                    yield json.loads(line)
        finally:
            response.close()


def read_line(line: Any) -> tuple[int | None, Body | None]:
    """Number and answer of one result; no number where it is none of ours."""
    told = line if isinstance(line, dict) else {}
    custom, response = told.get("custom_id"), told.get("response")
    if not (isinstance(custom, str) and custom.isascii() and custom.isdigit()):
        return None, None
    if told.get("error") or not isinstance(response, dict) or response.get("status_code", OK) != OK:
        return int(custom), None
    body = response.get("body")
    return int(custom), body if isinstance(body, dict) else None


def cancel_job(client: Mistral, job: str) -> None:
    """Ask for no more of it; whatever goes wrong, it ends by itself."""
    with suppress(ModelTrouble), asking():
        client.batch.jobs.cancel(job_id=job, retries=None)


def drop_job(client: Mistral, job: Job) -> None:
    """Leave nothing of the mails with the provider, as far as it lets us."""
    for file in job.files:
        with suppress(ModelTrouble), asking():
            client.files.delete(file_id=file, retries=None)
    with suppress(ModelTrouble), asking():
        client.batch.jobs.delete(job_id=job.id, retries=None)

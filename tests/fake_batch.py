"""The batch API on a server of our own, beside the chat of `tests.fake_mistral`: the real SDK drives it.

    with FakeBatch() as mistral:
        Mistral(api_key="any", server_url=mistral.url)

A job is answered as the chat would answer each of its requests. It outlives the processes that ask for it.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fake_mistral import FakeMistral, Reply, Request

Lines = list[str]
DELETED = "DELETED"


@dataclass
class FakeJob:
    id: str
    requests: list[dict[str, Any]]
    metadata: dict[str, str]
    model: str
    created_at: int
    status: str = "QUEUED"
    polls: int = 0

    @property
    def custom_ids(self) -> list[str]:
        return [str(one["custom_id"]) for one in self.requests]


@dataclass
class FakeBatch:
    """Context manager on a free port. What jobs are like may be changed while it runs.

    A job ends as `ending` at the poll after `polls` others. `spoil` may change the lines of its results; they come
    `inline` or in a file. `refusal` answers instead of making a job, `mute` makes it and hangs up.
    """

    chat: FakeMistral = field(default_factory=FakeMistral)
    polls: int = 0
    ending: str = "SUCCESS"
    spoil: Callable[[Lines], Lines] = list
    inline: bool = False
    mute: bool = False
    refusal: int = 0
    others: int = 0  # jobs of somebody else in the same list
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # method and path of every request

    def __enter__(self) -> Self:
        self._names, self._lock = count(1), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _bind_handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def batched(self) -> list[str]:
        """The number of every mail that was asked about in some job, as often as it was."""
        return [one for job in self.jobs.values() for one in job.custom_ids]

    @property
    def bodies(self) -> list[Request]:
        return [one["body"] for job in self.jobs.values() for one in job.requests]

    def add_job(self, told: Mapping[str, Any]) -> FakeJob:
        with self._lock:
            name = f"job-{next(self._names)}"
            made = FakeJob(name, told["requests"], told.get("metadata") or {}, told["model"], int(time.time()))
            self.jobs[name] = made
        return made

    def look_at(self, job: FakeJob) -> dict[str, Any]:
        if job.polls >= self.polls and job.status in ("QUEUED", "RUNNING"):
            job.status = self.ending
        job.polls += 1
        return self.describe(job)

    def describe(self, job: FakeJob) -> dict[str, Any]:
        ended = job.status not in ("QUEUED", "RUNNING")
        lines = self.write_lines(job) if ended else []
        told = describe_job(job, len(lines))
        if ended and not self.inline and lines:
            self.files[f"out-{job.id}"] = "\n".join(lines)
            told["output_file"] = f"out-{job.id}"
        if ended and self.inline:
            told["outputs"] = [json.loads(line) for line in lines]
        return told

    def write_lines(self, job: FakeJob) -> Lines:
        lines = [self.write_line(one) for one in reversed(job.requests)] if self.ending == "SUCCESS" else []
        return self.spoil(lines)

    def write_line(self, request: Mapping[str, Any]) -> str:
        reply = self.chat.reply_to(request["body"], {})
        response = {"status_code": reply.status, "body": json.loads(reply.body)}
        return json.dumps({"id": "line", "custom_id": request["custom_id"], "response": response, "error": None})


def describe_job(job: FakeJob, done: int) -> dict[str, Any]:
    return {
        "id": job.id, "object": "batch", "input_files": [], "endpoint": "/v1/chat/completions", "errors": [],
        "status": job.status, "created_at": job.created_at, "total_requests": len(job.requests),
        "completed_requests": done, "succeeded_requests": done, "failed_requests": 0, "metadata": job.metadata,
        "model": job.model,
    }  # fmt: skip


def fail_line(number: str) -> str:
    """A request that came to nothing, as the API tells it."""
    return json.dumps({"custom_id": number, "response": {"status_code": 500, "body": {}}, "error": {"message": "no"}})


# --- ways: method and path → what to do ---------------------------------------------------------------------------

Way = Callable[[FakeBatch, str, Any, Mapping[str, list[str]]], Reply]


def _tell(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode())


def _create(server: FakeBatch, _: str, told: Any, __: Any) -> Reply:
    if server.refusal:
        return Reply(server.refusal, b'{"detail": "no"}')
    made = server.add_job(told)
    if server.mute:
        raise ConnectionAbortedError
    return _tell(describe_job(made, 0))


def _list(server: FakeBatch, _: str, __: Any, query: Mapping[str, list[str]]) -> Reply:
    """The newest first, a page of them."""
    foreign = [FakeJob(f"other-{one}", [], {"byreturn": "of another"}, "m", 0) for one in range(server.others)]
    every = [*foreign, *(one for one in reversed(server.jobs.values()) if one.status != DELETED)]
    page, size = (int(query[name][0]) for name in ("page", "page_size"))
    shown = every[page * size : (page + 1) * size]
    return _tell({"total": len(every), "object": "list", "data": [describe_job(one, 0) for one in shown]})


def _get(server: FakeBatch, name: str, _: Any, __: Any) -> Reply:
    job = server.jobs.get(name)
    return _tell(server.look_at(job)) if job and job.status != DELETED else Reply(404, b'{"detail": "no such job"}')


def _cancel(server: FakeBatch, name: str, _: Any, __: Any) -> Reply:
    server.jobs[name].status = "CANCELLED"
    return _tell(server.describe(server.jobs[name]))


def _delete(server: FakeBatch, name: str, _: Any, __: Any) -> Reply:
    server.jobs[name].status = DELETED
    return _tell({"id": name, "object": "batch", "deleted": True})


def _download(server: FakeBatch, name: str, _: Any, __: Any) -> Reply:
    return Reply(200, server.files[name].encode(), {"Content-Type": "application/octet-stream"})


def _remove(server: FakeBatch, name: str, _: Any, __: Any) -> Reply:
    del server.files[name]
    return _tell({"id": name, "object": "file", "deleted": True})


def _chat(server: FakeBatch, _: str, told: Any, __: Any) -> Reply:
    return server.chat.reply_to(told, {})


WAYS: tuple[tuple[str, str, Way], ...] = (
    ("POST", r"/v1/chat/completions", _chat),
    ("POST", r"/v1/batch/jobs", _create),
    ("GET", r"/v1/batch/jobs", _list),
    ("GET", r"/v1/batch/jobs/([\w-]+)", _get),
    ("POST", r"/v1/batch/jobs/([\w-]+)/cancel", _cancel),
    ("DELETE", r"/v1/batch/jobs/([\w-]+)", _delete),
    ("GET", r"/v1/files/([\w-]+)/content", _download),
    ("DELETE", r"/v1/files/([\w-]+)", _remove),
)


def find_way(method: str, path: str) -> tuple[Way, str] | None:
    for known, pattern, way in WAYS:
        found = re.fullmatch(pattern, path)
        if known == method and found:
            return way, found.group(1) if found.groups() else ""
    return None


def _bind_handler(server: FakeBatch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            place = urlsplit(self.path)
            server.asked.append(f"{self.command} {place.path}")
            length = int(self.headers.get("Content-Length") or 0)
            told = json.loads(self.rfile.read(length)) if length else None
            way = find_way(self.command, place.path)
            if way is None:
                return self.send_error(404)
            with contextlib.suppress(ConnectionError):  # the client may have given up, or is hung up on
                self.send(way[0](server, way[1], told, parse_qs(place.query)))
            return None

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server asks for

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | dict(reply.headers)).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Be silent: the log would go between the lines of the tests."""

    return Handler

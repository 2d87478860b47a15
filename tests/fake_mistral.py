"""A server of our own that speaks POST /v1/chat/completions and /v1/embeddings, well or badly: the real SDK drives it.

    with FakeMistral(answer={"category": "billing"}) as mistral:
        Mistral(api_key="any", server_url=mistral.url)

or, for another process: `python -m tests.fake_mistral --port 8090 --rule facture=billing`. The category
is that of the first rule whose word the mail holds, else the first one offered.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

DRIP_S = 0.05  # between two bytes
Request = dict[str, Any]
Fields = Mapping[str, Any]


class Mode(StrEnum):
    GOOD = "good"
    SLOW = "slow"  # answers after `delay_s`
    DRIPPING = "dripping"  # 200, a byte now and then
    THROTTLED = "throttled"  # 429 with Retry-After
    DOWN = "down"  # 500, quoting the request as careless servers do
    REFUSED = "refused"  # 401
    MALFORMED = "malformed"  # 200 and JSON, says the header; the body is none
    TRUNCATED = "truncated"  # 200, the body ends in its middle
    CUT_OFF = "cut-off"  # 200, the connection ends before the promised length
    BREAKING = "breaking"  # 200 and sound, but what the model says is `content`
    HUGE = "huge"  # 200 and sound, but the model talks for a megabyte
    EMPTY = "empty"  # 200 and sound, but the model says nothing
    CHOICELESS = "choiceless"  # 200 and sound, without a choice
    RETIRED = "retired"  # 400, as Mistral answers to the name of a model that is no more
    UNKNOWN = "unknown"  # 404, as vLLM answers to the name of a model that it does not have
    REJECTED = "rejected"  # 422, quoting the request


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None  # Content-Length, when it lies
    dripping: bool = False


@dataclass
class FakeMistral:
    """Context manager on a free port of this machine. `mode` and `answer` may change while it runs.

    `answer` are fields to overwrite in the good answer, or a function of the request that gives them.
    `script` are the modes of the next requests, one each; after them `mode` holds. A good answer waits until `crowd`
    requests are there at once, at most `lonely_s`; `busiest` is how many were there at most.
    `grounded` is what it answers to a mail with articles: a function of the request; without one, the first sentence of
    the first article. `embed` makes the vector of a text.
    `requests` are the bodies received, oldest first, `headers` theirs with names in lower case, `moments` the seconds
    of a clock at which they came.
    """

    mode: Mode = Mode.GOOD
    answer: Fields | Callable[[Request], Fields] = field(default_factory=dict)
    grounded: Callable[[Request], Any] | None = None
    embed: Callable[[str], list[float]] | None = None
    content: str | None = "{}"
    retry_after: str = "7"
    delay_s: float = 30.0
    port: int = 0
    script: list[Mode] = field(default_factory=list)
    crowd: int = 1
    lonely_s: float = 10.0
    busiest: int = 0
    requests: list[Request] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    _inside: int = 0
    _door: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _bind_handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reply_to(self, request: Request, headers: Mapping[str, str]) -> Reply:
        with self._enter():
            self.moments.append(time.monotonic())
            self.requests.append(request)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            mode = self.script.pop(0) if self.script else self.mode
            return REPLIES[mode](self, request)

    @contextlib.contextmanager
    def _enter(self) -> Iterator[None]:
        with self._door:
            self._inside += 1
            self.busiest = max(self.busiest, self._inside)
            self._door.notify_all()
        try:
            yield
        finally:
            with self._door:
                self._inside -= 1

    def await_crowd(self) -> None:
        """Until so many are here, or the last of them is alone."""
        with self._door:
            self._door.wait_for(lambda: self.busiest >= self.crowd or self._closing.is_set(), self.lonely_s)

    def fill_answer(self, request: Request) -> str:
        """A sound answer: the first word of each closed set that the request's schema offers."""
        if is_grounding(request):
            return json.dumps((self.grounded or quote_first)(request))
        fields = self.answer(request) if callable(self.answer) else self.answer
        return json.dumps(_sound_fields(request) | dict(fields))

    def drip(self, body: bytes) -> Iterator[bytes]:
        """The body but for its last byte, slowly, until the server closes."""
        for at in range(len(body) - 1):
            yield body[at : at + 1]
            if self._closing.wait(DRIP_S):
                break

    def wait_long(self) -> None:
        """Until `delay_s` is over or the server closes, so that no test waits for it."""
        self._closing.wait(self.delay_s)


def _sound_fields(request: Request) -> dict[str, Any]:
    properties = request["response_format"]["json_schema"]["schema"]["properties"]
    words = {name: _first_word(properties[name]) for name in ("category", "priority", "language")}
    flags = {"wants_human": False, "confirms_solved": False}
    scales = {"confidence": 0.9, "complexity": "normal", "impact": "one"}
    empty = {name: "" for name in properties if name.startswith("field_")}
    return {"reason": "as asked", **words, **flags, **scales, **empty}


def is_grounding(request: Request) -> bool:
    """Whether it asks for an answer from articles, not for a judgement."""
    asked = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
    return "sentences" in asked.get("properties", {})


def read_articles(request: Request) -> list[dict[str, str]]:
    """The passages that it shows: id, title, text."""
    shown = str(request["messages"][-1]["content"])
    found: list[dict[str, str]] = json.loads(shown.partition("<articles>\n")[2].partition("\n</articles>")[0])
    return found


def quote_first(request: Request) -> Fields:
    first = read_articles(request)[0]
    sentence = re.split(r"(?<=\.)\s", first["text"])[0]
    return {"kind": "answer", "sentences": [{"text": sentence, "cites": [first["id"]]}]}


DIMENSIONS = 64


def count_words(text: str) -> list[float]:
    """A vector that tells texts apart by their words."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    return vector


def write_embeddings(request: Request, embed: Callable[[str], list[float]]) -> dict[str, Any]:
    """The API's answer to texts, one vector each."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    data = [{"object": "embedding", "index": at, "embedding": embed(one)} for at, one in enumerate(texts)]
    usage = {"prompt_tokens": 11 * len(texts), "completion_tokens": 0, "total_tokens": 11 * len(texts)}
    return {"id": "emb-1", "object": "list", "model": request["model"], "data": data, "usage": usage}


def _first_word(schema: Mapping[str, Any]) -> Any:
    return schema["enum"][0] if "enum" in schema else schema["const"]


def write_completion(request: Request, content: str | None) -> dict[str, Any]:
    """The API's answer around what the model says; None: it gives no choice at all."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": request["model"],
        "choices": [] if content is None else [choice],
        "usage": {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366},
    }


def _say(request: Request, content: str | None) -> Reply:
    return Reply(200, json.dumps(write_completion(request, content)).encode())


def _good(server: FakeMistral, request: Request) -> Reply:
    server.await_crowd()
    if "input" in request:
        return Reply(200, json.dumps(write_embeddings(request, server.embed or count_words)).encode())
    return _say(request, server.fill_answer(request))


def _slow(server: FakeMistral, request: Request) -> Reply:
    server.wait_long()
    return _good(server, request)


def _throttled(server: FakeMistral, _: Request) -> Reply:
    headers = {"Retry-After": server.retry_after} if server.retry_after else {}
    return Reply(429, b'{"code": "1300", "type": "rate_limited"}', headers)


def _down(_: FakeMistral, request: Request) -> Reply:
    return Reply(500, json.dumps({"error": "internal", "request": request}).encode())


def _truncated(server: FakeMistral, request: Request) -> Reply:
    body = _good(server, request).body
    return Reply(200, body[: len(body) // 2])


def _cut_off(server: FakeMistral, request: Request) -> Reply:
    body = _good(server, request).body
    return Reply(200, body[: len(body) // 2], promised=len(body))


def _retired(_: FakeMistral, request: Request) -> Reply:
    told = {"object": "error", "message": f"Invalid model: {request['model']}", "type": "invalid_model"}
    return Reply(400, json.dumps({**told, "param": None, "code": "1500"}).encode())


def _unknown(_: FakeMistral, request: Request) -> Reply:
    told = {"message": f"The model `{request['model']}` does not exist.", "type": "NotFoundError", "code": 404}
    return Reply(404, json.dumps({"error": told}).encode())


REPLIES: dict[Mode, Callable[[FakeMistral, Request], Reply]] = {
    Mode.GOOD: _good,
    Mode.SLOW: _slow,
    Mode.DRIPPING: lambda server, request: replace(_good(server, request), dripping=True),
    Mode.THROTTLED: _throttled,
    Mode.DOWN: _down,
    Mode.REFUSED: lambda _, __: Reply(401, b'{"detail": "Unauthorized"}'),
    Mode.MALFORMED: lambda _, request: Reply(200, f"<html>{request['messages'][-1]}".encode()),
    Mode.TRUNCATED: _truncated,
    Mode.CUT_OFF: _cut_off,
    Mode.BREAKING: lambda server, request: _say(request, server.content),
    Mode.HUGE: lambda _, request: _say(request, '{"reason": "' + "é" * 1_000_000),
    Mode.EMPTY: lambda _, request: _say(request, ""),
    Mode.CHOICELESS: lambda _, request: _say(request, None),
    Mode.RETIRED: _retired,
    Mode.UNKNOWN: _unknown,
    Mode.REJECTED: lambda _, request: Reply(422, json.dumps({"detail": [{"input": request}]}).encode()),
}


def _bind_handler(server: FakeMistral) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server asks for
            if self.path not in ("/v1/chat/completions", "/v1/embeddings"):
                return self.send_error(404)
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with contextlib.suppress(ConnectionError):  # the client may have given up
                self._send(server.reply_to(request, dict(self.headers)))
            return None

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(reply.promised or len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            for one in server.drip(reply.body) if reply.dripping else [reply.body]:
                self.wfile.write(one)

        def log_message(self, format: str, *args: object) -> None:
            """Be silent: the log would go between the lines of the tests."""

    return Handler


def follow_rules(rules: Mapping[str, str]) -> Callable[[Request], Fields]:
    """An `answer` that picks the category of the first word found in the mail, whatever its case."""

    def pick(request: Request) -> Fields:
        mail = str(request["messages"][-1]["content"]).lower()
        found = [category for word, category in rules.items() if word.lower() in mail]
        return {"category": found[0]} if found else {}

    return pick


def main() -> None:
    parser = argparse.ArgumentParser(description="A Mistral of our own, for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", type=Mode, default=Mode.GOOD, choices=list(Mode))
    parser.add_argument("--rule", action="append", default=[], metavar="WORD=CATEGORY")
    asked = parser.parse_args()
    rules = dict(rule.split("=", 1) for rule in asked.rule)
    with FakeMistral(mode=asked.mode, port=asked.port, answer=follow_rules(rules)) as server:
        print(server.url, flush=True)  # noqa: T201 - tells the parent process that the port is open
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()

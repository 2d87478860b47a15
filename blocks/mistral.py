"""The Mistral API, or a server of one's own that speaks it (vLLM, Ollama, llama.cpp)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr

from blocks.answers import Answer
from blocks.base import Checked, DeskBlock
from desk.errors import ConfigurationError, NetworkTrouble, ProtocolTrouble, SignInRefused, Throttled

if TYPE_CHECKING:
    from mistralai.client import Mistral

MISTRAL_URL = "https://api.mistral.ai"
NO_KEY = "none"  # with nothing the SDK sends what the environment holds as MISTRAL_API_KEY, to whatever server this is

# HTTP status → what it means; read from top to bottom, the first range that holds it decides
STATUSES: tuple[tuple[range, Answer], ...] = (
    (
        range(401, 402),
        Answer(SignInRefused, "does not take this key", "Put a valid API key in the Mistral block."),
    ),
    (
        range(403, 404),
        Answer(SignInRefused, "gives this key no access", "Check the key's workspace and plan."),
    ),
    (range(429, 430), Answer(Throttled, "asks for a pause")),
    (
        range(400, 500),
        Answer(ConfigurationError, "refuses the request", "Check model and server_url in the block."),
    ),
    (
        range(500, 600),
        Answer(NetworkTrouble, "is out of order", "Nothing to do: the local model judges meanwhile."),
    ),
)


class MistralApi(DeskBlock):
    """The model that sorts mails; without key and server the local model does it alone."""

    _block_type_name: ClassVar[str | None] = "Byreturn Mistral API"
    _block_type_slug: ClassVar[str | None] = "byreturn-mistral-api"
    _description: ClassVar[str | None] = "The model that sorts mails: Mistral's, or a server of one's own like it."

    api_key: SecretStr = Field(
        default=SecretStr(""),
        title="API key",
        description="From the Mistral console. Empty for a server of one's own.",
    )
    model: str = Field(
        default="mistral-small-2603",
        title="Model",
        min_length=1,
        description="A dated name keeps its judgement; names ending in -latest change overnight.",
    )
    server_url: str = Field(
        default="",
        title="Server URL",
        pattern=r"^(https?://[^\s@]+)?$",
        description="Empty: Mistral's own. Else the server's URL without /v1, e.g. http://127.0.0.1:11434.",
    )
    timeout_seconds: float = Field(
        default=20,
        title="Time-out in seconds",
        gt=0,
        le=300,
        description="Then the local model judges instead.",
    )

    @property
    def enabled(self) -> bool:
        return bool(self.api_key.get_secret_value() or self.server_url)

    @property
    def place(self) -> str:
        return self.server_url or MISTRAL_URL

    def open_client(self) -> Mistral:
        """A client without retries of its own: the caller reads Retry-After. Use it in a `with`."""
        from mistralai.client import Mistral  # slow to import, and every Prefect process loads the blocks

        return Mistral(
            api_key=self.api_key.get_secret_value() or NO_KEY,
            server_url=self.place,
            timeout_ms=round(self.timeout_seconds * 1000),
        )

    def check(self) -> Checked:
        """Ask the model for one word. Raises ConnectionTrouble or ConfigurationError."""
        if not self.enabled:
            return Checked(True, "off: neither key nor server; the local model judges alone")
        self._ask_word()
        return Checked(True, f"{self.place} answers with {self.model}")

    def _ask_word(self) -> None:
        import httpx2
        from mistralai.client.errors import MistralError

        try:
            with self.open_client() as client:
                client.chat.complete(model=self.model, messages=[{"role": "user", "content": "ping"}], max_tokens=1)
        except MistralError as failure:
            raise read_status(failure.status_code).raised_at(self.place) from None
        except httpx2.TimeoutException:
            raise NetworkTrouble(f"{self.place} did not answer in time") from None
        except httpx2.TransportError:
            raise NetworkTrouble(f"{self.place} is out of reach") from None


def read_status(status: int) -> Answer:
    """What an HTTP status of the API means; 2xx comes here only when its body is not a chat answer."""
    known = (answer for statuses, answer in STATUSES if status in statuses)
    return next(known, Answer(ProtocolTrouble, "gave an answer that is no chat completion"))

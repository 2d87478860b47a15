"""A mailbox of ours, read over IMAP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar, Literal, Self

from imapclient import IMAPClient, SocketTimeout
from pydantic import Field, model_validator

from blocks.answers import translate_opening, translate_talk
from blocks.base import Checked, DeskBlock
from blocks.credentials import Credentials
from blocks.folders import DRAFTS_FLAG, find_flagged, find_sent
from blocks.presets import (
    IMAP_PORTS,
    IMAP_PRESETS,
    Endpoint,
    Provider,
    Security,
    fill_endpoint,
    make_context,
)
from blocks.wires import Opened, WireClient
from desk.errors import BlockError, ConfigurationError

CONNECT_SECONDS = 10.0


class ImapMailbox(DeskBlock):
    """A mailbox to bring support mail in from."""

    _block_type_name: ClassVar[str | None] = "Byreturn mailbox"
    _block_type_slug: ClassVar[str | None] = "byreturn-imap-mailbox"
    _description: ClassVar[str | None] = "A mailbox to bring support mail in from, over IMAP."

    address: str = Field(
        title="Address",
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="The mailbox's own address; mail from it is our own.",
    )
    provider: Provider = Field(
        default="custom",
        title="Provider",
        description="Fills in host, port and security where they are left empty.",
    )
    credentials: Credentials = Field(title="Credentials", description="Who signs in.")
    host: str = Field(
        default="",
        title="Host",
        pattern=r"^[^@\s/]*$",
        description="Empty: the provider's. Needed for custom.",
    )
    port: int = Field(default=0, title="Port", ge=0, le=65535, description="0: the usual one.")
    security: Security = Field(
        default="auto",
        title="Security",
        description="auto: the provider's. none is taken for servers on this machine only.",
    )
    folders: list[str] = Field(
        default=["INBOX"], title="Folders", min_length=1, description="Folders to bring mail in from."
    )
    drafts_folder: str = Field(
        default="Drafts",
        title="Drafts folder",
        description="As the server names it; missing there, the one it flags as such. Empty: no drafts.",
    )
    sent_folder: str = Field(
        default="", title="Sent folder", description="Empty: the one that the server flags as such, else by its name."
    )
    interval_minutes: int = Field(
        default=5, title="Interval in minutes", ge=2, description="Least time between two visits; 2 or more."
    )
    enabled: bool = Field(default=True, title="Enabled", description="Off: the mailbox is left alone.")
    after_intake: Literal["keep", "mark_seen", "flag", "move"] = Field(
        default="keep",
        title="After intake",
        description="What happens to a mail in the mailbox once it is kept.",
    )
    after_intake_folder: str = Field(
        default="", title="After-intake folder", description="Needed when mails are moved after intake."
    )
    visit_minutes: int = Field(
        default=20,
        title="Longest visit in minutes",
        ge=1,
        le=240,
        description="Then the visit ends, what came stays, and the next one goes on.",
    )
    timeout_seconds: float = Field(
        default=30, title="Time-out in seconds", gt=0, le=600, description="For each answer of the server."
    )

    @model_validator(mode="after")
    def fill_gaps(self) -> Self:
        """Complete the endpoint from the preset; raises BlockError with a remedy."""
        given = Endpoint(self.host, self.port, self.security)
        endpoint = fill_endpoint(given, IMAP_PRESETS[self.provider], IMAP_PORTS)
        self.host, self.port, self.security = endpoint.host, endpoint.port, endpoint.security
        if self.after_intake == "move" and not self.after_intake_folder:
            raise BlockError(
                "after_intake_folder is empty", remedy="Name the folder that mails are moved to after intake."
            )
        return self

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def needed_folders(self) -> tuple[str, ...]:
        """Every folder the desk reads or writes, each once."""
        extra = [self.after_intake_folder] if self.after_intake == "move" else []
        named = [*self.folders, self.drafts_folder, self.sent_folder, *extra]
        return tuple(dict.fromkeys(name for name in named if name))

    def pick_drafts(self, client: IMAPClient) -> str:
        """Where drafts lie: the folder named, or where that is missing the server's own; it may have to be made."""
        if not self.drafts_folder or client.folder_exists(self.drafts_folder):
            return self.drafts_folder
        return next(iter(find_flagged(client, DRAFTS_FLAG)), self.drafts_folder)

    def list_sent(self, client: IMAPClient) -> tuple[str, ...]:
        """Where sent mail lies, the first one for what we lay there; empty when nothing tells."""
        return (self.sent_folder,) if self.sent_folder else tuple(find_sent(client))

    @contextmanager
    def connect(self, opened: Opened = lambda _wire: None) -> Iterator[IMAPClient]:
        """A signed-in client, logged out at the end; for one thread. `opened` is shown its socket before it speaks.

        Inside and out, errors of imaplib, ssl and sockets become SignInRefused, Throttled, NetworkTrouble,
        ProtocolTrouble or ConfigurationError, which name host and port and nothing else.
        """
        client = self._open_client(opened)
        try:
            with translate_talk(self.place, self.credentials.refusal):
                self._sign_in(client)
            with translate_talk(self.place):
                yield client
        except BaseException:
            hang_up(client)
            raise
        say_goodbye(client)

    def check(self) -> Checked:
        """Sign in and look into every needed folder with EXAMINE: nothing is touched (RFC 9051 §6.3.3).

        Raises as `connect` does, and ConfigurationError naming the folders that are missing.
        """
        with self.connect() as client:
            needed = [self.pick_drafts(client) if one == self.drafts_folder else one for one in self.needed_folders]
            missing = [name for name in needed if not client.folder_exists(name)]
            if missing:
                raise ConfigurationError(
                    f"{self.place} has no folder {', '.join(missing)}",
                    remedy="Create it in the mailbox or correct its name in the block.",
                )
            counts = [f"{name}: {count_mails(client, name)}" for name in needed]
        return Checked(True, f"{self.place} lets us in; mails in {', '.join(counts)}")

    def _open_client(self, opened: Opened) -> IMAPClient:
        timeout = SocketTimeout(connect=min(CONNECT_SECONDS, self.timeout_seconds), read=self.timeout_seconds)
        encrypted = self.security == "tls"
        context = make_context() if encrypted else None
        with translate_opening(self.place):
            client = WireClient(opened, self.host, self.port, ssl=encrypted, ssl_context=context, timeout=timeout)
        client._imap.debug = 0  # IMAPClient sets 5: imaplib then reprs every literal for a log nobody reads
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 44 ms a literal
        return client

    def _sign_in(self, client: IMAPClient) -> None:
        if self.security == "starttls":
            client.starttls(make_context())  # raises when it is not offered: no way back to plain text
        self.credentials.enter_imap(client)


def count_mails(client: IMAPClient, folder: str) -> int:
    return int(client.select_folder(folder, readonly=True)[b"EXISTS"])


def hang_up(client: IMAPClient) -> None:
    """Drop the connection without a word: after a failure a LOGOUT could wait for the time-out again."""
    with suppress(Exception):
        client.shutdown()


def say_goodbye(client: IMAPClient) -> None:
    """LOGOUT, and never an error: the work is done."""
    try:
        client.logout()
    except Exception:  # noqa: BLE001 - whatever it is, it is too late to matter
        hang_up(client)

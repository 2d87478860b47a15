"""The server our letters go out through."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar, Self

from pydantic import Field, model_validator

from blocks.answers import REFUSED, read_answer, translate_opening, translate_talk
from blocks.base import Checked, DeskBlock
from blocks.carrier import Carrier, read_limit
from blocks.credentials import Credentials
from blocks.presets import (
    SMTP_PORTS,
    SMTP_PRESETS,
    Endpoint,
    Provider,
    Security,
    fill_endpoint,
    make_context,
)


class SmtpServer(DeskBlock):
    """A server that takes our letters for sending (RFC 6409)."""

    _block_type_name: ClassVar[str | None] = "Byreturn SMTP server"
    _block_type_slug: ClassVar[str | None] = "byreturn-smtp-server"
    _description: ClassVar[str | None] = "The server that letters, digests and alarms go out through."

    sender: str = Field(
        title="Sender",
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Envelope sender of our letters, e.g. support@atelier.example; bounces come back to it.",
    )
    provider: Provider = Field(
        default="custom",
        title="Provider",
        description="Fills in host, port and security where they are left empty.",
    )
    credentials: Credentials | None = Field(
        default=None, title="Credentials", description="Who signs in; empty for a relay that asks nobody."
    )
    host: str = Field(
        default="",
        title="Host",
        pattern=r"^[^@\s/]*$",
        description="Empty: the provider's. Needed for custom.",
    )
    port: int = Field(default=0, title="Port", ge=0, le=65535, description="0: 587 for starttls, 465 for tls.")
    security: Security = Field(
        default="auto",
        title="Security",
        description="auto: the provider's. none is taken for servers on this machine only.",
    )
    timeout_seconds: float = Field(
        default=30, title="Time-out in seconds", gt=0, le=600, description="For each answer of the server."
    )

    @model_validator(mode="after")
    def fill_gaps(self) -> Self:
        """Complete the endpoint from the preset; raises BlockError with a remedy."""
        given = Endpoint(self.host, self.port, self.security)
        endpoint = fill_endpoint(given, SMTP_PRESETS[self.provider], SMTP_PORTS)
        self.host, self.port, self.security = endpoint.host, endpoint.port, endpoint.security
        return self

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @contextmanager
    def connect(self) -> Iterator[smtplib.SMTP]:
        """A signed-in client after EHLO; for one thread.

        Connecting and signing in raise SignInRefused, Throttled, NetworkTrouble, ProtocolTrouble or
        ConfigurationError. What the caller then does with the client raises smtplib's own errors.
        """
        client = self._enter()
        try:
            yield client
        except BaseException:
            client.close()
            raise
        with suppress(smtplib.SMTPException, OSError):
            client.quit()
        client.close()

    @contextmanager
    def open_carrier(self, *, pipelining: bool = True) -> Iterator[Carrier]:
        """A carrier of letters over one signed-in connection; `pipelining` only where the server offers it.

        Raises as `connect` does.
        """
        carrier = Carrier(self._enter, self.place, pipelining=pipelining)
        try:
            yield carrier
        except BaseException:
            carrier.close()
            raise
        carrier.quit()

    def check(self) -> Checked:
        """EHLO, sign-in and NOOP; nothing is sent. Raises as `connect` does."""
        with self.connect() as client, translate_talk(self.place):
            code, said = client.noop()
            if code != 250:
                raise read_answer(f"{code} {said.decode(errors='replace')}").raised_at(self.place)
            limit = read_limit(client)
        size = f"letters up to {limit} bytes" if limit else "letters of any size"
        return Checked(True, f"{self.place} lets us in and takes {size}")

    def _enter(self) -> smtplib.SMTP:
        with translate_opening(self.place):
            client = self._open_client()
        try:
            with translate_talk(self.place, self.credentials.refusal if self.credentials else REFUSED):
                self._sign_in(client)
        except BaseException:
            client.close()
            raise
        return client

    def _open_client(self) -> smtplib.SMTP:
        timeout = self.timeout_seconds
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=make_context())
        return smtplib.SMTP(self.host, self.port, timeout=timeout)

    def _sign_in(self, client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        if self.security == "starttls":
            client.starttls(context=make_context())  # raises when not offered: no way back to plain text
            client.ehlo()
        if self.credentials:
            self.credentials.enter_smtp(client)

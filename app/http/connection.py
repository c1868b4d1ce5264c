"""
One client's connection: waitress's, with this service's limits, deadlines and error documents.

waitress reads it without a thread, and hands each request to one when all of it has arrived.
"""

import json
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import build_http_date

from app.http.request_parser import RequestParser
from app.security.logs import log

LARGEST_HEAD = 65536
MOST_DISCARDED = 16 * 1024 * 1024  # a larger body is refused before the client has sent it
SILENCE = 10  # seconds without a byte in either direction
WHOLE_REQUEST = 30  # seconds from a request's first byte to its last
DETAILS = {
    400: "This is not a valid HTTP request.",
    414: "The address is too long.",
    431: "The headers are too many or too long.",
    500: "Something went wrong on our side. Please try again.",
    501: "A body can be sent with a Content-Length or in chunks, in no other encoding.",
}


class Answering(Task):  # type: ignore[misc]
    """Writes the head of an answer: names as they are given, a connection closed only if needed."""

    close_on_finish: bool

    def build_response_header(self) -> bytes:
        """Return the head. Without a length the body goes in chunks, or ends the connection."""
        headers = [each for each in self.response_headers if self.has_body or not _is_length(each)]
        if self.has_body and not any(map(_is_length, headers)):
            headers += self._frame()
        if self.close_on_finish or self.request.connection_close or self.channel.server.is_stopping:
            self.close_on_finish = True
            headers.append(("Connection", "close"))
        elif self.version == "1.0":
            headers.append(("Connection", "keep-alive"))
        if not any(name.lower() == "date" for name, _ in headers):
            headers.append(("Date", build_http_date(self.start_time)))
        lines = [f"HTTP/{self.version} {self.status}", *map(": ".join, headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def set_close_on_finish(self) -> None:
        """Close after this answer."""
        self.close_on_finish = True

    def _frame(self) -> list[tuple[str, str]]:
        """Return the header that says where the body ends, if closing does not."""
        if self.content_length is not None:
            return [("Content-Length", str(self.content_length))]
        self.chunked_response = self.version == "1.1"
        self.close_on_finish |= not self.chunked_response
        return [("Transfer-Encoding", "chunked")] if self.chunked_response else []


def _is_length(header: tuple[str, str]) -> bool:
    return header[0].lower() == "content-length"


class ApplicationTask(Answering, WSGITask):  # type: ignore[misc]
    """A request for the application."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with the path as it was sent: `//v1` is not `/v1`."""
        environ: dict[str, Any] = super().get_environment()
        environ |= {"PATH_INFO": self.request.path, "SERVER_SOFTWARE": ""}
        return environ

    def execute(self) -> None:
        """Have the application answer; who may still be sending a body is given time to stop."""
        if self.request.is_cut_short:
            self.close_on_finish = self.channel.lingers = True
        super().execute()


class RefusalTask(Answering, ErrorTask):  # type: ignore[misc]
    """Refuses, as JSON:API, what the application never sees."""

    def execute(self) -> None:
        """Write the answer; the client may still be sending."""
        self.close_on_finish = self.channel.lingers = True
        status: int = self.request.error.code
        request_id = uuid4().hex
        body = json.dumps(refusal(status, request_id)).encode()
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.response_headers = [
            ("Content-Type", "application/vnd.api+json"),
            ("Content-Length", str(len(body))),
            ("X-Request-ID", request_id),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        self.write(body)
        log.info("request refused", request_id=request_id, status=status)


def refusal(status: int, request_id: str) -> dict[str, Any]:
    """Return the error document for *status*."""
    error = {
        "id": request_id,
        "status": str(status),
        "code": "internal" if status == 500 else "bad-parameter",
        "title": HTTPStatus(status).phrase,
        "detail": DETAILS[status],
    }
    return {"errors": [error], "jsonapi": {"version": "1.0"}}


class Connection(HTTPChannel):  # type: ignore[misc]
    """Closes itself when its client is too slow, and lingers where a refusal would be lost."""

    parser_class = RequestParser
    task_class = ApplicationTask
    error_task_class = RefusalTask
    close_when_flushed: bool
    lingers = False
    is_half_closed = False
    request_began = 0.0

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        """Start waiting for this connection."""
        super().add_channel(map)
        self.server.poller.touch(self)

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Stop waiting for this connection."""
        self.server.poller.drop(self._fileno)
        super().del_channel(map)

    def service(self) -> None:
        """Answer a request, in a thread."""
        self.server.poller.serving.connection = self
        super().service()

    def disconnect(self) -> None:
        """Have this connection closed by the main thread, in which this is called."""
        self.will_close = True
        self.server.poller.touch(self)

    def received(self, data: bytes) -> bool:
        """Take *data*, and note when a request begins."""
        before = self.request
        taken: bool = super().received(data)
        if self.request is not before:
            self.request_began = time.time()
        return taken

    def is_overdue(self, now: float, silence: float) -> bool:
        """Whether no request is being handled and the client is silent or takes too long."""
        if self.requests:
            return False
        is_late = self.request is not None and self.request_began < now - WHOLE_REQUEST
        return is_late or self.last_activity < now - silence

    def is_idle(self) -> bool:
        """Whether it is between two requests."""
        return not (self.requests or self.request or self.total_outbufs_len)

    def readable(self) -> bool:
        """Whether more is to be read; in the end only to be dropped."""
        return self.is_half_closed or super().readable()

    def handle_read(self) -> None:
        """Read; a client that still sends when its refusal is out would otherwise get a reset."""
        if not self.is_half_closed:
            super().handle_read()
            return
        with suppress(OSError):
            self.recv(65536)

    def handle_write(self) -> None:
        """Write; where the client may still be sending, close our direction first."""
        if self.lingers and self.close_when_flushed:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed, self.is_half_closed = False, True
                with suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_write()

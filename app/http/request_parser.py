"""
Reading requests: waitress's parser, but stricter.

What it would let through with two meanings is refused here: a length beside chunks, folded headers,
any transfer coding but `chunked`.
"""

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.utilities import BadRequest, RequestEntityTooLarge, RequestHeaderFieldsTooLarge

LONGEST_LINE = 8190  # bytes: the request line, and each header
MOST_HEADERS = 60
LARGEST_BODY = 1024 * 1024 + 1  # bytes kept: one more than any view takes, so that it can tell


class UriTooLong(BadRequest):  # type: ignore[misc]
    """The request line is longer than LONGEST_LINE."""

    code = 414


class BoundedBuffer(OverflowableBuffer):  # type: ignore[misc]
    """Keeps the first LARGEST_BODY bytes of a body; the rest is read and dropped."""

    def append(self, data: bytes) -> None:
        """Keep what of *data* still fits."""
        super().append(data[: max(0, LARGEST_BODY - len(self))])


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """waitress's parser, but stricter. The application decides which body is too large."""

    error: BadRequest | None
    is_cut_short = False  # the client may go on sending after the answer

    def received(self, data: bytes) -> int:
        """Take *data*; return how much of it belongs to this request."""
        consumed: int = super().received(data)
        if isinstance(self.error, RequestHeaderFieldsTooLarge):
            if b"\r\n" not in (self.header_plus + data)[: LONGEST_LINE + 2]:
                self.error = UriTooLong("")
        elif isinstance(self.error, RequestEntityTooLarge):
            self.error, self.is_cut_short, self.expect_continue = None, True, False
            self.headers["CONTENT_LENGTH"] = str(max(self.content_length, LARGEST_BODY))
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head. Raises ParsingError or TransferEncodingNotImplemented."""
        line, *rest = header_plus.split(b"\r\n")
        headers = [header for header in rest if header]
        if len(line) > LONGEST_LINE:
            self._refuse(UriTooLong(""))
        elif len(headers) > MOST_HEADERS or max(map(len, headers), default=0) > LONGEST_LINE:
            self._refuse(RequestHeaderFieldsTooLarge(""))
        else:
            _check_line(line)
            _check_headers(headers, is_old=line.endswith(b"1.0"))
            super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = BoundedBuffer(self.adj.inbuf_overflow)

    def _refuse(self, error: BadRequest) -> None:
        super().parse_header(b"GET / HTTP/1.0\r\n")  # sets what an answer needs
        self.error = error


def _check_line(line: bytes) -> None:
    if not line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
        raise ParsingError("Neither HTTP/1.1 nor HTTP/1.0")


def _check_headers(headers: list[bytes], *, is_old: bool) -> None:
    """Refuse headers from which two servers could read two different requests."""
    if any(header[:1] in b" \t" for header in headers):
        raise ParsingError("Folded header")
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in map(_split, headers)]
    lengths = [value for name, value in fields if name == b"content-length"]
    encodings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if lengths and encodings or is_old and encodings or any(len(each) > 18 for each in lengths):
        raise ParsingError("The length of the body is ambiguous")
    if encodings not in ([], [b"chunked"]):
        raise TransferEncodingNotImplemented("Transfer-Encoding")


def _split(header: bytes) -> tuple[bytes, bytes, bytes]:
    return header.partition(b":")

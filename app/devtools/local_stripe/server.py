"""The HTTP server: a thread per connection, keep-alive like Stripe's, a long backlog."""

import contextlib
import io
import socket
import threading

from werkzeug.sansio.utils import get_content_length
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

from .wire import misbehave

LONGEST_BODY = 1_000_000


class Handler(WSGIRequestHandler):
    """Reads the whole request before it is answered, so that the connection can be kept."""

    protocol_version = "HTTP/1.1"
    timeout = 75
    disable_nagle_algorithm = True

    def run_wsgi(self):
        environ = self.make_environ()
        length = get_content_length(environ.get("CONTENT_LENGTH")) or 0
        source = environ["wsgi.input"]
        if length > LONGEST_BODY:
            self.refuse(source, length)
            return
        is_chunked = environ.get("wsgi.input_terminated")
        environ["wsgi.input"] = io.BytesIO(source.read() if is_chunked else source.read(length))
        environ["local_stripe.faults"] = faults = []
        response = Response.from_app(self.server.app, environ, buffered=True)
        self.reply(response, faults)

    def refuse(self, source, length):
        """413, once the body is read: hanging up on a client that still sends loses the answer."""
        while length > 0 and (read := len(source.read(min(length, LONGEST_BODY)))):
            length -= read
        self.close_connection = True
        self.send_error(413)

    def reply(self, response, faults):
        body = b"" if self.command == "HEAD" else response.get_data()
        if faults:
            self.close_connection = True
            misbehave(self.connection, self.head(response) + body, faults[0])
        else:
            self.wfile.write(self.head(response) + body)

    def head(self, response):
        lines = [f"HTTP/1.1 {response.status}", f"Date: {self.date_time_string()}"]
        lines.append("Server: nginx")
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append("Connection: close" if self.close_connection else "Connection: keep-alive")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def log(self, *args):
        """Log nothing: requests are listed at /_control/requests."""


class Server(ThreadedWSGIServer):
    request_queue_size = 4096
    block_on_close = False

    def __init__(self, host, port, app):
        super().__init__(host, port, app, Handler)
        self._open = set()
        self._open_lock = threading.Lock()

    @property
    def url(self):
        host, port = self.server_address[:2]
        return f"http://{host}:{port}"

    def process_request(self, request, client_address):
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def stop(self):
        """Stop listening and close every connection, so that no thread is left waiting."""
        self.shutdown()
        self.server_close()
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

"""
A Stripe of two endpoints: grants every code, makes every payment intent, after a delay, and takes
nothing of the machine.

The local Stripe (`app.devtools.stripe_emulator`) keeps accounts and rules; with two processors it
would be measured together with the service. `POST /delay` with seconds as its body sets the delay.
"""

import asyncio
import json
from secrets import token_hex
from time import time
from urllib.parse import parse_qs


class TokenEndpoint:
    """Answers `POST /oauth/token` and `POST /v1/payment_intents`, one request per connection."""

    delay = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the connection's one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = (await reader.readexactly(_length(head))).decode()
        if head.startswith("POST /delay"):
            self.delay, answer = float(body), {}
        else:
            await asyncio.sleep(self.delay)
            form = {name: values[0] for name, values in parse_qs(body).items()}
            answer = _grant(form["code"]) if "code" in form else _intent(form)
        text = json.dumps(answer).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
        )
        await writer.drain()
        writer.close()


def _length(head: str) -> int:
    """Return the length of the body that *head* announces."""
    lines = (line.partition(":") for line in head.lower().split("\r\n"))
    return next(int(value) for name, _, value in lines if name == "content-length")


def _grant(code: str) -> dict[str, object]:
    account = code.removeprefix("ac_")
    return {
        "token_type": "bearer",
        "scope": "read_write",
        "livemode": False,
        "stripe_user_id": f"acct_{account}",
        "access_token": f"sk_test_{account}",
        "refresh_token": f"rt_{account}",
        "stripe_publishable_key": f"pk_test_{account}",
    }


def _intent(form: dict[str, str]) -> dict[str, object]:
    intent = f"pi_{token_hex(12)}"
    return {
        "id": intent,
        "object": "payment_intent",
        "amount": int(form["amount"]),
        "currency": form["currency"],
        "client_secret": f"{intent}_secret_{token_hex(12)}",
        "created": int(time()),
        "livemode": False,
        "metadata": {
            name[len("metadata[") : -1]: value
            for name, value in form.items()
            if name.startswith("metadata[")
        },
        "status": "requires_payment_method",
    }


async def main() -> None:
    """Serve on a free port, and print where."""
    server = await asyncio.start_server(TokenEndpoint().serve, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""Faults below HTTP: what is done to the socket instead of sending the answer.

Each takes the client's socket, the answer as bytes and the active fault, and leaves a connection
that is then closed. Lifting the fault ends whatever still waits.
"""

import contextlib
import os
import select
import socket
import struct
import time

POLL = 0.25


def go_silent(connection, message, fault):
    """Send nothing until the fault is lifted, the client gives up or `seconds` have passed."""
    deadline = time.monotonic() + fault.args["seconds"]
    while time.monotonic() < deadline and not fault.lifted.is_set():
        if is_gone(connection):
            return


def is_gone(connection):
    """Return whether the client has hung up, after waiting a moment for it."""
    readable, _, _ = select.select([connection], [], [], POLL)
    if not readable:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def reset(connection, message, fault):
    """RST: the client sees "connection reset by peer"."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def truncate(connection, message, fault):
    """Announce the whole length, send half of the body."""
    head, separator, body = message.partition(b"\r\n\r\n")
    connection.sendall(head + separator + body[: len(body) // 2])


def drip(connection, message, fault):
    """Send one byte at a time, headers too: a timeout per read never notices."""
    for position in range(len(message)):
        if fault.lifted.wait(fault.args["seconds"]):
            connection.sendall(message[position:])
            return
        connection.sendall(message[position : position + 1])


def pour_without_end(connection, message, fault):
    """Send a valid head without a length, then white space as long as the client reads."""
    head, separator, body = message.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    connection.sendall(b"\r\n".join(lines) + separator)
    while not fault.lifted.is_set():
        connection.sendall(b" " * 65536)


def misbehave(connection, message, fault):
    """Do what *fault* says; a client that hangs up meanwhile is no error."""
    with contextlib.suppress(OSError):
        fault.kind.wire(connection, message, fault)

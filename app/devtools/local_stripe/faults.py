"""Faults on demand: the kinds, and which is active on which path for how many requests."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from . import fault_answers as answers
from . import wire
from .calls import BY_SERVERS, CALLS, OF_THE_API
from .errors import ControlError

TOKEN = ("token",)
FOREVER = 86_400


@dataclass(frozen=True)
class Kind:
    """What a fault does.

    `commits`: the request is carried out first, so that a code is spent.
    `saves`: the answer is kept under the request's Idempotency-Key, as Stripe keeps its own 500s.
    `answer`: makes the answer, from the real one if there is one.
    `wire`: what happens on the socket instead of sending it.
    """

    meaning: str
    commits: bool = False
    answer: Callable | None = None
    wire: Callable | None = None
    on: tuple = BY_SERVERS
    saves: bool = False
    args: dict = field(default_factory=dict)


KINDS = {
    "slow": Kind("waits `seconds`, then answers as always", commits=True, args={"seconds": 2.0}),
    "hang": Kind(
        "reads the request, never answers", wire=wire.go_silent, args={"seconds": FOREVER}
    ),
    "timeout-after": Kind(
        "carries the request out, never answers",
        commits=True,
        wire=wire.go_silent,
        args={"seconds": FOREVER},
    ),
    "drip": Kind(
        "sends one byte every `seconds`", commits=True, wire=wire.drip, args={"seconds": 1.0}
    ),
    "500-before": Kind("`status`, nothing done", answer=answers.server_error, args={"status": 500}),
    "500-after": Kind(
        "`status` though all is done",
        commits=True,
        answer=answers.server_error,
        args={"status": 500},
    ),
    "500-saved-before": Kind(
        "`status`, nothing done, kept under the Idempotency-Key",
        answer=answers.server_error,
        on=OF_THE_API,
        saves=True,
        args={"status": 500},
    ),
    "500-saved-after": Kind(
        "`status` though all is done, kept under the Idempotency-Key",
        commits=True,
        answer=answers.server_error,
        on=OF_THE_API,
        saves=True,
        args={"status": 500},
    ),
    "429": Kind("too many requests", answer=answers.rate_limited, args={"status": 429}),
    "html": Kind("a gateway's HTML page", answer=answers.html, args={"status": 502}),
    "empty": Kind("no body at all", answer=answers.empty, args={"status": 200}),
    "truncated": Kind("closes in the middle of the body", commits=True, wire=wire.truncate),
    "cut-json": Kind("half of the JSON, well-formed HTTP", commits=True, answer=answers.cut_json),
    "no-description": Kind("an error without description", answer=answers.no_description),
    "error-object": Kind("`error` is an object", answer=answers.error_object),
    "unknown-error": Kind("an `error` nobody documented", answer=answers.unknown_error),
    "four-field": Kind("without deprecated fields", True, answers.four_fields, on=TOKEN),
    "wrong-types": Kind("fields of odd types", True, answers.wrong_types, on=TOKEN),
    "wrong-livemode": Kind("`livemode` of the other mode", True, answers.wrong_livemode, on=TOKEN),
    "wrong-scope": Kind("scope read_only", True, answers.wrong_scope, on=TOKEN),
    "no-account": Kind("without stripe_user_id", True, answers.no_account, on=TOKEN),
    "wrong-mode-publishable-key": Kind(
        "a publishable key of the other mode", True, answers.wrong_publishable_key, on=TOKEN
    ),
    "close-after-request": Kind("reads the request, resets the connection", wire=wire.reset),
    "close-after-commit": Kind("carries it out, resets the connection", True, wire=wire.reset),
    "flood": Kind("a body of `bytes`", True, answers.flood, args={"bytes": 1_000_000}),
    "endless": Kind("a body without end", True, wire=wire.pour_without_end),
    "redirect": Kind("sends the client elsewhere", answer=answers.redirect, args={"status": 307}),
    "deauthorize-500": Kind(
        "deauthorize fails", answer=answers.server_error, on=("deauthorize",), args={"status": 500}
    ),
    "account-500": Kind(
        "accounts fail", answer=answers.server_error, on=("accounts",), args={"status": 500}
    ),
    "account-403": Kind("every account is foreign", answer=answers.account_403, on=("accounts",)),
    "account-404": Kind("no account is there", answer=answers.account_404, on=("accounts",)),
    "account-deleted": Kind(
        "every account is deleted", answer=answers.account_deleted, on=("accounts",)
    ),
    "key-expired": Kind("401: the platform's key has expired", answer=answers.key_expired),
    "key-invalid": Kind("401: nobody has this key", answer=answers.key_invalid),
    "key-restricted": Kind(
        "403: the key may not do this", answer=answers.key_restricted, on=OF_THE_API
    ),
    "not-a-platform": Kind(
        "403: the key is no Connect platform's", answer=answers.not_a_platform, on=OF_THE_API
    ),
}


class Fault:
    """A fault that was asked for, with its arguments, until it is lifted."""

    def __init__(self, name, kind, args, commits, times):
        self.name = name
        self.kind = kind
        self.args = args
        self.commits = commits
        self.times = times
        self.lifted = threading.Event()

    @classmethod
    def read(cls, wanted):
        """Refuse unknown names and arguments of the wrong kind."""
        wanted = dict(wanted)
        name = wanted.pop("fault")
        if not isinstance(name, str) or name not in KINDS:
            raise ControlError(f"There is no fault {name!r}. Known: {', '.join(KINDS)}.")
        kind = KINDS[name]
        times = positive(wanted.pop("times", None), "times")
        commits = commitment(name, kind, wanted.pop("commit", kind.commits))
        unknown = set(wanted) - set(kind.args)
        if unknown:
            raise ControlError(f"{name} takes no {', '.join(sorted(unknown))}.")
        args = {key: number(wanted.get(key, value), key) for key, value in kind.args.items()}
        return cls(name, kind, args, commits, times)

    def pause(self):
        """Wait as long as the fault says, or until it is lifted."""
        if self.kind.wire is None and "seconds" in self.args:
            self.lifted.wait(self.args["seconds"])

    def as_dict(self):
        return {"fault": self.name, "commit": self.commits, "times": self.times, **self.args}


class Faults:
    """At most one active fault per path."""

    def __init__(self):
        self._lock = threading.Lock()
        self._active = {}
        self._exhausted = []

    def set(self, wanted):
        """Set a fault on the paths that `on` names; without it, it replaces every other."""
        wanted = dict(wanted)
        on = paths(wanted.pop("on", None))
        fault = Fault.read(wanted) if wanted.get("fault") is not None else None
        with self._lock:
            for path in on or CALLS:
                self._lift(path)
            while self._exhausted and on is None:
                self._exhausted.pop().lifted.set()
            if fault is not None:
                for path in on or fault.kind.on:
                    self._active[path] = fault

    def take(self, path):
        """Return the fault that applies to this request; the last of its `times` ends it."""
        with self._lock:
            fault = self._active.get(path)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._active = {p: f for p, f in self._active.items() if f is not fault}
                    self._exhausted.append(fault)
            return fault

    def _lift(self, path):
        fault = self._active.pop(path, None)
        if fault is not None and fault not in self._active.values():
            fault.lifted.set()

    def lift_all(self):
        self.set({"fault": None})

    def as_dict(self):
        with self._lock:
            return {path: fault.as_dict() for path, fault in self._active.items()}


def paths(on):
    if on is None:
        return None
    wanted = [on] if isinstance(on, str) else on
    if not isinstance(wanted, list) or not wanted or not all(each in CALLS for each in wanted):
        raise ControlError(f"on is one or several of {', '.join(CALLS)}.")
    return wanted


def positive(value, name):
    if value is None or (type(value) is int and value > 0):
        return value
    raise ControlError(f"{name} must be a whole number above 0.")


def number(value, name):
    lowest, highest = (200, 599) if name == "status" else (0, 10_000_000)
    if type(value) in (int, float) and lowest <= value <= highest:
        return value
    raise ControlError(f"{name} must be a number from {lowest} to {highest}.")


def commitment(name, kind, wanted):
    """
    Return whether the work is done first: a fault that leaves it undone may be told to; never the
    reverse.
    """
    if not isinstance(wanted, bool):
        raise ControlError("commit must be true or false.")
    if kind.commits and not wanted:
        raise ControlError(f"{name} always carries the request out.")
    return wanted

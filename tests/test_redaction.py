"""Text from outside, and our own log lines, tell no secrets and control no terminal."""

import sys
import time
import unicodedata

import pytest
import structlog

from app.security.redaction import mask_secret, plain_text, redact

TOKENS = [
    f"{kind}_{rest}"
    for kind in ("sk", "rk", "pk", "rt", "ac", "whsec")
    for rest in ("live_CANARY123", "test_CANARY123", "CANARY123", "CANARY_1-2.3/4+5=")
]
AROUND = [
    "{}",
    "'{}'",
    '"{}"',
    "({})",
    "key:{}",
    "code={}&state=x",
    "code%3D{}",
    "\\n{}",
    "_{}",
    "é{}",
]


def log_line(**event: object) -> dict[str, object]:
    return dict(redact(None, "info", event))


@pytest.mark.parametrize("token", TOKENS)
def test_every_secret_keeps_its_kind_alone(token):
    for around in [*AROUND, "x{}"]:
        text = plain_text("Before " + around.format(token) + " after")

        assert "CANARY" not in text
        assert token.split("_")[0] + "_…" in text
        assert text.startswith("Before ")
        assert text.endswith(" after")


def test_a_given_secret_is_hidden_whatever_it_looks_like():
    text = plain_text("No such thing: hunter2, hunter22!", hide=("hunter2", "hunter22", ""))

    assert text == "No such thing: …, …!"


def test_a_secret_is_hidden_even_if_controls_were_put_into_it():
    assert plain_text("ac_CA\x00NARY hun\u202eter2", hide=("hunter2",)) == "ac_… …"


def test_controls_are_removed():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    controls = "".join(
        c for c in every if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )

    assert plain_text(f"a{controls}b") == "ab"
    assert {"\n", "\x00", "\x1b", "\x9b", "\u202e", "\u2066", "\u2028", "\ud800"} <= set(controls)


def test_text_of_every_language_stays():
    assert plain_text("Fête, 日本語, Ελλάδα, 🎪 & <b>") == "Fête, 日本語, Ελλάδα, 🎪 & <b>"


def test_text_is_at_most_300_characters_and_cut_after_the_masking():
    assert plain_text("x" * 300) == "x" * 300
    assert plain_text("x" * 301) == "x" * 299 + "…"
    assert "CANA" not in plain_text("x" * 290 + " sk_live_CANARY")


class Odd:
    """An object whose text is of no use."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (7, "7"),
        (True, "True"),
        (["a", 1], "['a', 1]"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        pytest.param(10**5000, "", id="an endless number"),
        (Odd(), ""),
    ],
)
def test_what_is_no_string_becomes_one(value, text):
    assert plain_text(value) == text


@pytest.mark.parametrize("piece", ["sk_", "ac_", "xac_", "xac_a", "sk_live_", "whsec", "x_"])
def test_a_megabyte_takes_no_time(piece):
    text = piece * (1_000_000 // len(piece))
    start = time.perf_counter()
    plain_text(text, hide=("y",))
    log_line(event=text)

    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("token", TOKENS)
def test_a_log_line_tells_no_secret_however_deep_it_is(token):
    text = " ".join(around.format(token) for around in AROUND)
    line = log_line(
        event=text,
        nested={"list": [text, (text, {text}), {"key": {text: text}}]},
        data=text.encode(),
        error=ValueError(text),
    )

    assert "CANARY" not in repr(line)


def test_a_log_line_with_an_end_that_is_nowhere_is_told():
    ring: list[object] = ["sk_test_CANARY"]
    ring.append(ring)

    assert "CANARY" not in repr(log_line(event="ring", ring=ring))


def test_an_exception_is_told_without_secrets_and_at_full_length():
    try:
        raise ValueError("x" * 500 + " sk_live_CANARY") from KeyError("ac_CANARY")
    except ValueError as error:
        lines = [log_line(exc_info=info) for info in (True, error, sys.exc_info())]

    for line in lines:
        assert "exc_info" not in line
        assert "Traceback" in line["exception"]
        assert "x" * 500 + " sk_…" in line["exception"]
        assert "CANARY" not in line["exception"]


@pytest.mark.parametrize("info", [None, False, True, (None, None, None)])
def test_a_log_line_without_an_exception_has_none(info):
    assert log_line(event="fine", exc_info=info) == {"event": "fine"}


def test_what_is_no_secret_stays_as_it_is():
    event = {
        "event": "request",
        "path": "/v1/stripe-authorizations",
        "took_ms": 1.5,
        "status": 200,
        "ok": True,
        "nothing": None,
        "words": ["start_thread", "import_module", "risk_level", "task_id", "mac_address"],
        "nested": {"start_time": 3},
        "_record": object,
    }

    assert log_line(**event) == event


def test_an_object_that_cannot_be_told_does_not_stop_the_line():
    assert log_line(event="odd", odd=Odd()) == {"event": "odd", "odd": "<Odd>"}


def test_the_processor_works_in_structlog():
    output = structlog.testing.CapturingLogger()
    log = structlog.wrap_logger(
        output,
        processors=[redact, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.BoundLogger,
    )
    log.msg("linked", code="ac_CANARY", took_ms=3)

    assert output.calls[0].args == ('{"code": "ac_\\u2026", "took_ms": 3, "event": "linked"}',)


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        ("sk_live_FAKE0123456789a1B2", "sk_live_…a1B2"),
        ("sk_test_0123456789a1B2", "sk_test_…a1B2"),
        ("rk_live_FAKE0123456789a1B2", "rk_live_…a1B2"),
        ("rk_test_0123456789a1B2", "rk_test_…a1B2"),
        ("pk_live_0123456789a1B2", "pk_live_…a1B2"),
        ("pk_test_0123456789a1B2", "pk_test_…a1B2"),
        ("whsec_0123456789a1B2", "whsec_…a1B2"),
        ("ca_0123456789a1B2", "ca_…a1B2"),
        ("rt_0123456789a1B2", "rt_…a1B2"),
        ("ac_0123456789a1B2", "ac_…a1B2"),
        ("correct horse battery staple", "…aple"),
        ("sk_live", "…"),
        ("sk_live_1234567", "sk_live_…"),
        ("sk_live_12345678", "sk_live_…5678"),
        ("1234567", "…"),
        ("", "…"),
    ],
)
def test_a_mask_shows_the_kind_and_the_end_and_not_most_of_it(value, mask):
    assert mask_secret(value) == mask

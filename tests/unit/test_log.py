import io
import json
import logging

import pytest

from app.log import JsonFormatter, Redactor, TextFormatter, redact

TOKEN = "I0.b2F1dGgyLmNkYy5zY2h3YWIuY29t.abcDEF123_-abcDEF123_-abcDEF123_-abcDEF123_a@"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {TOKEN}",
        f'{{"access_token": "{TOKEN}"}}',
        f"{{'refresh_token': '{TOKEN}'}}",
        f"GET /?code={TOKEN.replace('I0', 'C0').replace('@', '%40')}&session=1",
        f"token was {TOKEN}",
        "Authorization: Basic a2V5OnNlY3JldC1jYW5hcnk=",
        "client_secret=canary-secret&x=1",
        "GET /share/gexs_abcDEF123_-abcDEF123_-abcDEF123_-abcDEF123_",
        "Bearer gex_abcDEF123_-abcDEF123_-abcDEF123_-abcDEF123_",
    ],
)
def test_whatever_looks_like_a_secret_is_taken_out(line: str) -> None:
    shown = Redactor()(line)
    for secret in ("abcDEF123", "a2V5OnNlY3JldC1jYW5hcnk", "canary-secret"):
        assert secret not in shown


def test_a_known_secret_is_taken_out_anywhere() -> None:
    redactor = Redactor()
    redactor.learn("0123456789abcdef")
    assert "0123456789abcdef" not in redactor("x0123456789abcdefy")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_no_handler_prints_a_secret_from_message_field_or_traceback(formatter: logging.Formatter) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger = logging.Logger("canary")
    logger.addHandler(handler)
    try:
        raise RuntimeError(f"failed with Bearer {TOKEN}")
    except RuntimeError:
        logger.exception("login %s failed", TOKEN, extra={"url": f"https://x/?code={TOKEN}"})
    assert "abcDEF123" not in out.getvalue()
    assert "failed" in out.getvalue()


def test_json_lines_are_json() -> None:
    record = logging.LogRecord("feed", logging.WARNING, "", 0, "cut %s", ("off",), None)
    record.__dict__["symbol"] = "SPX"
    line = json.loads(JsonFormatter().format(record))
    assert (line["message"], line["symbol"], line["level"]) == ("cut off", "SPX", "warning")


def test_the_shared_redactor_is_one() -> None:
    redact.learn("very-secret-value")
    assert "very-secret-value" not in TextFormatter().format(
        logging.LogRecord("a", logging.INFO, "", 0, "very-secret-value", (), None)
    )

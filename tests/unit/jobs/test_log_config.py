"""Log lines whose fields are the words of a hostile page."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobs.log_config import LogFormat, configure_logging

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07\u009b31m\u202eevil\u2066\r\n2026-01-01 00:00:00 [info] FAKE\n"
)


@contextmanager
def configured(log_format: LogFormat, password: str = "") -> Iterator[None]:
    """Configure logging within a block."""
    root = logging.getLogger()
    before = root.handlers, root.level, sys.excepthook

    def redact(line: str) -> str:
        return line.replace(password, "***") if password else line

    configure_logging(log_format, "INFO", redact)
    try:
        yield
    finally:
        root.handlers, root.level, sys.excepthook = before
        logging.captureWarnings(capture=False)


def log(kind: str) -> None:
    """Log one line of a kind with hostile words in it."""
    logger = logging.getLogger("test")
    try:
        raise ValueError(HOSTILE)  # noqa: TRY301
    except ValueError:
        match kind:
            case "message":
                logger.info("it says %s", HOSTILE)
            case "field":
                logger.info("job failed", extra={"error": HOSTILE})
            case "list":
                logger.info("job failed", extra={"error": [HOSTILE]})
            case "name":
                logger.info("job failed", extra={HOSTILE: 1})
            case "traceback":
                logger.exception("job failed")


KINDS = ["message", "field", "list", "name", "traceback"]


class TestText:
    @pytest.mark.parametrize("kind", KINDS)
    def test_has_nothing_that_a_terminal_interprets(
        self, kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with configured("text"):
            log(kind)

        text = capsys.readouterr().err
        assert "FAKE" in text
        assert all(character.isprintable() for character in text.replace("\n", ""))

    @pytest.mark.parametrize("kind", KINDS)
    def test_has_no_line_that_a_page_has_forged(
        self, kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with configured("text"):
            log(kind)

        _, *others = capsys.readouterr().err.splitlines()
        assert all(line.startswith("  | ") for line in others)
        assert bool(others) is (kind == "traceback")


class TestJson:
    @pytest.mark.parametrize("kind", KINDS)
    def test_is_one_line_of_ascii(self, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
        with configured("json"):
            log(kind)

        [line] = capsys.readouterr().err.splitlines()
        assert line.isascii()
        assert json.loads(line)["level"]


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("kind", ["message", "field", "traceback"])
class TestRedaction:
    def test_hides_secrets_in_every_part_of_a_line(
        self, log_format: LogFormat, kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with configured(log_format, "FAKE"):
            log(kind)

        assert "FAKE" not in capsys.readouterr().err

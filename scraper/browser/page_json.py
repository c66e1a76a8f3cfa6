"""JSON of a page that its elements do not contain: in a variable, and in what scripts receive."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from scraper.browser.isolated_world import (
    ScriptError,
    SelectorError,
    SendCommand,
    SizeError,
)
from scraper.browser.network_log import NetworkLog
from scraper.errors import MAX_QUOTE, PageTooLarge

# A page's variables are not in the isolated world. In the page's own, only syntax is safe: whatever
# `JSON.stringify` is there, the result is a string of limited length, or tells why not. The arrow
# function is compiled outside, so no name of this one hides the variable.
_READ_VARIABLE: Final = """(read, maxLength) => {
  let value;
  try {
    value = read();
  } catch {
    return null;
  }
  try {
    const text = JSON.stringify(value);
    if (typeof text !== "string") return null;
    return text.length > maxLength ? text.length : text;
  } catch {
    return false;
  }
}"""


class UnreadableBodyError(Exception):
    """Chrome does not have the body of an answer, or not any more."""


def read_variable(send: SendCommand, name: str, max_length: int, timeout_s: float) -> str | None:
    """Return a global variable of a page as JSON; None if it does not exist.

    Args:
        send: Sends a DevTools command to the page.
        name: The variable's name, with dots: `state.list`.
        max_length: How many characters the JSON may have.
        timeout_s: How long it may take.

    Raises:
        SizeError: It has more characters.
        ScriptError: It cannot be written as JSON.
        SelectorError: The browser rejects its name.
        ScriptTimeoutError: It has not ended in time.
        NoContextError: The document has just been replaced.
    """
    optional = name.replace(".", "?.")
    expression = f"({_READ_VARIABLE})(() => {optional}, {max_length})"
    parameters = {"expression": expression, "returnByValue": True, "timeout": timeout_s * 1000}
    result = send("Runtime.evaluate", parameters)
    if fault := result.get("exceptionDetails"):  # it has caught all others
        reason = str(fault.get("exception", {}).get("description") or fault["text"])
        raise SelectorError(("items", "json"), reason[:MAX_QUOTE])
    value = result["result"].get("value")
    if isinstance(value, bool):
        message = f"window.{name} cannot be written as JSON"
        raise ScriptError(message)
    if isinstance(value, int):
        raise SizeError(PageTooLarge.Reason.BYTES)
    return value if isinstance(value, str) else None


class AnswerBodies:
    """The bodies of a page's answers, each of which is read once."""

    def __init__(self, network: NetworkLog, read_body: Callable[[str], dict[str, Any]]) -> None:
        """Start without any.

        Args:
            network: Knows the answers.
            read_body: Returns Chrome's body of an answer (Network.getResponseBody) by its id, or
                raises UnreadableBodyError.
        """
        self._network = network
        self._read_body = read_body
        self._texts: dict[str, str] = {}

    def read(self, max_length: int) -> tuple[list[str], str]:
        """Return the texts of all answers that have not failed, and why some are missing.

        Args:
            max_length: How many bytes they may have together.

        Raises:
            SizeError: They have more.
        """
        answers = [answer for answer in self._network.answers if answer.failure is None]
        if sum(answer.size for answer in answers) > max_length:
            raise SizeError(PageTooLarge.Reason.BYTES)
        self._texts = {a.id: self._texts[a.id] for a in answers if a.id in self._texts}
        fault = "too many answers" if self._network.has_too_many_answers else ""
        for answer in answers:
            if answer.id not in self._texts:
                try:
                    self._texts[answer.id] = _decode(self._read_body(answer.id))
                except UnreadableBodyError:
                    fault = f"ERR_NO_BODY {urlsplit(answer.request.url).path}"
        return [self._texts[answer.id] for answer in answers if answer.id in self._texts], fault


def _decode(response: dict[str, Any]) -> str:
    body = str(response["body"])
    if not response["base64Encoded"]:
        return body
    try:
        return base64.b64decode(body).decode(errors="replace")
    except binascii.Error as error:
        raise UnreadableBodyError from error

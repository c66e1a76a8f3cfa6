"""Scripts in a JavaScript world of their own, which the page's scripts cannot reach.

Chrome gives every extension such a world: it shares the document, and nothing else. Whatever a page
has redefined (`JSON`, `Array.prototype.map`, `document.querySelector`) is intact there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from scraper.errors import MAX_QUOTE, PageTooLarge

_SCRIPTS: Final = Path(__file__).with_name("js")
_NAME: Final = "garimpo"

#: Sends a DevTools command with its parameters; returns its result. Raises ScriptTimeoutError or
#: NoContextError.
SendCommand = Callable[[str, dict[str, Any]], dict[str, Any]]


class ScriptError(Exception):
    """A script has thrown an error; the text is the first line of the error's."""


class SizeError(Exception):
    """A page has more than is read of one.

    Attributes:
        reason: What it exceeds.
    """

    def __init__(self, reason: PageTooLarge.Reason) -> None:
        self.reason = reason
        super().__init__(reason)


class ScriptTimeoutError(Exception):
    """A script has exceeded its time limit and was ended."""


class NoContextError(Exception):
    """The document that a script was to run in has been replaced."""


class SelectorError(Exception):
    """The browser rejects a selector, a regular expression, or another value of the recipe.

    Attributes:
        keys: The path of the key at fault in the script's argument.
        reason: The browser's own words.
    """

    def __init__(self, keys: tuple[str, ...], reason: str) -> None:
        self.keys = keys
        self.reason = reason
        super().__init__(f"{'.'.join(keys)}: {reason}")


def load_function(*names: str) -> str:
    """Return the source of a function: the last file; the others hold what it uses."""
    *shared, function = ((_SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in names)
    definitions = "\n".join(shared)
    # A file's comment comes before its function.
    return f"{definitions}\nconst run =\n{function.strip().removesuffix(';')};"


class IsolatedWorld:
    """The world of one frame; a new document gets a new one."""

    def __init__(self, send_command: SendCommand, frame: str) -> None:
        """Start without a world.

        Args:
            send_command: Sends a DevTools command to the frame's target.
            frame: The frame's id.
        """
        self._send_command = send_command
        self._frame = frame
        self._context = 0
        # Tells the world from another one with the same number, after a change of process.
        self._mark = ""

    def run(self, function: str, argument: Any, timeout_s: float) -> Any:
        """Call a function of `load_function` and return its value.

        Args:
            function: Its source.
            argument: Its argument: plain data.
            timeout_s: How long it may run; a page that is busy delays its start.

        Raises:
            SelectorError: The function rejects a selector or regular expression of the argument.
            SizeError: The page has more than the argument allows.
            ScriptTimeoutError: It has not ended in time.
            NoContextError: The document has just been replaced.
            ScriptError: It has thrown another error.
        """
        body = (
            f"{function}\n"
            f"try {{ return {{ value: run({json.dumps(argument)}) }}; }} catch (error) {{\n"
            "if (error instanceof SizeFault) return { bound: error.bound };\n"
            "if (!(error instanceof RecipeFault)) throw error;\n"
            "return { keys: error.keys, reason: error.message }; }"
        )
        returned = self._evaluate(body, timeout_s) if self._mark else None
        if returned is None:
            self._create()
            returned = self._evaluate(body, timeout_s)
        if returned is None:
            raise NoContextError  # replaced again
        if "bound" in returned:
            raise SizeError(PageTooLarge.Reason(returned["bound"]))
        if "keys" in returned:
            raise SelectorError(tuple(returned["keys"]), returned["reason"])
        return returned["value"]

    def _create(self) -> None:
        created = self._send_command(
            "Page.createIsolatedWorld", {"frameId": self._frame, "worldName": _NAME}
        )
        self._context = created["executionContextId"]
        self._mark = uuid4().hex
        self._send(f"globalThis.garimpo = {json.dumps(self._mark)}", 1.0)

    def _evaluate(self, body: str, timeout_s: float) -> dict[str, Any] | None:
        """Return the object that the body returns; None if the world is gone."""
        guard = f"if (globalThis.garimpo !== {json.dumps(self._mark)}) return null;"
        value: dict[str, Any] | None = self._send(f"(() => {{ {guard}\n{body} }})()", timeout_s)
        return value

    def _send(self, expression: str, timeout_s: float) -> Any:
        parameters = {
            "expression": expression,
            "contextId": self._context,
            "returnByValue": True,
            "timeout": timeout_s * 1000,
        }
        try:
            result = self._send_command("Runtime.evaluate", parameters)
        except NoContextError:
            return None
        if fault := result.get("exceptionDetails"):
            error = fault.get("exception", {})
            description = str(error.get("description") or fault["text"])
            raise ScriptError(description.partition("\n")[0][:MAX_QUOTE])
        return result["result"].get("value")

"""Keeps spreadsheets from taking a text of CSV for a formula (CSV injection)."""

import re
from typing import Any, Final

from api.formats.table import SEPARATORS

# OWASP's list, with the full-width forms that Japanese spreadsheets take for the same.
_SIGN: Final = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
# A formula with a minus needs more than a number; a page shows a lone minus for "nothing".
_HARMLESS: Final = re.compile(r"-(\d+([.,]\d+)*%?)?")


class FormulaEscaper:
    """Puts an apostrophe where a text could begin a formula, so that it stays a text.

    That is at the text's beginning, and within it behind whatever might be taken for a cell's
    end: a line break, and a separator other than the file's own. An Excel that is set to another
    separator does not see the quotes around a text (https://owasp.org/www-community/attacks/CSV_Injection).
    """

    def __init__(self, separator: str) -> None:
        others = "".join(set(SEPARATORS.values()) - {separator})
        self._beginning = re.compile(
            rf"^(?=[\s\x00-\x1f]*{_SIGN}|[\t\r\n])"
            rf'|(?<=[\r\n{others}])(?=[\s\x00-\x1f"]*{_SIGN})'
        )
        self._is_visible = not separator.isspace()

    def text(self, text: str, *, begins_row: bool = False) -> str:
        """Return the text, unchanged where it holds no danger, such as `-5`.

        At a row's beginning `-5` does: to an Excel that is set to another separator, the row's
        next cells may go on with it. So it does behind a tab, which such an Excel passes over.
        """
        if self._is_visible and not begins_row and _HARMLESS.fullmatch(text):
            return text
        return self._beginning.sub("'", text)

    def inside(self, value: Any) -> Any:
        """Return a JSON value with all its texts so treated; the keys are the recipe's own."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.inside(part) for part in value]
        if isinstance(value, dict):
            return {key: self.inside(part) for key, part in value.items()}
        return value

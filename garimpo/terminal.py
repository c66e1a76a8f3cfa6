"""Text from elsewhere, made fit for a terminal."""


def make_printable(text: str) -> str:
    """Return `text` on one line, without what would steer a terminal (escape sequences, bells)."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

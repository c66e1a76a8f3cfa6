"""What is quoted of a site that has received the password."""

import base64
import html
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scraper.credentials import Credentials, hide_secrets

PASSWORD = "Gr4vatá  word&1"
USERNAME = "me@shop.example"
ACCOUNT = Credentials(USERNAME, PASSWORD)

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in lower case": str.lower,
    "in upper case": str.upper,
    "reversed": lambda text: text[::-1],
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "full width": lambda text: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text
    ),
    "with single blanks": lambda text: " ".join(text.split()),
    "without blanks": lambda text: "".join(text.split()),
    "with a blank after each letter": " ".join,
    "with a line break after each letter": "\n".join,
    "with a zero-width space after each letter": "\u200b".join,
    "with a soft hyphen after each letter": "\u00ad".join,
    "with a hyphen after each letter": "-".join,
    "with a variation selector after each letter": "\ufe0f".join,
    "as HTML": html.escape,
    "as HTML twice": lambda text: html.escape(html.escape(text)),
    "as numeric entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "as hexadecimal entities": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "as a part of a path": lambda text: quote(text, safe=""),
    "as a part of a form": quote_plus,
    "as a part of a path twice": lambda text: quote(quote(text, safe=""), safe=""),
    "with every character encoded": lambda text: "".join(f"%{b:02X}" for b in text.encode()),
    "as base64": lambda text: base64.b64encode(text.encode()).decode(),
    "as base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "as base64 within more": lambda text: base64.b64encode(f"x{text}yz".encode()).decode(),
    "as hexadecimal": lambda text: text.encode().hex(),
    "as JavaScript": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
}


class TestRedact:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_quotes_nothing_with_the_password(self, spelling: str) -> None:
        assert ACCOUNT.redact(f"Wrong: {SPELLINGS[spelling](PASSWORD)} (3 attempts left)") == ""

    @pytest.mark.parametrize("spelling", SPELLINGS)
    @pytest.mark.parametrize("part", ["Gr4va", "tá  wor", "atá wo"])
    def test_quotes_nothing_with_five_characters_of_it(self, spelling: str, part: str) -> None:
        assert ACCOUNT.redact(f"Wrong: {SPELLINGS[spelling](part)}!") == ""

    @pytest.mark.parametrize(
        "words",
        [
            "Wrong password",
            "Conta bloqueada até 12:00.",
            "E-mail ou senha inválidos (401)",
            "",
            "😀",
        ],
    )
    def test_quotes_other_words(self, words: str) -> None:
        assert ACCOUNT.redact(words) == words

    @pytest.mark.parametrize(
        "spelling", ["me@shop.example", "ME@Shop.Example", "me%40shop.example"]
    )
    def test_hides_the_user_name(self, spelling: str) -> None:
        assert ACCOUNT.redact(f"No account {spelling}.") == "No account ***."

    def test_counts_punctuation_of_the_password(self) -> None:
        assert ACCOUNT.redact("wrong: word&") == ""
        assert ACCOUNT.redact("wrong: the word") == "wrong: the word"

    def test_compares_a_short_password_as_a_whole(self) -> None:
        account = Credentials("", "a1b")

        assert account.redact("wrong: a1b") == ""
        assert account.redact("wrong: A 1 b") == ""
        assert account.redact("a1 is no row") == "a1 is no row"

    def test_quotes_no_site_if_the_password_is_a_common_word(self) -> None:
        assert Credentials("", "login").redact("Login failed") == ""

    def test_quotes_no_site_if_nothing_of_the_password_is_visible(self) -> None:
        assert Credentials("", " \u200b ").redact("Login failed") == ""

    def test_quotes_a_site_without_a_login(self) -> None:
        assert Credentials("", "").redact("HTTP 503 /api") == "HTTP 503 /api"

    def test_quotes_five_hundred_characters(self) -> None:
        assert ACCOUNT.redact("no " * 1_000_000) == ("no " * 167)[:500]

    @pytest.mark.parametrize(
        "words", ["%25" * 200, "&amp;" * 100, "\\u005c" * 90, "Zm9v/-_+" * 70, "\ufdfa" * 500]
    )
    def test_reads_words_that_decode_to_more(self, words: str) -> None:
        assert Credentials("", "x" * 64 + "y").redact(words) == words[:500]

    @given(
        password=st.text(
            st.sampled_from("abcxyzABCXYZ0123456789áÇñßøŒ日本"), min_size=5, max_size=40
        ),
        spelling=st.sampled_from(sorted(SPELLINGS)),
        start=st.integers(0, 35),
        before=st.text(max_size=5),
    )
    def test_never_quotes_five_characters_of_any_password(
        self, password: str, spelling: str, start: int, before: str
    ) -> None:
        part = password[start : start + 5]
        assume(len(part) == 5)

        words = f"{before} {SPELLINGS[spelling](part)}"

        assert Credentials("", password).redact(words) == ""

    @given(words=st.text(max_size=600), password=st.text(max_size=70), username=st.text(max_size=9))
    def test_takes_any_text(self, words: str, password: str, username: str) -> None:
        assert len(Credentials(username, password).redact(words)) <= 3 * 500


class TestHideSecrets:
    @pytest.mark.parametrize(
        "spelling", [PASSWORD, quote(PASSWORD), quote_plus(PASSWORD), html.escape(PASSWORD)]
    )
    def test_hides_each_secret_in_its_usual_spellings(self, spelling: str) -> None:
        assert hide_secrets(f"a {spelling} b, tok-1", [PASSWORD, "tok-1"]) == "a *** b, ***"

    def test_leaves_what_is_shorter_than_a_word(self) -> None:
        assert hide_secrets("a login", ["log", ""]) == "a login"

import pytest

from api.language import negotiate_language


class TestNegotiateLanguage:
    @pytest.mark.parametrize(
        ("header", "language"),
        [
            ("", "pt"),
            ("*", "pt"),
            ("en", "en"),
            ("en-US,en;q=0.9", "en"),
            ("EN", "en"),
            ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
            ("en;q=0.8, pt;q=0.9", "pt"),
            ("fr-FR, en;q=0.5", "en"),
            ("fr, de;q=0.9", "pt"),
            ("en;q=0", "pt"),
            ("en;q=much", "pt"),
            (";;,=,", "pt"),
        ],
    )
    def test_is_the_preferred_supported_one_or_portuguese(self, header: str, language: str) -> None:
        assert negotiate_language(header) == language

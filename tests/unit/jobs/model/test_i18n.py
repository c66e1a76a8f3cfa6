import string

import pytest

from jobs.failure import FailureCode
from jobs.model.i18n import Language, catalogue, render


def find_placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


class TestCatalogue:
    def test_has_the_same_keys_in_every_language(self) -> None:
        assert catalogue(Language.PT).keys() == catalogue(Language.EN).keys()

    @pytest.mark.parametrize("key", catalogue(Language.PT))
    def test_has_the_same_placeholders_in_every_language(self, key: str) -> None:
        assert find_placeholders(catalogue(Language.PT)[key]) == find_placeholders(
            catalogue(Language.EN)[key]
        )

    @pytest.mark.parametrize("code", FailureCode)
    def test_has_a_sentence_for_every_failure(self, code: FailureCode) -> None:
        assert catalogue(Language.PT)[f"failure.{code}"]


class TestRender:
    def test_keeps_the_sentences_of_the_replaced_system(self) -> None:
        args = {"label": {"pt": "canais", "en": "channels"}, "done": 45, "total": 50}

        sentence = render(Language.PT, "extracting", args)

        assert sentence == "Extraindo dados de canais... 45/50 concluído"

    def test_translates_arguments(self) -> None:
        args = {"label": {"pt": "canais", "en": "channels"}, "done": 45, "total": 50}

        assert render(Language.EN, "extracting", args) == "Extracting channels... 45/50 done"

    def test_joins_lists(self) -> None:
        args = {"variables": ["A_USERNAME", "A_PASSWORD"]}

        sentence = render(Language.EN, "failure.credentials_missing", args)

        assert sentence == "The worker has no credentials for the site: set A_USERNAME, A_PASSWORD"

    @pytest.mark.parametrize("words", ["covered", "too_many_items", "{page}", "{}", "{0.x}"])
    def test_takes_any_words_of_a_site_as_a_reason(self, words: str) -> None:
        assert words in render(Language.EN, "failure.login_failed", {"reason": words})

    def test_translates_a_reason(self) -> None:
        args = {"page": "/long/", "selector": ".card", "reason": "no_item"}

        assert "nenhum item na página" in render(Language.PT, "failure.page_changed", args)

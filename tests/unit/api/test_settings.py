"""The API's settings: the path below which a proxy offers it."""

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings


def make(**settings: str) -> ApiSettings:
    return ApiSettings.model_validate(settings)


class TestUrlPrefix:
    @pytest.mark.parametrize(
        ("settings", "prefix"),
        [
            ({}, ""),
            ({"root_path": "/"}, ""),
            ({"root_path": "/garimpo/"}, "/garimpo"),
            ({"public_url": "https://example.com"}, ""),
            ({"public_url": "https://example.com/a/b/"}, "/a/b"),
            ({"public_url": "https://example.com/a", "root_path": "/b"}, "/b"),
        ],
    )
    def test_is_the_path_that_callers_see(self, settings: dict[str, str], prefix: str) -> None:
        assert make(**settings).url_prefix == prefix

    @pytest.mark.parametrize("path", ["//example.com", "/a b", "/a?b", "/ação", "/\r\nX:"])
    def test_is_a_plain_path(self, path: str) -> None:
        with pytest.raises(ValidationError):
            make(root_path=path)
        with pytest.raises(ValidationError):
            make(public_url=f"https://example.com{path}/")

    def test_begins_with_a_slash(self) -> None:
        with pytest.raises(ValidationError):
            make(root_path="garimpo")

import pytest

from api.formats.links import make_hyperlink, resolve_links
from scraper.recipes.field import Field

PAGE = "https://site.example/app/list/all"


class TestMakeHyperlink:
    @pytest.mark.parametrize(
        ("value", "link"),
        [
            ("/channel/1", "https://site.example/channel/1"),
            ("more", "https://site.example/app/list/more"),
            ("?page=2", "https://site.example/app/list/all?page=2"),
            ("//cdn.example/a.png", "https://cdn.example/a.png"),
            ("HTTP://other.example/", "HTTP://other.example/"),
            (" /a b/é?q=[1]#x ", "https://site.example/a%20b/%C3%A9?q=%5B1%5D#x"),
            ("/100%/a%20b", "https://site.example/100%25/a%20b"),
        ],
    )
    def test_resolves_a_url_as_the_page_does(self, value: str, link: str) -> None:
        assert make_hyperlink(value, PAGE, is_url=True) == link

    @pytest.mark.parametrize(
        "value",
        [
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "mailto:a@b.example",
            "file:///etc/passwd",
            "internal:Sheet2!A1",
            "external:c:\\x.xlsx",
            "http://[1",
            "http://[::1]/",
        ],
    )
    def test_is_none_for_unsafe_or_unsupported_urls(self, value: str) -> None:
        assert make_hyperlink(value, PAGE, is_url=True) is None

    @pytest.mark.parametrize("value", ["https://a.example/x?y=1", "http://a.example"])
    def test_accepts_an_absolute_url_in_a_text(self, value: str) -> None:
        assert make_hyperlink(value, PAGE, is_url=False) == value

    @pytest.mark.parametrize("value", ["/a", "a.example", "see https://a.example", "https://a b"])
    def test_ignores_other_texts(self, value: str) -> None:
        assert make_hyperlink(value, PAGE, is_url=False) is None


LINK = Field(css="a", attr="href")


class TestResolveLinks:
    @pytest.mark.parametrize(
        ("value", "resolved"),
        [
            ("/channel/1", "https://site.example/channel/1"),
            ("https://other.example/é", "https://other.example/é"),
            ("javascript:alert(1)", "javascript:alert(1)"),
            ("http://[1", "http://[1"),
            (None, None),
        ],
    )
    def test_makes_relative_links_absolute(self, value: str | None, resolved: str | None) -> None:
        assert resolve_links(value, LINK, PAGE) == resolved

    def test_leaves_other_fields_unchanged(self) -> None:
        assert resolve_links("/a", Field(css="a"), PAGE) == "/a"

    def test_includes_nested_fields(self) -> None:
        photos = Field(
            css="li", fields={"image": Field(css="img", attr="src"), "alt": Field(css="b")}
        )
        items = [{"image": "1.png", "alt": "/x", "removed": "/y"}, {"image": None}]
        assert resolve_links(items, photos, PAGE) == [
            {"image": "https://site.example/app/list/1.png", "alt": "/x", "removed": "/y"},
            {"image": None},
        ]

import pytest

from api.formats.workbook import make_hyperlink

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

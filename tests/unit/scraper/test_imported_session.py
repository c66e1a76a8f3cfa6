import json
from typing import Any

import pytest

from scraper.browser_state import BrowserState, Cookie, OriginStorage, PartitionKey
from scraper.imported_session import SessionFormatError, read_session

NOW = 1_700_000_000.0
LATER = NOW + 1000


def read(data: Any) -> BrowserState:
    return read_session(json.dumps(data), NOW)


class TestStorageState:
    def test_is_read_with_all_attributes(self) -> None:
        state = read(
            {
                "cookies": [
                    {
                        "name": "sid",
                        "value": "v",
                        "domain": ".shop.example",
                        "path": "/a",
                        "expires": LATER,
                        "httpOnly": True,
                        "secure": True,
                        "sameSite": "None",
                        "partitionKey": "https://top.example",
                        "_crHasCrossSiteAncestor": True,
                    },
                    {"name": "b", "value": "", "domain": "shop.example", "expires": -1},
                ],
                "origins": [
                    {
                        "origin": "https://shop.example",
                        "localStorage": [{"name": "k", "value": "v"}],
                    }
                ],
            }
        )

        assert state == BrowserState(
            cookies=(
                Cookie(
                    name="sid",
                    value="v",
                    domain=".shop.example",
                    path="/a",
                    expires=LATER,
                    secure=True,
                    http_only=True,
                    same_site="None",
                    partition_key=PartitionKey(
                        top_level_site="https://top.example", has_cross_site_ancestor=True
                    ),
                ),
                Cookie(name="b", value="", domain="shop.example"),
            ),
            origins={"https://shop.example": OriginStorage(local={"k": "v"})},
        )
        assert BrowserState.decode(state.encode()) == state


class TestListOfCookies:
    def test_is_read_as_extensions_export_it(self) -> None:
        exported = {
            "storeId": "0",
            "id": 1,
            "name": "sid",
            "value": "v",
            "path": "/",
            "secure": True,
            "httpOnly": True,
            "partitionKey": None,
        }
        [host, wide, ended] = [
            {"hostOnly": True, "domain": "shop.example", "session": True, "sameSite": None},
            {
                "hostOnly": False,
                "domain": "shop.example",
                "session": False,
                "expirationDate": LATER,
                "sameSite": "no_restriction",
            },
            {"hostOnly": False, "domain": ".shop.example", "expirationDate": NOW - 1},
        ]

        cookies = read([exported | host, exported | wide, exported | ended]).cookies

        assert [(c.domain, c.expires, c.same_site) for c in cookies] == [
            ("shop.example", -1, None),
            (".shop.example", LATER, "None"),
        ]
        assert all(c.http_only and c.secure for c in cookies)

    def test_may_name_urls(self) -> None:
        [cookie] = read([{"name": "a", "value": "b", "url": "https://shop.example/x"}]).cookies

        assert cookie.domain == "shop.example"


class TestCookieFile:
    def test_is_read_with_all_attributes(self) -> None:
        text = (
            "\ufeff# Netscape HTTP Cookie File\r\n\r\n"
            f"#HttpOnly_shop.example\tFALSE\t/a\tTRUE\t{LATER:.0f}\tsid\tv\r\n"
            ".shop.example\tTRUE\t/\tFALSE\t0\tb\t\r\n"
            ".shop.example\tTRUE\t/\tFALSE\t1\told\tx\r\n"
        )

        assert read_session(text, NOW).cookies == (
            Cookie(
                name="sid",
                value="v",
                domain="shop.example",
                path="/a",
                expires=LATER,
                secure=True,
                http_only=True,
            ),
            Cookie(name="b", value="", domain=".shop.example"),
        )


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "reason", "entry"),
        [
            ("", "empty", 0),
            ("s3cret", "form", 0),
            ("<html>s3cret", "form", 0),
            ("{", "form", 0),
            ("[" * 100_000, "form", 0),
            ("{}", "empty", 0),
            ('{"cookies": 1}', "form", 0),
            ('{"cookies": [], "origins": {}}', "form", 0),
            ('[{"name": "a", "value": "s3cret", "domain": "x", "expires": NaN}]', "form", 0),
            ('[{"name": "a", "value": "s3cret", "domain": "x", "expires": 1e999}]', "cookie", 1),
            ('[{"name": "a", "value": "s3cret", "domain": "x"}, 3]', "cookie", 2),
            ('[{"name": "a", "value": "s3cret"}]', "cookie", 1),
            ('[{"name": "a", "domain": "x"}]', "cookie", 1),
            ('[{"name": "", "value": "s3cret", "domain": "x"}]', "cookie", 1),
            ('[{"name": "a", "value": "s3cret", "domain": "[x"}]', "cookie", 1),
            ('[{"name": "a", "value": "s3cret", "url": "http://[x"}]', "cookie", 1),
            ('[{"name": "a", "value": "\\ud800", "domain": "x"}]', "form", 0),
            ('[{"name": "a", "value": {"s3cret": 1}, "domain": "x"}]', "cookie", 1),
            ('[{"name": "a", "value": "v", "domain": "x", "expires": 3}]', "empty", 0),
            ('{"origins": [{"origin": "x", "localStorage": []}]}', "origin", 1),
            ('{"origins": [{"origin": "https://x", "localStorage": [{}]}]}', "origin", 1),
            ('{"origins": [{"origin": "\\ud800", "localStorage": []}]}', "form", 0),
            ("shop.example\tFALSE\t/\tTRUE\t0\tsid\tv\ns3cret", "cookie", 2),
            ("shop.example\tFALSE\t/\tTRUE\tsoon\tsid\ts3cret", "cookie", 1),
        ],
    )
    def test_are_named_without_a_quote(self, text: str, reason: str, entry: int) -> None:
        with pytest.raises(SessionFormatError) as failure:
            read_session(text, NOW)

        assert (failure.value.reason, failure.value.entry) == (reason, entry)
        assert "s3cret" not in str(failure.value)


class TestRestrictedTo:
    def test_keeps_what_belongs_to_the_site(self) -> None:
        state = read(
            {
                "cookies": [
                    {"name": name, "value": "v", "domain": domain}
                    for name, domain in (("a", ".shop.example"), ("b", "other.example"))
                ],
                "origins": [
                    {"origin": f"https://{host}", "localStorage": []}
                    for host in ("www.shop.example", "other.example")
                ],
            }
        )

        kept = state.restricted_to(lambda url: "shop.example" in url)

        assert [cookie.name for cookie in kept.cookies] == ["a"]
        assert list(kept.origins) == ["https://www.shop.example"]

"""URLs that belong to a site."""

import pytest

from scraper.recipes.models import JobDefinition, Recipe
from scraper.site_urls import SiteUrls

JOB = JobDefinition.model_validate(
    {
        "open": "/case/{case}",
        "params": {"case": {"type": "string"}},
        "items": "li",
        "collection": "rows",
        "label": {"pt": "linhas", "en": "rows"},
        "fields": {"title": "b"},
    }
)
HOSTS = ["sso.example", "https://id.example:8443"]


def make_site(base_url: str) -> SiteUrls:
    login = {"open": "/login", "fill": {"password": "#p"}, "done_when": {"path_is_not": "/login"}}
    recipe = Recipe.model_validate(
        {
            "site": "shop",
            "base_url": "https://x",
            "hosts": HOSTS,
            "login": login,
            "jobs": {"a": JOB},
        }
    )
    return SiteUrls(recipe, base_url)


class TestIsOwn:
    @pytest.mark.parametrize(
        "url",
        [
            "https://shop.example/a",
            "https://sso.example/",
            "https://id.example:8443/?x",
        ],
    )
    def test_accepts_the_base_url_and_named_hosts(self, url: str) -> None:
        assert make_site("https://shop.example/app").is_own(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://x/",  # the recipe's own base URL, which another one replaces
            "http://shop.example/",
            "https://shop.example:8443/",
            "https://www.shop.example/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "http://sso.example/",
            "https://sso.example:8443/",
            "https://id.example/",
            "blob:https://shop.example/0",
            "about:blank",
        ],
    )
    def test_rejects_everything_else(self, url: str) -> None:
        assert not make_site("https://shop.example/app").is_own(url)

    @pytest.mark.parametrize(
        ("url", "is_own"),
        [
            ("https://shop.example/", True),
            ("http://sso.example/", True),
            ("https://shop.example:8443/", False),
        ],
    )
    def test_accepts_an_upgrade_to_https(self, url: str, *, is_own: bool) -> None:
        assert make_site("http://shop.example").is_own(url) is is_own

    def test_accepts_no_upgrade_of_another_port(self) -> None:
        assert not make_site("http://shop.example:8080").is_own("https://shop.example/")


class TestIsLoginPage:
    def test_compares_origins(self) -> None:
        site = make_site("https://shop.example")

        assert site.is_login_page("https://shop.example/login")
        assert site.is_login_page("https://sso.example/login")
        assert not site.is_login_page("https://evil.example/login")


class TestPageUrl:
    @pytest.mark.parametrize("case", ["..", ".", "%2e%2E", "..%2f..", "a/../.."])
    def test_refuses_a_parameter_that_climbs(self, case: str) -> None:
        site = make_site("https://shop.example")

        with pytest.raises(ValueError, match="case must not contain"):
            site.page_url(JOB, {"case": case}, 1)


class TestValueUrl:
    @pytest.mark.parametrize(
        ("template", "value", "url"),
        [
            ("{link}", "/a?b=1", "http://127.0.0.1:8000/a?b=1"),
            ("{link}", "https://x/a", "http://127.0.0.1:8000/a"),
            ("{link}", "https://x", "http://127.0.0.1:8000/"),
            ("/{shop}/{link}", "a/b", "http://127.0.0.1:8000/app/centro/a%2Fb"),
        ],
    )
    def test_leads_to_the_sites_present_address(self, template: str, value: str, url: str) -> None:
        job = JobDefinition.model_validate(
            {
                "params": {
                    "links": {"type": "list"},
                    **({"shop": {"type": "string"}} if "shop" in template else {}),
                },
                "next": {"each": "links", "as": "link"},
                "open": template,
                "items": "li",
                "fields": {"title": "b"},
            }
        )
        site = make_site("http://127.0.0.1:8000/app")
        assert site.value_url(job, {"links": [value], "shop": "centro"}, value) == url


class TestUrlParam:
    JOB = JobDefinition.model_validate(
        {
            "params": {"address": {"type": "url", "hosts": ["a.example", "*.b.example", "x"]}},
            "open": "{address}",
            "items": "li",
            "fields": {"title": "b"},
        }
    )
    RECIPE = Recipe.model_validate({"site": "shop", "base_url": "https://x", "jobs": {"a": JOB}})

    def site(self, base_url: str = "https://x") -> SiteUrls:
        return SiteUrls(self.RECIPE, base_url, self.RECIPE.jobs["a"])

    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("https://A.example.:443", "https://a.example/"),
            ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
            ("https://c.b.example/x", "https://c.b.example/x"),
            ("https://x/y?z#t", "http://127.0.0.1:8000/y?z#t"),
        ],
    )
    def test_is_opened(self, address: str, url: str) -> None:
        site = self.site("http://127.0.0.1:8000/app")
        assert site.page_url(self.JOB, {"address": address}, 1) == url

    def test_is_checked_again(self) -> None:
        with pytest.raises(ValueError, match="address is no URL of its hosts"):
            self.site().page_url(self.JOB, {"address": "https://evil.example"}, 1)

    def test_lets_pages_be_at_its_hosts_but_no_account_be_typed_there(self) -> None:
        site = self.site()
        for url in ("https://a.example/x", "https://c.b.example/x"):
            assert site.may_have_page(url)
            assert not site.is_own(url)
            assert not site.is_same_site(url)
        assert site.may_have_page("https://x/y")
        assert not site.may_have_page("https://evil.example/")
        assert not SiteUrls(self.RECIPE, "https://x").may_have_page("https://a.example/x")

    def test_names_no_host_after_an_asterisk(self) -> None:
        assert self.site().named_hosts == {("x", 443), ("a.example", 443)}

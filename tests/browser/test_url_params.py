"""Jobs whose page is a URL that the start names, at hosts that the recipe names."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from scraper.errors import PageChanged, SiteUnavailable
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, make_recipe, rows, run_small, titles

Serve = Callable[..., str]


def read(site: str, address: str, *hosts: str, **job: Any) -> Recording:
    """Run a job whose page is at `address`."""
    recipe = make_recipe(
        **{
            "params": {"address": {"type": "url", "hosts": list(hosts)}},
            "next": None,
            "open": "{address}",
            "site": {"base_url": site},
            **job,
        }
    )
    return run_small(site, recipe, address=address)


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


class TestUrlParam:
    def test_is_opened_at_a_host_that_the_recipe_names(self, serve: Serve) -> None:
        site, other = serve(), serve(list=DOCUMENT + rows(1, 3))
        recording = read(site, f"{other}/list", f"127.0.0.1:{port_of(other)}")

        assert recording.items == titles(1, 3)

    def test_may_be_one_of_the_site(self, serve: Serve) -> None:
        site = serve(list=DOCUMENT + rows(1, 3))

        assert read(site, f"{site}/list?a=1", f"127.0.0.1:{port_of(site)}").items == titles(1, 3)

    def test_may_begin_a_list_that_is_followed(self, serve: Serve) -> None:
        site = serve()
        other = serve(
            one=DOCUMENT + rows(1, 3) + "<a class=next href=two>2</a>", two=DOCUMENT + rows(4, 6)
        )
        recording = read(
            site,
            f"{other}/one",
            f"127.0.0.1:{port_of(other)}",
            params={
                "address": {"type": "url", "hosts": [f"127.0.0.1:{port_of(other)}"]},
                "pages": {"type": "integer", "default": 3, "min": 1, "max": 3},
            },
            next={"control": ".next"},
        )

        assert recording.items == titles(1, 6)

    def test_does_not_lead_to_another_host(self, serve: Serve) -> None:
        site, other = serve(list=DOCUMENT + rows(1, 3)), serve(other=DOCUMENT + rows(1, 3))
        away = serve(list=(302, {"Location": f"{other}/other"}, ""))

        with pytest.raises(PageChanged, match="page_left_site"):
            read(site, f"{away}/list", f"127.0.0.1:{port_of(away)}")

    def test_reaches_no_private_address_by_a_name_after_an_asterisk(self, serve: Serve) -> None:
        site, other = serve(), serve(list=DOCUMENT + rows(1, 3))
        port = port_of(other)
        address = f"http://private.localhost:{port}/list"

        assert read(site, address, f"private.localhost:{port}").items == titles(1, 3)
        with pytest.raises(SiteUnavailable, match="address not allowed"):
            read(site, address, f"*.localhost:{port}")

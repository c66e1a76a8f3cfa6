"""`garimpo recipe check` and `garimpo recipe try` in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scraper.recipes.loader import BUNDLED
from tests.browser.small_sites import DOCUMENT, rows
from tests.browser.test_scrape_command import run
from tests.support.demo_site import DemoSite

Serve = Callable[..., str]

CHECK = ("garimpo", "recipe", "check")
TRY = ("garimpo", "recipe", "try")
SHOP = """\
site: shop
base_url: http://127.0.0.1:1
dismiss: [".accept"]
login:
  open: /login
  fill: {username: "#u", password: "#p"}
  done_when: {exists: .me}
  error: .alert
jobs:
  list-offers:
    open: /list
    items: .offer
    end: .end
    marker: .marker
    next: a.next
    fields:
      title: h2
      prices: [{css: .new}, {css: .old, attr: data-price}]
      photos: {css: img, fields: {url: {css: img, attr: src}}}
      tags: {xpath: "ancestor::ul/li", all: true}
  list-orders:
    open: /orders
    items: {json: "#data", path: orders}
    fields: {id: id}
"""
BROKEN = {
    'dismiss: [".accept"]': ('dismiss: [".accept", "a:never"]', "3: dismiss[1]"),
    'username: "#u"': ('username: "u:never"', "6: login.fill.username"),
    "exists: .me": ('exists: "b:never"', "7: login.done_when.exists"),
    "error: .alert": ("error: 'b:never'", "8: login.error"),
    "items: .offer": ("items: li:never", "12: jobs.list-offers.items"),
    "end: .end": ("end: li:never", "13: jobs.list-offers.end"),
    "marker: .marker": ("marker: li:never", "14: jobs.list-offers.marker"),
    "next: a.next": ("next: a:never", "15: jobs.list-offers.next"),
    "title: h2": ("title: h2:never", "17: jobs.list-offers.fields.title"),
    "css: .old": ("css: 'b:never'", "18: jobs.list-offers.fields.prices[1].css"),
    "{css: img, attr: src}": (
        "{css: 'b:never', attr: src}",
        "19: jobs.list-offers.fields.photos.fields.url.css",
    ),
    "ancestor::ul/li": ("ancestor::ul/li[never()]", "20: jobs.list-offers.fields.tags.xpath"),
    'json: "#data"': ("json: 'b:never'", "23: jobs.list-orders.items"),
}


def write(folder: Path, text: str, name: str = "shop.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestCheck:
    def test_says_that_recipes_are_right(self, tmp_path: Path) -> None:
        shop = write(tmp_path, SHOP)
        done = run(tmp_path, str(shop), str(BUNDLED / "tubehunt.yaml"), command=CHECK)

        assert (done.returncode, done.stderr) == (0, "")
        first, second = done.stdout.splitlines()
        assert first == f"{shop}: no mistakes (shop: list-offers, list-orders)"
        assert second.endswith("no mistakes (tubehunt: scrape-channels, scrape-channel)")

    def test_names_every_selector_that_the_browser_rejects(self, tmp_path: Path) -> None:
        text = SHOP
        for right, (wrong, _) in BROKEN.items():
            text = text.replace(right, wrong, 1)
        shop = write(tmp_path, text)
        done = run(tmp_path, str(shop), command=CHECK)

        assert done.returncode == 1
        lines = done.stdout.splitlines()
        for _, place in BROKEN.values():
            assert [line for line in lines if line.startswith(f"{shop}:{place}")], (place, lines)
        assert len(lines) == len(BROKEN)

    def test_goes_on_after_a_broken_file(self, tmp_path: Path) -> None:
        broken = write(tmp_path, SHOP.replace("items: .offer", "selector: .offer"), "a.yaml")
        rejected = write(tmp_path, SHOP.replace("title: h2", "title: h2:never"), "b.yaml")
        right = write(tmp_path, SHOP, "c.yaml")
        files = (str(broken), str(tmp_path / "none.yaml"), str(rejected), str(right))
        done = run(tmp_path, *files, command=CHECK)

        assert done.returncode == 1
        assert f"{broken}:12: jobs.list-offers.selector: unknown key: it is called items" in (
            done.stdout.splitlines()
        )
        assert "none.yaml: cannot be read: No such file" in done.stdout
        assert f"{rejected}:17: jobs.list-offers.fields.title" in done.stdout
        assert f"{right}: no mistakes" in done.stdout

    @pytest.mark.parametrize("option", ["--browser", "--no-browser"])
    def test_needs_a_browser_for_selectors_only(self, tmp_path: Path, option: str) -> None:
        shop = write(tmp_path, SHOP)
        chrome = str(tmp_path / "no-chrome")
        done = run(tmp_path, str(shop), option, command=CHECK, CHROME_BINARY=chrome)

        assert done.returncode == (1 if option == "--browser" else 0)
        assert (chrome in done.stderr) == (option == "--browser")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


class TestTry:
    def test_shows_items_and_how_well_each_field_was_read(
        self, tmp_path: Path, demo: DemoSite
    ) -> None:
        recipe = str(BUNDLED / "tubehunt.yaml")
        done = run(tmp_path, recipe, "--base-url", demo.url, command=TRY)

        assert done.returncode == 0, done.stderr
        rows = {row[0]: row[1:] for row in map(cells, done.stdout.splitlines()) if len(row) > 1}
        assert "Lately Fashionable" in rows
        assert rows["channel_name"][:3] == ["100 %", "50", "Lately Fashionable"]
        assert rows["country"] == ["70 %", "9", "US", ".country:not(.entry-video *)"]
        assert done.stdout.splitlines()[-1] == "50 channels"

    def test_says_what_was_not_found(self, tmp_path: Path, serve: Serve) -> None:
        url = serve(list=DOCUMENT + rows(1, 6))
        text = """\
site: rows
base_url: http://127.0.0.1:1
jobs:
  list-rows:
    open: /list
    items: .item
    fields: {title: .t, price: .price}
"""
        shop = write(tmp_path, text)
        done = run(tmp_path, str(shop), "--base-url", url, command=TRY)

        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert ["price", "0 %", "0", "", ".price"] in [cells(line) for line in lines]
        assert lines[-2] == "6 items"
        assert lines[-1].endswith("[field_empty_everywhere]")

    def test_reads_one_page_of_a_list(self, tmp_path: Path, serve: Serve) -> None:
        url = serve(list=DOCUMENT + rows(1, 2) + "<a class=next href=/more>x</a>")
        text = """\
site: rows
base_url: http://127.0.0.1:1
jobs:
  list-rows:
    open: /list
    next: .next
    items: .item
    fields: {title: .t}
"""
        shop = write(tmp_path, text)
        done = run(tmp_path, str(shop), "list-rows", "--base-url", url, command=TRY)

        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 items"), done.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["list-hats"], 2, "shop has no job list-hats; available: list-offers, list-orders"),
            (["list-offers", "--param", "size=1"], 2, "no parameter size"),
        ],
    )
    def test_refuses_what_is_not_in_the_recipe(
        self, tmp_path: Path, arguments: list[str], code: int, words: str
    ) -> None:
        shop = write(tmp_path, SHOP)
        done = run(tmp_path, str(shop), *arguments, command=TRY)

        assert done.returncode == code
        assert words in done.stderr

    def test_names_the_mistakes_of_a_recipe(self, tmp_path: Path) -> None:
        shop = write(tmp_path, SHOP.replace("items: .offer", "selector: .offer"))
        done = run(tmp_path, str(shop), command=TRY)

        assert done.returncode == 1
        assert f"{shop}:12: jobs.list-offers.selector: unknown key" in done.stderr

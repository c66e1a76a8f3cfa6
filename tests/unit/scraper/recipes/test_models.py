import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from scraper.recipes.loader import BUNDLED, RecipeError, load_recipe
from scraper.recipes.models import Field, JobDefinition, Login, Recipe

RECIPE = """\
site: shop
base_url: https://shop.example/app/
login:
  open: /enter
  fill: {username: "#name", password: "#word"}
  submit: button
  done_when: {path_is_not: /enter}
limits:
  page_timeout_s: 90
  empty_after_s: 5
  tries: 3
jobs:
  list-offers:
    params:
      pages: {type: integer, default: 1, min: 1, max: 9}
      start: {type: integer, default: 1}
      size: {type: integer, default: 20, choices: [20, 40]}
      word: {type: string, default: all, pattern: "[a-z]+"}
      least: {type: number, default: 0.5, min: 0, max: 10}
      used: {type: boolean, default: false}
    open: /offers?p={page}&n={size}&q={word}&min={least}&used={used}
    next: {count: page, first: start, pages: pages}
    page_size: size
    items: .offer
    collection: offers
    label: {pt: ofertas, en: offers}
    unique_by: link
    require: [title, link]
    fields:
      title: h2
      link: {css: a, attr: href}
      price: {css: .price, match: "R\\\\$ (.*)"}
      tags: {css: .tags, split: ","}
      sold: {exists: .sold}
      photos: {css: img, limit: 3, fields: {address: {css: img, attr: src}}}
    example:
      title: Hat
      link: /hat
      price: null
      tags: [a, b]
      sold: false
      photos: [{address: /hat.png}]
"""


def read(folder: Path, text: str = RECIPE) -> Recipe:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path)


LOWER = "must contain only lower-case letters, digits and "
JOB = "jobs.list-offers."
PAGES = JOB + "params.pages."

# A text of the recipe, its replacement, the key with the fault, and the start of the reason.
FAULTS = [
    # the site
    ("site: shop", "site: jobs", "site", "jobs is reserved for Garimpo itself"),
    ("site: shop", "site: Shop", "site", LOWER + "-, and start with a letter"),
    ("site: shop", "site: my_shop", "site", LOWER + "-, and start with a letter"),
    (
        "site: shop",
        "site: on",
        "site",
        "must be a string (YAML parses on, off, yes and no as booleans: put it in quotes)",
    ),
    ("site: shop", "site: 7", "site", LOWER + "-, and start with a letter"),
    ("https://shop.example/app/", "shop.example", "base_url", "must be a URL such as"),
    ("https://shop.example/app/", "ftp://shop.example", "base_url", "must be a URL such as"),
    ("https://shop.example/app/", "https://", "base_url", "must be a URL such as"),
    ("https://shop.example/app/", "http://a:b:c", "base_url", "must be a URL such as"),
    (
        "https://shop.example/app/",
        "https://a:b@shop.example",
        "base_url",
        "must not contain an account",
    ),
    (
        "https://shop.example/app/",
        "https://shop.example/?a=1",
        "base_url",
        "must not contain an account",
    ),
    # the login
    ("open: /enter", "open: enter", "login.open", "must start with a single slash"),
    ("open: /enter", "open: //enter", "login.open", "must start with a single slash"),
    ("open: /enter", "open: /en ter", "login.open", "must not contain spaces"),
    ("submit: button", "submit:", "login.submit", "has no value (a # outside quotes starts"),
    ("submit: button", "submit: #go", "login.submit", "has no value (a # outside quotes starts"),
    ("submit: button", "submit: ' '", "login.submit", "must not be empty"),
    ('"#word"', '""', "login.fill.password", "must not be empty"),
    # the limits
    ("tries: 3", "tries: 0", "limits.tries", "must be at least 1"),
    ("tries: 3", "tries: 11", "limits.tries", "must be at most 10"),
    ("tries: 3", 'tries: "3"', "limits.tries", "must be an integer"),
    ("tries: 3", "tries: true", "limits.tries", "must be an integer"),
    ("empty_after_s: 5", "empty_after_s: 26", "limits.empty_after_s", "must be at most 25"),
    ("page_timeout_s: 90", "page_timeout_s: 0", "limits.page_timeout_s", "must be more than 0"),
    ("page_timeout_s: 90", "page_timeout_s: .inf", "limits.page_timeout_s", "must be at most 3600"),
    ("page_timeout_s: 90", "page_timeout_s: .nan", "limits.page_timeout_s", "must be "),
    ("page_timeout_s: 90", "page_timeout_s: 9 s", "limits.page_timeout_s", "must be a number"),
    # the job
    ("list-offers:", "list_offers:", "jobs.list_offers", LOWER + "-, and start with a letter"),
    ("items: .offer", "items: [.offer]", JOB + "items", "must be a string"),
    ("items: .offer", 'items: ".offer:not(.old"', JOB + "items", "has an unbalanced bracket"),
    ("items: .offer", 'items: "[a=\'b]"', JOB + "items", "has an unclosed quote"),
    ("collection: offers", "collection: my-offers", JOB + "collection", LOWER + "_, and start"),
    (
        "collection: offers",
        "collection: warnings",
        JOB + "collection",
        "is a key of every result",
    ),
    (
        "open: /offers",
        "open: https://shop.example/offers",
        JOB + "open",
        "must start with a single",
    ),
    ("q={word}", "q={word}{wort}", JOB + "open", "wort is neither a param nor next's count"),
    ("q={word}", "q={word}{Word}", JOB + "open", "has a brace outside a {name}"),
    ("q={word}", "q=word", JOB + "open", "param word is used neither here nor in next"),
    ("p={page}", "p=1", JOB + "open", "does not contain {page}, so all pages would be the same"),
    (
        "count: page",
        "count: word",
        JOB + "next",
        "word counts the pages, so it must not be a param",
    ),
    ("first: start", "first: begin", JOB + "next", "begin is not an integer param"),
    ("first: start", "first: word", JOB + "next", "word is not an integer param"),
    ("pages: pages}", "pages: word}", JOB + "next", "word is not an integer param"),
    (
        "min: 1, max: 9",
        "min: 1",
        JOB + "next",
        "param pages requires a min of at least 1 and a max",
    ),
    ("min: 1, max: 9", "min: 0, max: 9", JOB + "next", "param pages requires a min of at least 1"),
    ("min: 1, max: 9", "choices: [0, 1]", JOB + "next", "param pages requires a min of at least 1"),
    ("page_size: size", "page_size: word", JOB + "page_size", "word is not an integer param"),
    ("page_size: size", "page_size: sizes", JOB + "page_size", "sizes is not an integer param"),
    ("unique_by: link", "unique_by: lnk", JOB + "unique_by", "unknown field lnk"),
    ("unique_by: link", "unique_by: tags", JOB + "unique_by", "tags is not a text field"),
    ("[title, link]", "[title, lnk, x]", JOB + "require", "unknown field lnk, x"),
    ("[title, link]", "title", JOB + "require", "must be a list"),
    ("[title, link]", "[title, 1]", JOB + "require[1]", "must be a string"),
    ("[title, link]", "[title, 1]", JOB + "require", "unknown field 1"),
    ("[title, link]", "{title: 1, lnk: 0.5}", JOB + "require", "unknown field lnk"),
    ("[title, link]", "{title: 80}", JOB + "require.title", "must be at most 1"),
    ("[title, link]", "{title: 0}", JOB + "require.title", "must be more than 0"),
    ("[title, link]", "{title: 80%}", JOB + "require.title", "must be a number"),
    ("[title, link]", "{title: true}", JOB + "require.title", "must be a number"),
    # the params
    ("word: {type", "account: {type", JOB + "params", "account is reserved for the API"),
    ("word: {type", "webhook_url: {type", JOB + "params", "webhook_url is reserved for the API"),
    ("word: {type", "Word: {type", JOB + "params.Word", LOWER + "_, and start with a letter"),
    ("type: number", "type: float", JOB + "params.least.type", "must be 'integer', 'number', "),
    ("default: 1, min: 1", "default: 0, min: 1", PAGES + "default", "must be at least 1"),
    ("default: 1, min: 1", "default: 10, min: 1", PAGES + "default", "must be at most 9"),
    ("default: 1, min: 1", "default: x, min: 1", PAGES + "default", "must be an integer"),
    ("default: 1, min: 1", "default: yes, min: 1", PAGES + "default", "must be an integer"),
    ("default: 1, min: 1", "default: [1], min: 1", PAGES + "default", "must be a string, "),
    ("min: 1, max: 9", "min: 1, max: 0", PAGES + "max", "must be at least 1"),
    ("min: 1, max: 9", "min: 1.5, max: 9", PAGES + "min", "must be an integer"),
    ("min: 1, max: 9", "min: x, max: 9", PAGES + "min", "must be a number"),
    ("min: 0, max: 10", "min: .nan, max: 10", JOB + "params.least.min", "must be a number"),
    ("min: 0, max: 10", f"min: {10**400}", JOB + "params.least.min", "must be a number"),
    ("default: 0.5", "default: .inf", JOB + "params.least.default", "must be a finite"),
    ("default: all", "default: All", JOB + "params.word.default", "must match [a-z]+ completely"),
    ("default: 1}", "default: 1, hosts: [x]}", JOB + "params.start.hosts", "requires the type url"),
    ("type: boolean", "type: url", JOB + "params.used.default", "must be a string"),
    (
        "type: string, default: all, pattern",
        "type: url, default: all, choices: [x], help",
        JOB + "params.word.choices",
        "cannot be used with a url",
    ),
    (
        "type: string, default: all, pattern",
        "type: url, default: all, help",
        JOB + "params.word.default",
        "must be a whole URL of hosts, or of the site",
    ),
    (
        "type: string, default: all, pattern",
        "type: url, hosts: [], help",
        JOB + "params.word.hosts",
        "must not be empty",
    ),
    (
        "type: string, default: all, pattern",
        "type: url, hosts: [https://x/y], help",
        JOB + "params.word.hosts[0]",
        "must be a host such as",
    ),
    (
        "type: string, default: all, pattern",
        'type: url, hosts: ["*.10.0.0.1"], help',
        JOB + "params.word.hosts[0]",
        "must have a name after *.",
    ),
    (
        "default: all",
        "default: off",
        JOB + "params.word.default",
        "must be a string (YAML parses on, off, yes and no as booleans: put it in quotes)",
    ),
    ('"[a-z]+"', '"[a-z"', JOB + "params.word.pattern", "invalid regular expression: unclosed"),
    (
        'pattern: "[a-z]+"',
        "min: 2",
        JOB + "params.word.min",
        "requires the type integer, number or list",
    ),
    (
        "default: 1}",
        'default: 1, pattern: "1"}',
        JOB + "params.start.pattern",
        "requires the type string",
    ),
    ("default: 20", "default: 30", JOB + "params.size.default", "must be 20 or 40"),
    ("[20, 40]", "[20, x]", JOB + "params.size.choices[1]", "must be an integer"),
    ("[20, 40]", "[20, true]", JOB + "params.size.choices[1]", "must be an integer"),
    ("[20, 40]", "[]", JOB + "params.size.choices", "must not be empty"),
    (
        "[20, 40]",
        "[20], max: 40",
        JOB + "params.size.choices",
        "cannot be combined with min, max or",
    ),
    (
        "default: false",
        "choices: [true]",
        JOB + "params.used.choices",
        "cannot be used with a boolean",
    ),
    # the fields
    ("title: h2", "Title: h2", JOB + "fields.Title", LOWER + "_, and start with a letter"),
    ("title: h2", "title: ''", JOB + "fields.title", "must not be empty"),
    ("title: h2", "title: 2", JOB + "fields.title", "must be a selector, a mapping, or a list"),
    ("title: h2", "title:", JOB + "fields.title", "must be a selector, a mapping, or a list"),
    ("title: h2", "title: {}", JOB + "fields.title", "requires css, attr, match, split"),
    ("title: h2", "title: {nth: 2, attr: id}", JOB + "fields.title", "nth requires css"),
    ("title: h2", "title: {css: p, attr: id, lines: true}", JOB + "fields.title", "lines cannot"),
    ("title: h2", "title: a::attr(href)", JOB + "fields.title", "never matches: ::attr selects no"),
    (
        "title: h2",
        "title: 'a:contains(\"x\")'",
        JOB + "fields.title",
        ":contains is no CSS: use an",
    ),
    ("title: h2", "title: 'a:first'", JOB + "fields.title", ":first is no CSS: use nth"),
    ("title: h2", "title: 'p:before'", JOB + "fields.title", "never matches: :before selects no"),
    ("title: h2", "title: 'b:not(*)'", JOB + "fields.title", "never matches: :not(*) excludes"),
    ("title: h2", "title: 'p:is()'", JOB + "fields.title", "never matches: :is() excludes"),
    ("title: h2", "title: 'p, body .x'", JOB + "fields.title", "never matches: body is not below"),
    ("title: h2", "title: ':root h2'", JOB + "fields.title", "never matches: :root is not below"),
    (
        "title: h2",
        "title: ':scope :scope b'",
        JOB + "fields.title",
        "never matches: :scope is the item",
    ),
    ("{css: a, attr: href}", "{css: a, atr: href}", JOB + "fields.link.atr", "unknown key"),
    (
        "{css: a, attr: href}",
        "{selector: a, attr: href}",
        JOB + "fields.link.selector",
        "unknown key: it is called css",
    ),
    (
        "{css: a, attr: href}",
        "{css: a, default: x}",
        JOB + "fields.link.default",
        "unknown key: use a list of alternatives",
    ),
    ("    items: .offer", "    baseSelector: .offer", JOB + "baseSelector", "unknown key: it is"),
    ("    items: .offer", "    wait_for: .offer", JOB + "wait_for", "unknown key: pages"),
    ("site: shop", "name: shop", "name", "unknown key: it is called site"),
    ("title: Hat", "selector: Hat", JOB + "example.selector", "unknown key"),
    ("{css: a, attr: href}", "{css: a, nth: 0}", JOB + "fields.link.nth", "must be at least 1"),
    ("{css: a, attr: href}", "{css: a, limit: 2}", JOB + "fields.link", "limit requires fields"),
    (
        "exists: .sold",
        "exists: .sold, css: a",
        JOB + "fields.sold",
        "exists cannot be combined with css",
    ),
    ("exists: .sold", "exists: ''", JOB + "fields.sold.exists", "must not be empty"),
    ("limit: 3", "nth: 1", JOB + "fields.photos", "fields cannot be combined with nth"),
    ("limit: 3", "of: 2", JOB + "fields.photos", "fields cannot be combined with of"),
    ("{css: a, attr: href}", "{css: a, of: 0}", JOB + "fields.link.of", "must be at least 1"),
    ("limit: 3", "limit: 0", JOB + "fields.photos.limit", "must be at least 1"),
    (
        "{address: {css: img, attr: src}",
        "{address: {nth: 1}",
        JOB + "fields.photos.fields.address",
        "requires css, attr",
    ),
    ('split: ","', 'split: ""', JOB + "fields.tags.split", "must not be empty"),
    ("(.*)", "(.*", JOB + "fields.price.match", "invalid regular expression: Unbalanced"),
    (
        "(.*)",
        "(?P<x>.*)",
        JOB + "fields.price.match",
        "(?P is Python syntax, but the regex runs in the",
    ),
    # the example
    ("title: Hat", "title: 1", JOB + "example.title", "must be a string (put it in quotes)"),
    ("title: Hat", "name: Hat", JOB + "example.title", "is missing"),
    ("title: Hat", "name: Hat", JOB + "example.name", "unknown key"),
    ("[a, b]", "a", JOB + "example.tags", "must be a list"),
    ("address: /hat", "addr: /hat", JOB + "example.photos[0].addr", "unknown key"),
]


# A text of the recipe, its replacement, the key with the fault, and the whole reason: advice on
# quotes is given only where it mends the fault.
ADVICE = [
    ("all, pattern", "5, pattern", JOB + "params.word.default", "must match [a-z]+ completely"),
    (
        'default: all, pattern: "[a-z]+"',
        "default: 5",
        JOB + "params.word.default",
        "must be a string (put it in quotes)",
    ),
    (
        'default: all, pattern: "[a-z]+"',
        "default: 2026-01-31",
        JOB + "params.word.default",
        "must be a string, a number, true or false (YAML parses it as a date: put it in quotes)",
    ),
    (
        'default: all, pattern: "[a-z]+"',
        "default: all, choices: [all, 0123]",
        JOB + "params.word.choices[1]",
        "must be a string (put it in quotes)",
    ),
    ("pt: ofertas", "pt: 7", JOB + "label.pt", "must be a string (put it in quotes)"),
    ('split: ","', "split: 7", JOB + "fields.tags.split", "must be a string (put it in quotes)"),
    (r'"R\\$ (.*)"', "7", JOB + "fields.price.match", "must be a string (put it in quotes)"),
    ("page_size: size", "page_size: 50", JOB + "page_size", "50 is not an integer param"),
    ("first: start", "first: 1", JOB + "next.first", "must be a string"),
    ("first: start", "first: 1", JOB + "next", "1 is not an integer param"),
    ("pages: pages}", "pages: 3}", JOB + "next", "3 is not an integer param"),
    ("unique_by: link", "unique_by: 1", JOB + "unique_by", "unknown field 1"),
    ("collection: offers", "collection: 7", JOB + "collection", LOWER + "_, and start with a "),
    ("open: /enter", "open: 7", "login.open", "must start with a single slash: it is relative to"),
    ("items: .offer", "items: 7", JOB + "items", "must be a selector"),
    ("items: .offer", 'items: "7"', JOB + "items", "must be a selector: none begins with a digit"),
    ("exists: .sold", "exists: true", JOB + "fields.sold.exists", "must be a selector"),
    ("exists: .sold", "exists: on", JOB + "fields.sold.exists", "must be a selector"),
    ("tries: 3", 'tries: "3"', "limits.tries", "must be an integer (without quotes)"),
    ("limits:", "viewport: {width: 9, height: 720}\nlimits:", "viewport.width", "must be at least"),
    ("limits:", "viewport: {width: 1280}\nlimits:", "viewport.height", "is missing"),
    ("limits:", 'user_agent: "a\\nb"\nlimits:', "user_agent", "must be one line of ASCII"),
    ("limits:", 'user_agent: "olá"\nlimits:', "user_agent", "must be one line of ASCII"),
    ("limits:", 'user_agent: ""\nlimits:', "user_agent", "must be one line of ASCII"),
    ("tries: 3", 'tries: "30"', "limits.tries", "must be an integer"),
    ("tries: 3", "tries: three", "limits.tries", "must be an integer"),
    ("page_timeout_s: 90", "page_timeout_s: 90 s", "limits.page_timeout_s", "must be a number"),
    ("min: 1, max: 9", "min: '1', max: 9", PAGES + "min", "must be a number (without quotes)"),
    (
        "default: 1, min: 1",
        "default: '1', min: 1",
        PAGES + "default",
        "must be an integer (without quotes)",
    ),
    (
        "default: false",
        "default: 'no'",
        JOB + "params.used.default",
        "must be true or false (without quotes)",
    ),
    (
        "default: 20",
        "default: '20'",
        JOB + "params.size.default",
        "must be 20 or 40 (without quotes)",
    ),
    ("sold: false", "sold: 'no'", JOB + "example.sold", "must be true or false (without quotes)"),
    (
        "page_timeout_s: 90",
        'page_timeout_s: "90"',
        "limits.page_timeout_s",
        "must be a number (without quotes)",
    ),
]


def line_of(key: str, text: str) -> int:
    """Return the line of a key, from 1: each part is searched for after the previous one."""
    lines = text.splitlines()
    index = 0
    for part in key.split("."):
        name = re.compile(rf"(^|[ {{]){part.partition('[')[0]}:")
        index = next(number for number in range(index, len(lines)) if name.search(lines[number]))
    return index + 1


class TestRecipe:
    def test_accepts_every_key(self, tmp_path: Path) -> None:
        recipe = read(tmp_path)
        job = recipe.jobs["list-offers"]
        assert recipe.base_url == "https://shop.example/app"
        assert recipe.login is not None
        assert recipe.login.fill is not None
        assert recipe.login.fill.password == "#word"
        assert (recipe.limits.page_timeout_s, recipe.limits.settle_s) == (90, 0.3)
        assert job.next is not None
        assert (job.next.count, job.next.first, job.next.pages) == ("page", "start", "pages")
        assert job.params["size"].choices == (20, 40)
        assert list(job.fields) == ["title", "link", "price", "tags", "sold", "photos"]
        assert job.require == job.required == ("title", "link")
        assert job.fill_rates == {}

    def test_accepts_fill_rates(self, tmp_path: Path) -> None:
        text = RECIPE.replace("[title, link]", "{title: 1, price: 0.8}")
        job = read(tmp_path, text).jobs["list-offers"]

        assert job.fill_rates == {"title": 1, "price": 0.8}
        assert job.required == ("title",)

    @pytest.mark.parametrize(("old", "new", "key", "reason"), FAULTS)
    def test_names_the_line_and_the_key_of_a_fault(
        self, tmp_path: Path, old: str, new: str, key: str, reason: str
    ) -> None:
        assert old in RECIPE
        text = RECIPE.replace(old, new, 1)
        with pytest.raises(RecipeError) as caught:
            read(tmp_path, text)
        [fault] = [fault for fault in caught.value.faults if fault.key == key]
        assert fault.reason.startswith(reason)
        existing_key = key.rpartition(".")[0] if reason == "is missing" else key
        assert fault.line == line_of(existing_key, text)

    @pytest.mark.parametrize(("old", "new", "key", "reason"), ADVICE)
    def test_advises_on_quotes_only_where_that_mends_the_fault(
        self, tmp_path: Path, old: str, new: str, key: str, reason: str
    ) -> None:
        assert old in RECIPE
        with pytest.raises(RecipeError) as caught:
            read(tmp_path, RECIPE.replace(old, new, 1))
        [found] = [fault.reason for fault in caught.value.faults if fault.key == key]
        assert found.startswith(reason)
        assert ("quotes)" in found) == (reason.endswith("quotes)"))

    @pytest.mark.parametrize(
        "css",
        [
            ".",
            ":scope",
            ":scope.sold > a, .b",
            "+ tr .score",
            "a:not(:first-child), p:has(> b), :is(p, b) i",
            "[title='::before :not(*)'], .html, .body-text, #head",
            "li:nth-child(2 of .x), [a=b i], .a\\:before",
            "h2.before, p:first-line-x",
        ],
    )
    def test_accepts_selectors_that_can_match(self, css: str) -> None:
        assert Field(css=css).css == css

    @pytest.mark.parametrize(
        "regex",
        [
            r"(?<year>\d+)\k<year>",
            r"(\p{Lu}\u{1F600}[^\P{L}])",
            r"(?<=a)(b)(?<!c)",
            r"(a{1,2}?)\/(?:x|y)",
            r"([[a])",
        ],
    )
    def test_accepts_javascript_syntax(self, regex: str) -> None:
        assert Field(css="a", match=regex).match == regex

    def test_is_immutable(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="frozen"):
            read(tmp_path).site = "other"  # type: ignore[misc]  # tests the error


class TestSpread:
    def test_is_off_unless_the_recipe_says_so(self, tmp_path: Path) -> None:
        spread = RECIPE.replace("    page_size: size\n", "    page_size: size\n    spread: true\n")

        assert not read(tmp_path).jobs["list-offers"].spread
        assert read(tmp_path, spread).jobs["list-offers"].spread

    def test_requires_numbered_pages(self) -> None:
        single = {
            "open": "/",
            "spread": True,
            "items": ".x",
            "collection": "rows",
            "label": {"pt": "linhas", "en": "rows"},
            "fields": {"title": "h2"},
        }

        with pytest.raises(ValidationError, match="requires next: the job has one page"):
            JobDefinition.model_validate(single)


class TestScroll:
    JOB: Mapping[str, Any] = {"open": "/", "items": ".x", "fields": {"title": "h2"}}

    @pytest.mark.parametrize("notation", ["scroll", {"control": "scroll"}])
    def test_gives_the_job_its_pages(self, notation: Any) -> None:
        job = JobDefinition.model_validate({**self.JOB, "next": notation})

        assert job.is_scrolled
        assert job.max_pages == job.params["pages"].default == 1000

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"open": "/{n}", "next": {"control": "scroll", "count": "n", "max": 3}},
                "scroll cannot be combined with count",
            ),
            ({"next": "scroll", "parallel": 2}, "requires next with count"),
        ],
    )
    def test_excludes_numbers(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            JobDefinition.model_validate({**self.JOB, **changes})


class TestKind:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("title", "text"),
            ("link", "text"),
            ("price", "text"),
            ("tags", "text"),
            ("sold", "flag"),
            ("photos", "objects"),
        ],
    )
    def test_depends_on_the_keys_of_the_field(self, tmp_path: Path, name: str, kind: str) -> None:
        assert read(tmp_path).jobs["list-offers"].fields[name].kind == kind


def reverse(data: Any) -> Any:
    """Return the same data with the keys of every mapping in reverse order."""
    if isinstance(data, dict):
        return {key: reverse(data[key]) for key in reversed(data)}
    return [reverse(part) for part in data] if isinstance(data, list) else data


class TestDigest:
    def test_is_a_sha256(self, tmp_path: Path) -> None:
        digest = read(tmp_path).digest
        assert len(digest) == 64
        assert int(digest, 16) > 0

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (
                "{count: page, first: start, pages: pages}",
                "{pages: pages, count: page, first: start}",
            ),
            ("title: h2", "title: {css: h2}"),
            ("title: h2", "title: {nth: 1, css: ' h2 '}  # the name"),
            ("page_timeout_s: 90", "page_timeout_s: 90.0"),
            ("tries: 3", "tries: 3\n  settle_s: 0.3"),
            ("/app/", "/app"),
        ],
    )
    def test_stays_the_same_for_the_same_meaning(self, tmp_path: Path, old: str, new: str) -> None:
        assert read(tmp_path, RECIPE.replace(old, new)).digest == read(tmp_path).digest

    @pytest.mark.parametrize(
        ("old", "new"),
        [("title: h2", "title: h3"), ("tries: 3", "tries: 4"), ("[title, link]", "[link, title]")],
    )
    def test_changes_with_the_meaning(self, tmp_path: Path, old: str, new: str) -> None:
        assert read(tmp_path, RECIPE.replace(old, new)).digest != read(tmp_path).digest

    def test_does_not_depend_on_the_order_of_keys(self) -> None:
        data = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
        reversed_recipe = Recipe.model_validate(reverse(data))
        assert next(iter(reversed_recipe.jobs["scrape-channels"].fields)) == "recent_videos"
        assert reversed_recipe.digest == Recipe.model_validate(data).digest

    def test_is_the_same_in_another_process(self, tmp_path: Path) -> None:
        digest = read(tmp_path).digest
        program = (
            "import sys, pathlib; from scraper.recipes.loader import load_recipe; "
            "print(load_recipe(pathlib.Path(sys.argv[1])).digest)"
        )
        other = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "shop.yaml"],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path.cwd())},
        )
        assert other.stdout.strip() == digest


class TestLogin:
    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ({}, "requires either fill or steps"),
            ({"fill": {"password": "#p"}, "steps": [{"click": "a"}]}, "requires either fill or"),
            (
                {"submit": "a", "steps": [{"fill": {"password": "#p"}}]},
                "has no submit beside steps",
            ),
            ({"steps": [{"fill": {"username": "#u"}}]}, "requires a step that fills password"),
            ({"steps": [{}]}, "requires fill or click"),
            ({"steps": [{"fill": {"pin": "#p"}}]}, "Extra inputs"),
        ],
    )
    def test_has_one_form_or_steps(self, keys: dict[str, object], reason: str) -> None:
        with pytest.raises(ValidationError, match=reason):
            Login.model_validate({"open": "/login", **keys})

    def test_has_the_parts_of_its_forms_by_their_keys(self) -> None:
        one = Login.model_validate({"open": "/", "fill": {"password": "#p"}, "submit": "b"})
        two = Login.model_validate(
            {
                "open": "/",
                "steps": [
                    {"fill": {"username": "#u"}, "click": "b"},
                    {"fill": {"password": "#p", "totp": "#t"}},
                ],
            }
        )

        assert [form.parts for form in one.forms] == [
            {"login.fill.password": "#p", "login.submit": "b"}
        ]
        assert [form.parts for form in two.forms] == [
            {"login.steps.0.fill.username": "#u", "login.steps.0.click": "b"},
            {"login.steps.1.fill.password": "#p", "login.steps.1.fill.totp": "#t"},
        ]
        assert [form.main_part for form in two.forms] == [
            "login.steps.0.fill.username",
            "login.steps.1.fill.password",
        ]
        assert (one.has_username, two.has_username) == (False, True)

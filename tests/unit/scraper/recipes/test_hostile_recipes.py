"""Recipe files that are made to crash, hang or deceive the programs that load them."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scraper.recipes.loader import BUNDLED, RecipeError, load_recipe
from scraper.recipes.models import RESERVED_SITES, Recipe
from scraper.recipes.yaml_source import MAX_BYTES, parse_yaml

TUBEHUNT = (BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8")
SMALL = """\
site: shop
base_url: https://shop.example
jobs:
  list-offers:
    open: /offers
    items: {items}
    collection: offers
    label: {{pt: ofertas, en: offers}}
    fields:
      title: {title}
"""


def load(text: str | bytes) -> Recipe:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_recipe(path)


def reasons_of(text: str | bytes) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(text)
    return [fault.reason for fault in caught.value.faults]


class TestBounds:
    def test_refuses_a_large_file(self) -> None:
        assert reasons_of("#" * MAX_BYTES + "\n") == ["is larger than 256 KiB"]

    def test_refuses_aliases_that_stand_for_billions_of_values(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

        [reason] = reasons_of("\n".join(lines))

        assert reason == "has more than 10000 values, with those that aliases repeat"

    @pytest.mark.parametrize("text", ["[" * 300 + "]" * 300, "[" * 100_000, "a: " * 100_000])
    def test_refuses_deep_nesting(self, text: str) -> None:
        assert reasons_of(text)

    @pytest.mark.parametrize(
        "selector",
        [
            "([" * 20_000 + "])" * 20_000,
            ":scope>" * 5_000,
            "a" * 2_001,
            ".a" + ", .a" * 600,
        ],
    )
    @pytest.mark.parametrize("key", ["items", "title"])
    def test_refuses_a_long_selector(self, selector: str, key: str) -> None:
        texts = {"items": ".offer", "title": "h2", key: f"'{selector}'"}

        assert "must have at most 2000 characters" in reasons_of(SMALL.format(**texts))

    @pytest.mark.parametrize("selector", ["(" * 999 + ")" * 999, ":scope>" * 285, "," * 1_990])
    def test_checks_a_selector_of_the_full_length_quickly(self, selector: str) -> None:
        with suppress(RecipeError):
            load(SMALL.format(items=".offer", title=f"'x{selector}'"))

    def test_refuses_a_regex_that_is_nested_too_deeply(self) -> None:
        title = f"{{css: h2, match: '{'(' * 900}x{')' * 900}'}}"

        [reason] = reasons_of(SMALL.format(items=".offer", title=title))
        assert "too deeply nested" in reason

    def test_reports_a_part_of_very_many_faults(self) -> None:
        lines = "".join(f"key{number}: 1\n" for number in range(5_000))

        assert 1 < len(reasons_of(lines)) <= 100


class TestReservedSites:
    @pytest.mark.parametrize("site", sorted(RESERVED_SITES))
    def test_are_refused_with_a_reason(self, site: str) -> None:
        text = SMALL.format(items=".offer", title="h2").replace("site: shop", f"site: {site}")

        assert f"{site} is reserved for Garimpo itself: choose another name" in reasons_of(text)

    def test_contain_the_names_of_variables_and_tasks(self) -> None:
        assert {"jobs", "redis", "callbacks", "celery", "garimpo", "api"} <= RESERVED_SITES


NAMES = (
    *("site", "base_url", "login", "limits", "jobs", "open", "items", "fields", "params", "next"),
    *("css", "match", "exists", "require", "unique_by", "example", "x", "on", "1", "<<"),
)
KEYS = st.sampled_from(NAMES)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)
LINES = TUBEHUNT.splitlines()
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestRandomFiles:
    """Whatever a file contains, it is a recipe or has faults: no other exception, no hang."""

    @FUZZ
    @given(content=st.binary(max_size=300))
    def test_of_bytes(self, content: bytes) -> None:
        self._check(content)

    @FUZZ
    @given(content=st.text(alphabet="abc:-[]{}&*!|>'\"#%@`?, \n\t~0.", max_size=200))
    def test_of_yaml_syntax(self, content: str) -> None:
        self._check(content.encode())
        source = parse_yaml(content.encode())
        assert source.is_valid or source.faults

    @FUZZ
    @given(value=VALUES)
    def test_of_values(self, value: Any) -> None:
        self._check(yaml.safe_dump(value, allow_unicode=True).encode(errors="replace"))

    @FUZZ
    @given(line=st.integers(0, len(LINES) - 1), value=VALUES)
    def test_with_another_value_in_a_line(self, line: int, value: Any) -> None:
        changed = LINES[:]
        inline = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
        changed[line] = f"{changed[line].partition(':')[0]}: {inline.removesuffix('...').strip()}"

        self._check("\n".join(changed).encode(errors="replace"))

    def _check(self, content: bytes) -> None:
        with suppress(RecipeError):
            assert load(content).digest

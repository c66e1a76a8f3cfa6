from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scraper.recipes.loader import BUNDLED, RecipeError, load_recipe, load_recipes

TUBEHUNT = (BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8")

SMALL = """\
site: shop
base_url: https://shop.example
jobs:
  list-offers:
    open: /offers
    items: .offer
    collection: offers
    label: {pt: ofertas, en: offers}
    fields:
      title: h2
"""

ON = "key on is no text for YAML (as on, off, yes and no): put it in quotes"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestLoadRecipe:
    def test_reads_a_small_recipe_with_its_defaults(self, tmp_path: Path) -> None:
        recipe = load_recipe(write(tmp_path, "shop.yaml", SMALL))
        job = recipe.jobs["list-offers"]
        assert (recipe.site, recipe.login, recipe.limits.tries) == ("shop", None, 5)
        assert (job.params, job.next, job.require, job.fields["title"].css) == ({}, None, (), "h2")

    def test_tells_all_faults_at_once_by_line(self, tmp_path: Path) -> None:
        text = (
            SMALL.replace("site: shop", "site: Shop")
            .replace("open: /offers", "opens: /offers")
            .replace("pt: ofertas", "pt: ofertas, pt: of")
            .replace("title: h2", "title: {css: h2, nth: 0}\n      on: h3")
        )
        path = write(tmp_path, "shop.yaml", text)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value).splitlines() == [
            f"{path}:1: site: must be of lower-case letters, digits and -, and begin with a letter",
            f"{path}:4: jobs.list-offers.open: is missing",
            f"{path}:5: jobs.list-offers.opens: unknown key",
            f"{path}:8: jobs.list-offers.label.pt: key is there twice",
            f"{path}:10: jobs.list-offers.fields.title.nth: must be at least 1",
            f"{path}:11: jobs.list-offers.fields: {ON}",
        ]
        assert [fault.line for fault in caught.value.faults] == [1, 4, 5, 8, 10, 11]
        assert caught.value.faults[2].key == "jobs.list-offers.opens"
        assert caught.value.faults[2].reason == "unknown key"

    @pytest.mark.parametrize("text", ["", "- a\n", "just a text\n"])
    def test_refuses_a_file_that_is_no_mapping(self, tmp_path: Path, text: str) -> None:
        path = write(tmp_path, "shop.yaml", text)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value) == f"{path}:1: must be a mapping"

    def test_says_where_the_yaml_breaks(self, tmp_path: Path) -> None:
        path = write(tmp_path, "shop.yaml", SMALL.replace("{pt: ofertas", "{pt: [ofertas"))
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value).startswith(f"{path}:8: is no YAML: ")

    def test_says_that_a_file_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            load_recipe(tmp_path / "no.yaml")
        assert str(caught.value) == f"{tmp_path}/no.yaml: cannot be read: No such file or directory"
        assert [fault.line for fault in caught.value.faults] == [0]


class TestLoadRecipes:
    def test_has_the_bundled_ones(self) -> None:
        assert list(load_recipes()) == ["tubehunt"]

    def test_adds_those_of_a_folder(self, tmp_path: Path) -> None:
        write(tmp_path, "shop.yaml", SMALL)
        write(tmp_path, "fair.yml", SMALL.replace("site: shop", "site: fair"))
        assert sorted(load_recipes(tmp_path)) == ["fair", "shop", "tubehunt"]

    def test_lets_the_folder_win_for_a_site(self, tmp_path: Path) -> None:
        write(tmp_path, "mine.yaml", SMALL.replace("site: shop", "site: tubehunt"))
        recipes = load_recipes(tmp_path)
        assert list(recipes) == ["tubehunt"]
        assert list(recipes["tubehunt"].jobs) == ["list-offers"]

    def test_passes_over_what_is_no_recipe_file(self, tmp_path: Path) -> None:
        write(tmp_path, "README.md", "no recipe")
        write(tmp_path, ".hidden.yaml", "no recipe")
        assert list(load_recipes(tmp_path)) == ["tubehunt"]

    def test_refuses_a_site_that_two_files_have(self, tmp_path: Path) -> None:
        write(tmp_path, "a.yaml", SMALL)
        write(tmp_path, "b.yaml", SMALL)
        with pytest.raises(RecipeError) as caught:
            load_recipes(tmp_path)
        assert str(caught.value) == f"{tmp_path}/b.yaml: site: shop is in another file here too"

    def test_tells_the_faults_of_all_files(self, tmp_path: Path) -> None:
        write(tmp_path, "b.yaml", SMALL.replace("items:", "item:"))
        write(tmp_path, "a.yaml", "site: a\n")
        with pytest.raises(RecipeError) as caught:
            load_recipes(tmp_path)
        assert [(fault.path.name, fault.line, fault.key) for fault in caught.value.faults] == [
            ("a.yaml", 1, "base_url"),
            ("a.yaml", 1, "jobs"),
            ("b.yaml", 4, "jobs.list-offers.items"),
            ("b.yaml", 6, "jobs.list-offers.item"),
        ]

    def test_says_that_the_folder_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            load_recipes(tmp_path / "no")
        assert str(caught.value) == f"{tmp_path}/no: cannot be read: No such file or directory"

    def test_says_that_the_folder_is_a_file(self, tmp_path: Path) -> None:
        path = write(tmp_path, "shop.yaml", SMALL)
        with pytest.raises(RecipeError) as caught:
            load_recipes(path)
        assert str(caught.value) == f"{path}: cannot be read: Not a directory"


def vocabulary() -> list[yaml.ScalarNode]:
    """The keys of tubehunt.yaml whose names are not the author's to choose."""
    found: list[yaml.ScalarNode] = []

    def walk(node: yaml.Node, *, free: bool) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            if not free:
                found.append(key)
            if key.value != "example":
                walk(value, free=not free and key.value in {"jobs", "params", "fields"})

    root = yaml.compose(TUBEHUNT, yaml.SafeLoader)
    assert root is not None
    walk(root, free=False)
    return found


KEYS = vocabulary()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


class TestEdits:
    def test_has_keys_to_edit(self) -> None:
        assert {"site", "path_is_not", "page_timeout_s", "max", "count", "pt", "css", "then"} <= {
            key.value for key in KEYS
        }

    @settings(deadline=None)  # machines differ, the answer does not
    @given(data=st.data())
    def test_refuses_any_letter_that_slips_into_a_key_and_names_its_line(
        self, folder: Path, data: st.DataObject
    ) -> None:
        key = data.draw(st.sampled_from(KEYS))
        at = data.draw(st.integers(0, len(key.value)))
        letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz0_"))
        # "of" becomes no key, but a truth value; that has a fault of its own.
        assume(key.value[:at] + letter + key.value[at:] not in {"on", "off", "yes", "no"})
        place = key.start_mark.index + at
        path = write(folder, "key.yaml", TUBEHUNT[:place] + letter + TUBEHUNT[place:])
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        wrong = key.value[:at] + letter + key.value[at:]
        assert (key.start_mark.line + 1, wrong, "unknown key") in [
            (fault.line, fault.key.rpartition(".")[2], fault.reason)
            for fault in caught.value.faults
        ]

    @settings(deadline=None)  # machines differ, the answer does not
    @given(data=st.data())
    def test_answers_any_cut_with_a_recipe_or_with_faults_in_the_file(
        self, folder: Path, data: st.DataObject
    ) -> None:
        start = data.draw(st.integers(0, len(TUBEHUNT)))
        end = data.draw(st.integers(start, min(len(TUBEHUNT), start + 80)))
        put = data.draw(st.text("ab:{}[]-&*'\"# \n0.", max_size=5))
        text = TUBEHUNT[:start] + put + TUBEHUNT[end:]
        try:
            load_recipe(write(folder, "cut.yaml", text))
        except RecipeError as error:
            lines = [fault.line for fault in error.faults]
            assert lines
            assert lines == sorted(lines)
            assert 1 <= lines[0] <= lines[-1] <= text.count("\n") + 1

from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from scraper.recipes.loader import BUNDLED, RecipeError, load_recipe, load_recipes
from scraper.recipes.models import Recipe

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

SLUG = "must contain only lower-case letters, digits and -, and start with a letter"
ON = "key on is not a string in YAML (like on, off, yes and no): put it in quotes"


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

    def test_reports_all_faults_at_once_by_line(self, tmp_path: Path) -> None:
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
            f"{path}:1: site: {SLUG}",
            f"{path}:4: jobs.list-offers.open: is missing",
            f"{path}:5: jobs.list-offers.opens: unknown key",
            f"{path}:8: jobs.list-offers.label.pt: duplicate key",
            f"{path}:10: jobs.list-offers.fields.title.nth: must be at least 1",
            f"{path}:11: jobs.list-offers.fields: {ON}",
        ]
        assert [fault.line for fault in caught.value.faults] == [1, 4, 5, 8, 10, 11]
        assert caught.value.faults[2].key == "jobs.list-offers.opens"
        assert caught.value.faults[2].reason == "unknown key"

    @pytest.mark.parametrize("text", ["", "- a\n", "just a text\n"])
    def test_rejects_a_file_that_is_not_a_mapping(self, tmp_path: Path, text: str) -> None:
        path = write(tmp_path, "shop.yaml", text)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value) == f"{path}:1: must be a mapping"

    def test_names_the_line_of_invalid_yaml(self, tmp_path: Path) -> None:
        path = write(tmp_path, "shop.yaml", SMALL.replace("{pt: ofertas", "{pt: [ofertas"))
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value).startswith(f"{path}:8: is not valid YAML: ")

    def test_reports_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            load_recipe(tmp_path / "no.yaml")
        assert str(caught.value) == f"{tmp_path}/no.yaml: cannot be read: No such file or directory"
        assert [fault.line for fault in caught.value.faults] == [0]


class TestLoadRecipes:
    def test_includes_the_bundled_recipes(self) -> None:
        assert list(load_recipes()) == ["tubehunt"]

    def test_adds_the_recipes_of_a_folder(self, tmp_path: Path) -> None:
        write(tmp_path, "shop.yaml", SMALL)
        write(tmp_path, "fair.yml", SMALL.replace("site: shop", "site: fair"))
        assert sorted(load_recipes(tmp_path)) == ["fair", "shop", "tubehunt"]

    def test_prefers_the_recipe_of_the_folder_for_a_site(self, tmp_path: Path) -> None:
        write(tmp_path, "mine.yaml", SMALL.replace("site: shop", "site: tubehunt"))
        recipes = load_recipes(tmp_path)
        assert list(recipes) == ["tubehunt"]
        assert list(recipes["tubehunt"].jobs) == ["list-offers"]

    def test_ignores_files_that_are_not_recipes(self, tmp_path: Path) -> None:
        write(tmp_path, "README.md", "not a recipe")
        write(tmp_path, ".hidden.yaml", "not a recipe")
        assert list(load_recipes(tmp_path)) == ["tubehunt"]

    def test_keeps_the_first_file_of_a_site(self, tmp_path: Path) -> None:
        write(tmp_path, "a.yaml", SMALL)
        write(tmp_path, "b.yaml", "# A copy\n" + SMALL.replace("title: h2", "name: h3"))
        recipes = load_recipes(tmp_path)
        assert list(recipes["shop"].jobs["list-offers"].fields) == ["title"]
        assert [str(fault) for fault in recipes.faults] == [
            f"{tmp_path}/b.yaml:2: site: shop is already the site of a.yaml"
        ]

    def test_leaves_out_files_with_faults(self, tmp_path: Path) -> None:
        write(tmp_path, "a.yaml", "site: a\n")
        write(tmp_path, "b.yaml", SMALL.replace("shop\n", "b\n", 1).replace("items:", "item:"))
        write(tmp_path, "c.yaml", "site: [\n")
        (tmp_path / "d.yaml").mkdir()
        (tmp_path / "e.yaml").write_bytes(b"site: e\n# \xff\n")
        write(tmp_path, "shop.yaml", SMALL)
        recipes = load_recipes(tmp_path)
        assert sorted(recipes) == ["shop", "tubehunt"]
        assert [
            (fault.path.name, fault.line, fault.key, fault.site) for fault in recipes.faults
        ] == [
            ("a.yaml", 1, "base_url", "a"),
            ("a.yaml", 1, "jobs", "a"),
            ("b.yaml", 4, "jobs.list-offers.items", "b"),
            ("b.yaml", 6, "jobs.list-offers.item", "b"),
            ("c.yaml", 2, "", ""),
            ("d.yaml", 0, "", ""),
            ("e.yaml", 2, "", "e"),
        ]

    def test_logs_each_fault(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        path = write(tmp_path, "a.yaml", "site: a\n")
        load_recipes(tmp_path).log_faults()
        assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
        fields = vars(caplog.records[0])
        names = ("file", "line", "key", "reason")
        assert [fields[name] for name in names] == [str(path), 1, "base_url", "is missing"]

    @pytest.mark.parametrize(
        "text",
        [
            "site: tubehunt\n",
            "site: 'tubehunt' # ours\r\njobs: [\r\n",
            SMALL.replace("site: shop", "site: tubehunt").replace("h2", "{css: h2"),
        ],
    )
    def test_does_not_fall_back_to_a_bundled_recipe(self, tmp_path: Path, text: str) -> None:
        write(tmp_path, "mine.yaml", text)
        recipes = load_recipes(tmp_path)
        assert list(recipes) == []
        assert {fault.site for fault in recipes.faults} == {"tubehunt"}

    def test_keeps_a_bundled_recipe_if_the_site_of_a_file_is_unknown(self, tmp_path: Path) -> None:
        write(tmp_path, "tubehunt.yaml", "jobs: [\n")
        assert list(load_recipes(tmp_path)) == ["tubehunt"]

    def test_prefers_a_file_without_faults_for_a_site(self, tmp_path: Path) -> None:
        write(tmp_path, "shop-2.yaml", SMALL.replace("items:", "item:"))
        write(tmp_path, "shop.yaml", SMALL)
        assert "shop" in load_recipes(tmp_path)

    def test_reports_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError) as caught:
            load_recipes(tmp_path / "no")
        assert str(caught.value) == f"{tmp_path}/no: cannot be read: No such file or directory"

    def test_reports_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        path = write(tmp_path, "shop.yaml", SMALL)
        with pytest.raises(RecipeError) as caught:
            load_recipes(path)
        assert str(caught.value) == f"{path}: cannot be read: Not a directory"


class TestLocate:
    @pytest.mark.parametrize(
        ("key", "line"),
        [
            (("jobs", "list-offers", "fields", "title", "css"), 10),
            (("jobs", "list-offers", "open"), 5),
            (("jobs", "no-such-job", "open"), 3),
            (("site",), 1),
            (("login", "submit"), 1),
            ((), 1),
        ],
    )
    def test_names_the_line_of_the_closest_key(
        self, tmp_path: Path, key: tuple[str, ...], line: int
    ) -> None:
        recipe = load_recipe(write(tmp_path, "shop.yaml", SMALL))
        assert recipe.locate(key) == f"shop.yaml:{line}"

    def test_is_empty_without_a_file(self) -> None:
        assert Recipe.model_validate(yaml.safe_load(SMALL)).locate(("site",)) == ""

    def test_is_kept_in_a_copy(self, tmp_path: Path) -> None:
        recipe = load_recipe(write(tmp_path, "shop.yaml", SMALL))
        copy = recipe.model_copy(update={"site": "other"})
        assert copy.locate(("site",)) == "shop.yaml:1"

    def test_changes_neither_dump_nor_digest(self, tmp_path: Path) -> None:
        recipe = load_recipe(write(tmp_path, "shop.yaml", SMALL))
        without_file = Recipe.model_validate(yaml.safe_load(SMALL))
        assert recipe.model_dump() == without_file.model_dump()
        assert recipe.digest == without_file.digest


def fixed_keys() -> list[yaml.ScalarNode]:
    """Return the keys of tubehunt.yaml whose names the author cannot choose."""
    keys: list[yaml.ScalarNode] = []

    def walk(node: yaml.Node, *, is_chosen: bool) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            if not is_chosen:
                keys.append(key)
            if key.value != "example":
                walk(value, is_chosen=not is_chosen and key.value in {"jobs", "params", "fields"})

    root = yaml.compose(TUBEHUNT, yaml.SafeLoader)
    assert root is not None
    walk(root, is_chosen=False)
    return keys


KEYS = fixed_keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


class TestEdits:
    def test_cover_keys_of_all_models(self) -> None:
        assert {"site", "path_is_not", "page_timeout_s", "max", "count", "pt", "css", "then"} <= {
            key.value for key in KEYS
        }

    @given(data=st.data())
    def test_with_a_wrong_letter_in_a_key_are_rejected_with_its_line(
        self, folder: Path, data: st.DataObject
    ) -> None:
        key = data.draw(st.sampled_from(KEYS))
        position = data.draw(st.integers(0, len(key.value)))
        letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz0_"))
        wrong_key = key.value[:position] + letter + key.value[position:]
        # YAML parses these as booleans, which is another fault.
        assume(wrong_key not in {"on", "off", "yes", "no"})
        index = key.start_mark.index + position
        path = write(folder, "key.yaml", TUBEHUNT[:index] + letter + TUBEHUNT[index:])
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert (key.start_mark.line + 1, wrong_key, "unknown key") in [
            (fault.line, fault.key.rpartition(".")[2], fault.reason)
            for fault in caught.value.faults
        ]

    @given(data=st.data())
    def test_never_break_the_loader(self, folder: Path, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(TUBEHUNT)))
        end = data.draw(st.integers(start, min(len(TUBEHUNT), start + 80)))
        inserted = data.draw(st.text("ab:{}[]-&*'\"# \n0.", max_size=5))
        text = TUBEHUNT[:start] + inserted + TUBEHUNT[end:]
        try:
            load_recipe(write(folder, "cut.yaml", text))
        except RecipeError as error:
            lines = [fault.line for fault in error.faults]
            assert lines
            assert lines == sorted(lines)
            assert 1 <= lines[0] <= lines[-1] <= text.count("\n") + 1

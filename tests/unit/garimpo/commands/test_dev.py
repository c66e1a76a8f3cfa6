"""Choice of the sites that `garimpo dev` serves, by recipes and settings."""

from pathlib import Path

import pytest
import yaml

from garimpo.commands.dev import DevSettingsError, needs_demo_site, read_sites
from scraper.recipes.loader import BUNDLED

_NAMES = ("BASE_URL", "USERNAME", "PASSWORD")


@pytest.fixture(autouse=True)
def without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in _NAMES:
        monkeypatch.delenv(f"TUBEHUNT_{name}", raising=False)


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """Create a folder with a recipe for the site `my-site`."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["site"] = "my-site"
    (folder / "my-site.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder


class TestNeedsDemoSite:
    def test_without_any_setting(self) -> None:
        assert needs_demo_site(read_sites(None))

    def test_not_with_an_account(self) -> None:
        Path(".env").write_text("TUBEHUNT_USERNAME=me@example.com\nTUBEHUNT_PASSWORD=secret\n")
        assert not needs_demo_site(read_sites(None))

    def test_not_with_a_base_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUBEHUNT_BASE_URL", "http://127.0.0.1:1")
        assert not needs_demo_site(read_sites(None))

    def test_not_with_a_setting_of_another_recipe(
        self, monkeypatch: pytest.MonkeyPatch, recipes: Path
    ) -> None:
        assert needs_demo_site(read_sites(recipes))
        monkeypatch.setenv("MY_SITE_BASE_URL", "http://127.0.0.1:1")
        assert not needs_demo_site(read_sites(recipes))

    def test_not_without_its_recipe(self, recipes: Path) -> None:
        sites = [site for site in read_sites(recipes) if site.name == "my-site"]
        assert len(sites) == 1
        assert not needs_demo_site(sites)


class TestReadSites:
    @pytest.mark.parametrize("site", ["TUBEHUNT", "MY_SITE"])
    @pytest.mark.parametrize(
        ("given", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")]
    )
    def test_names_the_missing_half_of_an_account(
        self, monkeypatch: pytest.MonkeyPatch, recipes: Path, site: str, given: str, missing: str
    ) -> None:
        monkeypatch.setenv(f"{site}_{given}", "something")
        with pytest.raises(DevSettingsError, match=f"^{site}_{missing} is not set"):
            read_sites(recipes)

    def test_warns_of_a_recipe_with_a_fault_and_leaves_it_out(
        self, recipes: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = recipes / "broken.yaml"
        path.write_text("site: broken\nbase_url: https://x.example\n")

        assert sorted(site.name for site in read_sites(recipes)) == ["my-site", "tubehunt"]
        assert capsys.readouterr().err == f"Recipe left out: {path}:1: jobs: is missing\n"

    def test_names_a_folder_that_cannot_be_read(self, recipes: Path) -> None:
        reason = f"^RECIPES_DIR: {recipes}/no: cannot be read: No such file or directory$"
        with pytest.raises(DevSettingsError, match=reason):
            read_sites(recipes / "no")

"""Check of recipe files: all that is wrong with them, without a request to their sites."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scraper.browser.chrome import open_tab
from scraper.recipe_selectors import find_selector_faults
from scraper.recipes.loader import RecipeError, RecipeFault, dotted, load_recipe
from scraper.recipes.models import Recipe
from scraper.settings import ChromeSettings


def load_files(paths: Sequence[Path]) -> tuple[dict[Path, Recipe], list[RecipeFault]]:
    """Return the recipes of the files without faults, and the faults of the others."""
    recipes: dict[Path, Recipe] = {}
    faults: list[RecipeFault] = []
    for path in paths:
        try:
            recipes[path] = load_recipe(path)
        except RecipeError as error:
            faults += error.faults
    return recipes, faults


def try_selectors(recipes: dict[Path, Recipe]) -> Iterator[RecipeFault]:
    """Yield what Chrome says about the selectors and regexes of recipes.

    Raises:
        ScrapeError: There is no browser, or it is lost.
    """
    with open_tab(ChromeSettings().browser) as tab:
        tab.open("about:blank")
        for path, recipe in recipes.items():
            for given_key, reason in find_selector_faults(recipe, tab):
                key = recipe.spell(given_key)
                yield RecipeFault(recipe.find_line(key), dotted(key), reason, path, recipe.site)

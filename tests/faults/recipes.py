"""Recipes of the fault tests: the bundled one, and copies with short time limits."""

from pathlib import Path

import yaml

from scraper.recipes.loader import BUNDLED

#: Long default timeouts, so that a busy machine does not fail jobs; short retry pauses.
_DEFAULT = {"first_pause_s": 0.05}
_PER_PAGE_S = 0.001

#: Limits by site; all sites have the same address.
LIMITS = {
    "tubehunt": _DEFAULT,
    # Ends after a few pages.
    "hurried": {**_DEFAULT, "job_base_s": 8, "job_per_page_s": _PER_PAGE_S},
    # Ends after more pages.
    "brief": {**_DEFAULT, "job_base_s": 15, "job_per_page_s": _PER_PAGE_S},
}


def write_recipes(folder: Path) -> Path:
    """Write the recipes to a folder, for RECIPES_DIR; return it."""
    folder.mkdir(parents=True)
    bundled = (BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8")
    for site, limits in LIMITS.items():
        recipe = yaml.safe_load(bundled)
        recipe["site"] = site
        recipe["limits"] |= limits
        text = yaml.safe_dump(recipe, allow_unicode=True)
        (folder / f"{site}.yaml").write_text(text, encoding="utf-8")
    return folder

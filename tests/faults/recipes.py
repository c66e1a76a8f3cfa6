"""Recipes of the fault tests: the bundled one, and copies with short time limits."""

from pathlib import Path
from typing import Any

import yaml

from scraper.recipes.loader import BUNDLED

#: Long default timeouts, so that a busy machine does not fail jobs; short retry pauses.
_DEFAULT = {"first_pause_s": 0.05}
_PER_PAGE_S = 0.001
#: Settings of these sites.
SETTINGS = {"SINGLE_PARALLEL": "1"}

#: Limits by site; all sites have the same address.
LIMITS: dict[str, dict[str, float]] = {
    "tubehunt": _DEFAULT,
    # Ends after a few pages.
    "hurried": {**_DEFAULT, "job_base_s": 8, "job_per_page_s": _PER_PAGE_S},
    # Ends after more pages.
    "brief": {**_DEFAULT, "job_base_s": 25, "job_per_page_s": _PER_PAGE_S},
    # Reads one page at a time; see SETTINGS.
    "single": _DEFAULT,
    # Is read by several workers.
    "spread": _DEFAULT,
    # Is read from link to link.
    "followed": _DEFAULT,
    # Requires fill rates.
    "rated": _DEFAULT,
}

#: The fill rates of the site that requires some; some channels have no country.
FILL_RATES = {"channel_name": 1, "channel_handle": 0.5, "country": 0.99}

#: How many pages a worker loads at the same time, of the site that is read by several.
PARALLEL = 2


def _follow_links(job: dict[str, Any]) -> None:
    """Let a job follow the links of the list instead of counting its pages."""
    del job["params"]["first_page"], job["parallel"]
    job["open"] = job["open"].replace("{page}", "1")
    job["next"] = {"control": "//nav[@class='pagination']/a[.='Próxima']", "pages": "pages"}


def write_recipes(folder: Path) -> Path:
    """Write the recipes to a folder, for RECIPES_DIR; return it."""
    folder.mkdir(parents=True)
    bundled = (BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8")
    for site, limits in LIMITS.items():
        recipe = yaml.safe_load(bundled)
        recipe["site"] = site
        recipe["limits"] |= limits
        if site == "spread":
            recipe["jobs"]["scrape-channels"] |= {"spread": True, "parallel": PARALLEL}
        if site == "rated":
            recipe["jobs"]["scrape-channels"]["require"] = FILL_RATES
        if site == "followed":
            _follow_links(recipe["jobs"]["scrape-channels"])
        text = yaml.safe_dump(recipe, allow_unicode=True)
        (folder / f"{site}.yaml").write_text(text, encoding="utf-8")
    return folder

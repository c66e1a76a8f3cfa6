"""The recipes of the suite: a patient one, and copies of it whose jobs may not take long."""

from pathlib import Path

import yaml

from scraper.recipes.loader import BUNDLED

#: What the machine does to the suite's own speed shall end no job: only faults do.
_PATIENT = {"first_pause_s": 0.05}
_PER_PAGE_S = 0.001

#: The limits by site; all are at the same address.
LIMITS = {
    "tubehunt": _PATIENT,
    # Ends before it has got far.
    "hurried": {**_PATIENT, "job_base_s": 8, "job_per_page_s": _PER_PAGE_S},
    # Time enough to get somewhere.
    "brief": {**_PATIENT, "job_base_s": 15, "job_per_page_s": _PER_PAGE_S},
}


def write_recipes(folder: Path) -> Path:
    """Put them into a folder, for RECIPES_DIR; return it."""
    folder.mkdir(parents=True)
    bundled = (BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8")
    for site, limits in LIMITS.items():
        recipe = yaml.safe_load(bundled)
        recipe["site"] = site
        recipe["limits"] |= limits
        text = yaml.safe_dump(recipe, allow_unicode=True)
        (folder / f"{site}.yaml").write_text(text, encoding="utf-8")
    return folder

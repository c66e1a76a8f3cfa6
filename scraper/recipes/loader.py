"""Loader of recipes from YAML files; each fault has its file, line and key."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from scraper.recipes.fault_reasons import find_reasons, key_of
from scraper.recipes.models import Recipe, RecipeSource
from scraper.recipes.yaml_source import MAX_BYTES, KeyPath, YamlSource, parse_yaml

#: The folder of the recipes that Garimpo includes.
BUNDLED: Final = Path(__file__).parent.parent / "sites"

# Read from the text, since a file that is not YAML has no data.
_SITE: Final = re.compile(
    rb"""^site:[ \t]*["']?([a-z][a-z0-9-]*)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE
)

logger = logging.getLogger(__name__)


class RecipeFault(NamedTuple):
    """A fault in a recipe file."""

    #: From 1; 0 for the whole file or folder.
    line: int
    #: Such as jobs.scrape-channels.open; empty for the whole file.
    key: str
    reason: str
    path: Path
    #: The site that the file describes; empty if that cannot be read.
    site: str = ""

    def __str__(self) -> str:
        """Return a line such as `sites/tubehunt.yaml:14: jobs.scrape-channels.open: is missing`."""
        location = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(part for part in (location, self.key, self.reason) if part)


class RecipeError(ValueError):
    """Invalid recipes; the text has one line for each fault."""

    def __init__(self, faults: Iterable[RecipeFault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (str(fault.path), fault.line))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True)
class LoadedRecipes(Mapping[str, Recipe]):
    """The recipes by site, and the faults of the files that were left out."""

    by_site: Mapping[str, Recipe]
    faults: Sequence[RecipeFault] = ()

    def __getitem__(self, site: str) -> Recipe:
        """Return the recipe of a site."""
        return self.by_site[site]

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the sites."""
        return iter(self.by_site)

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.by_site)

    def log_faults(self) -> None:
        """Log an error for each fault."""
        for fault in self.faults:
            logger.error(
                "recipe left out",
                extra={
                    "file": str(fault.path),
                    "line": fault.line,
                    "key": fault.key,
                    "reason": fault.reason,
                },
            )


def load_recipes(extra: Path | None = None) -> LoadedRecipes:
    """Return the bundled recipes and those of another folder, by site.

    A file with a fault is left out. Of two files for one site in a folder, the second by name is
    left out.

    Args:
        extra: A folder whose recipes replace bundled ones for the same sites. A file with a fault
            takes the bundled recipe of its site out of use too, unless its site cannot be read:
            the site must not silently run with another recipe than the one that was meant.

    Raises:
        RecipeError: A folder cannot be read.
    """
    bundled = _load_folder(BUNDLED)
    if extra is None:
        return bundled
    added = _load_folder(extra)
    broken_sites = {fault.site for fault in added.faults}
    kept = {site: recipe for site, recipe in bundled.items() if site not in broken_sites}
    return LoadedRecipes({**kept, **added}, [*bundled.faults, *added.faults])


def load_recipe(path: Path) -> Recipe:
    """Return the recipe in a file.

    Raises:
        RecipeError: The file cannot be read or is not a valid recipe.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # one more is enough to reject it
    except OSError as error:
        raise RecipeError([_unreadable(path, error)]) from None
    source = parse_yaml(content)
    site = _find_site(content)
    faults = [
        RecipeFault(line, dotted(key), reason, path, site) for line, key, reason in source.faults
    ]
    if source.is_valid:
        try:
            recipe = Recipe.model_validate(source.data)
        except ValidationError as error:
            faults += _faults_of(error, source, path, site)
        else:
            if not faults:
                return recipe.with_source(RecipeSource(path, source.lines))
    raise RecipeError(faults)


def _load_folder(folder: Path) -> LoadedRecipes:
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")
        )
    except OSError as error:
        raise RecipeError([_unreadable(folder, error)]) from None
    recipes: dict[str, Recipe] = {}
    files: dict[str, str] = {}
    faults: list[RecipeFault] = []
    for path in paths:
        try:
            recipe = load_recipe(path)
        except RecipeError as error:
            faults += error.faults
            continue
        site = recipe.site
        if site in recipes:
            reason = f"{site} is already the site of {files[site]}"
            line = recipe.find_line(("site",))
            faults.append(RecipeFault(line, "site", reason, path, site))
        else:
            recipes[site] = recipe
            files[site] = path.name
    return LoadedRecipes(recipes, faults)


def _find_site(content: bytes) -> str:
    """Return the site that a file names; empty if it names none, or an invalid one."""
    match = _SITE.search(content)
    return match[1].decode() if match else ""


def _unreadable(path: Path, error: OSError) -> RecipeFault:
    return RecipeFault(0, "", f"cannot be read: {error.strerror}", path)


def _faults_of(
    error: ValidationError, source: YamlSource, path: Path, site: str
) -> Iterable[RecipeFault]:
    for fault, reason in find_reasons(error, source):
        key = key_of(fault)
        nearest = source.nearest(key)
        shown_key = key if fault["type"] == "missing" else nearest
        yield RecipeFault(source.lines[nearest], dotted(shown_key), reason, path, site)


def dotted(key: KeyPath) -> str:
    """Return a key's path as text: `jobs.scrape-channels.require[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)
    return text.removeprefix(".")

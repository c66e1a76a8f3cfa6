"""Recipes from YAML files, each fault with its file, line and key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from scraper.recipes.error_messages import describe_error
from scraper.recipes.models import Recipe
from scraper.recipes.yaml_source import Key, YamlSource, parse_yaml

#: The recipes that come with Garimpo.
BUNDLED: Final = Path(__file__).parent.parent / "sites"


class RecipeFault(NamedTuple):
    """One thing that is wrong in a recipe file."""

    line: int  # from 1; 0 is the file (or folder) as a whole
    key: str  # such as jobs.scrape-channels.open; empty for the file as a whole
    reason: str
    path: Path

    def __str__(self) -> str:
        """Such as `sites/tubehunt.yaml:14: jobs.scrape-channels.open: is missing`."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(part for part in (place, self.key, self.reason) if part)


class RecipeError(ValueError):
    """Recipes that cannot be used: one line for each fault."""

    def __init__(self, faults: Iterable[RecipeFault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (str(fault.path), fault.line))
        super().__init__("\n".join(map(str, self.faults)))


def load_recipes(extra: Path | None = None) -> dict[str, Recipe]:
    """Read the bundled recipes and those in the folder `extra`, by site.

    A recipe of `extra` takes the place of the bundled one for the same site.

    Raises:
        RecipeError: with the faults of all the files.
    """
    recipes = _load_folder(BUNDLED)
    return recipes if extra is None else recipes | _load_folder(extra)


def load_recipe(path: Path) -> Recipe:
    """Read one recipe.

    Raises:
        RecipeError: the file cannot be read or is no recipe.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError([_unreadable(path, error)]) from None
    source = parse_yaml(content)
    faults = [RecipeFault(line, dotted(key), why, path) for line, key, why in source.faults]
    if source.is_valid:
        try:
            recipe = Recipe.model_validate(source.data)
        except ValidationError as error:
            faults += _faults_of(error, source, path)
        else:
            if not faults:
                return recipe
    raise RecipeError(faults)


def _load_folder(folder: Path) -> dict[str, Recipe]:
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")
        )
    except OSError as error:
        raise RecipeError([_unreadable(folder, error)]) from None
    recipes: dict[str, Recipe] = {}
    faults: list[RecipeFault] = []
    for path in paths:
        try:
            recipe = load_recipe(path)
        except RecipeError as error:
            faults += error.faults
            continue
        if recipe.site in recipes:
            faults.append(
                RecipeFault(0, "site", f"{recipe.site} is in another file here too", path)
            )
        recipes[recipe.site] = recipe
    if faults:
        raise RecipeError(faults)
    return recipes


def _unreadable(path: Path, error: OSError) -> RecipeFault:
    return RecipeFault(0, "", f"cannot be read: {error.strerror}", path)


def _faults_of(error: ValidationError, source: YamlSource, path: Path) -> Iterable[RecipeFault]:
    for fault in error.errors():
        # Pydantic marks the fault of a mapping's key by this step after it.
        key: Key = tuple(step for step in fault["loc"] if step != "[key]")
        known = source.nearest(key)
        named = key if fault["type"] == "missing" else known
        yield RecipeFault(source.lines[known], dotted(named), describe_error(fault), path)


def dotted(key: Key) -> str:
    """A key's path as people write it: `jobs.scrape-channels.require[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)
    return text.removeprefix(".")

"""Loader of recipes from YAML files; each fault has its file, line and key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from scraper.recipes.error_messages import describe_error
from scraper.recipes.models import Recipe
from scraper.recipes.yaml_source import KeyPath, YamlSource, parse_yaml

#: The folder of the recipes that Garimpo includes.
BUNDLED: Final = Path(__file__).parent.parent / "sites"


class RecipeFault(NamedTuple):
    """A fault in a recipe file."""

    #: From 1; 0 for the whole file or folder.
    line: int
    #: Such as jobs.scrape-channels.open; empty for the whole file.
    key: str
    reason: str
    path: Path

    def __str__(self) -> str:
        """Return a line such as `sites/tubehunt.yaml:14: jobs.scrape-channels.open: is missing`."""
        location = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(part for part in (location, self.key, self.reason) if part)


class RecipeError(ValueError):
    """Invalid recipes; the text has one line for each fault."""

    def __init__(self, faults: Iterable[RecipeFault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (str(fault.path), fault.line))
        super().__init__("\n".join(map(str, self.faults)))


def load_recipes(extra: Path | None = None) -> dict[str, Recipe]:
    """Return the bundled recipes and those of another folder, by site.

    Args:
        extra: A folder whose recipes replace bundled ones for the same sites.

    Raises:
        RecipeError: There are faults, or a folder cannot be read.
    """
    recipes = _load_folder(BUNDLED)
    return recipes if extra is None else recipes | _load_folder(extra)


def load_recipe(path: Path) -> Recipe:
    """Return the recipe in a file.

    Raises:
        RecipeError: The file cannot be read or is not a valid recipe.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError([_unreadable(path, error)]) from None
    source = parse_yaml(content)
    faults = [RecipeFault(line, dotted(key), reason, path) for line, key, reason in source.faults]
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
                RecipeFault(0, "site", f"{recipe.site} is defined in another file too", path)
            )
        recipes[recipe.site] = recipe
    if faults:
        raise RecipeError(faults)
    return recipes


def _unreadable(path: Path, error: OSError) -> RecipeFault:
    return RecipeFault(0, "", f"cannot be read: {error.strerror}", path)


def _faults_of(error: ValidationError, source: YamlSource, path: Path) -> Iterable[RecipeFault]:
    for fault in error.errors():
        # Pydantic appends this step for an invalid key of a mapping.
        key: KeyPath = tuple(step for step in fault["loc"] if step != "[key]")
        nearest = source.nearest(key)
        shown_key = key if fault["type"] == "missing" else nearest
        yield RecipeFault(source.lines[nearest], dotted(shown_key), describe_error(fault), path)


def dotted(key: KeyPath) -> str:
    """Return a key's path as text: `jobs.scrape-channels.require[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)
    return text.removeprefix(".")

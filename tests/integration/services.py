"""A whole stack for tests: Redis, the stand-in site, the API; and the recipe with short waits."""

from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from garimpo.stack.process import Process
from garimpo.stack.stack import Stack
from scraper.recipes.loader import BUNDLED

#: The bundled recipe with waits that suit a site on loopback.
IMPATIENT = {"page_timeout_s": 3, "login_timeout_s": 3, "empty_after_s": 0.5, "first_pause_s": 0.05}


def write_impatient_recipe(folder: Path) -> None:
    """Put the bundled recipe, with short waits, where RECIPES_DIR points."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["limits"] |= IMPATIENT
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "tubehunt.yaml").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Services:
    """The services that run; workers are started by whoever needs one."""

    stack: Stack
    redis: Process
    site: Process
    api: Process

    def client(self) -> httpx.Client:
        """Open a client of the API."""
        return httpx.Client(base_url=self.api.url, timeout=10, trust_env=False)

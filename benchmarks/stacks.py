"""What the benchmarks start beside the services of a local stack, and what they ask of them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from demo.request_log import CONTROLS
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port, make_environment
from scraper.recipes.loader import BUNDLED

#: Limits that no benchmark reaches.
UNLIMITED = {
    "MAX_WAITING_JOBS": "1000000",
    "MAX_STORED_JOBS": "1000000",
}


def start_reference_api(stack: Stack) -> Process:
    """Start `benchmarks.reference_api` on the stack's Redis; the caller stops it."""
    project = Path(__file__).parent.parent
    environment = make_environment(stack.settings, inherit_all=False)
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    process = Process(
        "reference-api",
        [sys.executable, "-m", "benchmarks.reference_api", "--port", str(port)],
        {**environment, "PYTHONPATH": str(project)},
        cwd=stack.folder,
        log=stack.folder / "reference-api.log",
        url=url,
        is_ready=lambda _: _is_alive(url),
    )
    process.start()
    process.wait_ready()
    return process


def _is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/live", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def set_faults(site: Process, **faults: object) -> None:
    """Replace the faults of the demo site."""
    httpx.post(f"{site.url}{CONTROLS}bad-days", json=faults, trust_env=False).raise_for_status()


def get_requests(site: Process) -> list[dict[str, Any]]:
    """Return the demo site's log of requests."""
    requests: list[dict[str, Any]] = httpx.get(
        f"{site.url}{CONTROLS}requests", trust_env=False
    ).json()
    return requests


def write_recipe(folder: Path, job: str, changes: Mapping[str, object]) -> dict[str, str]:
    """Write the demo site's recipe with changes to a job; return the setting that uses it.

    Args:
        folder: Where to make a folder for it.
        job: The job's name.
        changes: Keys of its definition, and their values.
    """
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text())
    recipe["jobs"][job].update(changes)
    recipes = folder / "recipes"
    recipes.mkdir()
    (recipes / "tubehunt.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True))
    return {"RECIPES_DIR": str(recipes)}

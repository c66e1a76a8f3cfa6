"""A slow connection between a worker and Redis: a large job takes longer, and ends."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from garimpo.local_stack.stack import Stack
from tests.faults.proxy import Proxy
from tests.faults.scenario import SETTINGS
from tests.integration.services import Services, run_job
from tests.support.page_server import PageServer

_BYTES_PER_S = 50_000
_PAGES = 3
_ROWS = 250
#: Rows that cannot be compressed: to store a page takes 10 s, which is longer than a lease, and
#: than the time in which Redis has to answer a short command.
_PAGE = f"""<!doctype html><title>Rows</title><ul></ul><script>
for (let row = 0; row < {_ROWS}; row++) {{
  const bytes = crypto.getRandomValues(new Uint8Array(1500));
  const item = document.createElement("li");
  item.textContent = btoa(String.fromCharCode(...bytes));
  document.querySelector("ul").append(item);
}}
</script>"""
_RECIPE = """\
site: large
base_url: http://127.0.0.1:{port}
jobs:
  list-rows:
    params:
      first: {{type: integer, default: 1}}
      pages: {{type: integer, default: 1, min: 1, max: 9}}
    open: /rows?page={{page}}
    next: {{count: page, first: first, pages: pages}}
    items: li
    collection: rows
    label: {{pt: linhas, en: rows}}
    fields: {{text: .}}
"""


@pytest.fixture
def services() -> Iterator[Services]:
    """Run a worker that is connected to Redis through a slow proxy."""
    with Stack(settings=SETTINGS) as stack, PageServer() as site:
        site.page = _PAGE
        folder = stack.folder / "recipes"
        folder.mkdir()
        (folder / "large.yaml").write_text(_RECIPE.format(port=site.port), encoding="utf-8")
        address = f"http://127.0.0.1:{site.port}"
        stack.settings |= {"RECIPES_DIR": str(folder), "LARGE_BASE_URL": address}
        redis = stack.redis()
        api = stack.api()
        with Proxy(urlsplit(redis.url).port or 0, bytes_per_s=_BYTES_PER_S) as proxy:
            worker = stack.worker(extra={"REDIS_URL": proxy.redis_url})
            yield Services(stack, redis, api, api)
            worker.stop()  # before the proxy: without a connection it takes longer to exit


class TestSlowConnection:
    def test_lets_a_large_job_end_in_its_first_attempt(self, services: Services) -> None:
        run = run_job(services, {"pages": _PAGES}, within_s=170, address="/api/v1/large/list-rows")

        result = run.end["result"]
        assert (run.end["status"], run.end["attempt"]) == ("completed", 1)
        assert len(result["rows"]) == result["total_rows"] == _PAGES * _ROWS
        assert result["pages_read"] == _PAGES

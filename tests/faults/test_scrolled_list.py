"""A worker that is killed while it scrolls through a list: no row is lost or doubled."""

from collections.abc import Iterator

import pytest

from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.faults.scenario import SETTINGS
from tests.integration.services import Services, follow
from tests.support.page_server import PageServer
from tests.support.polling import wait_until

_ROWS = 80
# Ten rows more whenever the end of the list comes near.
_GROWING = f"""<!doctype html><title>Rows</title><style>li {{height: 100px}}</style>
<ul></ul><p>…</p><script>
const list = document.querySelector("ul");
const add = () => {{
  for (let n = 0; n < 10 && list.children.length < {_ROWS}; n += 1) {{
    const item = document.createElement("li");
    item.textContent = "row " + (list.children.length + 1);
    list.append(item);
  }}
}};
add();
new IntersectionObserver(([{{isIntersecting}}]) => isIntersecting && setTimeout(add, 50))
  .observe(document.querySelector("p"));
</script>"""
# Only the rows that can be seen are elements.
_VIRTUAL = f"""<!doctype html><title>Rows</title><style>
main {{height: 400px; overflow-y: auto}}
ul {{position: relative; height: {50 * _ROWS}px; margin: 0}}
li {{position: absolute; height: 50px}}</style><main><ul></ul></main><script>
const [view, list] = [document.querySelector("main"), document.querySelector("ul")];
const draw = () => {{
  const first = Math.floor(view.scrollTop / 50);
  const numbers = Array.from({{length: Math.min(9, {_ROWS} - first)}}, (_, n) => first + n);
  list.innerHTML = numbers
    .map((n) => `<li style="top: ${{50 * n}}px">row ${{n + 1}}</li>`)
    .join("");
}};
view.onscroll = draw;
draw();
</script>"""
_RECIPE = """\
site: rows
base_url: http://127.0.0.1:{port}
limits: {{empty_after_s: 3, settle_s: 0.3}}
jobs:
  list-rows:
    open: /
    next: scroll
    items: li
    fields: {{text: .}}
    {key}
"""


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.fixture(params=[(_GROWING, ""), (_VIRTUAL, "unique_by: text")], ids=["growing", "virtual"])
def services(request: pytest.FixtureRequest, site: PageServer) -> Iterator[Services]:
    site.page, key = request.param
    with Stack(settings=SETTINGS) as stack:
        folder = stack.folder / "recipes"
        folder.mkdir()
        recipe = _RECIPE.format(port=site.port, key=key)
        (folder / "rows.yaml").write_text(recipe, encoding="utf-8")
        stack.settings["RECIPES_DIR"] = str(folder)
        stack.settings["ROWS_BASE_URL"] = f"http://127.0.0.1:{site.port}"
        redis = stack.redis()
        api = stack.api()
        yield Services(stack, redis, api, api)


class TestScrolledList:
    def test_is_whole_after_its_worker_was_killed(self, services: Services) -> None:
        path = "/api/v1/rows/list-rows"
        worker = services.stack.worker("one")
        with services.client() as api:
            job_id = api.post(f"{path}/start", json={}).json()["job_id"]

            def has_read_pages() -> bool:
                assert not api.get(f"{path}/result/{job_id}").json()["is_final"]
                with services.connect() as redis:
                    return int(redis.hlen(keys.pages(job_id))) >= 3

            wait_until(has_read_pages)
        worker.kill()
        services.stack.worker("two")

        run = follow(services, job_id, within_s=170, address=path)
        result = run.end["result"]
        assert (run.end["status"], run.end["attempt"]) == ("completed", 2)
        assert sorted(item["text"] for item in result["items"]) == sorted(
            f"row {n}" for n in range(1, _ROWS + 1)
        )
        assert result["total_items"] == _ROWS
        assert "warnings" not in result or result["warnings"] == []

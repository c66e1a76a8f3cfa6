"""Time limit of extractions, with pages that slow them down or break them."""

import time
from collections.abc import Callable, Iterator

import pytest

from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab

Serve = Callable[..., str]

# Runs before each search for elements; `calls` is the number of the search, from 1.
PAGE = """<ul><li><b>x</b></ul><script>
let calls = 0;
const search = document.querySelectorAll;
document.querySelectorAll = (selector) => {{
  calls += 1;
  const end = performance.now() + ({busy_ms});
  while (performance.now() < end);
  return search.call(document, selector);
}};
</script>"""


@pytest.fixture
def busy_tab() -> Iterator[Tab]:
    """Open a browser that no other test uses: its page may stay busy."""
    with open_tab(BrowserSettings()) as tab:
        yield tab


def load(tab: Tab, url: str) -> None:
    previous_origin = tab.open(url)

    def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
        is_new = snapshot.time_origin != previous_origin
        return snapshot if is_new and snapshot.is_loaded else None

    assert tab.wait(SnapshotQuery(), time.monotonic() + 20, evaluate)


def extract(tab: Tab) -> tuple[bool, float]:
    """Return whether an extraction has succeeded, and how many seconds it has taken."""
    started = time.monotonic()
    text = tab.extract("li", {})
    return text is not None, time.monotonic() - started


class TestExtractTimeout:
    def test_grows_until_a_slow_extraction_succeeds(self, busy_tab: Tab, serve: Serve) -> None:
        load(busy_tab, serve(index=PAGE.format(busy_ms="1500")))

        deadline = time.monotonic() + 30
        while not (done := extract(busy_tab)[0]) and time.monotonic() < deadline:
            busy_tab.pause(0.1)

        assert done

    def test_does_not_grow_with_errors_of_the_page(self, busy_tab: Tab, serve: Serve) -> None:
        broken = "calls < 5 ? undefined.x : 10_000"
        load(busy_tab, serve(index=PAGE.format(busy_ms=broken)))

        assert [extract(busy_tab)[0] for _ in range(4)] == [False] * 4
        done, seconds = extract(busy_tab)

        assert not done
        assert seconds < 2

    def test_is_reset_with_the_next_page(self, busy_tab: Tab, serve: Serve) -> None:
        base_url = serve(slow=PAGE.format(busy_ms="3000"), hanging=PAGE.format(busy_ms="30_000"))
        load(busy_tab, f"{base_url}/slow")
        while not extract(busy_tab)[0]:
            busy_tab.pause(0.1)

        load(busy_tab, f"{base_url}/hanging")
        done, seconds = extract(busy_tab)

        assert not done
        assert seconds < 2

    def test_does_not_delay_snapshots(self, busy_tab: Tab, serve: Serve) -> None:
        load(busy_tab, serve(index=PAGE.format(busy_ms="30_000")))
        assert [extract(busy_tab)[0] for _ in range(3)] == [False] * 3

        started = time.monotonic()
        busy_tab.snapshot(SnapshotQuery(counts={"items": "li"}))

        assert time.monotonic() - started < 2

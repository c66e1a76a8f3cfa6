"""Pages that attack the scraper which reads them: each costs its own job at most."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
from scraper.browser.page_snapshot import DEFAULT_SIZES
from scraper.errors import PageChanged, PageTimeout, PageTooLarge, ResultTooLarge, ScrapeError
from tests.browser.recording import Recording
from tests.browser.small_sites import (
    DOCUMENT,
    FORM,
    LOGIN,
    make_recipe,
    page_number,
    rows,
    run_small,
    titles,
)

Serve = Callable[..., str]

ONE: dict[str, Any] = {"params": None, "open": "/list"}
ONE_PAGE = make_recipe(next=None, **ONE)
MB = 1024 * 1024


def scripted(script: str, html: str = "") -> str:
    """Return a page with two items and a script that runs before them."""
    return f"{DOCUMENT}<script>{script}</script>{html}{rows(1, 2)}"


OVERRIDES = {
    "JSON.stringify returns NaN": "JSON.stringify = () => '[{\"title\": NaN}]'",
    "JSON.stringify returns no JSON": "JSON.stringify = () => '{'",
    "JSON.stringify returns an object": "JSON.stringify = () => ({})",
    "JSON.stringify returns deep nesting": "JSON.stringify = () => '['.repeat(1e5)",
    "Object.prototype.toJSON": "Object.prototype.toJSON = () => 1e999",
    "Array.prototype.map": "Array.prototype.map = () => [{title: 1}]",
    "Object.entries": "Object.entries = Object.fromEntries = () => { throw new Error('no') }",
    "String.prototype": "String.prototype.trim = String.prototype.slice = () => 5",
    "toWellFormed": "String.prototype.toWellFormed = () => '\\ud800'",
    "getEntriesByType": "performance.getEntriesByType = () => [{responseStatus: 'x', name: 1}]",
    "timeOrigin": "Object.defineProperty(performance, 'timeOrigin', {get: () => 'x'})",
    "readyState": "Object.defineProperty(document, 'readyState', {get: () => 'loading'})",
    "textContent": "Object.defineProperty(Node.prototype, 'textContent', {get: () => 5})",
    "innerText": "Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 5})",
    "the world's mark": "Object.defineProperty(window, 'garimpo', {get: () => 'x'})",
    **{
        f"querySelectorAll throws {words}": f"""
        for (const owner of [Document, Element, DocumentFragment]) {{
          owner.prototype.querySelectorAll = owner.prototype.querySelector =
            () => {{ throw new Error({words!r}) }};
        }}"""
        for words in (
            "tab crashed",
            "disconnected: not connected to DevTools",
            "'x[' is not a valid selector",
            "Execution context was destroyed",
        )
    },
    # WebDriver's own scripts run in the page's world.
    **{
        f"every promise throws {words}": f"""
        const fail = () => {{ throw new Error({words!r}) }};
        Promise.resolve = Promise.prototype.then = fail;
        Object.defineProperty(window, 'Promise', {{get: fail}});"""
        for words in ("tab crashed", "session deleted", "chrome not reachable")
    },
}
# Elements that are properties of the document or the window, by their names.
NAMES = (
    *("querySelector", "querySelectorAll", "body", "baseURI", "readyState", "links", "scripts"),
    *("activeElement", "createDocumentFragment", "documentElement", "defaultView", "location"),
    *("garimpo", "garimpoCounts", "performance", "JSON", "TextEncoder", "getComputedStyle"),
)


class TestOverrides:
    @pytest.mark.parametrize("name", OVERRIDES)
    def test_do_not_change_what_is_read(self, serve: Serve, name: str) -> None:
        done = run_small(serve(list=scripted(OVERRIDES[name])), ONE_PAGE)

        assert done.items == titles(1, 2)
        assert done.starts == 1

    def test_that_keep_webdriver_waiting_cost_the_page_its_time(self, serve: Serve) -> None:
        script = "Object.prototype.then = (done) => done({status: 102, value: 'tab crashed'})"
        recipe = make_recipe({"page_timeout_s": 3.0}, params=None, next=None, open="/list")

        with pytest.raises(PageTimeout):
            run_small(serve(list=scripted(script)), recipe)

    @pytest.mark.parametrize("tag", ["<img name={0} id={0}>", "<form name={0} id={0}></form>"])
    def test_by_elements_do_not_change_what_is_read(self, serve: Serve, tag: str) -> None:
        clobbers = "".join(tag.format(name) for name in NAMES)
        page = f"{DOCUMENT}<body>{clobbers}{rows(1, 2)}"

        assert run_small(serve(list=page), ONE_PAGE).items == titles(1, 2)

    def test_by_controls_of_an_item_do_not_change_what_is_read(self, serve: Serve) -> None:
        names = ("children", "textContent", "innerText", "childNodes", "matches", "parentNode")
        controls = "".join(f"<input name={name}>" for name in names)
        page = f"{DOCUMENT}<form class=item>{controls}<b class=t>row 1</b></form>"

        assert run_small(serve(list=page), ONE_PAGE).items == titles(1, 1)

    def test_of_a_forms_words_do_not_break_a_login(self, serve: Serve) -> None:
        names = ("innerText", "validationMessage", "value", "id", "parentElement", "classList")
        controls = "".join(f"<input type=hidden name={name}>" for name in names)
        refusal = f"{DOCUMENT}<form class=error>{controls}<b>Wrong</b></form>"
        form = FORM.format(action="/login")
        recipe = make_recipe(login={**LOGIN, "error": ".error"})

        with pytest.raises(ScrapeError) as failure:
            run_small(serve(login=f"{refusal}{form}"), recipe)

        assert failure.value.code == "login_failed"


class TestDialogs:
    def test_every_millisecond_cost_no_browser(self, serve: Serve) -> None:
        words = ["hello", "tab crashed", "execution was terminated"]
        script = f"let n = 0; setInterval(() => alert({words}[n++ % 3]), 1)"
        recording = Recording()

        try:
            run_small(serve(list=scripted(script)), ONE_PAGE, recording)
        except ScrapeError as failure:
            # A page that leaves no moment between its dialogs cannot be read.
            assert failure.code in {"page_timeout", "site_unavailable"}  # noqa: PT017
        else:
            assert recording.items == titles(1, 2)

    def test_at_first_cost_nothing(self, serve: Serve) -> None:
        script = "for (let n = 0; n < 50; n++) alert('tab crashed ' + n)"

        assert run_small(serve(list=scripted(script)), ONE_PAGE).items == titles(1, 2)


class TestSizes:
    def test_of_two_million_items_are_refused_at_once(self, serve: Serve) -> None:
        script = """onload = () => {
          const box = document.createElement("div");
          for (let n = 0; n < 2_000_000; n++) box.append(document.createElement("p"));
          for (const p of box.children) p.className = "item";
          document.body.append(box);
        }"""
        page = f"{DOCUMENT}<style>div {{ display: none }}</style><body><script>{script}</script>"

        with pytest.raises(PageTooLarge) as failure:
            run_small(
                serve(list=page),
                make_recipe({"page_timeout_s": 60.0}, next=None, open="/list", params=None),
            )

        assert failure.value.details["reason"] == "too_many_items"
        assert failure.value.details["limit"] == 20_000

    def test_of_many_items_are_read_up_to_the_limit(self, serve: Serve) -> None:
        sizes = replace(DEFAULT_SIZES, page_items=300)

        done = run_small(serve(list=f"{DOCUMENT}{rows(1, 300)}"), ONE_PAGE, sizes=sizes)

        assert done.items == titles(1, 300)
        with pytest.raises(PageTooLarge):
            run_small(serve(list=f"{DOCUMENT}{rows(1, 301)}"), ONE_PAGE, sizes=sizes)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("item(1, (b) => { b.textContent = 'x'.repeat(9e6) })", "text_bytes"),
            ("item(1, (b) => { b.textContent = 'é'.repeat(7e5) })", "text_bytes"),
            (
                "item(1, (b) => { b.innerHTML = `<i>${'x'.repeat(3e5)}</i>`.repeat(5) })",
                "text_bytes",
            ),
            ("item(1, (b) => { b.title = 'x'.repeat(2e6) })", "text_bytes"),
            (
                "for (let n = 0; n < 20; n++) item(n, (b) => { b.title = 'x'.repeat(9e5) })",
                "page_bytes",
            ),
        ],
    )
    def test_of_texts_are_bounded(self, serve: Serve, script: str, reason: str) -> None:
        define = """const item = (n, change) => {
          document.body.insertAdjacentHTML("beforeend", "<p class=item><b class=t>x</b></p>");
          change(document.body.lastChild.firstChild);
        };"""
        hidden = "<style>.t { display: none }</style>"  # it takes long to lay out such texts
        recipe = make_recipe(
            params=None,
            next=None,
            open="/list",
            fields={"title": ".t", "more": {"css": ".t", "attr": "title"}},
        )

        with pytest.raises(PageTooLarge) as failure:
            run_small(
                serve(list=f"{DOCUMENT}{hidden}<body><script>{define}{script}</script>"), recipe
            )

        assert failure.value.details["reason"] == reason

    def test_of_one_item_are_bounded(self, serve: Serve) -> None:
        parts = "<u title={x}></u>".replace("{x}", "x" * 200_000) * 25
        fields = {"parts": {"css": "u", "fields": {"t": {"attr": "title"}}}}
        recipe = make_recipe(params=None, next=None, open="/list", fields=fields)

        with pytest.raises(PageTooLarge) as failure:
            run_small(serve(list=f"{DOCUMENT}<p class=item>{parts}</p>"), recipe)

        assert failure.value.details == {
            "page": failure.value.details["page"],
            "reason": "item_bytes",
            "limit": 4,
        }

    def test_of_a_job_are_bounded_and_its_pages_are_kept(self, serve: Serve) -> None:
        def page(request: object) -> str:
            number = page_number(request)  # type: ignore[arg-type] # the handler
            long = "x" * 400_000
            return f"{DOCUMENT}<p class=item><b class=t>{number}{long}</b></p>"

        recording = Recording()

        with pytest.raises(ResultTooLarge) as failure:
            run_small(
                serve(list=page),
                make_recipe(),
                recording,
                pages=5,
                sizes=replace(DEFAULT_SIZES, result_mb=1),
            )

        assert failure.value.details == {"page": 3, "reason": "result_bytes", "limit": 1}
        assert [number for number, _ in recording.pages] == [1, 2]

    def test_of_a_job_count_the_items(self, serve: Serve) -> None:
        def page(request: object) -> str:
            first = 10 * page_number(request)  # type: ignore[arg-type] # the handler
            return f"{DOCUMENT}{rows(first, first + 9)}"

        sizes = replace(DEFAULT_SIZES, result_items=15)
        with pytest.raises(ResultTooLarge) as failure:
            run_small(serve(list=page), make_recipe(), sizes=sizes)

        assert failure.value.details == {"page": 2, "reason": "result_items", "limit": 15}

    def test_of_words_are_cut(self, serve: Serve) -> None:
        error = f"<p role=alert>{'long ' * 600_000}</p>"
        form = FORM.format(action="/login")
        recipe = make_recipe(login={**LOGIN, "error": "[role=alert]"})
        shown = "<script>if (location.search) document.querySelector('p').remove()</script>"

        def page(request: object) -> str:
            return f"{DOCUMENT}{error if request.command == 'POST' else ''}{form}{shown}"  # type: ignore[attr-defined] # the handler

        with pytest.raises(ScrapeError) as failure:
            run_small(serve(login=page), recipe)

        assert failure.value.details == {"reason": ("long " * 100)}


class TestDepth:
    def test_that_no_script_can_read_is_a_changed_page(self, serve: Serve) -> None:
        script = """const item = document.createElement("p");
        item.className = "item";
        let deepest = item.appendChild(document.createElement("b"));
        deepest.className = "t";
        for (let n = 0; n < 50_000; n++) {
          deepest = deepest.appendChild(document.createElement("i"));
          deepest.style.display = "contents";
        }
        deepest.textContent = "x";
        document.body.append(item);"""
        page = f"{DOCUMENT}<body><script>{script}</script>"

        with pytest.raises(ScrapeError) as failure:
            run_small(serve(list=page), ONE_PAGE)

        assert failure.value.code in {"page_changed", "browser_crashed", "page_timeout"}
        if isinstance(failure.value, PageChanged):
            assert failure.value.details["reason"] == "unreadable"
        assert json.dumps(failure.value.details)


class TestMemory:
    def test_of_a_page_above_the_limit_twice_is_its_failure(self, serve: Serve) -> None:
        # The page grows for a while, as long as the browser is not ended.
        script = """const kept = [];
        setInterval(() => kept.push(new Uint8Array(20_000_000).fill(1)), 50)"""
        recording = Recording()

        with pytest.raises(PageTooLarge) as failure:
            run_small(
                serve(list=f"{DOCUMENT}<body><script>{script}</script>"),
                make_recipe({"page_timeout_s": 60.0, "empty_after_s": 25.0}),
                recording,
                browser=BrowserSettings(memory_limit_mb=700),
            )

        assert failure.value.details["reason"] == "page_memory"
        assert failure.value.details["limit"] == 700
        assert recording.starts == 2

    def test_of_the_network_log_stays_bounded(self, serve: Serve) -> None:
        script = """(async () => {
          const long = "x".repeat(1_500_000);
          for (let n = 0; n < 20; n++) await fetch("data:text/plain," + n + long);
          document.body.insertAdjacentHTML("beforeend", "<p class=item><b class=t>row 1</b></p>");
        })()"""
        page = f"{DOCUMENT}<body><script>{script}</script>"

        done = run_small(
            serve(list=page),
            make_recipe(
                {"page_timeout_s": 60.0, "empty_after_s": 25.0},
                params=None,
                next=None,
                open="/list",
            ),
            browser=BrowserSettings(memory_limit_mb=1500),
        )

        assert done.items == titles(1, 1)


class TestSecrets:
    def test_are_in_no_browsers_environment(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, scratch: Path
    ) -> None:
        for name in ("REDIS_URL", "SMALL_USERNAME", "SMALL_PASSWORD", "API_KEYS", "ANYTHING"):
            monkeypatch.setenv(name, "top-secret")
        # Other tests' browsers are children of this process too.
        others = set(psutil.Process().children(recursive=True))

        with open_tab(BrowserSettings()) as tab:
            tab.open(serve(index="x"))
            processes = set(psutil.Process().children(recursive=True)) - others
            environments = []
            for process in processes:
                with suppress(ProcessLookupError, FileNotFoundError):  # it has ended meanwhile
                    environments.append(Path(f"/proc/{process.pid}/environ").read_bytes())

        assert len(environments) > 5
        assert not any(b"top-secret" in environment for environment in environments)
        homes = {
            line
            for environment in environments
            for line in environment.split(b"\0")
            if line.startswith((b"HOME=", b"XDG_"))
        }
        assert all(str(scratch).encode() in home for home in homes)
        assert homes

    def test_of_the_home_folder_are_removed_with_the_browser(self, scratch: Path) -> None:
        with open_tab(BrowserSettings()):
            assert list(scratch.iterdir())

        assert list(scratch.iterdir()) == []

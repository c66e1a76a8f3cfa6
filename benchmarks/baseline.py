"""Baseline: a bare Selenium script that logs in, opens list pages and runs one script on each.

It uses the scraper's Chrome flags, checks conditions every 10 ms, and is written for the demo site:
no recipe, no retries, no queue.
"""

import contextlib
import json
import time
from collections.abc import Iterator

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from demo.account import Account
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome_session import make_options
from scraper.browser.chromedriver import find_chrome, find_chromedriver
from scraper.browser.isolated_world import load_function
from scraper.list_query import make_list_query
from scraper.recipes.loader import load_recipes

POLL_S = 0.01
CARDS = 50
_JOB = load_recipes()["tubehunt"].jobs["scrape-channels"]
_LIST = make_list_query(_JOB).script_argument
_EXTRACT = load_function("dom", "items", "extract") + "\nreturn run(arguments[0]);"
_READY = (
    "return document.readyState !== 'loading' && "
    f"document.querySelectorAll('.channel-card').length === {CARDS}"
)


def run(site: str) -> float:
    """Run the script once, including the start and the end of Chrome.

    Args:
        site: Address of the demo site.

    Returns:
        Duration in seconds.

    Raises:
        RuntimeError: It did not read all cards.
    """
    started_at = time.perf_counter()
    with open_logged_in(site) as driver:
        read_page(driver, site)
    return time.perf_counter() - started_at


@contextlib.contextmanager
def open_logged_in(site: str) -> Iterator[webdriver.Chrome]:
    """Yield a Chrome that is logged in at the site."""
    options = make_options(BrowserSettings(), find_chrome(None))
    # Chrome delays scripts while a page loads, for longer than the scraper's script timeout.
    options.timeouts = {"script": 30_000}
    driver = webdriver.Chrome(options=options, service=Service(find_chromedriver(None)))
    try:
        account = Account()
        wait = WebDriverWait(driver, 30, poll_frequency=POLL_S)
        driver.get(f"{site}/login")
        wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, "#password"))
        driver.find_element(By.CSS_SELECTOR, "#email").send_keys(account.email)
        driver.find_element(By.CSS_SELECTOR, "#password").send_keys(account.password)
        button = driver.find_element(By.CSS_SELECTOR, "button[type='submit']")
        wait.until(lambda _: button.is_enabled())
        button.click()
        wait.until(lambda page: not page.current_url.endswith("/login"))
        yield driver
    finally:
        driver.quit()


def read_page(driver: webdriver.Chrome, site: str) -> float:
    """Open a list page and extract its cards with one script; return the seconds.

    Raises:
        RuntimeError: It did not read all cards.
    """
    started_at = time.perf_counter()
    _open_list(driver, site)
    text = driver.execute_script(_EXTRACT, _LIST)
    items: list[object] = json.loads(text)["items"]
    if len(items) != CARDS:
        raise RuntimeError(len(items))
    return time.perf_counter() - started_at


def read_page_by_elements(driver: webdriver.Chrome, site: str) -> float:
    """Open a list page and ask WebDriver for each element and text; return the seconds.

    Raises:
        RuntimeError: It did not read all cards.
    """
    started_at = time.perf_counter()
    _open_list(driver, site)
    items = [_read_card(card) for card in driver.find_elements(By.CSS_SELECTOR, ".channel-card")]
    if len(items) != CARDS:
        raise RuntimeError(len(items))
    return time.perf_counter() - started_at


def _open_list(driver: webdriver.Chrome, site: str) -> None:
    driver.get(f"{site}/long/?page=1&OrderBy=DateDESC&ChangePerPage={CARDS}")
    wait = WebDriverWait(driver, 30, poll_frequency=POLL_S)
    wait.until(lambda page: page.execute_script(_READY))


def _read_card(card: WebElement) -> dict[str, object]:
    """Read a card as the recipe does, with a command for each element and each text."""
    links = card.find_elements(By.CSS_SELECTOR, "a.fw-semibold.fs-4")
    item: dict[str, object] = {
        "name": [link.text for link in links],
        "link": [link.get_attribute("href") for link in links],
        "stats": [stat.text for stat in card.find_elements(By.CSS_SELECTOR, ".stat-card .fs-4")],
    }
    for name, selector in {
        "handle": ".small .fw-bold",
        "country": ".country",
        "subscribers": ".small.text-secondary",
        "verified": "i.bi-patch-check-fill",
        "monetized": "i.bi-currency-dollar",
        "categories": "span.badge.mt-2.badge-soft.rounded-pill",
    }.items():
        item[name] = [element.text for element in card.find_elements(By.CSS_SELECTOR, selector)]
    item["videos"] = [
        {
            selector: [part.text for part in video.find_elements(By.CSS_SELECTOR, selector)]
            for selector in (".fw-semibold.small", "a", ".duration", ".small.text-secondary")
        }
        for video in card.find_elements(By.CSS_SELECTOR, ".entry-video")
    ]
    return item

"""Baseline: a bare Selenium script that logs in, opens one list page and runs one script on it.

It uses the scraper's Chrome flags, checks conditions every 10 ms, and is written for the demo site:
no recipe, no retries, no queue.
"""

import json
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from demo.account import Account
from scraper.browser.chrome import BrowserSettings, make_options
from scraper.browser.chromedriver import find_chrome, find_chromedriver
from scraper.browser.tab import EXTRACT
from scraper.recipes.loader import load_recipes

POLL_S = 0.01
CARDS = 50
_JOB = load_recipes()["tubehunt"].jobs["scrape-channels"]
_FIELDS = {
    name: field.model_dump(mode="json", exclude_none=True) for name, field in _JOB.fields.items()
}
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
    options = make_options(BrowserSettings(), find_chrome(None))
    # Chrome delays scripts while a page loads, for longer than the scraper's script timeout.
    options.timeouts = {"script": 30_000}
    driver = webdriver.Chrome(options=options, service=Service(find_chromedriver(None)))
    try:
        items = _scrape(driver, site)
    finally:
        driver.quit()
    duration_s = time.perf_counter() - started_at
    if len(items) != CARDS:
        raise RuntimeError(len(items))
    return duration_s


def _scrape(driver: webdriver.Chrome, site: str) -> list[object]:
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
    driver.get(f"{site}/long/?page=1&OrderBy=DateDESC&ChangePerPage={CARDS}")
    wait.until(lambda page: page.execute_script(_READY))
    text = driver.execute_script(EXTRACT, _JOB.items, json.dumps(_FIELDS))
    items: list[object] = json.loads(text)["items"]
    return items

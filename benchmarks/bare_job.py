"""The floor: a bare Selenium script that logs in, opens one list page and runs one script on it.

It has the same Chrome flags as the scraper, looks at each condition every 10 ms at most, does no
more than the job needs, and knows the stand-in site: no recipe, no retries, no queue.
"""

import time
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

POLL_S = 0.01


def run(
    options: webdriver.ChromeOptions,
    chromedriver: str,
    site: str,
    account: tuple[str, str],
    extract: tuple[str, list[Any]],
) -> tuple[float, int]:
    """Do the job once, from the start of Chrome to its end.

    Args:
        options: Chrome's flags.
        chromedriver: The driver's path.
        site: The stand-in site's address.
        account: Name and password.
        extract: The extraction script and its arguments.

    Returns:
        Seconds taken, and how many items were read.
    """
    began = time.perf_counter()
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        wait = WebDriverWait(driver, 30, poll_frequency=POLL_S)
        driver.get(f"{site}/login")
        wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, "#password"))
        driver.find_element(By.CSS_SELECTOR, "#email").send_keys(account[0])
        driver.find_element(By.CSS_SELECTOR, "#password").send_keys(account[1])
        button = driver.find_element(By.CSS_SELECTOR, "form[method=post] button[type=submit]")
        wait.until(lambda _: button.is_enabled())
        button.click()
        wait.until(lambda page: not page.current_url.endswith("/login"))
        driver.get(f"{site}/long/?page=1&OrderBy=DateDESC&ChangePerPage=50")
        ready = (
            "return document.readyState !== 'loading' && "
            "document.querySelectorAll('.channel-card').length === 50"
        )
        wait.until(lambda page: page.execute_script(ready))
        items = driver.execute_script(extract[0], *extract[1])
    finally:
        driver.quit()
    return time.perf_counter() - began, len(items)

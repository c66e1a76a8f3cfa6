import subprocess
import sys

import pytest


def loaded_after(statement: str) -> set[str]:
    program = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


class TestImports:
    # import-linter does not see what a package itself draws in; a fresh interpreter does.
    @pytest.mark.parametrize(
        "module", ["api.app", "jobs.queue", "demo.site", "worker.webhooks.app"]
    )
    def test_bring_no_browser_into_the_apis_image(self, module: str) -> None:
        assert "selenium" not in loaded_after(f"import {module}")

    def test_bring_no_queue_and_no_web_framework_into_the_scraper(self) -> None:
        loaded = loaded_after("import scraper.scrape")

        assert loaded.isdisjoint({"celery", "kombu", "redis", "fastapi", "starlette"})

    def test_bring_the_worker_neither_the_api_nor_a_web_framework(self) -> None:
        assert loaded_after("import worker.app").isdisjoint({"api", "fastapi", "starlette"})

    def test_bring_the_sender_of_call_backs_what_the_apis_image_has(self) -> None:
        # psutil is not there; Celery takes it where it is.
        loaded = loaded_after("import worker.webhooks.app")
        assert loaded.isdisjoint({"scraper", "worker.bootsteps.browser_cleanup"})

    def test_bring_no_browser_into_the_command_line(self) -> None:
        assert "selenium" not in loaded_after("import garimpo.__main__")

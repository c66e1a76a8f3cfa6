import subprocess
import sys

import pytest


def run_python(program: str) -> str:
    """Run a program in a fresh interpreter; return its stdout."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def modules_after(statement: str) -> set[str]:
    """Return the modules that a statement loads."""
    program = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    return set(run_python(program).split())


class TestImports:
    # import-linter does not follow the imports of third-party packages; a fresh interpreter does.
    @pytest.mark.parametrize(
        "module", ["api.app", "jobs.queue", "demo.site", "worker.webhooks.app"]
    )
    def test_load_no_browser_in_the_image_of_the_api(self, module: str) -> None:
        assert "selenium" not in modules_after(f"import {module}")

    def test_of_the_scraper_load_no_queue_and_no_web_framework(self) -> None:
        loaded = modules_after("import scraper.scrape")

        assert loaded.isdisjoint({"celery", "kombu", "redis", "fastapi", "starlette"})

    def test_of_the_worker_load_no_api_and_no_web_framework(self) -> None:
        assert modules_after("import worker.app").isdisjoint({"api", "fastapi", "starlette"})

    def test_of_the_webhook_sender_load_only_packages_of_the_api_image(self) -> None:
        # The image has no psutil. psutil itself is not checked, since Celery loads it if installed.
        loaded = modules_after("import worker.webhooks.app")
        assert loaded.isdisjoint({"scraper", "worker.bootsteps.browser_cleanup"})

    def test_of_the_command_line_load_no_browser(self) -> None:
        assert "selenium" not in modules_after("import garimpo.__main__")

    def test_of_the_former_webhook_module_return_the_same_app(self) -> None:
        program = (
            "import worker.callbacks, worker.webhooks.app; "
            "print(worker.callbacks.app is worker.webhooks.app.app)"
        )

        assert run_python(program) == "True\n"

import pytest

from jobs.model.i18n import Language, catalogue, render
from scraper.page_items import NewItems, PageFailure
from scraper.progress import ProgressArgs, ProgressReporter, ProgressStep
from scraper.recipes.models import Label
from scraper.scrape_warnings import ScrapeWarning, WarningCode

COUNTERS = {
    ProgressStep.WAITING_FOR_LOGIN: None,
    ProgressStep.WAITING_FOR_TURN: None,
    ProgressStep.WAITING_FOR_PERSON: None,
    ProgressStep.STARTING_BROWSER: "browsers",
    ProgressStep.LOGGING_IN: "logins",
    ProgressStep.LOGGING_IN_AGAIN: "logins",
    ProgressStep.OPENING_PAGE: None,
    ProgressStep.OPENING_NEXT_PAGE: None,
    ProgressStep.EXTRACTING: None,
    ProgressStep.EXTRACTING_MORE: None,
    ProgressStep.RETRYING: "retries",
    ProgressStep.RETRYING_LOGIN: "retries",
}

#: The steps of a job that waits without a worker; the worker reports them before.
WAITING = {ProgressStep.WAITING_FOR_TURN, ProgressStep.WAITING_FOR_PERSON}


class ListObserver:
    """An observer that lists the steps."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, ProgressStep, ProgressArgs]] = []

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        self.steps.append((percent, step, args))

    def browser_opened(self, session: str) -> None:
        """Do nothing."""

    def page_read(self, number: int, new: NewItems) -> None:
        """Do nothing."""

    def page_failed(self, number: int, failure: PageFailure) -> None:
        """Do nothing."""


def report_every_step() -> list[tuple[int, ProgressStep, ProgressArgs]]:
    observer = ListObserver()
    reporter = ProgressReporter(observer, Label(pt="canais", en="channels"), pages=2, items=0)
    reporter.starting_browser()
    reporter.waiting_for_login()
    reporter.logging_in()
    reporter.retrying_login(2, 5, 1.04)
    reporter.opening_page(1)
    reporter.retrying(1, 2, 5, 1.04)
    reporter.logging_in_again(1)
    reporter.extracting(1, 50, 50)
    return observer.steps


def report_open_ended() -> list[tuple[int, ProgressStep, ProgressArgs]]:
    """Report pages of a list whose length is not known."""
    observer = ListObserver()
    reporter = ProgressReporter(observer, Label(pt="canais", en="channels"), pages=None, items=0)
    reporter.opening_page(1)
    for page in range(1, 101):
        reporter.extracting(page, 10, None)
    return observer.steps


class TestProgressStep:
    @pytest.mark.parametrize("step", ProgressStep)
    def test_names_the_counter_of_what_it_begins(self, step: ProgressStep) -> None:
        assert step.counter == COUNTERS[step]

    def test_knows_whether_it_is_a_retry(self) -> None:
        retries = {step for step in ProgressStep if step.is_retry}

        assert retries == {ProgressStep.RETRYING, ProgressStep.RETRYING_LOGIN}

    @pytest.mark.parametrize("language", Language)
    @pytest.mark.parametrize(
        ("percent", "step", "args"), [*report_every_step(), *report_open_ended()]
    )
    def test_has_a_sentence_for_its_arguments(
        self, language: Language, percent: int, step: ProgressStep, args: ProgressArgs
    ) -> None:
        assert 0 <= percent <= 99
        assert render(language, step, args)

    @pytest.mark.parametrize("language", Language)
    @pytest.mark.parametrize("step", sorted(WAITING))
    def test_has_a_sentence_while_the_job_waits(
        self, language: Language, step: ProgressStep
    ) -> None:
        assert render(language, step, {})


class TestProgressReporter:
    def test_reports_every_step(self) -> None:
        reported = [*report_every_step(), *report_open_ended()]
        assert {step for _, step, _ in reported} == set(ProgressStep) - WAITING

    def test_never_reports_a_lower_percentage(self) -> None:
        assert [percent for percent, _, _ in report_every_step()] == [1, 3, 5, 5, 10, 10, 10, 54]

    def test_rises_with_each_page_of_an_unknown_number(self) -> None:
        percents = [percent for percent, _, _ in report_open_ended()]

        assert percents == sorted(percents)
        assert (percents[0], percents[5], percents[-1]) == (10, 54, 94)

    def test_estimates_the_total_from_the_page_size(self) -> None:
        _, _, args = report_every_step()[-1]

        assert (args["done"], args["total"]) == (50, 100)


class TestScrapeWarning:
    def test_has_a_stable_json_form(self) -> None:
        warning = ScrapeWarning(WarningCode.PAGE_SHORT, 3, {"count": 4, "expected": 10})

        assert list(warning.as_dict().items()) == [
            ("code", "page_short"),
            ("page", 3),
            ("count", 4),
            ("expected", 10),
        ]

    @pytest.mark.parametrize("language", Language)
    @pytest.mark.parametrize("code", WarningCode)
    def test_has_a_sentence(self, language: Language, code: WarningCode) -> None:
        assert catalogue(language)[f"warning.{code}"]

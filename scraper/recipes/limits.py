"""How long a recipe waits, and how often it tries."""

from typing import Annotated

from pydantic import Field as Key

from scraper.recipes.notation import StrictModel


class Limits(StrictModel):
    """Times in seconds."""

    page_timeout_s: Annotated[
        float,
        Key(gt=0, le=3600, description="For one page, with all its tries and their pauses."),
    ] = 180.0
    login_timeout_s: Annotated[
        float, Key(gt=0, le=600, description="For a login, from opening its page to its end.")
    ] = 60.0
    # A loaded page without items is known within 30 s; the rest of them is for reading it.
    empty_after_s: Annotated[
        float,
        Key(gt=0, le=25, description="How long a loaded page may stay without its first item."),
    ] = 10.0
    settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="A page is read when the number of its items has stood still for so long; "
            "a full one at once.",
        ),
    ] = 0.3
    short_page_settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="The same for a page that has fewer items than page_size says.",
        ),
    ] = 2.0
    tries: Annotated[
        int, Key(ge=1, le=10, description="How often a page is tried, the first time counted.")
    ] = 5
    job_base_s: Annotated[
        float, Key(gt=0, le=86_400, description="A job's time limit, less that for its pages.")
    ] = 300.0
    job_per_page_s: Annotated[
        float, Key(gt=0, le=3600, description="What each page asked for adds to the job's limit.")
    ] = 240.0
    first_pause_s: Annotated[
        float,
        Key(
            ge=0,
            le=60,
            description="Pause before the second try; each next one is twice as long. "
            "The site's Retry-After wins.",
        ),
    ] = 1.0

    def job_s(self, pages: int) -> float:
        """Return the time limit, in seconds, of a job that reads so many pages."""
        return self.job_base_s + self.job_per_page_s * pages

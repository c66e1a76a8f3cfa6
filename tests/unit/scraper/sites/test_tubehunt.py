import re

import pytest

from scraper.recipes.loader import load_recipes
from scraper.recipes.models import Field
from scraper.recipes.schemas import make_params_model
from scraper.recipes.url_template import fill_template, join_url

RECIPE = load_recipes()["tubehunt"]
JOB = RECIPE.jobs["scrape-channels"]
HEAD = {name: field for name, field in JOB.fields.items() if name != "recent_videos"}
VIDEO = JOB.fields["recent_videos"].fields or {}


def read(field: Field, text: str) -> str | None:
    """Apply a field's regex as the browser does; Python treats these regexes in the same way."""
    assert field.match is not None
    match = re.search(field.match, " ".join(text.split()), re.DOTALL)
    return (match[1] or None) if match else None


class TestScrapeChannels:
    def test_has_the_results_fields_in_order(self) -> None:
        assert list(JOB.fields) == [
            "channel_name",
            "channel_link",
            "channel_handle",
            "country",
            "subscribers",
            "is_verified",
            "is_monetized",
            "categories",
            "total_views",
            "views_last_60_days",
            "average_views_per_video",
            "time_since_first_video",
            "total_videos",
            "outlier_score",
            "recent_videos",
        ]
        assert list(VIDEO) == [
            "title",
            "video_link",
            "thumbnail_url",
            "duration",
            "views",
            "comments",
            "uploaded_time",
        ]

    def test_opens_the_lists_url(self) -> None:
        values = make_params_model(JOB, "Params", RECIPE.base_url).model_validate({}).model_dump()
        assert values == {"pages": 1, "first_page": 1, "per_page": 50, "order_by": "DateDESC"}
        url = join_url(RECIPE.base_url, fill_template(JOB.open, values | {"page": 1}))
        assert url == ("https://app.tubehunt.io/long/?page=1&OrderBy=DateDESC&ChangePerPage=50")

    def test_reads_at_most_a_hundred_pages(self) -> None:
        assert (JOB.params["pages"].min, JOB.params["pages"].max) == (1, 100)

    def test_has_an_example_with_every_field(self) -> None:
        assert JOB.example is not None
        assert list(JOB.example) == list(JOB.fields)

    @pytest.mark.parametrize("name", HEAD)
    def test_never_reads_the_head_of_a_card_from_its_videos(self, name: str) -> None:
        selector = HEAD[name].exists or HEAD[name].css
        assert selector is not None
        assert selector.endswith(":not(.entry-video *)")


class TestSubscribers:
    @pytest.mark.parametrize(
        ("text", "subscribers"),
        [
            ("@latelyfashionable US • 2k inscritos", "2k"),
            ("@latelyfashionable\n  (PT)\n  •\n  1,2 mi inscritos\n", "1,2 mi"),
            ("@a •2k inscritos", "2k"),
            ("@a • 1 inscrito", "1"),
            ("@a • 2k", "2k"),
            ("@a • US • 2k inscritos", "2k"),
            ("@a • US • 2k", "2k"),
            ("@a • 2k inscritos • há 6 anos", "2k"),
            ("@a US", None),
            ("@a • inscritos", None),
            ("@a •", None),
            ("", None),
        ],
    )
    def test_are_the_part_after_the_dot_without_the_word(
        self, text: str, subscribers: str | None
    ) -> None:
        assert read(JOB.fields["subscribers"], text) == subscribers


class TestVideoNumbers:
    @pytest.mark.parametrize(
        ("text", "views", "comments", "uploaded_time"),
        [
            ("2k views • 3 comentários • há 1 mês", "2k", "3", "há 1 mês"),
            ("\n 2k views\n •\n 3 comentários\n •\n há 1 mês\n", "2k", "3", "há 1 mês"),
            ("2k views•3 comentários•há 1 mês", "2k", "3", "há 1 mês"),
            ("1 view • 1 comentário • há 1 dia", "1", "1", "há 1 dia"),
            ("1,5 mi views • 0 comentários • há 10 anos", "1,5 mi", "0", "há 10 anos"),
            # without the words, by position
            ("2k • 3 • há 1 mês", "2k", "3", "há 1 mês"),
            # one part is missing
            ("2k views • há 1 mês", "2k", None, "há 1 mês"),
            ("3 comentários • há 1 mês", None, "3", "há 1 mês"),
            ("2k views • 3 comentários", "2k", "3", None),
            # two parts are missing
            ("2k views", "2k", None, None),
            ("3 comentários", None, "3", None),
            ("há 1 mês", None, None, "há 1 mês"),
            # a part is empty
            ("views • 3 comentários • há 1 mês", None, "3", "há 1 mês"),
            ("2k views • comentários • há 1 mês", "2k", None, "há 1 mês"),
            ("2k views • • há 1 mês", "2k", None, "há 1 mês"),
            ("2k views • 3 comentários •", "2k", "3", None),
            ("• 3 comentários • há 1 mês", None, "3", "há 1 mês"),
            ("", None, None, None),
        ],
    )
    def test_are_the_parts_between_the_dots_without_their_words(
        self, text: str, views: str | None, comments: str | None, uploaded_time: str | None
    ) -> None:
        assert read(VIDEO["views"], text) == views
        assert read(VIDEO["comments"], text) == comments
        assert read(VIDEO["uploaded_time"], text) == uploaded_time

"""Records, list pages and faults of the demo site."""

import json
import unicodedata
from typing import Any

import pytest

from demo.channels import COUNT, ORDERS, all_channels, find_channel, format_number
from demo.fault_state import FaultState
from demo.faults import FaultError, Faults, parse_fault_arguments
from demo.golden import expected_item, expected_items
from demo.listing import Listing, parse_listing
from demo.pages import render_list
from tests.support.paths import GOLDEN


class TestAllChannels:
    def test_are_137_with_unique_ids(self) -> None:
        assert len(all_channels()) == COUNT == 137
        assert len({channel.id for channel in all_channels()}) == 137
        assert {len(channel.id) for channel in all_channels()} == {24}

    def test_can_be_more_with_unique_ids(self) -> None:
        channels = all_channels(1000)
        assert len({channel.id for channel in channels}) == 1000
        assert channels[:137] == all_channels()

    def test_can_be_fewer(self) -> None:
        assert all_channels(10) == all_channels()[:10]

    def test_have_videos_with_unique_ids(self) -> None:
        ids = [video.id for channel in all_channels() for video in channel.videos]
        assert len(ids) == len(set(ids))
        assert {len(video_id) for video_id in ids} == {11}

    def test_have_zero_to_nine_videos_and_300_on_the_first_page(self) -> None:
        counts = [len(channel.videos) for channel in all_channels()[:50]]
        assert set(counts) == set(range(10))
        assert sum(counts) == 300

    def test_have_names_in_many_scripts_and_with_html_characters(self) -> None:
        letters = "".join(channel.name for channel in all_channels()[:50])
        scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
        assert {"LATIN", "CYRILLIC", "ARABIC", "HEBREW", "GREEK", "DEVANAGARI"} <= scripts
        assert {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "COMBINING"} <= scripts
        assert set("&<>\"'🎮") <= set(letters)


class TestFindChannel:
    def test_finds_by_id(self) -> None:
        channel = all_channels()[70]
        assert find_channel(channel.id) is channel

    def test_returns_none_for_an_unknown_id(self) -> None:
        assert find_channel("UC" + "x" * 22) is None


class TestOrders:
    def test_contain_the_same_channels_in_different_orders(self) -> None:
        orders = [tuple(channel.id for channel in order(COUNT)) for order in ORDERS.values()]
        assert len(set(orders)) == len(ORDERS) == 4
        assert len({frozenset(order) for order in orders}) == 1

    def test_by_subscribers_starts_with_the_largest(self) -> None:
        counts = [channel.subscriber_count for channel in ORDERS["SubscribersDESC"](COUNT)]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (981, "981"), (2_000, "2k"), (149_500, "149.5k"), (1_200_000, "1.2M")],
)
def test_format_number(number: int, text: str) -> None:
    assert format_number(number) == text


class TestExpectedItems:
    def test_equal_the_golden_file(self) -> None:
        assert json.loads(GOLDEN.read_text()) == expected_items()

    def test_have_the_fields_in_order(self) -> None:
        assert list(expected_items()[0]) == [
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

    def test_have_each_field_with_and_without_a_value(self) -> None:
        items = expected_items()
        for name in set(items[0]) - {"channel_name", "channel_link"}:
            assert {bool(item[name]) for item in items} == {True, False}, name
        videos = [video for item in items for video in item["recent_videos"]]
        for name in videos[0]:
            assert {video[name] is None for video in videos} == {True, False}, name

    def test_have_no_empty_or_untrimmed_text(self) -> None:
        def texts(value: Any) -> list[str]:
            if isinstance(value, str):
                return [value]
            if not isinstance(value, (dict, list)):
                return []
            parts = value.values() if isinstance(value, dict) else value
            return [text for part in parts for text in texts(part)]

        all_texts = texts(expected_items())
        assert len(all_texts) > 1000
        assert [text for text in all_texts if not text or text != " ".join(text.split())] == []

    def test_have_at_most_six_videos(self) -> None:
        assert {len(item["recent_videos"]) for item in expected_items()} == set(range(7))

    def test_include_links_with_the_host(self) -> None:
        hosts = [item["channel_link"].partition("/channel/")[0] for item in expected_items()]
        assert hosts.count("https://app.tubehunt.io") == 2
        assert hosts.count("") == 48

    def test_have_collapsed_white_space(self) -> None:
        assert expected_item(all_channels()[5])["channel_name"] == "Two blanks and a line break"
        assert expected_item(all_channels()[5])["categories"] == ["Music"]


class TestParseListing:
    def test_parses_page_order_and_size(self) -> None:
        query = {"page": "2", "OrderBy": "DateASC", "ChangePerPage": "50"}
        assert parse_listing(query, Faults()) == Listing(page=2, order="DateASC", size=50)

    @pytest.mark.parametrize("page", ["0", "-1", "x", "", "²"])
    def test_ignores_invalid_values(self, page: str) -> None:
        query = {"page": page, "OrderBy": "Nothing", "ChangePerPage": "7"}
        assert parse_listing(query, Faults()) == Listing(
            page=1, order="DateDESC", size=10, unknown_order="Nothing"
        )


class TestListing:
    def test_has_three_pages_of_50_of_which_the_last_is_not_full(self) -> None:
        pages = [Listing(page, "DateDESC", 50).channels for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [50, 50, 37, 0]
        assert sum(pages, ()) == all_channels()

    def test_repeats_three_channels_while_shifting(self) -> None:
        pages = [Listing(page, "DateDESC", 50, is_shifting=True).channels for page in (1, 2, 3)]
        assert pages[1][:3] == pages[0][-3:]
        assert pages[2][:3] == pages[1][-3:]
        assert {channel.id for page in pages for channel in page} == {
            channel.id for channel in all_channels()
        }

    def test_is_rendered_once(self) -> None:
        assert render_list(Listing(2, "DateDESC", 10)) is render_list(Listing(2, "DateDESC", 10))


class TestParseFaultArguments:
    def test_parses_values_as_json_and_a_name_alone_as_true(self) -> None:
        faults = parse_fault_arguments(["status_503=-1", "shifting", "retry_after=2"])
        assert faults == Faults(status_503=-1, shifting=True, retry_after=2)

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("sunny", "Unknown bad day sunny: choose from slow_ms, status_503,"),
            ("slow_ms=soon", "slow_ms: Input should be a valid integer, not 'soon'"),
            ("slow_ms", "slow_ms: Input should be a valid integer, not True"),
            ("hang_page=0", "hang_page: Input should be greater than or equal to 1, not 0"),
            ("reset=-2", "reset: Input should be greater than or equal to -1, not -2"),
            ("shifting=1", "shifting: Input should be a valid boolean, not 1"),
        ],
    )
    def test_names_the_invalid_argument(self, argument: str, message: str) -> None:
        with pytest.raises(FaultError) as caught:
            parse_fault_arguments([argument])
        assert str(caught.value).startswith(message)


class TestFaultState:
    def test_counts_down(self) -> None:
        state = FaultState(Faults(status_503=2))
        assert [state.use("status_503") for _ in range(4)] == [True, True, False, False]

    def test_does_not_count_down_from_minus_one(self) -> None:
        state = FaultState(Faults(reset=-1))
        assert all(state.use("reset") for _ in range(100))

    def test_restarts_counting_with_new_faults(self) -> None:
        state = FaultState(Faults(status_503=1))
        state.use("status_503")
        state.set_faults(Faults(status_503=1))
        assert state.use("status_503")

    def test_ends_the_session_once_after_the_pages(self) -> None:
        state = FaultState(Faults(session_ends_after=2))
        assert [state.should_end_session() for _ in range(6)] == [
            False,
            False,
            True,
            False,
            False,
            False,
        ]

    def test_ends_every_session_with_session_never_holds(self) -> None:
        state = FaultState(Faults(session_never_holds=True))
        assert all(state.should_end_session() for _ in range(5))

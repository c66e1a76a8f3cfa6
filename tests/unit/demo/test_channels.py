import json
import unicodedata
from typing import Any

import pytest

from demo.channels import COUNT, ORDERS, all_channels, find_channel, short_number
from demo.fault_state import FaultState
from demo.faults import FaultError, Faults, parse_fault_arguments
from demo.golden import expected_item, expected_page
from demo.listing import Listing, parse_listing
from demo.pages import list_page
from tests.support.paths import GOLDEN


class TestAllChannels:
    def test_are_137_with_ids_of_their_own(self) -> None:
        assert len(all_channels()) == COUNT == 137
        assert len({channel.id for channel in all_channels()}) == 137
        assert {len(channel.id) for channel in all_channels()} == {24}

    def test_have_videos_with_ids_of_their_own(self) -> None:
        ids = [video.id for channel in all_channels() for video in channel.videos]
        assert len(ids) == len(set(ids))
        assert {len(video_id) for video_id in ids} == {11}

    def test_have_none_to_nine_videos_and_300_on_the_first_page(self) -> None:
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

    def test_gives_none_for_an_unknown_id(self) -> None:
        assert find_channel("UC" + "x" * 22) is None


class TestOrders:
    def test_hold_the_same_channels_each_in_another_order(self) -> None:
        orders = [tuple(channel.id for channel in order()) for order in ORDERS.values()]
        assert len(set(orders)) == len(ORDERS) == 4
        assert len({frozenset(order) for order in orders}) == 1

    def test_by_subscribers_begins_with_the_largest(self) -> None:
        counts = [channel.subscriber_count for channel in ORDERS["SubscribersDESC"]()]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (981, "981"), (2_000, "2k"), (149_500, "149.5k"), (1_200_000, "1.2M")],
)
def test_short_number_writes_as_the_site_does(number: int, text: str) -> None:
    assert short_number(number) == text


class TestExpectedPage:
    def test_is_the_committed_golden_file(self) -> None:
        assert json.loads(GOLDEN.read_text()) == expected_page()

    def test_has_the_fields_in_the_order_of_the_result(self) -> None:
        assert list(expected_page()[0]) == [
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

    def test_holds_every_field_both_with_and_without_a_value(self) -> None:
        items = expected_page()
        for name in set(items[0]) - {"channel_name", "channel_link"}:
            assert {bool(item[name]) for item in items} == {True, False}, name
        videos = [video for item in items for video in item["recent_videos"]]
        for name in videos[0]:
            assert {video[name] is None for video in videos} == {True, False}, name

    def test_holds_no_text_that_is_empty_or_untrimmed(self) -> None:
        def texts(value: Any) -> list[str]:
            if isinstance(value, str):
                return [value]
            if not isinstance(value, (dict, list)):
                return []
            parts = value.values() if isinstance(value, dict) else value
            return [text for part in parts for text in texts(part)]

        found = texts(expected_page())
        assert len(found) > 1000
        assert [text for text in found if not text or text != " ".join(text.split())] == []

    def test_takes_six_videos_at_most(self) -> None:
        assert {len(item["recent_videos"]) for item in expected_page()} == set(range(7))

    def test_links_some_channels_with_their_host(self) -> None:
        hosts = [item["channel_link"].partition("/channel/")[0] for item in expected_page()]
        assert hosts.count("https://app.tubehunt.io") == 2
        assert hosts.count("") == 48

    def test_collapses_white_space(self) -> None:
        assert expected_item(all_channels()[5])["channel_name"] == "Two blanks and a line break"
        assert expected_item(all_channels()[5])["categories"] == ["Music"]


class TestReadListing:
    def test_reads_page_order_and_size(self) -> None:
        query = {"page": "2", "OrderBy": "DateASC", "ChangePerPage": "50"}
        assert parse_listing(query, Faults()) == Listing(page=2, order="DateASC", size=50)

    @pytest.mark.parametrize("page", ["0", "-1", "x", "", "²"])
    def test_takes_what_it_does_not_know_as_not_given(self, page: str) -> None:
        query = {"page": page, "OrderBy": "Nothing", "ChangePerPage": "7"}
        assert parse_listing(query, Faults()) == Listing(page=1, order="DateDESC", size=10)


class TestListing:
    def test_has_three_pages_of_50_and_the_third_is_short(self) -> None:
        pages = [Listing(page, "DateDESC", 50).channels for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [50, 50, 37, 0]
        assert sum(pages, ()) == all_channels()

    def test_repeats_three_channels_while_it_shifts(self) -> None:
        pages = [Listing(page, "DateDESC", 50, is_shifting=True).channels for page in (1, 2, 3)]
        assert pages[1][:3] == pages[0][-3:]
        assert pages[2][:3] == pages[1][-3:]
        assert {channel.id for page in pages for channel in page} == {
            channel.id for channel in all_channels()
        }

    def test_is_drawn_once(self) -> None:
        assert list_page(Listing(2, "DateDESC", 10)) is list_page(Listing(2, "DateDESC", 10))


class TestReadBadDayArguments:
    def test_reads_values_as_json_and_a_bare_name_as_true(self) -> None:
        bad = parse_fault_arguments(["status_503=-1", "shifting", "retry_after=2"])
        assert bad == Faults(status_503=-1, shifting=True, retry_after=2)

    @pytest.mark.parametrize(
        ("argument", "words"),
        [
            ("sunny", "There is no bad day sunny: choose from slow_ms, status_503,"),
            ("slow_ms=soon", "slow_ms: Input should be a valid integer, not 'soon'"),
            ("slow_ms", "slow_ms: Input should be a valid integer, not True"),
            ("hang_page=0", "hang_page: Input should be greater than or equal to 1, not 0"),
            ("reset=-2", "reset: Input should be greater than or equal to -1, not -2"),
            ("shifting=1", "shifting: Input should be a valid boolean, not 1"),
        ],
    )
    def test_says_what_is_wrong(self, argument: str, words: str) -> None:
        with pytest.raises(FaultError) as caught:
            parse_fault_arguments([argument])
        assert str(caught.value).startswith(words)


class TestDay:
    def test_counts_down(self) -> None:
        day = FaultState(Faults(status_503=2))
        assert [day.take("status_503") for _ in range(4)] == [True, True, False, False]

    def test_never_ends_a_count_of_minus_one(self) -> None:
        day = FaultState(Faults(reset=-1))
        assert all(day.take("reset") for _ in range(100))

    def test_counts_anew_when_another_begins(self) -> None:
        day = FaultState(Faults(status_503=1))
        day.take("status_503")
        day.begin(Faults(status_503=1))
        assert day.take("status_503")

    def test_ends_the_session_once_after_its_pages(self) -> None:
        day = FaultState(Faults(session_ends_after=2))
        assert [day.ends_session() for _ in range(6)] == [False, False, True, False, False, False]

    def test_ends_the_session_every_time_if_it_never_holds(self) -> None:
        day = FaultState(Faults(session_never_holds=True))
        assert all(day.ends_session() for _ in range(5))

# ruff: noqa: RUF001 - these texts contain look-alike characters on purpose
"""Channels with unusual texts and missing fields."""

from dataclasses import replace
from typing import Any

from demo.records import Channel, Stats

#: Changed fields of a channel, by its position in the list. All are on the first page of 50.
CHANNELS: dict[int, dict[str, Any]] = {
    1: {"name": "Fish & Chips <b>\"best\"</b> 'n' more > less"},
    2: {"handle": None, "country": None, "subscribers": None, "categories": None},
    3: {"name": "&amp; is not &lt;b&gt;"},
    5: {"name": "  Two  blanks\n and a\u00a0line \t break  ", "categories": " , Music ,, "},
    6: {"stats": Stats(None, None, None, None, None, None)},
    7: {"stats": Stats("1.2M", "", "981", None, "0", "71×")},
    8: {"name": "{{ 7 * 7 }} ${name} %(name)s \\u0041"},
    11: {"handle": "@лекции_о_физике", "country": "(UA)"},
    12: {"subscribers": None},
    13: {"handle": None, "country": ""},
    15: {"name": "</script><script>alert(1)</script>"},
    16: {"name": "x", "categories": ""},
    17: {"name": "مرحبا Hello שלום 123 🙂"},
    18: {"name": "👨\u200d👩\u200d👧 é e\u0301 ﬁ ß İ 𝒢𝒶𝓇 \u202eRTL\u202c"},
    20: {"has_absolute_link": True},
    21: {"name": "A very long name " + "that goes on and on " * 8 + "until here"},
    23: {"handle": "@50%25_off&x=<1>"},
    24: {"name": "12 inscritos • 5k inscritos", "subscribers": None},
    33: {"has_absolute_link": True},
}

#: Changed fields of a channel's first video, by the channel's position in the list.
FIRST_VIDEOS: dict[int, dict[str, Any]] = {
    0: {"id": "3iHy-TGCV1A", "duration": "1:53"},
    1: {"title": "<img src=x onerror=\"document.title='no'\"> & co"},
    2: {"views": None, "comments": None, "uploaded_time": None},
    3: {"comments": None},
    5: {"duration": None},
    6: {"title": None},
    7: {"title": "  a\n  title   in pieces "},
    8: {"views": None},
    10: {"uploaded_time": None},
    11: {"has_thumbnail": False},
    12: {"has_link": False, "has_thumbnail": False},
    15: {"title": "</template></div></body></html>"},
    16: {"duration": "", "comments": "0"},
    20: {"views": "1.000.000", "comments": "12.345"},
}


def apply_edge_case(channel: Channel, position: int) -> Channel:
    """Return the channel with the edge case of its position in the list, if there is one."""
    channel = replace(channel, **CHANNELS.get(position, {}))
    if position not in FIRST_VIDEOS:
        return channel
    first, *remaining = channel.videos
    return replace(channel, videos=(replace(first, **FIRST_VIDEOS[position]), *remaining))

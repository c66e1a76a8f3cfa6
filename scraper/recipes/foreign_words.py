"""Words of other tools' recipes, and what stands for them here."""

from collections.abc import Mapping
from typing import Final

from scraper.recipes.yaml_source import KeyPath

_OPEN: Final = "base_url is the site, and open a path below it"
_NO_CODE: Final = "recipes contain no code"
_NO_WAITS: Final = "pages are waited for without it"

#: What stands for a word at the top of a recipe, in a job, and in a field; all without underscores.
_IN_SITE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("name", "id", "title"), "it is called site"),
    **dict.fromkeys(("url", "urls", "starturl", "starturls", "links"), _OPEN),
    **dict.fromkeys(("language", "lang"), "it is called locale"),
    **dict.fromkeys(("cookiebanner", "banner", "banners"), "it is called dismiss"),
    **dict.fromkeys(("selectors", "spiders", "scrapers", "tasks"), "they are called jobs"),
    **dict.fromkeys(("js", "jscode", "javascript", "script", "scripts"), _NO_CODE),
}
_IN_JOB: Final[Mapping[str, str]] = {
    **dict.fromkeys(("url", "urls", "path", "starturl", "starturls"), "it is called open"),
    **dict.fromkeys(
        ("selector", "baseselector", "itemselector", "item", "row", "rows", "container"),
        "it is called items",
    ),
    **dict.fromkeys(("columns", "data", "schema", "selectors"), "they are called fields"),
    **dict.fromkeys(("pagination", "paginate", "paginator", "nextpage"), "it is called next"),
    **dict.fromkeys(("scroll", "infinitescroll", "autoscroll"), "use next: scroll"),
    **dict.fromkeys(("loadmore", "clickmore", "click"), "use next with the button's selector"),
    **dict.fromkeys(("wait", "waitfor", "waituntil", "sleep", "delay"), _NO_WAITS),
    **dict.fromkeys(("required", "mandatory"), "it is called require"),
    **dict.fromkeys(("js", "jscode", "javascript", "evaluate", "script"), _NO_CODE),
    **dict.fromkeys(("parameters", "inputs", "args"), "they are called params"),
}
_IN_FIELD: Final[Mapping[str, str]] = {
    **dict.fromkeys(("selector", "cssselector", "query", "locator"), "it is called css"),
    **dict.fromkeys(("attribute", "attrs"), "it is called attr"),
    **dict.fromkeys(("regex", "regexp", "re", "pattern"), "it is called match"),
    **dict.fromkeys(("selectorall", "multiple", "getall", "list", "array"), "use all: true"),
    **dict.fromkeys(("nested", "children", "properties"), "use fields"),
    **dict.fromkeys(("text", "innertext", "textcontent"), "the text is read anyway"),
    **dict.fromkeys(("output", "extractor", "extract"), "use attr, match or type"),
    **dict.fromkeys(
        ("default", "fallback", "fallbacks"), "use a list of alternatives, the last {value: …}"
    ),
    **dict.fromkeys(("fixed", "constant"), "it is called value"),
    **dict.fromkeys(("optional", "required"), "name what every item must have in require"),
    **dict.fromkeys(("filters", "transform", "postprocess", "replace"), "use match, split or type"),
    **dict.fromkeys(("jsonpath", "jmespath"), "it is called path"),
    **dict.fromkeys(("index", "position"), "it is called nth, and counts from 1"),
}
#: The numbers of steps to the keys of a recipe, and to those of a job.
_SITE_DEPTH: Final = 1
_JOB_DEPTH: Final = 3


def find_advice(key: KeyPath) -> str:
    """Return what to write instead of a key that recipes do not have; empty if that is unknown."""
    word = str(key[-1]).replace("_", "").replace("-", "").lower()
    if len(key) == _SITE_DEPTH:
        return _IN_SITE.get(word, "")
    if len(key) == _JOB_DEPTH and key[0] == "jobs":
        return _IN_JOB.get(word, "")
    is_field = len(key) > _JOB_DEPTH and key[_JOB_DEPTH - 1] == "fields"
    return _IN_FIELD.get(word, "") if is_field else ""

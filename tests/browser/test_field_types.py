"""Values of a whole run as the recipe says, and the warnings about those that are not."""

from collections.abc import Callable

from tests.browser.small_sites import DOCUMENT, make_recipe, run_small

Serve = Callable[..., str]

ROWS = """
<h3>Livros</h3>
<div class=item><a href=/b/1>Um</a><b class=new>R$ 1.234,56</b><i>x</i><i>y</i>
  <time>há 2 dias</time><u data-j='{"isbn": {"n": 978}}'></u><s>*</s><s>*</s></div>
<h3>Discos</h3>
<div class=item><a href=b/2>Dois</a><b class=new>grátis</b><b class=sale data-price="5.5">…</b>
  <time>12/03/2026</time><u data-j='{}'></u></div>
<div class=item><a href=b/3>Três</a><b class=new>sob consulta</b><time>em breve</time></div>
"""
PRICES = [
    {"css": ".new", "type": "number"},
    {"css": ".sale", "attr": "data-price", "type": "number"},
    {"value": 0},
]
FIELDS = {
    "name": "a",
    "link": {"css": "a", "attr": "href", "type": "url"},
    "group": "./preceding-sibling::h3[1]",
    "tags": {"css": "i", "all": True},
    "stars": {"css": "s", "type": "count"},
    "price": PRICES,
    "on": {"css": "time", "type": "date"},
    "isbn": {"css": "u", "attr": "data-j", "path": "isbn.n", "type": "number"},
    "has_cover": {"exists": "img"},
}


def test_a_run_returns_values_of_the_types_of_the_recipe(serve: Serve) -> None:
    site = {"locale": "pt-BR", "time_zone": "America/Sao_Paulo"}
    recipe = make_recipe(
        site=site, next=None, params={}, open="/", fields=FIELDS, unique_by="link", label=None
    )
    url = serve(index=DOCUMENT + ROWS)
    recording = run_small(url, recipe)

    one, two, three = recording.items
    assert one == {
        "name": "Um",
        "link": f"{url}/b/1",
        "group": "Livros",
        "tags": ["x", "y"],
        "stars": 2,
        "price": 1234.56,
        "on": one["on"],
        "isbn": 978,
        "has_cover": False,
    }
    assert len(one["on"]) == len("2026-03-12")
    assert list(two.values())[1:] == [f"{url}/b/2", "Discos", [], 0, 5.5, "2026-03-12", None, False]
    assert (three["price"], three["on"], three["isbn"]) == (0, None, None)
    assert recording.summary is not None
    assert [warning.as_dict() for warning in recording.summary.warnings] == [
        {"code": "fallback_taken", "page": 1, "field": "price", "count": 1},
        {"code": "value_unread", "page": 1, "field": "on", "count": 1, "text": "em breve"},
    ]

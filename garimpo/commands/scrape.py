"""`garimpo scrape`: run one job in this process, to try a recipe without API and queue."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from garimpo.cli.options import (
    Account,
    Job,
    Output,
    Params,
    Site,
    check_output,
    load_settings,
    read_params,
)
from garimpo.cli.output import format_json, write_result


def scrape(  # noqa: PLR0913 - each is an option
    *,
    site: Site,
    job: Job,
    param: Params = None,
    account: Account = None,
    output: Output = None,
    base_url: Annotated[
        str | None, typer.Option(help="Replaces the recipe's base_url.", metavar="URL")
    ] = None,
) -> None:
    """Run one job in this process, without API and queue, and print its result as JSON.

    If the job fails after its first page, or on Ctrl-C, the result has the items read so far, with
    `success` false, `error` and `error_code`.

    Recipes, credentials and browser are configured as for a worker, also by .env.
    """
    # Imported here, since few commands use a browser: Selenium is slow to import, and garimpo[cli]
    # does not include it.
    from garimpo.local_scrape import find_recipe, run_and_show, scrape_locally  # noqa: PLC0415
    from jobs.model.i18n import Language  # noqa: PLC0415

    values = read_params(param)
    check_output(output)
    language = Language(load_settings().language)

    def run() -> Mapping[str, Any]:
        recipe = find_recipe(site)
        return scrape_locally(
            recipe, job, values, base_url=base_url, language=language, account=account
        )

    run_and_show(run, lambda result: write_result([format_json(result).encode()], output))

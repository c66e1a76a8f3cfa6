"""`garimpo scrape`: run one job in this process, to try a recipe without API and queue."""

from typing import Annotated

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
from garimpo.cli.output import (
    FAILED,
    INTERRUPTED,
    describe_failure,
    format_json,
    print_error,
    write_result,
)

_USAGE_ERROR = 2


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
    # Imported here, since no other command uses a browser: Selenium is slow to import, and
    # garimpo[cli] does not include it.
    from garimpo.local_scrape import (  # noqa: PLC0415
        InvalidRequestError,
        ScrapeFailedError,
        ScrapeInterruptedError,
        find_recipe,
        scrape_locally,
    )
    from jobs.model.i18n import Language  # noqa: PLC0415

    values = read_params(param)
    check_output(output)
    language = Language(load_settings().language)
    try:
        result = scrape_locally(
            find_recipe(site),
            job,
            values,
            base_url=base_url,
            language=language,
            account=account,
        )
    except InvalidRequestError as error:
        print_error(str(error))
        raise typer.Exit(_USAGE_ERROR) from error
    except ScrapeFailedError as error:
        if error.result is not None:
            write_result([format_json(error.result).encode()], output)
        print_error(describe_failure(error.body))
        is_interrupted = isinstance(error, ScrapeInterruptedError)
        raise typer.Exit(INTERRUPTED if is_interrupted else FAILED) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    write_result([format_json(result).encode()], output)

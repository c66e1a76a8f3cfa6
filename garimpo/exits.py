"""How the commands end."""

FAILED, API_ERROR, NOT_YET, INTERRUPTED = 1, 2, 3, 130

EXIT_CODES = (
    "Exit codes: 0 done; 1 the job has failed, or a check has; 2 the API has refused, is not "
    "there, or a word on the command line is wrong, or the result cannot be written; 3 the job "
    "has no result yet; 130 Ctrl-C."
)

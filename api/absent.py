"""A parameter that is given without a value, as in `?status=&limit=`, is none."""

from pydantic import BeforeValidator

#: For the types of parameters that may be None.
EMPTY_AS_NONE = BeforeValidator(lambda value: None if value == "" else value)

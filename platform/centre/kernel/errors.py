"""The root of all errors that we raise on purpose."""

import inspect


class AmtsbrueckeError(Exception):
    """Something that the product refuses, with a reason for machines and words for people.

    A subclass's docstring is its default message, and its `reason` its default reason; one root
    per room (`CaseError`, `LinkError`, ...) lets doors catch what is theirs and nothing else.
    """

    reason: str = "AMTSBRUECKE_ERROR"

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        self.message = message or inspect.getdoc(type(self)) or type(self).__name__
        if reason is not None:
            self.reason = reason
        super().__init__(self.message)

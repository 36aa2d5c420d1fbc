"""Errors about graphs."""


class MissingInputError(Exception):
    """A graph needs the value of a variable that is not among the inputs."""

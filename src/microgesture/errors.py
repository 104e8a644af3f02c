"""The two kinds of errors in input: in the input as a whole, or in one clip."""


class InputError(Exception):
    """The user's files or settings are not valid: the run stops before it does any work.

    The message names the file, the row, the value and what to do.
    """


class UnusableClip(Exception):
    """One clip cannot be used; it is quarantined with this message as its reason, and the run goes on.

    The message names the file, the row or frame, and the value.
    """

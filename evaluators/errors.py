"""What a user can mend, in one sentence."""


class EvaluationError(ValueError):
    """A mistake in settings, files or data: what is wrong, where, and what to do about it."""

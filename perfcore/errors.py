"""What the user can mend."""


class UserError(Exception):
    """One sentence that names the key, file, line or URL and the remedy; the command line prints it and exits 2."""

"""Optional dependencies (extras), and how to install them."""


def install_hint(extra: str) -> str:
    """The command that installs an extra of this package, for error messages."""
    return f'in the checkout, pip install ".[{extra}]"'

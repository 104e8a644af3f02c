"""Packages that only some configurations need, and how to install them."""


def install_hint(extra: str) -> str:
    """What to do where an extra of this package is missing."""
    return f'in the checkout, pip install ".[{extra}]"'

"""The ``microgesture`` command behind every rule."""


def main() -> int:
    return 0

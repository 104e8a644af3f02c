"""A made-up corpus of a drawn person's micro-gestures, written in the layouts of iMiGUE and MA-52."""

from .corpus import make_demo

__all__ = ["make_demo"]

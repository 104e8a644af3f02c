"""A made-up corpus of a drawn person's micro-gestures, written in the layouts of iMiGUE, MA-52 and SMG."""

from .corpus import make_demo

__all__ = ["make_demo"]

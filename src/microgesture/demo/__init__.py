"""A synthetic corpus of micro-gestures of animated people, written in the layouts of iMiGUE, MA-52 and SMG."""

from .corpus import make_demo

__all__ = ["make_demo"]

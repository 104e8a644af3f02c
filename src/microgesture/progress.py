"""Progress on a terminal; one closing line where there is none."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
BRIEF = 5  # seconds after which a part of a longer work gets a bar of its own
_inside: ContextVar[bool] = ContextVar("inside", default=False)  # whether an item of another bar is worked on


def progress(items: Iterable[T], title: str, total: int, unit: str = "clip") -> Iterator[T]:
    """Pass the items on under a bar named ``title``; without a terminal print one line at the end instead.

    While the items of another such bar are worked on, it is one of a part: seen if it takes longer than some seconds,
    gone when it is done, and without a line.
    """
    seen, inside = sys.stderr.isatty(), _inside.get()
    options = {"unit": unit, "dynamic_ncols": True, "leave": not inside, "delay": BRIEF if inside else 0}
    started = time.monotonic()
    done = 0
    try:
        # tqdm has a lock that is shared with forked processes, and one that is killed may hold it for ever.
        with tqdm(items, desc=title, total=total, **options) if seen else nullcontext(items) as bar:
            for item in bar:
                _inside.set(True)
                yield item
                _inside.set(inside)
                done += 1
    finally:
        _inside.set(inside)
    if not seen and not inside:
        seconds = time.monotonic() - started
        print(f"{title}: {done} {unit}s in {seconds:.1f} s", file=sys.stderr, flush=True)


def part_progress(items: Iterable[T], title: str, total: int, done: int = 0, *, quiet: bool = False) -> Iterator[T]:
    """Pass the items on, a part of a longer work of which ``done`` are done, under a second bar that goes away again.

    It is shown where the part takes longer than some seconds; without a terminal or with ``quiet`` nothing is.
    """
    options = {"unit": "step", "dynamic_ncols": True, "leave": False, "delay": BRIEF}
    seen = sys.stderr.isatty() and not quiet
    yield from tqdm(items, desc=title, total=total, initial=done, **options) if seen else items

"""Progress on a terminal; one closing line where there is none."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
BRIEF = 5  # seconds after which a part of a longer work gets a bar of its own
_inside: ContextVar[bool] = ContextVar("inside", default=False)  # whether an item of another bar is worked on


def progress(
    items: Iterable[T],
    title: str,
    total: int,
    unit: str = "clip",
    *,
    done: int = 0,
    part: bool = False,
    quiet: bool = False,
    results: Callable[[], str] | None = None,
) -> Iterator[T]:
    """Pass the items on under a bar named ``title``; without a terminal print one line at the end instead.

    Of ``total`` items ``done`` were done before. What ``results`` returns after an item stands beside the bar, and at
    the end of the line. While the items of another such bar are worked on, or with ``part``, the bar is one of a part:
    it appears after some seconds, goes away at the end, and there is no line. With ``quiet`` nothing is shown.
    """
    terminal, part = sys.stderr.isatty(), part or _inside.get()
    options = {"unit": unit, "dynamic_ncols": True, "leave": not part, "delay": BRIEF if part else 0}
    started, before = time.monotonic(), done
    # tqdm has a lock that is shared with forked processes, and one that is killed may hold it for ever.
    seen = terminal and not quiet
    bar = tqdm(desc=title, total=total, initial=done, **options) if seen else nullcontext()
    outside = _inside.get()
    try:
        with bar:
            for item in items:
                _inside.set(True)
                yield item
                _inside.set(outside)
                done += 1
                if seen:
                    bar.set_postfix_str(results() if results else "", refresh=False)
                    bar.update()
    finally:
        _inside.set(outside)
    if done > before and not (terminal or part or quiet):
        text = f", {results()}" if results else ""
        print(
            f"{title}: {done - before} {unit}s in {time.monotonic() - started:.1f} s{text}", file=sys.stderr, flush=True
        )

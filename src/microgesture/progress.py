"""Progress bars on a terminal, or one line at the end without a terminal."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

from .terminal import visible

T = TypeVar("T")
BRIEF = 5  # seconds after which a part of longer work gets its own bar
_inside: ContextVar[bool] = ContextVar("inside", default=False)  # whether an item of another bar is in progress


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
    """Iterate over items with a progress bar named ``title``; without a terminal, print one line at the end instead.

    ``done`` of the ``total`` items were done before. The bar and the line show the text that ``results`` returns. With
    ``part``, or inside another bar, the bar is temporary: it appears after some seconds and disappears at the end, and
    no line is printed. With ``quiet``, nothing is shown.
    """
    title = visible(title)
    terminal, part = sys.stderr.isatty(), part or _inside.get()
    options = {"unit": unit, "dynamic_ncols": True, "leave": not part, "delay": BRIEF if part else 0}
    started, before = time.monotonic(), done
    # tqdm shares a lock with forked processes, and a killed process may hold it for ever.
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

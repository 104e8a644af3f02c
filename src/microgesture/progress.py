"""Progress on a terminal; one closing line where there is none."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], title: str, total: int, unit: str = "clip") -> Iterator[T]:
    """Pass the items on under a bar named ``title``; without a terminal print one line at the end instead."""
    started = time.monotonic()
    done = 0
    with tqdm(items, desc=title, total=total, unit=unit, disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:
        for item in bar:
            yield item
            done += 1
    if not sys.stderr.isatty():
        seconds = time.monotonic() - started
        print(f"{title}: {done} {unit}s in {seconds:.1f} s", file=sys.stderr, flush=True)

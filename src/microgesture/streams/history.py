"""The epochs of a training: what was measured in each, which one is best, and how far it is.

The history of a fused stream begins with what was measured before its first epoch.
"""

import logging
import sys
import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

log = logging.getLogger(__name__)

Epoch = dict[str, float | int | None]


def best_epoch(history: Sequence[Epoch], keep: str = "best") -> int:
    """The place of the best balanced accuracy, then of the lowest loss, then the first.

    It is the last one without validation, or if ``keep`` is "last".
    """
    if keep == "last" or history[-1]["val_loss"] is None:
        return len(history) - 1
    return max(range(len(history)), key=lambda e: (history[e]["val_balanced_accuracy"], -history[e]["val_loss"]))


def epochs_to_do(
    stream: str, epochs: int, history: list[Epoch], keep: str = "best", *, start: int = 0, quiet: bool = False
) -> Iterator[int]:
    """The epochs still to do, under a progress bar with the last one's results; without a terminal one closing line.

    The caller appends to ``history`` what it measured, whose first ``start`` entries are of no epoch. ``keep`` as in
    ``best_epoch``; ``quiet`` shows nothing.
    """
    terminal = sys.stderr.isatty()
    started, before = time.monotonic(), len(history) - start
    title = f"train {stream}"
    with tqdm(
        total=epochs, initial=before, desc=title, unit="epoch", disable=quiet or not terminal, dynamic_ncols=True
    ) as bar:
        for epoch in range(before, epochs):
            yield epoch
            results = ", ".join(
                f"{name.replace('_', ' ')} {value:.3g}" for name, value in history[-1].items() if value is not None
            )
            log.info("%s %s", stream, results)
            bar.set_postfix_str(_short(history[-1]))
            bar.update()
    if not quiet and not terminal and before < epochs:
        seconds = time.monotonic() - started
        kept = best_epoch(history, keep)
        print(
            f"{title}: {epochs - before} epochs in {seconds:.1f} s, {keep} is {kept}: {_short(history[kept])}",
            file=sys.stderr,
            flush=True,
        )


def _short(results: Epoch) -> str:
    loss = "as it began" if results["train_loss"] is None else f"loss {results['train_loss']:.2f}"
    return loss if results["val_accuracy"] is None else f"{loss}, val accuracy {results['val_accuracy']:.1%}"

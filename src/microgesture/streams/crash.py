"""Name the network of a training that ends without an error of Python, by a crash in a library or a kill."""

import faulthandler
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from torch.multiprocessing import ProcessExitedException

from ..config.streams import TrainStep

log = logging.getLogger(__name__)


@contextmanager
def crash_reported(step: TrainStep) -> Iterator[None]:
    """Log the network and its sizes if this process ends within the block, or one that trains together with it.

    A process that crashes cannot do so itself. Another one waits for the end of a pipe, which closes with this process;
    it is no parent, so that signals and the exit status stay those of the training. Python's ``faulthandler`` adds the
    signal and the line that it was at.
    """
    sentence = crash_of(step)
    if not faulthandler.is_enabled():
        faulthandler.enable()
    reading, writing = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        _watch(reading, writing, sentence)
    os.close(reading)
    try:
        yield
    except ProcessExitedException:
        log.error("microgesture: %s", sentence)
        raise
    finally:
        os.write(writing, b"ended")
        os.close(writing)
        os.waitpid(watcher, 0)


def crash_of(step: TrainStep) -> str:
    """Describe the end of a training, with the sizes that decide which code of a library runs."""
    sizes = []
    for network in (step.network, *(branch.network for branch in step.branches or ())):
        settings = network.model_dump(mode="json")
        sizes.append(f"{settings.pop('name')} ({', '.join(f'{key}: {value}' for key, value in settings.items())})")
    recipe, inputs = step.recipe, " and ".join(step.inputs)
    batch = recipe.micro_batch_size or recipe.batch_size
    return (
        f"stream '{step.stream}': its training was killed, or crashed in a library. Network {' with '.join(sizes)} on "
        f"{inputs}, {recipe.frames} frames, size {recipe.size}, {batch} clips at once. If memory ran out, lower "
        "micro_batch_size; if the signal was SIGSEGV, SIGABRT or SIGFPE, use other sizes of the network"
    )


def _watch(reading: int, writing: int, sentence: str) -> None:
    """Wait until the training ends, and log the sentence if it has not said so before; never returns."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):  # for the training, which this process outlives
        signal.signal(number, signal.SIG_IGN)
    os.close(writing)
    try:
        if not os.read(reading, 1):
            log.error("microgesture: %s", sentence)
    finally:
        os._exit(0)

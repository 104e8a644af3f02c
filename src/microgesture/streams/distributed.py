"""One training on several devices: a process for each, which see different clips and add up what they find."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TypeVar

import numpy as np
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import InputError
from ..machine.resources import Resources
from .preemption import Stopped, obey_parent_alone, signals_withheld

HOST = "127.0.0.1"  # all processes run on this resources
PATIENCE = 10  # seconds in which a process that failed has ended

Result = TypeVar("Result")


@dataclass(frozen=True)
class Process:
    """One of the ``count`` processes that train a network together; often the only one."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether it is this process that writes and shows things."""
        return self.rank == 0

    def share(self, network: nn.Module) -> nn.Module:
        """The network, to be called in its place: its gradients become the mean over all processes."""
        if self.count == 1:
            return network
        # Kernels of 1 x 1 x 1 have strides that mean nothing, and torch warns of them.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        shared = DistributedDataParallel(network)
        shared.broadcast_buffers = False  # no argument: its name is another one from torch 2.13 on
        return shared

    def collecting(self, shared: nn.Module, last: bool) -> AbstractContextManager:
        """A context for a forward and a backward pass; only after the ``last`` one the processes join gradients."""
        return nullcontext() if last or self.count == 1 else shared.no_sync()

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes, which wait here for each other; an error if one of them is gone."""
        if self.count == 1:
            return values
        total = torch.tensor(values)
        distributed.all_reduce(total)
        return total.numpy()

    def agree(self, flags: Callable[[], Sequence[bool]]) -> Callable[[], Sequence[bool]]:
        """Begin to find out which flags any process has set; what is returned waits for the answer.

        The flags travel between the processes on the CPU while the devices work, so that no device is waited for. A
        single process looks at its flags when it is asked for the answer.
        """
        if self.count == 1:
            return flags
        total = torch.tensor(flags(), dtype=torch.int32)
        work = distributed.all_reduce(total, async_op=True)

        def wait() -> Sequence[bool]:
            work.wait()
            return total.bool().tolist()

        return wait

    def average_buffers(self, network: nn.Module) -> None:
        """Give all processes the mean of their running statistics, which no gradient carries.

        Each process has followed its own clips. A running mean is linear in what it saw, so that the mean of them is
        the one of all clips, and it makes no difference how often it is taken in between.
        """
        if self.count == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.count


def on_each_device(resources: Resources, work: Callable[..., Result], *arguments: object) -> Result:
    """Call ``work(process, *arguments)`` on each of the devices at once; returns what it returns in this process.

    This process is the first of them. The others are new ones, so ``work`` is a function of a module and the arguments
    can be pickled. If one fails, all end: an error of this process is raised as it is, one of another process as
    ``torch.multiprocessing.ProcessRaisedException`` with its traceback. Of the signals that ask for an end only this
    process hears, which then tells the others.
    """
    device = resources.prepare()
    if resources.devices == 1:
        return work(Process(0, 1, device), *arguments)
    store = distributed.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    resource_tracker.ensure_running()  # starting it lets SIGTERM through again
    with signals_withheld():
        others = multiprocessing.start_processes(
            _work_as_other,
            (resources, store.port, work, arguments),
            resources.devices - 1,
            join=False,
            start_method="spawn",  # a GPU cannot be used after a fork
        )
    try:
        while not store.check([f"started {number + 1}" for number in range(resources.devices - 1)]):
            others.join(timeout=0.1)  # raises the error of a process that ended before it could be met
        result = _work_together(0, resources, store, work, arguments)
    except (InputError, Stopped):
        raise
    except Exception:
        others.join(timeout=PATIENCE)  # raises the error of another process, if this one only missed that
        raise
    else:
        while not others.join():
            pass
        return result
    finally:
        for other in others.processes:
            other.join(PATIENCE)
            other.kill()
            other.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _work_as_other(
    number: int, resources: Resources, port: int, work: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    obey_parent_alone()
    store = distributed.TCPStore(HOST, port)
    store.set(f"started {number + 1}", "")
    with suppress(Stopped):  # the first process reports it
        _work_together(number + 1, resources, store, work, arguments)


def _work_together(
    rank: int,
    resources: Resources,
    store: distributed.TCPStore,
    work: Callable[..., Result],
    arguments: tuple[object, ...],
) -> Result:
    device = resources.prepare(rank)
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=resources.devices)
    result = work(Process(rank, resources.devices, device), *arguments)
    distributed.destroy_process_group()
    return result

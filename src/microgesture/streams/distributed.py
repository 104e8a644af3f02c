"""Training on several devices: one process for each device, each with other clips of a step."""

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

HOST = "127.0.0.1"  # all processes run on this machine
PATIENCE = 10  # seconds until a failed process has ended

Result = TypeVar("Result")


@dataclass(frozen=True)
class Process:
    """One of the ``count`` processes that train a network together; ``count`` is often 1."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, network: nn.Module) -> nn.Module:
        """Wrap the network so that its gradients are averaged over all processes; call the result instead of it."""
        if self.count == 1:
            return network
        # torch warns of the strides of 1 x 1 x 1 kernels, which have no meaning.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        shared = DistributedDataParallel(network)
        shared.broadcast_buffers = False  # set here because torch 2.13 renames the argument
        return shared

    def collecting(self, shared: nn.Module, last: bool) -> AbstractContextManager:
        """A context for a forward and backward pass; only the ``last`` one of a step averages the gradients."""
        return nullcontext() if last or self.count == 1 else shared.no_sync()

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes; each waits here for the others. Raises an error if one of them has ended."""
        if self.count == 1:
            return values
        total = torch.tensor(values)
        distributed.all_reduce(total)
        return total.numpy()

    def agree(self, flags: Callable[[], Sequence[bool]]) -> Callable[[], Sequence[bool]]:
        """Start to combine flags over all processes; the returned function waits for the result and returns it.

        A flag of the result is True if any process has set it. The communication runs on the CPU and does not wait for
        the devices. A single process evaluates its flags when the returned function is called.
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
        """Average the running statistics of a network over all processes.

        Each process updates them with its own clips. A running mean is linear in its inputs, so the mean over the
        processes is the running mean of all clips, however often it is averaged in between.
        """
        if self.count == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.count


def on_each_device(resources: Resources, work: Callable[..., Result], *arguments: object) -> Result:
    """Call ``work(process, *arguments)`` on all devices in parallel; return the result of this process.

    This process is the first one, and the others are started here. ``work`` must therefore be a function of a module,
    and the arguments must be picklable. If one process fails, all end: an error of this process is raised unchanged, an
    error of another process as ``torch.multiprocessing.ProcessRaisedException`` with its traceback. Only this process
    receives SIGTERM and SIGUSR1; it then stops the others.
    """
    device = resources.prepare()
    if resources.devices == 1:
        return work(Process(0, 1, device), *arguments)
    store = distributed.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    resource_tracker.ensure_running()  # its start unblocks SIGTERM, so it must come before signals_withheld
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
            others.join(timeout=0.1)  # raises the error of a process that ended before it connected
        result = _work_together(0, resources, store, work, arguments)
    except (InputError, Stopped):
        raise
    except Exception:
        others.join(timeout=PATIENCE)  # raises the error of another process if that is the cause
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

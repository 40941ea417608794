"""The machine: processors, memory, GPUs, and what each living run uses of them."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

import psutil

from nbmodels.server.rows import Page

PERIOD = 1.0  # seconds between two readings, however many pages ask


class Meter:
    """Reads the machine, from any thread, at most once a second."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._processes: dict[int, psutil.Process] = {}  # kept: a percentage is taken since the last call
        self._last, self._taken = {}, -PERIOD  # type: dict[str, Any], float
        self._gpus = Gpus()
        psutil.cpu_percent()

    def read(self, living: list[Page]) -> dict[str, Any]:
        """Bytes and percent: "cpu", "gpus" and, for each living run of this machine, "runs"."""
        with self._reading:
            if time.monotonic() - self._taken >= PERIOD:
                gpus, held = self._gpus.read()
                self._last = {"cpu": _machine(), "gpus": gpus, "runs": self._runs(living, held)}
                self._taken = time.monotonic()
            return self._last

    def _runs(self, living: list[Page], held: dict[int, int]) -> list[dict[str, Any]]:
        workers = [(page, pid) for page in living if (pid := _worker(page.said))]
        found, seen = [], set()  # type: list[dict[str, Any]], set[int]
        for page, pid in workers:
            with contextlib.suppress(psutil.Error):
                tree = [each.pid for each in psutil.Process(pid).children(recursive=True)]
                used = [self._used(each) for each in (pid, *tree)]
                seen.update((pid, *tree))
                on_gpu = [held[each] for each in (pid, *tree) if each in held]
                found.append(
                    {
                        "id": page.id,
                        "name": page.name,
                        "cpu": round(sum(cpu for cpu, _ in used), 1),
                        "memory": sum(memory for _, memory in used),
                        "gpu_memory": sum(on_gpu) if on_gpu else None,
                    }
                )
        self._processes = {pid: process for pid, process in self._processes.items() if pid in seen}
        return found

    def _used(self, pid: int) -> tuple[float, int]:
        """Percent of one core since the last call, and bytes; of a process that has just ended, nothing."""
        with contextlib.suppress(psutil.Error):
            known = self._processes.get(pid)
            process = known if known and known.is_running() else psutil.Process(pid)
            self._processes[pid] = process
            return process.cpu_percent(), process.memory_info().rss
        return 0.0, 0


class Gpus:
    """NVIDIA's GPUs through NVML; none where there is no driver or no nvidia-ml-py."""

    def __init__(self) -> None:
        self._nvml: Any = None
        with contextlib.suppress(Exception):  # no package, no driver, no permission: then there is nothing to show
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml

    def read(self) -> tuple[list[dict[str, Any]], dict[int, int]]:
        """Each GPU's name, load and memory; and the bytes that each process holds on all of them."""
        gpus: list[dict[str, Any]] = []
        held: dict[int, int] = {}
        with contextlib.suppress(Exception):
            for number in range(self._nvml.nvmlDeviceGetCount() if self._nvml else 0):
                gpu = self._nvml.nvmlDeviceGetHandleByIndex(number)
                gpus.append(self._gpu(gpu))
                with contextlib.suppress(Exception):
                    for each in self._nvml.nvmlDeviceGetComputeRunningProcesses(gpu):
                        held[each.pid] = held.get(each.pid, 0) + (each.usedGpuMemory or 0)
        return gpus, held

    def _gpu(self, gpu: Any) -> dict[str, Any]:
        name = self._nvml.nvmlDeviceGetName(gpu)
        found: dict[str, Any] = {"name": name.decode() if isinstance(name, bytes) else str(name)}
        found |= {"percent": None, "memory_used": None, "memory_total": None}
        with contextlib.suppress(Exception):  # a slice of a GPU does not say everything
            memory = self._nvml.nvmlDeviceGetMemoryInfo(gpu)
            found |= {"memory_used": int(memory.used), "memory_total": int(memory.total)}
        with contextlib.suppress(Exception):
            found["percent"] = self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu
        return found


def _machine() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores or 1,
        "percent": psutil.cpu_percent(),
        "memory_used": memory.total - memory.available,
        "memory_total": memory.total,
    }


def _worker(status: dict[str, Any]) -> int | None:
    """The worker's pid, where it works on this machine."""
    pid = status.get("pid")
    return pid if isinstance(pid, int) and status.get("host") in (None, socket.gethostname()) else None

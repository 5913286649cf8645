"""What the system says of this process: memory, time on the CPU, open files, under Prometheus' usual names.

https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics. What a system does not tell
is left out.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SELF = Path("/proc/self")


def process_numbers() -> Mapping[str, float]:
    """The numbers now, by metric name."""
    found: dict[str, float] = {"process_cpu_seconds_total": time.process_time()}
    with suppress(OSError, ValueError, IndexError):  # Linux alone has these
        pages = (_SELF / "statm").read_text().split()
        size = os.sysconf("SC_PAGE_SIZE")
        found["process_virtual_memory_bytes"] = int(pages[0]) * size
        found["process_resident_memory_bytes"] = int(pages[1]) * size
        found["process_open_fds"] = len(os.listdir(_SELF / "fd"))
    with suppress(ImportError, OSError):  # Windows has no such module
        import resource

        found["process_max_fds"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return found

"""libvirt's event loop, which an embedded driver needs before it is opened."""

from __future__ import annotations

import threading
from functools import cache

__all__ = ["run_events"]


@cache
def run_events() -> None:
    """Have libvirt's events handled until this process ends; at the second call it is so."""
    import libvirt

    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_loop, name="libvirt events", daemon=True).start()


def _loop() -> None:
    import libvirt

    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            return

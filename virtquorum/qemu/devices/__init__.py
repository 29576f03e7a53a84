"""From a disk to the devices that the guest sees: ``-device``, and what has to stand beside it.

``machine.py`` is what a domain says about its machine and controllers,
``frontend.py`` makes a disk's devices, typed by ``device.py``, ``disks.py``
and ``controllers.py``.  ``said.py`` is what the disk says of them, ``checks.py``
what is refused before, ``places.py`` and ``buses.py`` where they are plugged
in, ``plugging.py`` which of them a running QEMU takes.
"""

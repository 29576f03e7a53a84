"""From a disk to the devices that the guest sees: ``-device``, and what has to stand beside it.

``machine.py`` is what a domain says about its machine and controllers,
``frontend.py`` makes a disk's devices, typed by ``device.py``, ``disks.py``
and ``controllers.py``.
"""

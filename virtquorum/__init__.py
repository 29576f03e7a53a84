"""virtquorum: QEMU's quorum disks for the users of libvirt."""

__version__ = "0.1.0"

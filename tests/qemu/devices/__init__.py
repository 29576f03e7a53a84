"""Whether our devices are those that libvirt writes, and that QEMU has and starts with."""

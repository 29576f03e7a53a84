"""Whether what a name holds reaches QEMU as one value, by every way out, or is refused."""

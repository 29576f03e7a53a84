"""Whether our block graphs are those that the real QEMU opens, takes and reports."""

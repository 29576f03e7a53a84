"""From the model to QEMU: the block graph, and how it is spelled as arguments."""

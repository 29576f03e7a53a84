"""The way back: QEMU's arguments, and commands for its monitor, read as disks of the model."""

"""The way back: arguments read into disks."""

"""What a disk is: frozen, slotted dataclasses, each knowing its place in the document."""

"""What a running libvirt knows: its pools, its secrets."""

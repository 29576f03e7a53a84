"""Against a running libvirt."""

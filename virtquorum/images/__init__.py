"""Image files: planned from a domain's disks, and made through ``qemu-img``."""

"""Quorum domains as domains that stock libvirt runs, and back: XML in, XML out."""

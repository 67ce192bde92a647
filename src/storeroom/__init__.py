"""Async file storage with one facade and many disks."""

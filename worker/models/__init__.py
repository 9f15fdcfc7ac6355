"""Networks, their weights on disk, and those that are bundled."""

"""The two networks of the paper, one file each."""

"""Photographs and label maps: pixels, files, profiles, label colours."""

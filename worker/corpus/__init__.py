"""Photographs with labels, to train on and to measure with."""

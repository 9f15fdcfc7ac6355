"""What the pixels of a label layer mean: classes, regions. No GIMP."""

"""What both sides of every pipe and socket know. Standard library only.

The set-up copies this folder into the GIMP plug-in's: import nothing here but the standard library
and, relatively, this folder."""

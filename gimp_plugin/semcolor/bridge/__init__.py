"""The other half of semcolor, a child process: starting it, asking it, waiting for it.

Photos and labels go there, colours come back.
"""

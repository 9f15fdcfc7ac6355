"""What a user can ask for, in the panel as in scripts.

What needs the bridge is an `Action`, because the panel goes on while the bridge works and a script
waits for it. The others are done at once.
"""

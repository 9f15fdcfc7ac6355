"""What live colouring decides: when to look, what changed, what to send next.

Decisions only: no GIMP, no threads, no clock.

GIMP tells nobody that the user painted. So a thumbnail of the label layer is looked at, which costs
some milliseconds: ten times a second while the user is at work, more often when a stroke has just
ended, less often when nobody touches anything. Between strokes the layer itself is read piece by
piece, for edits that are too faint for the thumbnail. What is read is compared by tile, and what
has changed is sent as it was read.

Times are seconds of any clock that never goes back. Rectangles are in the photo's pixels.
"""

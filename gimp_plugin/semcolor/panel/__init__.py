"""One photo with a panel open: what the user does there and on the label layer, and what follows.

Everything here runs in the main thread, except the jobs: functions that are given to the bridge's
`Background`.
"""

"""The supervisor's process: sockets, clients, planes, whose turn it is. Never imports torch."""

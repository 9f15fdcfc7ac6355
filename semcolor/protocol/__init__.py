"""What travels between a client and a worker: messages, their encoding, planes."""

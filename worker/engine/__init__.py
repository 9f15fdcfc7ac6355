"""The engine's process: both networks on one device, and what they have computed."""

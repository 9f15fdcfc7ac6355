"""The semcolor worker: a supervisor that never imports torch, and engines that do."""

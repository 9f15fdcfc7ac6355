"""The GIMP plug-in's other half: a child process that speaks to the worker for it."""

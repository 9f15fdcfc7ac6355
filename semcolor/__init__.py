"""semcolor: colour for black-and-white photographs, driven by an editable label map.

This package is the torch-free core that clients use; the worker is ``semcolor_worker``.
"""

__version__ = "0.2.0"

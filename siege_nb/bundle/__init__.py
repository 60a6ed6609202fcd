"""Profiles in one document without a secret in it: to be carried to another machine, or given to a colleague.

What was sealed becomes a secret that is missing, and is asked for again. What is referred to by name (env:, keyring:,
vault:) stays a name in the document; whoever takes it in is told, and names a place of their own.
"""

from siege_nb.bundle.packing import FORMAT, bundle, read, write
from siege_nb.bundle.unpacking import Unpacked, unbundle

__all__ = ["FORMAT", "Unpacked", "bundle", "read", "unbundle", "write"]

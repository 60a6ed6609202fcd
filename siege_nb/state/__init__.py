"""The state of one config directory: its lock, its generation counter and its files, written whole or not at all."""

from siege_nb.state.directory import Change, Directory, Identity

__all__ = ["Change", "Directory", "Identity"]

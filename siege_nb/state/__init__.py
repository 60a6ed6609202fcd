"""The state of one config directory: its lock, its generation counter and its files, written whole or not at all."""

from siege_nb.state.audit import Audit
from siege_nb.state.change import Change
from siege_nb.state.directory import Directory, Identity
from siege_nb.state.records import Record, Target

__all__ = ["Audit", "Change", "Directory", "Identity", "Record", "Target"]

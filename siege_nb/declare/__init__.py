"""One declaration, read by everything."""

from siege_nb.declare.describe import Described, fields, schema, table
from siege_nb.declare.model import Part, endpoints_of, secrets_of, structure, suggest, ui, unstructure, with_secrets
from siege_nb.declare.secret import Reference, Secret

__all__ = [
    "Described", "Part", "Reference", "Secret", "endpoints_of", "fields", "schema", "secrets_of", "structure",
    "suggest", "table", "ui", "unstructure", "with_secrets",
]  # fmt: skip

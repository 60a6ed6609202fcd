"""A secret in the hand, a reference at rest; neither prints, dumps or pickles."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from siege_nb import masking
from siege_nb.errors import SealedError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema
    from pydantic_core.core_schema import ValidationInfo

#: Only the vault writes this prefix, so on disk it is never a password somebody typed. What stands behind it in another
#: format than the vault's is kept as it is, and does not open.
SEALED_PREFIX = "encrypted:"
REFERENCE_KEY = "$secret"
#: Where a secret may be that is not here; what is `missing` could not be brought along, and is nowhere.
SOURCES = ("env", "keyring", "vault", "missing")


class Secret:
    """A secret in the hand. `reveal()` gives it to a driver; everything else sees stars."""

    # The value lives in a closure: vars(), dataclass reprs and debuggers' locals show no text.
    __slots__ = ("_value",)
    _value: Callable[[], str]

    def __init__(self, value: str) -> None:
        self._value = lambda: value
        # Known from the moment it is typed: a driver's error text may come before anyone reveals it.
        masking.know(value)

    def reveal(self) -> str:
        """The value itself, for the driver's last call and nobody else."""
        return self._value()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return masking.MASK

    def __format__(self, spec: str) -> str:
        return masking.MASK

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        ours, theirs = (side._value().encode(errors="surrogatepass") for side in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash(type(self))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise SealedError("A secret cannot be pickled or copied out of this process.")

    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> Secret:
        at_rest = bool(info.context and info.context.get("at_rest"))
        if isinstance(value, Secret):
            return value
        if isinstance(value, Mapping) and at_rest and set(value) == {REFERENCE_KEY}:
            return Reference.parse(str(value[REFERENCE_KEY]))
        if not isinstance(value, str):
            raise ValueError("should be text")
        if at_rest and value.startswith(SEALED_PREFIX):
            return Reference(value)
        # What a user types is a password whatever it looks like; only stars are not: they are our own mask coming back.
        if masking.is_mask(value):
            raise ValueError("is a mask, not a secret; leave it out to keep the stored one")
        return Secret(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.with_info_plain_validator_function(
            cls._read,
            # model_dump(mode="json") is how secrets were destroyed or spilled elsewhere: here it refuses.
            serialization=core_schema.plain_serializer_function_ser_schema(lambda s: s.at_rest(), when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}

    def at_rest(self) -> str | dict[str, str]:
        """What may stand in a file; an open secret has no such form."""
        raise SealedError("An open secret cannot be written; the vault seals it first.")


class Reference(Secret):
    """A secret at rest: ciphertext, or the name of the place that holds it."""

    __slots__ = ()

    def __init__(self, written: str) -> None:
        self._value = lambda: written

    @classmethod
    def parse(cls, written: str) -> Reference:
        """A reference such as env:PGPASSWORD, keyring:warehouse or vault:NAME, checked."""
        source, _, name = written.partition(":")
        if source not in SOURCES or not name:
            places = ", ".join(f"{place}:" for place in SOURCES if place != "missing")
            raise ValueError(f"is no reference to a secret; it should begin with {places}")
        return cls(written)

    @property
    def source(self) -> str:
        """Where the secret is: encrypted (here, sealed), env, keyring, vault or missing."""
        return self._value().partition(":")[0]

    @property
    def name(self) -> str:
        """The name of the secret in its place; for a sealed one its token."""
        return self._value().partition(":")[2]

    @property
    def written(self) -> str:
        """The reference as text. It tells where, not what."""
        return self._value()

    def at_rest(self) -> str | dict[str, str]:
        return self.written if self.source == "encrypted" else {REFERENCE_KEY: self.written}

    def reveal(self) -> NoReturn:
        raise SealedError("The secret is still at rest; the vault opens it when a session is leased.")

    def __repr__(self) -> str:
        return f"Reference('{self.source}:…')"

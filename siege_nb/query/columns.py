"""A driver's rows as Arrow, column by column.

A builder makes one column of one batch. Where the driver tells a column's type, the builder knows it before the first
row, so that a column of NULLs, or of no rows, has its type too. A column whose values do not fit the type (a date
before Christ, a NaN among decimals), or agree on none (SQLite lets each value have its own), is text rather than wrong:
whole and broken numbers meet as double, decimals at the larger scale, bytes and text as binary, the rest as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from siege_nb.query.session import ALL, Answer, Cut, Take

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows handed on at a time: enough for columns to pay, few enough that Python's objects never hold a whole result.
BATCH = 10_000

# pyarrow's stubs have no name for an array of any type.
Array: TypeAlias = Any
Build: TypeAlias = Callable[[Sequence[Any]], Array]


def built(
    names: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], builders: Sequence[Build] = ()
) -> Iterator[list[Array]]:
    """The columns of the rows, some batches together; the first piece comes even if there is no row.

    Small batches are the faster to make columns of: they are still in the processor's cache.
    """
    makers = builders or [guess] * len(names)
    chunks, count, nothing = list[list[Array]]([] for _ in names), 0, True
    for rows in batches:
        for chunk, build, n in zip(chunks, makers, range(len(names)), strict=True):
            # Not zip(*rows): it makes an iterator for each row.
            chunk.append(build([row[n] for row in rows]))
        count += len(rows)
        if count >= BATCH:
            yield [join(chunk) for chunk in chunks]
            chunks, count, nothing = [[] for _ in names], 0, False
    if count or nothing:
        yield [join(chunk or [build(())]) for chunk, build in zip(chunks, makers, strict=True)]


def gather(names: Sequence[str], pieces: Iterator[Sequence[Array]], take: Take = ALL) -> Answer:
    """As much of the pieces as is to be taken; each is the columns of some rows, and there is always a first.

    The iterator is closed when there is enough: who yields lets go of the rest of the rows then.
    """
    import pyarrow as pa

    told, columns = distinct(names), list[list[Array]]([] for _ in names)
    count = size = 0
    cut: Cut = ""
    try:
        for piece in pieces:
            rows = len(piece[0]) if piece else 0
            if take.rows is not None and count + rows > take.rows:
                piece, rows, cut = [array[: take.rows - count] for array in piece], take.rows - count, "limit"
            count += rows
            if take.into is not None:
                take.into.write(pa.table(list(piece), names=told))
            else:
                for column, array in zip(columns, piece, strict=True):
                    column += _chunks(array)
                size += sum(array.nbytes for array in piece)
                cut = cut or ("memory" if take.memory is not None and size > take.memory else "")
            if cut:
                break
    finally:  # also when the sink takes no more
        if isinstance(pieces, Generator):
            pieces.close()
    if take.into is not None:
        return Answer(rowcount=count, cut=cut)
    return Answer(pa.table([join(column) for column in columns], names=told), cut=cut)


def _chunks(array: Array) -> list[Array]:
    import pyarrow as pa

    return array.chunks or [pa.array([], array.type)] if isinstance(array, pa.ChunkedArray) else [array]


def distinct(names: Sequence[str]) -> list[str]:
    """The names with a number after each that was there before: a, a_1, a_2."""
    if len(set(names)) == len(names):
        return list(names)
    taken, seen, told = set(names), set(), []
    for name in names:
        free, n = name, 0
        while free in seen or (n and free in taken):
            n += 1
            free = f"{name}_{n}"
        seen.add(free)
        told.append(free)
    return told


def guess(values: Sequence[Any]) -> Array:
    """A column whose type nobody told, from what is in it."""
    import pyarrow as pa

    try:
        made = pa.array(values)
    except _unfit():
        return _loose(values)
    return _widened(made) if pa.types.is_decimal(made.type) else made


def typed(declared: pa.DataType) -> Build:
    """A builder for values that are of this type already."""
    import pyarrow as pa

    def build(values: Sequence[Any]) -> Array:
        try:
            return pa.array(values, declared)
        except _unfit():
            return guess(values) if pa.types.is_nested(declared) else _loose(values)

    return build


def parsed(declared: pa.DataType, written: pa.DataType | None = None) -> Build:
    """A builder for values that come as text or its bytes, read by Arrow for the whole column at once.

    Decimals must be known to fit: see `decimals`.
    """
    import pyarrow as pa

    def build(values: Sequence[Any]) -> Array:
        text: Array | None = None
        try:
            text = pa.array(values, written or pa.string())
            return text.cast(declared)
        except _unfit():
            return _loose(values) if text is None or pa.types.is_nested(text.type) else text

    return build


def decimals(values: Sequence[Any]) -> Array:
    """A column of decimals of any scale, from text; NaN and infinity, which Arrow's decimals lack, leave it text."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute  # its stubs have no arrays of any type either
    text: Array = pa.array(values, pa.string())
    if text.null_count == len(text):
        return text.cast(pa.decimal128(38, 10))
    lengths, points = pc.binary_length(text), pc.find_substring(text, ".")
    is_whole = pc.equal(points, -1)
    scale = pc.max(pc.if_else(is_whole, 0, pc.subtract(pc.subtract(lengths, points), 1))).as_py()
    before = pc.subtract(pc.if_else(is_whole, lengths, points), pc.starts_with(text, "-").cast(pa.int32()))
    # Counted here, for Arrow's cast does not notice every number that is too long for its type.
    digits = pc.max(before).as_py() + scale
    if digits > 76:
        return text
    try:
        return text.cast(pa.decimal128(38, scale) if digits <= 38 else pa.decimal256(76, scale))
    except _unfit():
        return text


def as_text(value: Any) -> str | None:
    """One value as text: JSON for collections, Python's own words for the rest."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def spelled(days: Array) -> Array:
    """Dates and moments as text, in Python's words; Arrow also knows those that Python has no object for."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute
    text = pc.replace_substring_regex(days.cast(pa.string()), r"\.0+(Z|[+-]|$)", r"\1")
    return pc.replace_substring_regex(text, "Z$", "+00:00")


def _is_day(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def _loose(values: Iterable[Any]) -> Array:
    import pyarrow as pa

    known = list(values)
    if any(isinstance(value, bytes) for value in known):
        return pa.array([v if v is None or isinstance(v, bytes) else str(v).encode() for v in known], pa.binary())
    return pa.array([as_text(value) for value in known], pa.string())


def _widened(made: Array) -> Array:
    """Decimals at the precision that every batch has, so that a sum's type does not hang on its digits."""
    import pyarrow as pa

    wide = made.type.precision > 38
    return made.cast(pa.decimal256(76, made.type.scale) if wide else pa.decimal128(38, made.type.scale))


def join(chunks: list[Array]) -> Array:
    """The chunks as one column of the narrowest type in which none of them loses anything."""
    import pyarrow as pa

    told = [chunk for chunk in chunks if chunk.null_count < len(chunk)] or chunks[:1]
    if len({chunk.type for chunk in told}) == 1:
        return _cast(chunks, told[0].type)
    for target in _meeting([chunk.type for chunk in told]):
        try:
            return _cast(chunks, target)
        except pa.ArrowInvalid:  # does not fit without loss: try the next
            continue
    loose = [spelled(chunk) if _is_day(chunk.type) else _loose(chunk.to_pylist()) for chunk in chunks]
    return _cast(loose, pa.binary() if any(pa.types.is_binary(chunk.type) for chunk in loose) else pa.string())


def _meeting(types: list[Any]) -> Iterator[Any]:
    """Where columns of these types may meet without loss, the narrowest first."""
    import pyarrow as pa

    scales = [kind.scale for kind in types if pa.types.is_decimal(kind)]
    whole = sum(pa.types.is_integer(kind) for kind in types)
    if scales and len(scales) + whole == len(types):
        if max(scales) <= 38:
            yield pa.decimal128(38, max(scales))
        yield pa.decimal256(76, max(scales))
    elif all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in types):
        yield pa.float64()


def _cast(chunks: list[Array], target: Any) -> Array:
    import pyarrow as pa

    def fit(chunk: Array) -> Array:
        return pa.nulls(len(chunk), target) if chunk.null_count == len(chunk) else chunk.cast(target)

    fitted = [chunk if chunk.type == target else fit(chunk) for chunk in chunks]
    return pa.chunked_array(fitted, target)


def _unfit() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError)

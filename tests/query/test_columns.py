"""Rows as Arrow, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from siege_nb.query.columns import Build, built, decimals, distinct, gather, guess, parsed, typed

D = Decimal


def to_table(names: Sequence[str], batches: Iterable[Any], builders: Sequence[Build] = ()) -> Any:
    return gather(names, built(names, batches, builders)).table


@pytest.mark.parametrize(("names", "told"), [
    (["a", "b"], ["a", "b"]),
    (["a", "a", "a"], ["a", "a_1", "a_2"]),
    (["a", "a", "a_1", "a"], ["a", "a_2", "a_1", "a_3"]),
    (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
    (["", ""], ["", "_1"]),
    ([], []),
])  # fmt: skip
def test_names_that_come_again_get_a_number(names: list[str], told: list[str]) -> None:
    assert distinct(names) == told


@pytest.mark.parametrize(("batches", "kind", "values"), [
    ([[1, 2], [3]], pa.int64(), [1, 2, 3]),
    ([[1, None], [2.5]], pa.float64(), [1.0, None, 2.5]),
    ([[1, 2.5]], pa.float64(), [1.0, 2.5]),
    ([[2**60 + 1], [0.5]], pa.string(), ["1152921504606846977", "0.5"]),
    ([[2**60 + 1, 0.5]], pa.string(), ["1152921504606846977", "0.5"]),
    ([[2**64], [1]], pa.string(), ["18446744073709551616", "1"]),
    ([["a"], [b"\xff"]], pa.binary(), [b"a", b"\xff"]),
    ([["a", b"\xff", 1, None]], pa.binary(), [b"a", b"\xff", b"1", None]),
    ([[1], ["a", None], [1.0]], pa.string(), ["1", "a", None, "1.0"]),
    ([[None], [None]], pa.null(), [None, None]),
    ([[None], [1], [None]], pa.int64(), [None, 1, None]),
    ([[D("1.10")], [D("22.345"), None]], pa.decimal128(38, 3), [D("1.100"), D("22.345"), None]),
    ([[D("1E30")], [D("1E-30")]], pa.decimal256(76, 30), [D("1E30"), D("1E-30")]),
    ([[D("NaN"), D("1")]], pa.string(), ["NaN", "1"]),
    ([], pa.null(), []),
    ([[]], pa.null(), []),
])  # fmt: skip
def test_a_column_without_a_type_gets_one_that_loses_nothing(batches: Any, kind: pa.DataType, values: Any) -> None:
    table = to_table(["c"], [[(value,) for value in batch] for batch in batches])
    assert table.schema.field("c").type == kind
    assert table.column("c").to_pylist() == values


def test_a_type_that_is_told_holds_for_no_rows_and_for_nulls_alike() -> None:
    kinds: list[Any] = [
        pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us", "UTC"), pa.bool_(), pa.binary(), pa.string(),
        pa.list_(pa.int32()),
    ]  # fmt: skip
    names = [str(kind) for kind in kinds]
    builders = [typed(kind) for kind in kinds]
    assert to_table(names, [], builders).schema.types == kinds
    assert to_table(names, [[(None,) * len(kinds)]], builders).schema.types == kinds


@pytest.mark.parametrize(("build", "values", "kind"), [
    (typed(pa.int8()), [1, 300], pa.string()),
    (typed(pa.list_(pa.int64())), [[[1], [2]], None], pa.list_(pa.list_(pa.int64()))),
    (typed(pa.list_(pa.int64())), [[1], [[2]]], pa.string()),
    (typed(pa.string()), [{"a": 1}], pa.string()),
    (parsed(pa.date32()), ["2020-01-01", "infinity"], pa.string()),
    (parsed(pa.date32()), [b"2020-01-01", None], pa.date32()),
    (parsed(pa.uint64()), [b"18446744073709551615"], pa.uint64()),
    (parsed(pa.string()), [b"\xff"], pa.binary()),
    (decimals, ["1.10", None, "-20.5"], pa.decimal128(38, 2)),
    (decimals, ["1" * 40 + ".5"], pa.decimal256(76, 1)),
    (decimals, ["1" * 80], pa.string()),
    (decimals, ["1.5", "NaN"], pa.string()),
    (decimals, [None, None], pa.decimal128(38, 10)),
    (decimals, [], pa.decimal128(38, 10)),
    (guess, [D("1.5"), D("2.25")], pa.decimal128(38, 2)),
])  # fmt: skip
def test_what_does_not_fit_is_text_rather_than_wrong(build: Any, values: list[Any], kind: pa.DataType) -> None:
    made = build(values)
    assert made.type == kind
    assert [value is None for value in made.to_pylist()] == [value is None for value in values]


def test_collections_that_fit_no_type_are_written_as_json() -> None:
    assert typed(pa.string())([{"a": [1]}, ["é"], None]).to_pylist() == ['{"a": [1]}', '["é"]', None]


def test_batches_meet_at_the_larger_scale() -> None:
    table = to_table(["n"], [[("1.5",)], [(None,)], [("2.125",)]], [decimals])
    assert table.schema.field("n").type == pa.decimal128(38, 3)
    assert table.column("n").to_pylist() == [D("1.500"), None, D("2.125")]


def test_a_batch_may_be_forgotten_before_the_next_is_fetched() -> None:
    alive: list[object] = []

    class Row(tuple[int, ...]):
        def __del__(self) -> None:
            alive.remove(id(self))

    def batches() -> Iterator[list[Row]]:
        for _ in range(3):
            assert len(alive) <= 2, "earlier batches are still held"
            rows = [Row((n,)) for n in range(2)]
            alive.extend(id(row) for row in rows)
            yield rows

    assert to_table(["n"], batches()).num_rows == 6


def test_no_columns_are_a_table_too() -> None:
    assert to_table([], []).shape == (0, 0)


@pytest.mark.parametrize("digits", [1, 37, 38, 39, 40, 75, 76, 77, 80, 90, 110])
@pytest.mark.parametrize("tail", ["", ".5", "." + "9" * 38])
@pytest.mark.parametrize("sign", ["", "-"])
def test_no_number_is_too_long_to_come_back_whole(digits: int, tail: str, sign: str) -> None:
    number = sign + "9" * digits + tail
    made = decimals([number, None, "0"])
    assert str(made[0].as_py()) == number
    assert pa.types.is_decimal(made.type) == (len(number.strip("-").replace(".", "")) <= 76)

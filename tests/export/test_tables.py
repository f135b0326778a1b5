"""The formats `csv` and `parquet`, read back by the tools people use."""

import csv
import json
import math

import pandas
import pyarrow.parquet

from cirron.export import parquet_tables
from cirron.export.csv_tables import write_csv
from cirron.export.parquet_tables import write_parquet
from export.exporting import (
    DEEP,
    LAST_NS,
    hostile_spool,
    in_folder,
    killed,
    third_party,
    two_ranks_and_a_worker,
)

TABLES = ("marks", "sessions", "snapshots", "spans")


def csv_rows(folder, table):
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def parquet_rows(folder, table):
    return pyarrow.parquet.read_table(folder / f"{table}.parquet").to_pylist()


class TestCsv:
    def test_every_name_attribute_and_number_comes_back(self):
        csv.field_size_limit(10_000_000)
        names = hostile_spool()
        spans = csv_rows(in_folder(write_csv), "spans")
        assert [span["name"] for span in spans] == names
        for span in spans[:8]:
            wanted = {span["name"]: span["name"], "deep": DEEP, "negative": -5, "beyond": 2**70}
            assert json.loads(span["attrs"]) == wanted
        assert (spans[8]["start_ns"], spans[8]["index"]) == (str(LAST_NS), str(-(2**63)))

    def test_a_mark_is_told_as_text(self):
        hostile_spool()
        marks = {mark["name"]: mark["value"] for mark in csv_rows(in_folder(write_csv), "marks")}
        assert [marks[f"m{number}"] for number in range(7)] == [
            "0.5", "-7", str(2**70), "a\n\"b'", "true", "", "",
        ]  # fmt: skip
        assert [float(marks[word]) for word in ("inf", "-inf")] == [math.inf, -math.inf]
        assert math.isnan(float(marks["nan"]))

    def test_lines_end_as_the_standard_says(self):
        killed()
        content = (in_folder(write_csv) / "spans.csv").read_bytes()
        assert content.count(b"\r\n") == content.count(b"\n") == 5

    def test_what_is_unknown_is_empty(self):
        killed()
        folder = in_folder(write_csv)
        assert [(span["state"], span["end_ns"], span["wall_ns"]) for span in csv_rows(folder, "spans")] == [
            ("closed", "1700000000004000000", "3000000"),
            ("interrupted", "", ""),
            ("closed", "1700000000006000000", "1000000"),
            ("interrupted", "", ""),
        ]

    def test_shapes_and_histograms_are_json(self):
        hostile_spool()
        first, second = csv_rows(in_folder(write_csv), "snapshots")
        assert (json.loads(first["shape"]), json.loads(first["histogram_counts"])) == ([4, 4], [1] * 16)
        assert (second["shape"], second["mean"], second["histogram_bins"]) == ("[]", "", "")

    def test_pandas_joins_marks_with_their_spans(self):
        two_ranks_and_a_worker()
        folder = in_folder(write_csv)
        ids = {"id": str, "span_id": str}  # which may look like numbers
        spans, marks = (pandas.read_csv(folder / f"{name}.csv", dtype=ids) for name in ("spans", "marks"))
        joined = marks.merge(spans, left_on="span_id", right_on="id")
        assert sorted(joined["value"].astype(float)) == [0.5, 1.5, 2.5]
        assert set(joined["name_y"]) == {"step"}


class TestParquet:
    def test_every_name_attribute_and_number_comes_back(self):
        names = hostile_spool()
        spans = parquet_rows(in_folder(write_parquet), "spans")
        assert [span["name"] for span in spans] == names
        for span in spans[:8]:
            assert json.loads(span["attrs"])["deep"] == DEEP
        assert (spans[8]["start_ns"], spans[8]["index"]) == (LAST_NS, -(2**63))

    def test_an_integer_beyond_64_bits_is_null(self):
        hostile_spool()
        spans = parquet_rows(in_folder(write_parquet), "spans")
        assert (spans[7]["thread_id"], spans[8]["thread_id"]) == (7, None)

    def test_a_mark_stands_in_the_column_of_its_type(self):
        hostile_spool()
        marks = {mark["name"]: mark for mark in parquet_rows(in_folder(write_parquet), "marks")}
        columns = ("value_float", "value_int", "value_string", "value_bool")
        assert [tuple(marks[f"m{number}"][column] for column in columns) for number in range(7)] == [
            (0.5, None, None, None),
            (None, -7, None, None),
            (None, None, str(2**70), None),
            (None, None, "a\n\"b'", None),
            (None, None, None, True),
            (None, None, None, None),
            (None, None, "", None),
        ]
        assert math.isnan(marks["nan"]["value_float"])
        assert marks["-inf"]["value_float"] == -math.inf

    def test_the_types_are_the_same_in_every_file(self):
        killed()
        folder = in_folder(write_parquet)
        schema = pyarrow.parquet.read_schema(folder / "spans.parquet")
        types = {name: str(schema.field(name).type) for name in ("gpu_ns", "end_ns", "time", "name", "attrs")}
        assert types == {
            "gpu_ns": "int64",  # although nothing was measured
            "end_ns": "int64",
            "time": "timestamp[ns, tz=UTC]",
            "name": "string",
            "attrs": "string",
        }

    def test_rows_come_in_groups(self, monkeypatch):
        monkeypatch.setattr(parquet_tables, "ROW_GROUP_ROWS", 4)
        two_ranks_and_a_worker()
        spans = pyarrow.parquet.ParquetFile(in_folder(write_parquet) / "spans.parquet")
        assert [spans.metadata.row_group(number).num_rows for number in range(spans.num_row_groups)] == [
            4,
            2,
            3,
        ]

    def test_pandas_reads_it_with_times_and_missing_values(self):
        killed()
        spans = pandas.read_parquet(in_folder(write_parquet) / "spans.parquet")
        assert str(spans["time"].dtype) == "datetime64[ns, UTC]"
        assert spans["time"].min() == pandas.Timestamp("2023-11-14T22:13:20Z")
        assert list(spans["wall_ns"].isna()) == [False, True, False, True]

    def test_a_session_of_another_writer_has_its_tables_too(self):
        third_party()
        folder = in_folder(write_parquet)
        assert sorted(path.stem for path in folder.iterdir()) == list(TABLES)
        assert [span["name"] for span in parquet_rows(folder, "spans")] == ["load", "cirron.session"]
        assert parquet_rows(folder, "marks") == []

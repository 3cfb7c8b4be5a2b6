"""Tables as laboratories write them: separators, code pages, decimal commas, odd names, values that were never measured."""

import numpy as np
import pytest

from characterization.devices import fit_profile, read_tables, sort_cells
from netlists.errors import InputError

HEAD = "Device ID;Goal (µS);G@0.2V [µS];Read #;elapsed / ms;remark"


def rows(n=24, reads=3, seed=0):
    """Cells of two targets, some reads each at one time: cell, target, measured, read, time, note."""
    rng = np.random.default_rng(seed)
    for cell in range(n):
        target = (100, 200)[cell % 2]
        own = target + rng.uniform(-4, 4)
        for read in range(1, reads + 1):
            yield [f"r{cell:02d}", target, f"{own + rng.normal(0, 0.5):.3f}", read, 10, ""]


def text(lines, separator=";", head=HEAD):
    return "\n".join([head.replace(";", separator), *(separator.join(map(str, line)) for line in lines)]) + "\n"


def read(path, content, encoding="utf-8", columns=None):
    path.write_bytes(content.encode(encoding))
    return read_tables([path], columns)[0]


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", ""), ("cp1252", "read as Windows-1252")]
)
def test_a_table_in_any_code_page_of_a_spreadsheet(tmp_path, encoding, said):
    table = read(tmp_path / "t.csv", text(rows(), "\t"), encoding)
    assert table.frame["measured"].to_numpy() == pytest.approx([1e-6 * float(line[2]) for line in rows()])
    assert table.mapping["read"] == "Read #"
    assert said in table.describe()
    assert "read as" not in table.describe() or said


def test_decimal_commas_are_said_and_taken_where_commas_part_nothing(tmp_path):
    lines = [[*line[:2], line[2].replace(".", ","), *line[3:]] for line in rows()]
    table = read(tmp_path / "t.csv", text(lines))
    assert table.frame["measured"].to_numpy() == pytest.approx([1e-6 * float(line[2]) for line in rows()])
    assert "commas in G@0.2V [µS] taken for decimal points" in table.describe()
    # A column with both is no number: 1,234.5 is not guessed at.
    lines[0][2] = "1,234.5"
    with pytest.raises(InputError, match=r"row 1 below the names: '1,234\.5' is not a finite number"):
        read(tmp_path / "t.csv", text(lines))


@pytest.mark.parametrize("names", ["target_uS,measured_uS,measured_uS", "target_uS,measured_uS, measured_uS"])
def test_two_columns_of_one_name_are_no_choice(tmp_path, names):
    with pytest.raises(InputError, match="two columns are called 'measured_uS'"):
        read(tmp_path / "t.csv", f"{names}\n100,101,102\n")
    # Those that a spreadsheet left without a name say nothing.
    assert len(read(tmp_path / "t.csv", "target_uS,measured_uS,,\n100,101,,\n").frame) == 1


def test_values_that_were_never_measured_are_counted_and_left_out(tmp_path):
    lines = list(rows())
    for at, word in ((3, "n/a"), (10, ""), (20, "NaN"), (30, "-")):
        lines[at][2] = word
    cells = sort_cells([read(tmp_path / "t.csv", text(lines))])
    assert "t.csv: 4 of 72 rows have no measured value and are left out" in cells.warnings
    assert sum(len(series) for _, series in cells.repeats) == 68
    # A target that is missing is not left out: which cell is it?
    lines[3][1] = "n/a"
    with pytest.raises(InputError, match="row 4 below the names: 'n/a' is not a finite number"):
        read(tmp_path / "t.csv", text(lines))


def test_a_few_reads_of_each_cell_give_white_read_noise(tmp_path):
    """The spread around each cell's own mean, which the errors of programming are not part of."""
    cells = sort_cells([read(tmp_path / "t.csv", text(rows(400, 4)))])
    fit = fit_profile(cells, "mine", given={"g_hrs": 20e-6}, draws=19)
    assert 1e6 * fit.profile.read_sigma == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2 * 1200))
    assert [r.sigma_stderr / r.sigma for r in fit.reads] == pytest.approx([1 / np.sqrt(1200)] * 2)
    assert not fit.profile.read_lasting
    assert any("drawn anew at each read" in w for w in fit.warnings)


def test_reads_side_by_side_are_those_below_each_other(tmp_path):
    below = read(tmp_path / "t.csv", text(rows(), head="device;target_uS;measured_uS;read;time_ms;note"))
    cells = list(rows())
    lines = [[*cells[i][:2], *(c[2] for c in cells[i : i + 3])] for i in range(0, len(cells), 3)]
    side = read(tmp_path / "s.csv", text(lines, head="device;target_uS;G1 (µS);G2 (µS);G3 (µS)"))
    assert "G1 (µS), G2 (µS), G3 (µS) taken for reads one after the other" in side.describe()
    assert side.kind == "reads"
    for role in ("cell", "target", "measured", "read"):
        assert side.frame[role].tolist() == below.frame[role].tolist()


def test_a_cell_that_stands_twice_is_said(tmp_path):
    lines = [line[:3] for line in rows(reads=1)]
    head = "device;target_uS;measured_uS"
    assert not sort_cells([read(tmp_path / "t.csv", text(lines, head=head))]).warnings
    twice = sort_cells([read(tmp_path / "t.csv", text([*lines, *lines[:2]], head=head))])
    assert twice.warnings[0].startswith("t.csv: 2 rows are of a cell and target that stand above them")
    assert (twice.cells, len(twice.written)) == (24, 26)


def test_cells_that_may_be_stuck_are_pointed_at(tmp_path):
    lines = list(rows(reads=1))
    lines[5][2] = "2.1"
    cells = sort_cells([read(tmp_path / "t.csv", text(lines))])
    warnings = fit_profile(cells, "mine", given={"g_hrs": 1e-6}, draws=19).warnings
    assert any(w.startswith("1 of 24 written cells are 198 uS or more from their target") for w in warnings)
    plain = fit_profile(sort_cells([read(tmp_path / "p.csv", text(rows(reads=1)))]), "mine", given={"g_hrs": 1e-6}, draws=19)
    assert not any("from their target" in w for w in plain.warnings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text([[1, 2, 3]], head="cell;Soll [uS];Ist [uS]"), r"'Soll \[uS\]' and 'Ist \[uS\]' by their units"),
        ("cell,target_uS,measured_uS\n1,100,99,7\n", r"a row has more fields than there are column names \(3\)"),
        (b"cell\0\xff\0target".decode("latin-1"), "is no text"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t.csv", content, "latin-1")


def test_lines_left_out_are_counted(tmp_path):
    assert "1 lines that begin with # left out" in read(tmp_path / "t.csv", "# chip 7\n" + text(rows())).describe()


def test_units_and_signs_of_other_spellings(tmp_path):
    table = read(tmp_path / "t.csv", "target (kΩ),R_read (kOhm),wait (hours)\n10,11,2\n")
    assert table.frame[["target", "measured", "time"]].to_numpy()[0] == pytest.approx([1e-4, 1 / 11e3, 7200])


def test_a_second_line_of_units_and_the_separator_of_a_spreadsheet(tmp_path):
    table = read(tmp_path / "t.csv", "sep=;\nCell;Target;Measured;Time\n;µS;kΩ;min\na;100;9,5;2\n")
    assert table.frame[["target", "measured", "time"]].to_numpy()[0] == pytest.approx([1e-4, 1 / 9.5e3, 120])
    assert "its second line taken for units" in table.describe()


@pytest.mark.parametrize("name", ["G [1e-6 S]", "G (x10^-6 S)", "G/1e-6 S", "G 1E-6 S"])
def test_a_factor_before_a_unit_is_no_unit(tmp_path, name):
    content = f"target_uS,{name}\n100,101\n"
    with pytest.raises(InputError, match="has no unit"):
        read(tmp_path / "t.csv", content, columns={"measured": name})
    assert read(tmp_path / "t.csv", content, columns={"measured": f"{name}:uS"}).frame["measured"][0] == pytest.approx(101e-6)


def test_conductances_of_many_siemens_are_of_a_wrong_unit(tmp_path):
    with pytest.raises(InputError, match=r"'target_S': half of it is above 100 S; is 'S' its unit\?"):
        read(tmp_path / "t.csv", "target_S,measured_uS\n100,101\n100,99\n")


def test_what_instruments_write_for_no_value(tmp_path):
    lines = [[*line[:2], "9.91E+37" if k < 2 else line[2], *line[3:]] for k, line in enumerate(rows())]
    table = read(tmp_path / "t.csv", text(lines))
    assert "2 values of G@0.2V [µS] of 9.9e37 or more taken for none" in table.describe()
    assert np.isnan(table.frame["measured"]).sum() == 2


def test_currents_at_one_voltage_are_reads_and_no_sweep(tmp_path):
    table = read(tmp_path / "t.csv", "target_uS,V_read_mV,I_nA\n100,200,20200\n100,200,19800\n100,200,\n")
    assert table.kind == "written"
    assert table.mapping["measured"] == "I_nA / V_read_mV"
    assert table.frame["measured"].to_numpy() == pytest.approx([101e-6, 99e-6, np.nan], nan_ok=True)
    both = "target_uS,V_read_mV,I_nA,G_uS\n100,200,20200,{}\n"
    assert read(tmp_path / "t.csv", both.format(101)).frame["measured"][0] == pytest.approx(101e-6)
    with pytest.raises(InputError, match=r"is 1e\+03 times G_uS; is a unit wrong"):
        read(tmp_path / "t.csv", both.format("0.101"))
    with pytest.raises(InputError, match="there is no conductance at 0 V"):
        read(tmp_path / "t.csv", "target_uS,V_V,I_nA\n100,0,1\n")
    # Of several voltages it is a sweep, whatever else there is.
    assert read(tmp_path / "t.csv", "target_uS,V_V,I_nA\n100,0.1,1\n100,0.2,2\n").kind == "iv"


def test_a_column_a_cell(tmp_path):
    wide = read(tmp_path / "t.csv", "read,A1 (uS),A2 (uS)\n1,100,200\n2,101,201\n")
    assert wide.kind == "reads"
    assert "A1 (uS), A2 (uS) taken for cells" in wide.describe()
    assert wide.frame["cell"].tolist() == ["A1", "A1", "A2", "A2"]
    assert 1e6 * wide.frame["measured"].to_numpy() == pytest.approx([100, 101, 200, 201])

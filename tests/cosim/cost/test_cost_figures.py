"""Figures behind the cost model: sources, kinds, and gate areas counted again from the circuits."""

import re

import pytest

from cosim.cost.figures import KINDS, all_figures, figure, figure_table
from netlists.errors import InputError
from netlists.spice.deck import subcircuits

TRANSISTOR = re.compile(r"^x\w+ .* (?:n|p)mos(?:_lvt)?_sky130 w=(\S+) l=(\S+)")
CALL = re.compile(r"^x\w+ .*?(\w+_sky130)((?: \w+=\S+)*)$")


def gate_area(block, values=None):
    """Sum of W L of a subcircuit, in um2; widths are numbers, parameters, or a whole multiple of one."""
    body = re.search(rf"^\.subckt {block} (.*?)^\.ends {block}$", subcircuits(block), re.DOTALL | re.MULTILINE).group(1)
    names = dict(re.findall(r"(\w+)=([\d.]+)", body.splitlines()[0])) | (values or {})
    for name, factor, of in re.findall(r"^\.param (\w+)=\{(?:(\d)\*)?(\w+)\}$", body, re.MULTILINE):
        if of in names:
            names[name] = str(float(factor or 1) * float(names[of]))
    total = 0.0
    for line in body.splitlines():
        if found := TRANSISTOR.match(line):
            total += float(names.get(found[1].strip("{}"), found[1])) * float(found[2])
        elif (found := CALL.match(line)) and not re.search(r"mos(_lvt)?_sky130", line):
            given = {k: names.get(v.strip("{}"), v) for k, v in re.findall(r"(\w+)=(\S+)", found[2])}
            total += gate_area(found[1], given)
    return total


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("integrator_gates", lambda: gate_area("integrator_sky130")),
        ("comparator_gates", lambda: gate_area("comparator_sky130")),
        ("counter_gates", lambda: gate_area("latch_sky130") + gate_area("counter_sky130")),
        ("driver_gates", lambda: gate_area("pwm_driver_sky130", {"w": "50"})),
        ("hold_switch_gates", lambda: gate_area("transmission_gate_sky130", {"w": "444"})),
    ],
)
def test_gate_areas_are_those_of_the_circuits(name, area):
    assert 1e12 * figure(name).value == pytest.approx(area(), rel=1e-3)


def test_every_figure_says_where_it_comes_from():
    for f in all_figures().values():
        assert f.kind in KINDS
        assert len(f.source) > 10
        assert f.value > 0
        assert f.unit
    assert {f.kind for f in all_figures().values()} >= {"SPICE", "published", "derived", "assumption"}
    assert len(figure_table()) == len(all_figures())


def test_an_unknown_figure_is_named():
    with pytest.raises(InputError, match="figure 'sram': unknown; there are integrator_power"):
        figure("sram")

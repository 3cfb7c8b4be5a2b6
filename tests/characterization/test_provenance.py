import numpy as np

from characterization.provenance import versions


def test_versions_name_what_figures_depend_on():
    found = versions()
    assert found["numpy"] == np.__version__
    assert int(found["libngspice"]) >= 39
    assert {"python", "nladc-cosim", "scipy", "pandas", "PySpice", "ngspice"} <= set(found)
    assert "libngspice" not in versions(with_ngspice=False)

from .cells import (
    MeasuredCells as MeasuredCells,
    sort_cells as sort_cells,
)
from .curvature import (
    LARGEST_VOLTAGE as LARGEST_VOLTAGE,
)
from .fit import (
    DeviceFit as DeviceFit,
    fit_profile as fit_profile,
)
from .tables import (
    ROLES as ROLES,
    MeasuredTable as MeasuredTable,
    read_tables as read_tables,
)
from .written import (
    HeldOut as HeldOut,
    WrittenLaw as WrittenLaw,
    fit_written as fit_written,
)

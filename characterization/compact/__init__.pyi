from .column import (
    ColumnModel as ColumnModel,
    decision_times as decision_times,
)
from .compact_model import (
    CompactModel as CompactModel,
)
from .comparator import (
    ComparatorModel as ComparatorModel,
)
from .crossbar_model import (
    CrossbarModel as CrossbarModel,
)
from .delay import (
    DelayLaw as DelayLaw,
)
from .fitted_columns import (
    BLOCKS as BLOCKS,
    FittedColumns as FittedColumns,
)
from .fitting import (
    fit_curve as fit_curve,
    fitted as fitted,
)
from .integrator import (
    IntegratorModel as IntegratorModel,
)
from .mac import (
    MacModel as MacModel,
)
from .validate_blocks import (
    validate_block as validate_block,
    validate_column as validate_column,
)

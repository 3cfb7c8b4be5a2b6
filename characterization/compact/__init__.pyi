from .column import (
    ColumnModel as ColumnModel,
    decision_times as decision_times,
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

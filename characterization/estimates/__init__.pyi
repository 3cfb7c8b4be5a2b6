from .control_variate import (
    fit_levels as fit_levels,
)
from .control_variate import (
    mean_with as mean_with,
)
from .control_variate import (
    quantile_with as quantile_with,
)
from .control_variate import (
    yield_with as yield_with,
)
from .plain import (
    CONFIDENCE as CONFIDENCE,
)
from .plain import (
    Estimate as Estimate,
)
from .plain import (
    mean_of as mean_of,
)
from .plain import (
    proportion_interval as proportion_interval,
)
from .plain import (
    quantile_of as quantile_of,
)
from .plain import (
    yield_of as yield_of,
)
from .statistics import (
    STATISTICS as STATISTICS,
)
from .statistics import (
    margin as margin,
)
from .statistics import (
    max_dnl as max_dnl,
)
from .statistics import (
    max_inl as max_inl,
)
from .until import (
    MOST as MOST,
)
from .until import (
    until_ci as until_ci,
)
from .yields import (
    figure_table as figure_table,
)
from .yields import (
    summary as summary,
)

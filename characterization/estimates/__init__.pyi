from .control_variate import (
    UNSEEN as UNSEEN,
    doubts as doubts,
    fit_levels as fit_levels,
    mean_with as mean_with,
    quantile_with as quantile_with,
    yield_with as yield_with,
)
from .plain import (
    CONFIDENCE as CONFIDENCE,
    Estimate as Estimate,
    mean_of as mean_of,
    proportion_interval as proportion_interval,
    quantile_of as quantile_of,
    yield_of as yield_of,
)
from .statistics import (
    STATISTICS as STATISTICS,
    margin as margin,
    max_dnl as max_dnl,
    max_inl as max_inl,
    of_columns as of_columns,
)
from .until import (
    MOST as MOST,
    until_ci as until_ci,
)
from .yields import (
    summary as summary,
)

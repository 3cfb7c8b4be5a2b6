from .batch import (
    Calibrated as Calibrated,
    measure_batch as measure_batch,
    nominal_deck as nominal_deck,
)
from .calibration import (
    error_at as error_at,
    point_weights as point_weights,
)
from .closed_form import (
    ControlLevels as ControlLevels,
    closed_levels as closed_levels,
    population as population,
    same_chips as same_chips,
)
from .columns import (
    COLUMN_SCOPES as COLUMN_SCOPES,
    TRIM_NUMBERS as TRIM_NUMBERS,
    ColumnScope as ColumnScope,
    scope_shifts as scope_shifts,
    trimmed as trimmed,
    trimming_pairs as trimming_pairs,
)
from .examination import (
    RANDOM as RANDOM,
    borrowed_figures as borrowed_figures,
    check_sides as check_sides,
    examine as examine,
    without_randomness as without_randomness,
)
from .recalibrate import (
    POINT as POINT,
)
from .sampling import (
    DrawnChips as DrawnChips,
    draw as draw,
    stuck_cells as stuck_cells,
    through_wire as through_wire,
    wire_resistance as wire_resistance,
)
from .spice_program import (
    program_from_spice as program_from_spice,
)
from .transitions import (
    RESOLUTION as RESOLUTION,
    SPAN as SPAN,
    WIDE_SPAN as WIDE_SPAN,
    Measured as Measured,
    measure as measure,
    probe_span as probe_span,
)
from .write_verify import (
    WriteVerifyResult as WriteVerifyResult,
    WriteVerifyScheme as WriteVerifyScheme,
    write_states as write_states,
)

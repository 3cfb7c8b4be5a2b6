from .batch import (
    Calibrated as Calibrated,
)
from .batch import (
    measure_batch as measure_batch,
)
from .batch import (
    nominal_deck as nominal_deck,
)
from .calibration import (
    error_at as error_at,
)
from .closed_form import (
    ControlLevels as ControlLevels,
)
from .closed_form import (
    population as population,
)
from .closed_form import (
    same_chips as same_chips,
)
from .recalibrate import (
    POINT as POINT,
)
from .sampling import (
    draw as draw,
)
from .sampling import (
    stuck_cells as stuck_cells,
)
from .transitions import (
    SPAN as SPAN,
)
from .transitions import (
    Measured as Measured,
)
from .transitions import (
    measure as measure,
)
from .transitions import (
    probe_span as probe_span,
)
from .write_verify import (
    WriteVerifyResult as WriteVerifyResult,
)
from .write_verify import (
    WriteVerifyScheme as WriteVerifyScheme,
)
from .write_verify import (
    write_states as write_states,
)

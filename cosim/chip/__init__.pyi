from .converters import (
    Converters as Converters,
)
from .datapath import (
    ChipPath as ChipPath,
)
from .draw import (
    ArraySum as ArraySum,
    Chip as Chip,
    ChipCell as ChipCell,
    ChipMatrix as ChipMatrix,
    Converted as Converted,
    Exact as Exact,
    draw_chip as draw_chip,
)
from .hardware import (
    ENGINES as ENGINES,
    PARTIAL_SUMS as PARTIAL_SUMS,
    STATE_UNITS as STATE_UNITS,
    Arrays as Arrays,
    Hardware as Hardware,
    LinearAdc as LinearAdc,
    Ramp as Ramp,
)
from .pulses import (
    PwmInputs as PwmInputs,
)
from .weights import (
    OPEN as OPEN,
    effective_weights as effective_weights,
)

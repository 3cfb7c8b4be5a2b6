from .converters import (
    Converters as Converters,
)
from .datapath import (
    ChipPath as ChipPath,
    ENGINES as ENGINES,
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
    Arrays as Arrays,
    Hardware as Hardware,
    LinearAdc as LinearAdc,
    PARTIAL_SUMS as PARTIAL_SUMS,
    Ramp as Ramp,
    STATE_UNITS as STATE_UNITS,
)
from .pulses import (
    PwmInputs as PwmInputs,
)
from .weights import (
    OPEN as OPEN,
    effective_weights as effective_weights,
)

from .converters import (
    Converters as Converters,
)
from .datapath import (
    ENGINES as ENGINES,
)
from .datapath import (
    ChipPath as ChipPath,
)
from .draw import (
    ArraySum as ArraySum,
)
from .draw import (
    Chip as Chip,
)
from .draw import (
    ChipCell as ChipCell,
)
from .draw import (
    ChipMatrix as ChipMatrix,
)
from .draw import (
    Converted as Converted,
)
from .draw import (
    Exact as Exact,
)
from .draw import (
    draw_chip as draw_chip,
)
from .hardware import (
    PARTIAL_SUMS as PARTIAL_SUMS,
)
from .hardware import (
    STATE_UNITS as STATE_UNITS,
)
from .hardware import (
    Arrays as Arrays,
)
from .hardware import (
    Hardware as Hardware,
)
from .hardware import (
    LinearAdc as LinearAdc,
)
from .hardware import (
    Ramp as Ramp,
)
from .pulses import (
    PwmInputs as PwmInputs,
)
from .weights import (
    OPEN as OPEN,
)
from .weights import (
    effective_weights as effective_weights,
)

from .chip import (
    ArraySum as ArraySum,
    Chip as Chip,
    ChipCell as ChipCell,
    ChipMatrix as ChipMatrix,
    ChipParts as ChipParts,
)
from .columns import (
    DrawnColumns as DrawnColumns,
)
from .drawing import (
    draw_chip as draw_chip,
)
from .drawn_parts import (
    DrawnParts as DrawnParts,
    noise_keys as noise_keys,
)
from .ramps import (
    column_offsets as column_offsets,
)

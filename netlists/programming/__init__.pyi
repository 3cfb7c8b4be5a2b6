from .switching import (
    Switching as Switching,
    Vteam as Vteam,
)
from .write_verify_deck import (
    VECTORS_PER_CELL as VECTORS_PER_CELL,
    WritePulses as WritePulses,
)

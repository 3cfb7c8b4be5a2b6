from .switching import (
    Switching as Switching,
    Vteam as Vteam,
    hysteresis_deck as hysteresis_deck,
    solve_state as solve_state,
)
from .write_verify_deck import (
    VECTORS_PER_CELL as VECTORS_PER_CELL,
    WritePulses as WritePulses,
)

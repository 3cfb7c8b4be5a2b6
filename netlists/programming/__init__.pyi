from .switching import (
    Switching as Switching,
)
from .switching import (
    Vteam as Vteam,
)
from .write_verify_deck import (
    VECTORS_PER_CELL as VECTORS_PER_CELL,
)
from .write_verify_deck import (
    WritePulses as WritePulses,
)

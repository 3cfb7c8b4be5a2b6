from .analysis import (
    requests as requests,
)
from .block_file import (
    BlockFile as BlockFile,
    ComparatorMacro as ComparatorMacro,
    Macro as Macro,
    OpampMacro as OpampMacro,
    is_block_file as is_block_file,
)
from .deck import (
    read_outside_deck as read_outside_deck,
)
from .diagnosis import (
    cause as cause,
)
from .dialects import (
    COMPATIBILITY as COMPATIBILITY,
)
from .ports import (
    ROLES as ROLES,
    Wiring as Wiring,
)
from .run import (
    simulate_outside as simulate_outside,
)
from .subcircuit import (
    PDKS as PDKS,
    UserSubcircuit as UserSubcircuit,
    integrator_around as integrator_around,
    load_user_subcircuit as load_user_subcircuit,
)
from .waves import (
    DeckResults as DeckResults,
    Wave as Wave,
    Waves as Waves,
)

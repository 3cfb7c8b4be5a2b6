from .blocks import (
    CELL_STYLES as CELL_STYLES,
)
from .blocks import (
    MACRO as MACRO,
)
from .blocks import (
    Blocks as Blocks,
)
from .blocks import (
    comparator_values as comparator_values,
)
from .blocks import (
    integrator_values as integrator_values,
)
from .cards import (
    OPTIONS as OPTIONS,
)
from .cards import (
    comparator as comparator,
)
from .cards import (
    integrator as integrator,
)
from .cards import (
    is_stepped as is_stepped,
)
from .cards import (
    read_codes as read_codes,
)
from .cards import (
    supplies as supplies,
)
from .cards import (
    transient as transient,
)
from .conversion import (
    conversion_deck as conversion_deck,
)
from .converter import (
    Converter as Converter,
)
from .replay import (
    ColumnCharge as ColumnCharge,
)
from .replay import (
    Replay as Replay,
)
from .replay import (
    replay_deck as replay_deck,
)
from .replay import (
    saved_vectors as saved_vectors,
)
from .tile import (
    ColumnGroup as ColumnGroup,
)
from .tile import (
    Tile as Tile,
)
from .tile_deck import (
    convert as convert,
)
from .tile_reference import (
    predict as predict,
)
from .transition import (
    transition_deck as transition_deck,
)

from .autozero import (
    AutoZero as AutoZero,
)
from .blocks import (
    CELL_STYLES as CELL_STYLES,
    MACRO as MACRO,
    Blocks as Blocks,
    autozero_values as autozero_values,
    comparator_values as comparator_values,
    integrator_values as integrator_values,
)
from .cards import (
    OPTIONS as OPTIONS,
    comparator as comparator,
    integrator as integrator,
    is_stepped as is_stepped,
    supplies as supplies,
    transient as transient,
)
from .conversion import (
    conversion_deck as conversion_deck,
)
from .converter import (
    Converter as Converter,
)
from .counter import (
    latch_and_counter as latch_and_counter,
    latch_clocks as latch_clocks,
    read_codes as read_codes,
)
from .multiplexed import (
    Turns as Turns,
    can_multiplex as can_multiplex,
    multiplexed_codes as multiplexed_codes,
    multiplexed_deck as multiplexed_deck,
    multiplexed_vectors as multiplexed_vectors,
    turns as turns,
)
from .release import (
    released as released,
)
from .replay import (
    ColumnCharge as ColumnCharge,
    Replay as Replay,
    replay_deck as replay_deck,
    saved_vectors as saved_vectors,
)
from .tile import (
    ColumnGroup as ColumnGroup,
    Tile as Tile,
    charge_capacitance as charge_capacitance,
    feedback_capacitance as feedback_capacitance,
)
from .tile_deck import (
    convert as convert,
)
from .tile_reference import (
    MacResponse as MacResponse,
    mac_response as mac_response,
    predict as predict,
)
from .transition import (
    probe_nodes as probe_nodes,
    transition_deck as transition_deck,
)

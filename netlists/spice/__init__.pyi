from .cards import (
    Card as Card,
)
from .cards import (
    words as words,
)
from .deck import (
    Deck as Deck,
)
from .deck import (
    subcircuit as subcircuit,
)
from .deck import (
    subcircuits as subcircuits,
)
from .engine import (
    RUNNERS as RUNNERS,
)
from .engine import (
    simulate as simulate,
)
from .engine import (
    simulate_draws as simulate_draws,
)
from .numbers import (
    spice_number as spice_number,
)
from .program import (
    read_transitions as read_transitions,
)
from .program import (
    run_batch as run_batch,
)
from .pyspice import (
    INSTALL_HINT as INSTALL_HINT,
)
from .pyspice import (
    MINIMUM_VERSION as MINIMUM_VERSION,
)
from .pyspice import (
    environment as environment,
)
from .pyspice import (
    find_executable_version as find_executable_version,
)
from .pyspice import (
    find_library as find_library,
)
from .pyspice import (
    is_error as is_error,
)
from .pyspice import (
    shared_instance as shared_instance,
)
from .raw_file import (
    RawPlot as RawPlot,
)
from .raw_file import (
    read_raw_plot as read_raw_plot,
)
from .safety import (
    ANALYSES as ANALYSES,
)
from .safety import (
    DEFINITIONS as DEFINITIONS,
)
from .safety import (
    FILES_HINT as FILES_HINT,
)
from .safety import (
    NOTHING as NOTHING,
)
from .safety import (
    OTHER_ANALYSES as OTHER_ANALYSES,
)
from .safety import (
    OUTPUTS as OUTPUTS,
)
from .safety import (
    Permissions as Permissions,
)
from .safety import (
    check_circuit_card as check_circuit_card,
)
from .safety import (
    check_command as check_command,
)
from .waveforms import (
    pulses as pulses,
)
from .waveforms import (
    pwl as pwl,
)
from .waveforms import (
    pwl_texts as pwl_texts,
)
from .waveforms import (
    stairs as stairs,
)
from .waveforms import (
    ticks as ticks,
)
from .waveforms import (
    time_functions as time_functions,
)

from .cards import (
    Card as Card,
    words as words,
)
from .deck import (
    Deck as Deck,
    subcircuit as subcircuit,
    subcircuits as subcircuits,
)
from .engine import (
    RUNNERS as RUNNERS,
    kept_circuit as kept_circuit,
    simulate as simulate,
    simulate_draws as simulate_draws,
    watched as watched,
)
from .osdi import (
    COMPILER_HINT as COMPILER_HINT,
    compiled as compiled,
    compiler as compiler,
    pdk_models as pdk_models,
)
from .program import (
    TIME_LIMIT as TIME_LIMIT,
    read_transitions as read_transitions,
    run_batch as run_batch,
    run_ngspice as run_ngspice,
)
from .pyspice import (
    INSTALL_HINT as INSTALL_HINT,
    MINIMUM_VERSION as MINIMUM_VERSION,
    environment as environment,
    find_executable_version as find_executable_version,
    find_library as find_library,
    is_error as is_error,
    shared_instance as shared_instance,
    warning_lines as warning_lines,
)
from .raw_file import (
    RawPlot as RawPlot,
    read_raw_plot as read_raw_plot,
    write_raw_plots as write_raw_plots,
)
from .safety import (
    ANALYSES as ANALYSES,
    COMMANDS_HINT as COMMANDS_HINT,
    DEFINITIONS as DEFINITIONS,
    FILES_HINT as FILES_HINT,
    NOTHING as NOTHING,
    OPTIONS as OPTIONS,
    OTHER_ANALYSES as OTHER_ANALYSES,
    OUTPUTS as OUTPUTS,
    RESULTS as RESULTS,
    Permissions as Permissions,
    check_circuit_card as check_circuit_card,
)
from .sandbox import (
    describe_sandbox as describe_sandbox,
)
from .settings import (
    COMPILED as COMPILED,
    init_lines as init_lines,
)
from .waveforms import (
    check_ticks as check_ticks,
    pulses as pulses,
    pwl as pwl,
    pwl_texts as pwl_texts,
    stairs as stairs,
    ticks as ticks,
    time_functions as time_functions,
)

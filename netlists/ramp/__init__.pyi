from .cells import (
    CALIBRATION as CALIBRATION,
)
from .chips import (
    Chips as Chips,
)
from .clock import (
    Timing as Timing,
    select_pulses as select_pulses,
    tick_times as tick_times,
    timing as timing,
)
from .closed_form import (
    charge_share as charge_share,
    to_input_units as to_input_units,
    to_volts as to_volts,
    transition_levels as transition_levels,
)
from .compensation import (
    Targets as Targets,
    compensate as compensate,
    reprogrammed as reprogrammed,
    standing_conductance as standing_conductance,
    wanted_volts as wanted_volts,
)
from .compiler import (
    program_ramp as program_ramp,
)
from .program import (
    RampProgram as RampProgram,
)
from .report import (
    dense_inputs as dense_inputs,
    transfer_error as transfer_error,
)
from .sensitivity import (
    PARAMETERS as PARAMETERS,
    LevelDerivatives as LevelDerivatives,
    level_derivatives as level_derivatives,
)

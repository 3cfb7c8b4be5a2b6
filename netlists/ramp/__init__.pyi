from .cells import (
    CALIBRATION as CALIBRATION,
)
from .chips import (
    Chips as Chips,
)
from .clock import (
    Timing as Timing,
)
from .clock import (
    select_pulses as select_pulses,
)
from .clock import (
    tick_times as tick_times,
)
from .clock import (
    timing as timing,
)
from .closed_form import (
    charge_share as charge_share,
)
from .closed_form import (
    to_input_units as to_input_units,
)
from .closed_form import (
    to_volts as to_volts,
)
from .closed_form import (
    transition_levels as transition_levels,
)
from .compensation import (
    compensate as compensate,
)
from .compensation import (
    standing_conductance as standing_conductance,
)
from .compiler import (
    program_ramp as program_ramp,
)
from .program import (
    RampProgram as RampProgram,
)
from .report import (
    dense_inputs as dense_inputs,
)
from .report import (
    transfer_error as transfer_error,
)

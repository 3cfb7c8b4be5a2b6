from .column import (
    T_PULSE as T_PULSE,
)
from .column import (
    T_STEP as T_STEP,
)
from .column import (
    array_read_deck as array_read_deck,
)
from .column import (
    cell_iv_deck as cell_iv_deck,
)
from .column import (
    decision_deck as decision_deck,
)
from .column import (
    decision_times as decision_times,
)
from .column import (
    integrator_pulse_deck as integrator_pulse_deck,
)
from .column import (
    latch_deck as latch_deck,
)
from .column import (
    offset_ramp_deck as offset_ramp_deck,
)
from .column import (
    triangle_deck as triangle_deck,
)
from .comparator import (
    comparator_ac_deck as comparator_ac_deck,
)
from .comparator import (
    feedback_mismatch_deck as feedback_mismatch_deck,
)
from .comparator import (
    strongarm_mismatch_deck as strongarm_mismatch_deck,
)
from .comparator import (
    strongarm_step_deck as strongarm_step_deck,
)
from .energy import (
    EnergyBench as EnergyBench,
)
from .energy import (
    driver_bench as driver_bench,
)
from .energy import (
    mac_bench as mac_bench,
)
from .energy import (
    ramp_bench as ramp_bench,
)
from .energy import (
    switch_bench as switch_bench,
)
from .ota import (
    access_deck as access_deck,
)
from .ota import (
    integrator_deck as integrator_deck,
)
from .ota import (
    ota_deck as ota_deck,
)
from .run import (
    mismatch_tables as mismatch_tables,
)
from .run import (
    run_bench as run_bench,
)

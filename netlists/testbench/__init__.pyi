from .autozero import (
    T_RESET as T_RESET,
    autozero_deck as autozero_deck,
    autozero_macro_deck as autozero_macro_deck,
)
from .clocked import (
    clocked_step_deck as clocked_step_deck,
    clocked_trip_deck as clocked_trip_deck,
)
from .clocked_noise import (
    ListedInstance as ListedInstance,
    densities as densities,
    density_deck as density_deck,
    listing_deck as listing_deck,
    noise_grid as noise_grid,
    noisy_trip_deck as noisy_trip_deck,
    voltages_deck as voltages_deck,
)
from .column import (
    T_PULSE as T_PULSE,
    T_STEP as T_STEP,
    array_read_deck as array_read_deck,
    cell_iv_deck as cell_iv_deck,
    decision_deck as decision_deck,
    decision_times as decision_times,
    integrator_pulse_deck as integrator_pulse_deck,
    latch_deck as latch_deck,
    offset_ramp_deck as offset_ramp_deck,
    triangle_deck as triangle_deck,
)
from .comparator import (
    comparator_ac_deck as comparator_ac_deck,
    comparator_input_deck as comparator_input_deck,
    comparator_sweep_deck as comparator_sweep_deck,
    feedback_mismatch_deck as feedback_mismatch_deck,
    strongarm_mismatch_deck as strongarm_mismatch_deck,
    strongarm_step_deck as strongarm_step_deck,
    sweep_mismatch_deck as sweep_mismatch_deck,
)
from .energy import (
    EnergyBench as EnergyBench,
    driver_bench as driver_bench,
    mac_bench as mac_bench,
    ramp_bench as ramp_bench,
    switch_bench as switch_bench,
)
from .ota import (
    R_Z as R_Z,
    access_deck as access_deck,
    integrator_deck as integrator_deck,
    ota_deck as ota_deck,
    stages_deck as stages_deck,
)
from .own import (
    DECISION_PERIOD as DECISION_PERIOD,
    DRIVE as DRIVE,
    HOLD as HOLD,
    RAMP as RAMP,
    sides_deck as sides_deck,
)
from .run import (
    mismatch_tables as mismatch_tables,
    run_bench as run_bench,
    run_listing as run_listing,
    run_plot as run_plot,
)
from .tested import (
    COMPARATOR as COMPARATOR,
    OTA as OTA,
    At as At,
    BenchConditions as BenchConditions,
    BlockOnBench as BlockOnBench,
)

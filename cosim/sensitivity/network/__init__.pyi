from .loss import (
    WIDTH as WIDTH,
    LossGradient as LossGradient,
    SmoothedLoss as SmoothedLoss,
    chip_thresholds as chip_thresholds,
)
from .parameters import (
    NetworkSensitivities as NetworkSensitivities,
    drawn_hardware as drawn_hardware,
    network_sensitivities as network_sensitivities,
    ramp_plans as ramp_plans,
)
from .prediction import (
    RankCorrelation as RankCorrelation,
    prediction_table as prediction_table,
)
from .run import (
    NetworkSensitivitySettings as NetworkSensitivitySettings,
    analyse_network as analyse_network,
    describe_network as describe_network,
    run_network_sensitivity as run_network_sensitivity,
)

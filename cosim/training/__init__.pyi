from .augmentation import (
    Augmentation as Augmentation,
)
from .dynamics import (
    DynamicsSettings as DynamicsSettings,
    train_dynamics as train_dynamics,
)
from .epochs import (
    Trained as Trained,
    run_epochs as run_epochs,
)
from .hardware_aware import (
    HardwareAware as HardwareAware,
)
from .model import (
    Model as Model,
    TrainingLoss as TrainingLoss,
)
from .optimizer import (
    Adam as Adam,
)
from .settings import (
    TrainingSettings as TrainingSettings,
)
from .torch_lstm import (
    HardwareLSTM as HardwareLSTM,
)
from .train import (
    fit_ramps as fit_ramps,
    gate_inputs as gate_inputs,
    held_out_sequences as held_out_sequences,
    initial_network as initial_network,
    split as split,
    train_task as train_task,
)

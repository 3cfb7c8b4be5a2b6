from .activation import (
    ActivationTape as ActivationTape,
)
from .cells import (
    BACKPROP as BACKPROP,
)
from .kernels import (
    adam_update as adam_update,
)
from .packing import (
    Packing as Packing,
)
from .smooth import (
    SmoothBank as SmoothBank,
)
from .symbols import (
    FoldedEmbedding as FoldedEmbedding,
    one_hot as one_hot,
)
from .tape import (
    NONE as NONE,
    Disturbance as Disturbance,
    MatrixTape as MatrixTape,
    learned_format as learned_format,
    ramp_gradients as ramp_gradients,
)
from .workspace import (
    Workspace as Workspace,
)

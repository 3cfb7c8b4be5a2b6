from .design import (
    Design as Design,
)
from .network import (
    NetworkCost as NetworkCost,
)
from .network import (
    network_cost as network_cost,
)
from .shape import (
    ArrayShape as ArrayShape,
)
from .shape import (
    DigitalWork as DigitalWork,
)
from .shape import (
    NetworkShape as NetworkShape,
)
from .shape import (
    lstm_shape as lstm_shape,
)
from .terms import (
    Term as Term,
)

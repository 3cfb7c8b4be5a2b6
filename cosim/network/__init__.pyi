from .files import (
    parse as parse,
)
from .files import (
    read_arrays as read_arrays,
)
from .files import (
    text as text,
)
from .files import (
    write_arrays as write_arrays,
)
from .forward import (
    LANES as LANES,
)
from .forward import (
    exact_activation as exact_activation,
)
from .forward import (
    padded as padded,
)
from .forward import (
    run_layer as run_layer,
)
from .forward import (
    run_network as run_network,
)
from .network import (
    DIRECTIONS as DIRECTIONS,
)
from .network import (
    EpochRecord as EpochRecord,
)
from .network import (
    Layer as Layer,
)
from .network import (
    LSTMNetwork as LSTMNetwork,
)
from .network import (
    Network as Network,
)
from .network import (
    NetworkMetadata as NetworkMetadata,
)

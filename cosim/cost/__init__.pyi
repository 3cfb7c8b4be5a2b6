from .design import (
    Design as Design,
)
from .electrical import (
    column_capacitance as column_capacitance,
)
from .figures import (
    MEASURED as MEASURED,
)
from .figures import (
    all_figures as all_figures,
)
from .figures import (
    figure as figure,
)
from .figures import (
    figure_table as figure_table,
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
    digital_work as digital_work,
)
from .shape import (
    lstm_shape as lstm_shape,
)
from .table1 import (
    BITS as BITS,
)
from .table1 import (
    CHIPS as CHIPS,
)
from .table1 import (
    QUANTITIES as QUANTITIES,
)
from .table1 import (
    T_CLOCK as T_CLOCK,
)
from .table1 import (
    Chip as Chip,
)
from .table1 import (
    TableModel as TableModel,
)
from .table1 import (
    compare as compare,
)
from .table1 import (
    constants as constants,
)
from .table1 import (
    fit as fit,
)
from .table1 import (
    implied as implied,
)
from .table1 import (
    row as row,
)
from .terms import (
    Term as Term,
)

from .design import (
    Design as Design,
)
from .electrical import (
    column_capacitance as column_capacitance,
)
from .figures import (
    MEASURED as MEASURED,
    all_figures as all_figures,
    figure as figure,
    figure_table as figure_table,
)
from .network import (
    NetworkCost as NetworkCost,
    network_cost as network_cost,
)
from .saving import (
    DeltaSaving as DeltaSaving,
    delta_saving as delta_saving,
)
from .shape import (
    ArrayShape as ArrayShape,
    DigitalWork as DigitalWork,
    NetworkShape as NetworkShape,
    digital_work as digital_work,
    lstm_shape as lstm_shape,
)
from .table1 import (
    BITS as BITS,
    CHIPS as CHIPS,
    QUANTITIES as QUANTITIES,
    T_CLOCK as T_CLOCK,
    PublishedChip as PublishedChip,
    TableModel as TableModel,
    compare as compare,
    constants as constants,
    fit as fit,
    implied as implied,
    row as row,
)
from .terms import (
    Term as Term,
)

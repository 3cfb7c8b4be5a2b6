from .data import (
    ALL_MEASURES as ALL_MEASURES,
    MEASURES as MEASURES,
    DataEnergy as DataEnergy,
    Measures as Measures,
    data_energy as data_energy,
)
from .design import (
    Design as Design,
)
from .electrical import (
    column_capacitance as column_capacitance,
    opamp_size as opamp_size,
    ramp_cell_energy as ramp_cell_energy,
    ramp_charge as ramp_charge,
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
    design_of as design_of,
)
from .sequences import (
    MatrixUse as MatrixUse,
    SequenceUse as SequenceUse,
    count_sequences as count_sequences,
)
from .shape import (
    ArrayShape as ArrayShape,
    DigitalWork as DigitalWork,
    NetworkShape as NetworkShape,
    RampUse as RampUse,
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

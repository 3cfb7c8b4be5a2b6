from .bench import (
    AnswerBench as AnswerBench,
    BudgetBench as BudgetBench,
)
from .chips import (
    ChipBuilder as ChipBuilder,
    whole_chip as whole_chip,
)
from .device_errors import (
    budget_profile as budget_profile,
)
from .sources import (
    ErrorSource as ErrorSource,
    block_amounts as block_amounts,
    default_amounts as default_amounts,
    measured_comparator as measured_comparator,
)

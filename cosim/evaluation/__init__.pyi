from .comparison import (
    Change as Change,
)
from .comparison import (
    Comparison as Comparison,
)
from .comparison import (
    accuracy_change as accuracy_change,
)
from .comparison import (
    compare as compare,
)
from .comparison import (
    float_score as float_score,
)
from .evaluator import (
    draw_chips as draw_chips,
)
from .evaluator import (
    evaluate as evaluate,
)
from .evaluator import (
    evaluate_text as evaluate_text,
)
from .models import (
    load_models as load_models,
)
from .statistics import (
    AccuracyInterval as AccuracyInterval,
)
from .statistics import (
    accuracy_interval as accuracy_interval,
)
from .statistics import (
    bits_interval as bits_interval,
)
from .statistics import (
    chip_interval as chip_interval,
)
from .statistics import (
    paired_difference as paired_difference,
)

from .chips.batch import nominal_deck as nominal_deck
from .plan.plan import RampPlan as RampPlan
from .plan.variation import Variation as Variation
from .ramp_model.model import RampModel as RampModel
from .ramp_model.validation import validate as validate
from .run.montecarlo import characterize as characterize, load_run as load_run

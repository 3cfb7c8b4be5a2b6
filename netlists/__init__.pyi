from .converter.blocks import Blocks as Blocks
from .converter.conversion import conversion_deck as conversion_deck
from .converter.converter import Converter as Converter
from .converter.transition import transition_deck as transition_deck
from .outside.subcircuit import load_user_subcircuit as load_user_subcircuit
from .ramp.chips import Chips as Chips
from .ramp.compiler import program_ramp as program_ramp
from .ramp.program import RampProgram as RampProgram
from .spice.deck import Deck as Deck
from .spice.engine import simulate as simulate
from .technology.parameters import RampCircuit as RampCircuit
from .technology.profile import DeviceProfile as DeviceProfile, load_profile as load_profile

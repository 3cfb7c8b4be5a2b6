"""What a SPICE file from outside may contain: lists of what is allowed, everything else is refused.

ngspice runs programs and reads and writes files when a deck says so: commands of a control block (``shell``, ``write``,
``source`` ...), ``*#`` lines, code models that read files (``filesource``, ``d_source``, ``d_state``, ``table2d`` ...) or
start programs (``d_process``, ``d_cosim``). No list of what is dangerous stays complete from one ngspice to the next,
so these are lists of what is known to be harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from netlists.checks import checked
from netlists.errors import InputError

from .cards import Card, words


@checked
@dataclass(frozen=True)
class Permissions:
    """Permissions that the user gives a file from outside.

    Attributes
    ----------
    files : bool
        Read files outside its folder, and read data files by code models.
    commands : bool
        Run the commands of its control blocks, which can start programs and write files; and code models that start programs.
    """

    files: bool = False
    commands: bool = False


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


NOTHING = Permissions()
FILES_HINT = "allow it with Permissions(files=True) if you trust the file"
COMMANDS_HINT = "allow it with Permissions(commands=True) if you trust the file"

ELEMENTS = frozenset("abcdefghijklmopqrstuvwxyz") - {"n"}
"""First letters of element lines; N takes compiled models, which are programs."""

DEFINITIONS = frozenset((".subckt", ".ends", ".model", ".param", ".func", ".if", ".elseif", ".else", ".endif"))
SETTINGS = frozenset((".global", ".ic", ".nodeset", ".temp", ".options", ".option", ".opt"))
RESULTS = frozenset((".meas", ".measure", ".csparam", ".probe", ".four"))
"""Cards that ask for values beside the vectors."""
OUTPUTS = frozenset((".print", ".plot", ".width", ".title"))
"""Cards that only print: left out."""

ANALYSES = ("op", "dc", "ac", "tran", "noise", "tf", "sens", "pz", "disto", "sp")
OTHER_ANALYSES = frozenset((".pss", ".hb"))
"""Analyses that are left out."""

# How a line begins at which ngspice runs commands or reads a file while it parses: comments that are commands, and every card
# that is not known. ngspice takes .controlx for .control, and blanks before either.
_KNOWN = sorted(
    word[1:] for word in (*DEFINITIONS, *SETTINGS, *RESULTS, *OUTPUTS, *OTHER_ANALYSES, ".save", *(f".{a}" for a in ANALYSES))
)
_ACTS = re.compile(rf"^[^\S\n]*(\*#|\*ng_script|\.(?!(?:{'|'.join(_KNOWN)})(?:[\s(=]|$))).*", re.MULTILINE | re.IGNORECASE)
# What a reader of the text may take for the end of a line.
_BREAKS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")

OPTIONS = _names(
    "abstol acct autostop bypass chgtol convlimit convstep cptime cshunt defad defas defl defm defw gmin gminsteps gshunt",
    "indverbose ingold interp itl1 itl2 itl3 itl4 itl5 itl6 keepopinfo klu limpts limtim list lvlcod lvltim maxord maxwarns",
    "method minbreak noacct noinit node nomod noopac noopiter nopage numdgt opts pivrel pivtol post probe ramptime reltol rshunt",
    "savecurrents scale scalm seed sparse srcsteps temp tnom trtol trytocompact vntol warn wnflag xmu",
    # Of other simulators, without effect in ngspice.
    "accurate brief dccap measdgt parser runlvl",
)

MODELS = _names(
    "r res c cap l ind sw csw urc ltra txl cpl d npn pnp njf pjf nmf pmf nhfet phfet nmos pmos nsoi psoi vdmos vdmosn vdmosp",
    # Code models: analog, hybrid, digital, real. None of them has a file among its parameters.
    "gain summer mult divide limit climit pwl multi_input_pwl ilimit aswitch pswitch zener oneshot core hyst cmeter lmeter",
    "lcouple d_dt int s_xfer slew sine square triangle potentiometer sidiode memristor delay seegen spice2poly",
    "adc_bridge dac_bridge bidi_bridge d_to_real real_to_v real_gain real_delay",
    "d_buffer d_inverter d_and d_nand d_or d_nor d_xor d_xnor d_tristate d_pullup d_pulldown d_open_c d_open_e d_dff d_jkff",
    "d_tff d_srff d_dlatch d_srlatch d_fdiv d_ram d_lut d_genlut d_osc d_pwm",
)
FILE_MODELS = frozenset(("filesource", "d_source", "d_state", "table2d", "table3d", "xfer"))
COMMAND_MODELS = frozenset(("d_process", "d_cosim"))

_FILE_PARAMETER = re.compile(r"(?<![a-z0-9])file\s*=|\bfile\s*[\"']", re.IGNORECASE)
_MODEL = re.compile(r"\.model\s+[^\s(),=\"'{}]+\s+(?:ako:\s*[^\s(),=\"'{}]+\s+)?(\w+)\s*(?=[\s(]|$)", re.IGNORECASE)


NESTED = 300
"""Parentheses may stand in so many others."""


def _depth(text: str) -> int:
    """In how many parentheses something stands at most."""
    deepest = now = 0
    for mark in re.findall(r"[()]", text):
        now += 1 if mark == "(" else -1
        deepest = max(deepest, now)
    return deepest


def check_deck(circuit: str, own: Callable[[str], bool]) -> None:
    """Raises `InputError` if ngspice would run commands or read a file while it parses a deck.

    A second lock, fast enough for every deck: it looks at how lines begin, and takes elements and models as they are.

    Parameters
    ----------
    own : callable
        Whether a line may stand in it all the same, such as one that includes the PDK's models.
    """
    if found := _BREAKS.search(circuit):
        raise InputError(f"deck: has the control character {found[0]!a}: only line ends and tabs are allowed")
    for line in _ACTS.finditer(circuit):
        if not own(line[0]):
            number = circuit.count("\n", 0, line.start(1)) + 1
            raise InputError(
                f"deck, line {number}: {ascii(line[0][:60])[1:-1]}: would run commands or read a file, or is unknown; "
                "allowed in a deck that is marked as trusted"
            )


def check_circuit_card(card: Card, allowed: Permissions | None = NOTHING) -> None:
    """Raises `InputError` with line and construct unless an element or a definition or setting is known to be harmless.

    ``allowed`` None allows nothing, and does not say how to allow it.
    """
    if "`" in card.text or "$(" in card.text:
        raise card.refused("a backquote and $( start programs in ngspice's commands: not allowed in a circuit")
    if card.text.endswith("\\"):
        raise card.refused("a backslash at the end may join lines: continue a line with + at the start of the next")
    if card.text.count("(") > NESTED and _depth(card.text) > NESTED:
        raise card.refused(f"has parentheses in more than {NESTED} others: nobody writes that, and readers of it go astray")
    if card.word.startswith(".") and not re.match(r"\.\w+(\s|$)", card.text):
        raise card.refused("not understood: a blank must follow the name of the card")
    if card.word == ".model":
        _check_model(card, allowed)
    elif card.word in (".options", ".option", ".opt"):
        _check_options(card)
    elif card.word.startswith("."):
        if card.word not in DEFINITIONS | SETTINGS | RESULTS:
            raise card.refused(
                f"unknown card; allowed are {', '.join(sorted(DEFINITIONS | SETTINGS | RESULTS | OUTPUTS))} and the analyses"
            )
    elif card.word[:1] not in ELEMENTS:
        raise card.refused("no element of ngspice that is allowed here: a line begins with one of the letters A-M, O-Z, or a dot")
    elif card.word[0] in "vi" and re.search(r"\bexternal\b", card.text, re.IGNORECASE):
        raise card.refused("an external source takes its values from another program: give it a waveform")
    if not (allowed and allowed.files) and _FILE_PARAMETER.search(card.text):
        raise card.refused(_with_hint("reads a file", FILES_HINT, allowed))


def _with_hint(why: str, hint: str, allowed: Permissions | None) -> str:
    return why if allowed is None else f"{why}; {hint}"


def _check_model(card: Card, allowed: Permissions | None) -> None:
    match = _MODEL.match(card.text)
    if match is None:
        raise card.refused("not understood: a model is written as .model NAME TYPE (PARAMETER=VALUE ...)")
    kind = match.group(1).lower()
    if kind in COMMAND_MODELS:
        if not (allowed and allowed.commands):
            raise card.refused(_with_hint(f"model type {kind!r} starts a program", COMMANDS_HINT, allowed))
    elif kind in FILE_MODELS:
        if not (allowed and allowed.files):
            raise card.refused(_with_hint(f"model type {kind!r} reads a file", FILES_HINT, allowed))
    elif kind not in MODELS:
        raise card.refused(f"model type {kind!r}: unknown here; allowed are {', '.join(sorted(MODELS))}")


def _check_options(card: Card) -> None:
    # ngspice makes a variable of its command language of every option, so only those of the simulator pass.
    for word in words(card.text)[1:]:
        name = word.partition("=")[0].lower().strip(",")
        if name and name not in OPTIONS:
            raise card.refused(f"option {name!r}: unknown here; allowed are {', '.join(sorted(OPTIONS))}; take it out")

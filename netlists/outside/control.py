"""Control blocks from outside: rewritten so that they simulate and compute, and do nothing else.

Only commands that are known to be harmless are run. Those that draw or write files are left out, with a note each; any other one is
refused. ngspice makes variables of its own of what ``set`` names (where files are looked for, which programs draw), so variables of
the block get names that ngspice does not use. Redirections, backquotes and history never reach it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netlists.spice import ANALYSES, COMMANDS_HINT, OPTIONS, Card

MARK = "cosim@"
"""How the lines begin that tell, in what ngspice prints, which command was run."""

_STEER = frozenset(["foreach", "while", "dowhile", "repeat", "if", "else", "end", "break", "continue"])
_COMPUTE = frozenset(
    [
        "let",
        "unlet",
        "alter",
        "altermod",
        "altermodf",
        "alterparam",
        "reset",
        "setplot",
        "setscale",
        "settype",
        "linearize",
        "fft",
        "psd",
        "spec",
        "cross",
        "compose",
        "define",
        "undefine",
        "meas",
        "measure",
        "fourier",
        "setseed",
        "strcmp",
        "optran",
        "option",
        "options",
        "unset",
        "set",
        "run",
    ]
)
_SHOW = frozenset(["print", "echo", "display", "listing", "status", "show", "showmod", "version"])
_LEFT_OUT = frozenset(
    [
        "plot",
        "iplot",
        "asciiplot",
        "hardcopy",
        "gnuplot",
        "xgraph",
        "write",
        "wrdata",
        "wrs2p",
        "wrnodev",
        "snsave",
        "destroy",
        "remzerovec",
        "rusage",
    ]
)
_END = frozenset(["quit", "exit"])
_UNMARKED = frozenset(["save", "goto", "label", "destroy", "cd", "alias"])
_COMPARISONS = {">=": " ge ", "<=": " le ", "<>": " ne ", ">": " gt ", "<": " lt "}
_DRAWS = re.compile(r"\b(?:sgauss|sunif|rnd|poisson|exponential)\s*\(", re.IGNORECASE)
# Variables that change the simulation or what is printed of it, and nothing else.
_SETTINGS = OPTIONS | frozenset(
    ["numdgt", "units", "width", "height", "noprintscale", "specwindow", "specwindoworder", "fourgridsize", "nfreqs", "polydegree"]
)
_SHOWN = frozenset(["curplot", "curplotname", "curplottitle", "curplotdate", "plots"])
# Variables that would change how results are written or drawn: there is nothing to write or draw.
_OUTPUT_SETTINGS = re.compile(
    r"appendwrite|wr_singlescale|wr_vecnames|wr_onspace|filetype|noaskquit|nomoremore|nobreak|xbrushwidth|xgridwidth|color\d+"
    r"|hcopy\w*|gnuplot_\w+|plotstyle|pointstyle|nolegend|nogrid|x?font\w*"
)


def safe_commands(found: Sequence[Card]) -> tuple[list[str], list[str]]:
    """Commands of control blocks as they may be run, with marks between them; and notes of what was left out.

    Raises
    ------
    InputError
        For a command that is not known to be harmless: names file, line and command.
    """
    own = _variables(found)
    draws = any(_DRAWS.search(card.text) for card in found)
    lines: list[str] = []
    notes: list[str] = []
    blocks: list[str] = []
    for card in found:
        text, word = card.text, card.word
        if "`" in text or "$(" in text:
            raise card.refused(f"starts a program; {COMMANDS_HINT}")
        if word not in _STEER | _COMPUTE | _SHOW | _LEFT_OUT | _END | set(ANALYSES) | {"save"}:
            raise card.refused(
                f"command {word!r} is not run: it may start programs, touch files or change the circuit; {COMMANDS_HINT}, "
                "or keep to analyses, loops, let, alter, meas, print, plot and save"
            )
        if re.search(r"!(?!=)|\$(?!&?[A-Za-z_])|\^.*\^|\\", text) and word not in _LEFT_OUT:
            raise card.refused(f"not understood, or asks for the history of commands; {COMMANDS_HINT}")
        if word.startswith("altermod") and re.search(r"\bfile\b", text, re.IGNORECASE):
            raise card.refused(f"reads a file; {COMMANDS_HINT}")
        if word in ("if", "while", "dowhile"):
            text = re.sub("|".join(_COMPARISONS), lambda m: _COMPARISONS[m[0]], text)
        if word in _STEER and re.search(r"[<>]", text):
            raise card.refused(f"< and > redirect here; {COMMANDS_HINT}")
        if word in _LEFT_OUT or re.search(r"[<>]", text) or (word == "run" and len(text.split()) > 1):
            notes.append(f"{card.file}, line {card.line}: {text[:60]}")
            continue
        if word in ("set", "option", "options", "unset"):
            text, left = _assignments(text, word, own)
            notes += [f"{card.file}, line {card.line}: {word} {name}" for name in left]
            if not text:
                continue
        if word in ("foreach", "strcmp"):
            text = re.sub(r"^(\S+\s+)(\w+)", lambda m: m[1] + _named(m[2], own), text)
        text = re.sub(r"\$(&?)([A-Za-z_]\w*)", lambda m: f"${m[1]}{m[2] if m[1] else _named(m[2], own)}", text)
        lines += _marked(text, word, draws)
        lines += _unstepped(text, word, blocks)
    return lines, notes


def marked_commands(found: Sequence[Card]) -> list[str]:
    """Commands of control blocks as they are, with the same marks between them; what any other command prints is kept too."""
    draws = any(_DRAWS.search(card.text) for card in found)
    lines: list[str] = []
    blocks: list[str] = []
    for card in found:
        text, word = card.text, card.word
        if re.search(r"[<>|;`]", text) or word in _END | _UNMARKED:
            lines.append(text)
        elif word in _STEER | _COMPUTE | _SHOW | set(ANALYSES):
            lines += _marked(text, word, draws)
        else:
            lines += [f"echo {MARK}show {word}", text, f"echo {MARK}shown"]
        lines += _unstepped(text, word, blocks)
    return lines


def _unstepped(text: str, word: str, blocks: list[str]) -> list[str]:
    """A mark where a loop over values ends; ``blocks`` are the openings of those around it."""
    if word in ("foreach", "while", "dowhile", "repeat", "if"):
        blocks.append(text)
    elif word == "end" and blocks and (opened := blocks.pop().split())[0].lower() == "foreach" and len(opened) > 1:
        return [f"echo {MARK}unstep {opened[1].removeprefix('own_')}"]
    return []


def ending(commands: Sequence[str], saving: Sequence[str]) -> list[str]:
    """The commands with ``saving`` before each that ends ngspice, and a mark there."""
    out: list[str] = []
    for command in commands:
        ends = command.split(maxsplit=1)[:1] and command.split()[0].lower() in _END
        out += [*saving, f"echo {MARK}quit", command] if ends else [command]
    return out


def _variables(found: Sequence[Card]) -> set[str]:
    """Names that the block gives to variables and reads again."""
    text = "\n".join(card.text for card in found)
    read = {name.lower() for name in re.findall(r"\$([A-Za-z_]\w*)", text)}
    return (read | {name.lower() for name in re.findall(r"^foreach\s+(\w+)", text, re.MULTILINE | re.IGNORECASE)}) - _SHOWN


def _named(name: str, own: set[str]) -> str:
    return f"own_{name.lower()}" if name.lower() in own else name.lower()


def _assignments(text: str, word: str, own: set[str]) -> tuple[str, list[str]]:
    """A ``set`` with the block's names for its own variables, and the names that may not be set."""
    kept, left = [], []
    for name, value in re.findall(r"([\w.]+)(\s*=\s*(?:\([^()]*\)|\"[^\"]*\"|'[^']*'|[^\s()]+))?", text.partition(" ")[2]):
        if name.lower() in own and word in ("set", "unset"):
            kept.append(_named(name, own) + value)
        elif name.lower() in _SETTINGS:
            kept.append(name + value)
        elif not _OUTPUT_SETTINGS.fullmatch(name.lower()):
            left.append(name)
    return (f"{word} {' '.join(kept)}" if kept else ""), left


def _marked(text: str, word: str, draws: bool) -> list[str]:
    if word in ANALYSES or word == "run":
        return [f"echo {MARK}analysis {text}", text, f"echo {MARK}plot $curplot"]
    if word in _SHOW or word == "fourier":
        return [f"echo {MARK}show {text.replace('$', '')}", text, f"echo {MARK}shown"]
    if word in ("alter", "altermod", "alterparam"):
        rest = text.partition(" ")[2].strip()
        # Without a sign of equality the last word is the value.
        name, equals, value = rest.partition("=") if "=" in rest else rest.rpartition(" ")
        computed = equals and re.search(r"[a-z_]\w*|[-+*/]", value.strip().lstrip("+-"), re.IGNORECASE) and "[" not in value
        evaluated = []
        # A parameter's new value is not computed here, but when the deck is read again.
        if computed and "$" not in value and word != "alterparam":
            evaluated = [f"print {value.strip()}", f"echo {MARK}value"]
            if draws:
                # Computed a second time it would be another draw, and so would all that follow.
                evaluated = [f"let cosim_value = {value.strip()}", "print cosim_value", *evaluated[1:]]
                return [
                    f"echo {MARK}step {name} = {value}",
                    *evaluated,
                    f"{word} {name.strip()} = cosim_value",
                    "unlet cosim_value",
                ]
        return [f"echo {MARK}step {name} = {value}", *evaluated, text]
    if word == "foreach":
        name = text.split()[1]
        return [text, f"echo {MARK}step {name.removeprefix('own_')} = ${name}"]
    return [text]

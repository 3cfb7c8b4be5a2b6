"""Block files: a measured comparator or op-amp in one JSON file, as a macro-model with its figures and as its own transistors.

A file holds numbers, and a subcircuit whose text is checked as any stranger's is. The SPICE text of the macro-model is written from
the numbers here, never read. Every field has a checksum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from netlists.checks import Choice, Items, NonNegative, Positive, Seconds, Volts, check, checked, made_of
from netlists.errors import InputError
from netlists.files import read_json, with_checksums, without_checksums, write_json
from netlists.technology import TwoStageOpamp

from .ports import ROLES
from .subcircuit import UserSubcircuit

SCHEMA: Final = "nladc-cosim/block"
SCHEMA_VERSION: Final = 1
TRANSISTORS = "transistors"
"""What follows the file's name and a colon where the block itself is to be simulated, not its macro-model."""
_FAR = 100.0


@checked
@dataclass(frozen=True)
class ComparatorMacro:
    """Macro-model of a comparator: gain, one pole, soft limit, and an input offset that follows the common mode.

    Attributes
    ----------
    gain : float
        Small-signal gain of the input stage as its delays show it, V/V.
    tau : float
        Time constant, seconds.
    limit : float
        Output limit on both sides of analog ground, volts.
    common_modes, offsets : tuple of float
        Input offset (adds to inp) at common modes of the negative input, increasing, volts; outside the first and last counts.
    load : float
        Capacitor at its positive input that takes as much charge as the block while a ramp passes it, kickback included, farads.
    """

    gain: Positive
    tau: Seconds
    limit: Positive
    common_modes: Annotated[tuple[Volts, ...], Items(1)]
    offsets: Annotated[tuple[Volts, ...], Items(1)]
    load: NonNegative = 0.0

    def __post_init__(self) -> None:
        if len(self.common_modes) != len(self.offsets) or sorted(set(self.common_modes)) != list(self.common_modes):
            raise InputError("common_modes, offsets: must be as many, and the common modes increasing")

    def text(self, name: str) -> str:
        """The SPICE text of its subcircuit, ports ``inp inn out com``."""
        points = [(-_FAR, self.offsets[0]), *zip(self.common_modes, self.offsets, strict=True), (_FAR, self.offsets[-1])]
        table = ", ".join(f"{v!r}, {o!r}" for v, o in points)
        drive = f"{self.gain / self.limit!r}*(v(inp)-v(inn)+pwl(v(inn), {table}))"
        card = f"b1 com out i={self.limit!r}*tanh({drive})"
        load = f"c2 inp com {self.load!r}\n" if self.load else ""
        return f".subckt {name} inp inn out com\n{_continued(card)}\nr1 out com 1\nc1 out com {self.tau!r}\n{load}.ends {name}\n"


@checked
@dataclass(frozen=True)
class OpampMacro:
    """Macro-model of an op-amp: gain, one pole, slew limit and offset; SI units."""

    a0: Positive
    gbw: Positive
    slew: Positive
    offset: Volts = 0.0

    def text(self, name: str) -> str:
        """The SPICE text of its subcircuit, ports ``inp inn out com``."""
        gm = 6.283185307179586 * self.gbw * 1e-12
        limit = self.slew * 1e-12
        card = f"b1 com x i={limit!r}*tanh({gm / limit!r}*(v(inp)-v(inn)+{self.offset!r}))"
        return f".subckt {name} inp inn out com\n{card}\nr1 x com {self.a0 / gm!r}\nc1 x com 1p\ne1 out 0 x 0 1\n.ends {name}\n"


Macro = ComparatorMacro | OpampMacro | TwoStageOpamp


def _macro(role: str, fields: Mapping[str, Any]) -> Macro:
    """The macro-model of these numbers."""
    if role == "comparator":
        return made_of(ComparatorMacro, fields, "macro")
    return made_of(TwoStageOpamp, fields, "macro") if "gm2" in fields else made_of(OpampMacro, fields, "macro")


def _continued(card: str) -> str:
    """A card on lines that ngspice keeps, broken at blanks."""
    lines = [""]
    for word in card.split(" "):
        if len(lines[-1]) + len(word) > 100:
            lines.append("+")
        lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    return "\n".join(lines)


@checked
@dataclass(frozen=True)
class BlockFile:
    """What a block file holds.

    Attributes
    ----------
    role : {"comparator", "opamp"}
    own : UserSubcircuit
        The block itself, with ports, bias and models.
    macro : ComparatorMacro, OpampMacro or TwoStageOpamp
    statistics : mapping of str to float
        Sigmas in volts by their names in a variation, such as ``comparator_offset``.
    figures, conditions, checks, provenance : mapping
        What was measured, where, how far the macro-model is from the block, and with what.
    """

    role: Annotated[str, Choice(ROLES)]
    own: UserSubcircuit
    macro: Macro
    statistics: Mapping[str, NonNegative]
    figures: Mapping[str, Any]
    conditions: Mapping[str, Any]
    checks: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def block(self) -> UserSubcircuit:
        """The macro-model, with the statistics of the block."""
        name = f"{self.own.name}_macro"
        statistics = tuple(sorted(self.statistics.items()))
        text = self.macro.text(name)
        return UserSubcircuit(
            name,
            text,
            ("inp", "inn", "out", "com"),
            (),
            statistics=statistics,
            input_load=getattr(self.macro, "load", None) or None,
        )

    @property
    def transistors(self) -> UserSubcircuit:
        """The block itself, with its statistics."""
        fields = self.own.as_dict() | {"statistics": tuple(sorted(self.statistics.items()))}
        fields["input_load"] = getattr(self.macro, "load", None) or None
        return UserSubcircuit(**fields)

    def save(self, path: str | Path) -> Path:
        """Writes the file, complete or not at all."""
        data = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **_json(asdict(self)), "own": _json(self.own.as_dict())}
        return write_json(Path(path), with_checksums(data))

    @classmethod
    def load(cls, path: str | Path) -> BlockFile:
        """Reads a block file.

        Raises
        ------
        InputError
            Missing, of another kind or version, edited, or with a field that cannot be; names it.
        """
        where = f"{path}: is not a valid block"
        data = read_json(Path(path), "block file")
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = repr(data.get("schema")) if isinstance(data, dict) else type(data).__name__
            raise InputError(f"{where}; field schema: {found}, must be {SCHEMA!r}")
        if data.get("schema_version") != SCHEMA_VERSION:
            raise InputError(f"{where}; field schema_version: {data.get('schema_version')!r}, must be {SCHEMA_VERSION}")
        fields = without_checksums(data, where)
        try:
            role = check(Choice(ROLES), fields.get("role"), "role")
            macro = _macro(role, check(Mapping[str, Any], fields.get("macro"), "macro"))
            own = made_of(UserSubcircuit, check(Mapping[str, Any], fields.get("own"), "own"), "own")
            rest = {n: v for n, v in fields.items() if n not in ("schema", "schema_version", "role", "macro", "own")}
            return cls(role=role, own=own, macro=macro, **rest)
        except (InputError, TypeError) as e:
            raise InputError(f"{where}; {e}") from None


def is_block_file(path: str | Path) -> bool:
    """Whether a file says that it is a block file; what cannot be read is none."""
    try:
        data = read_json(path, "block file")
    except InputError:
        return False
    return isinstance(data, dict) and data.get("schema") == SCHEMA


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _json(v) for k, v in value.items()}
    return [_json(v) for v in value] if isinstance(value, list | tuple) else value


def load_block(where: str, role: str) -> UserSubcircuit:
    """The macro-model of ``FILE.json``, or of ``FILE.json:transistors`` the block itself.

    Raises
    ------
    InputError
        A file that cannot be used, or that holds a block for another place.
    """
    file, _, which = where.rpartition(":") if where.endswith(f":{TRANSISTORS}") else (where, "", "")
    found = BlockFile.load(file)
    if found.role != role:
        raise InputError(f"{role} {where!r}: the file holds the {found.role} {found.own.name}")
    return found.transistors if which else found.block

"""One object of a random graph as assembler text: what it defines, and what it looks up.

Assembler says what C cannot: which relocation a reference makes, several versions of one name, the
type, binding and visibility of each symbol. It is also assembled in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["AARCH64", "S390X", "X86_64", "Define", "Kind", "Machine", "Refer", "Way", "assembly"]


class Kind(Enum):
    """What a definition is."""

    FUNC = "function"
    DATA = "object"
    NOTYPE = "notype"
    IFUNC = "gnu_indirect_function"
    UNIQUE = "gnu_unique_object"
    TLS = "tls_object"
    ABSOLUTE = "absolute"
    ZERO = "zero"


class Way(Enum):
    """How a reference looks its symbol up."""

    CALL = "a PLT slot"
    GOT = "a GOT entry"
    WORD = "an absolute word"
    FIXED = "an address in code: a COPY, or a PLT slot that stands for the function"
    TLS = "initial-exec TLS"
    DYNAMIC_TLS = "general-dynamic TLS"


@dataclass(frozen=True)
class Define:
    """A symbol that an object defines.

    Attributes:
        name: the symbol.
        kind: type and section.
        version: the version node, or None.
        default: whether that version is the default one (``@@``).
        weak: ``STB_WEAK``.
        visibility: the directive, ``protected`` or ``hidden``; None for the default.
    """

    name: str
    kind: Kind = Kind.FUNC
    version: str | None = None
    default: bool = True
    weak: bool = False
    visibility: str | None = None


@dataclass(frozen=True)
class Refer:
    """A symbol that an object looks up; the version must be that of one linked with it."""

    name: str
    way: Way = Way.CALL
    version: str | None = None
    weak: bool = False


@dataclass(frozen=True)
class Machine:
    """How one machine says it.

    Attributes:
        name: of the compiler's triplet; "" for the tools without a prefix.
        interpreter: the loader's path.
        ways: assembler for each way to refer, ``{0}`` the symbol.
        resolver: the body of an IFUNC resolver, ``{0}`` the target.
        exit: a program that ends with status 0.
    """

    name: str
    interpreter: str
    ways: dict[Way, str]
    resolver: str
    exit: str
    target: str

    def __hash__(self) -> int:
        return hash(self.name)


X86_64 = Machine(
    "",
    "/lib64/ld-linux-x86-64.so.2",
    {
        Way.CALL: ".text; call {0}@PLT",
        Way.GOT: ".text; mov {0}@GOTPCREL(%rip), %rax",
        Way.WORD: ".data; .quad {0}",
        Way.FIXED: ".text; mov ${0}, %eax",
        Way.TLS: ".text; mov {0}@gottpoff(%rip), %rax",
        Way.DYNAMIC_TLS: ".text; lea {0}@tlsgd(%rip), %rdi",
    },
    "lea {0}(%rip), %rax; ret",
    "mov $60, %eax; xor %edi, %edi; syscall",
    "ret",
)
AARCH64 = Machine(
    "aarch64-linux-gnu",
    "/lib/ld-linux-aarch64.so.1",
    {
        Way.CALL: ".text; bl {0}",
        Way.GOT: ".text; adrp x0, :got:{0}; ldr x0, [x0, #:got_lo12:{0}]",
        Way.WORD: ".data; .xword {0}",
        Way.FIXED: ".text; adrp x0, {0}; add x0, x0, #:lo12:{0}",
        Way.TLS: ".text; adrp x0, :gottprel:{0}; ldr x0, [x0, #:gottprel_lo12:{0}]",
        Way.DYNAMIC_TLS: (
            ".text; adrp x0, :tlsdesc:{0}; ldr x1, [x0, #:tlsdesc_lo12:{0}];"
            "add x0, x0, :tlsdesc_lo12:{0}; .tlsdesccall {0}; blr x1"
        ),
    },
    "adr x0, {0}; ret",
    "mov x8, #93; mov x0, #0; svc #0",
    "ret",
)
S390X = Machine(
    "s390x-linux-gnu",
    "/lib/ld64.so.1",
    {
        Way.CALL: ".text; brasl %r14, {0}@PLT",
        Way.GOT: ".text; lgrl %r1, {0}@GOTENT",
        Way.WORD: ".data; .quad {0}",
        Way.FIXED: ".text; larl %r1, {0}",
        Way.TLS: ".text; larl %r1, {0}@INDNTPOFF",
        Way.DYNAMIC_TLS: ".data; .quad {0}@TLSGD",
    },
    "larl %r2, {0}; br %r14",
    "lghi %r1, 1; lghi %r2, 0; svc 1",
    "br %r14",
)


def assembly(
    machine: Machine, defined: Iterable[Define], referred: Iterable[Refer], *, program: bool = False
) -> str:
    """The whole source of one object.

    Args:
        machine: whose assembler.
        defined, referred: its symbols.
        program: whether it has an entry point, which ends the process at once.
    """
    defined = tuple(defined)
    lines = [".text", f"{_label('target')}: {machine.target}"]
    if program:
        lines += [".globl _start", f"_start: {machine.exit}"]
    for number, each in enumerate(defined):
        lines += _definition(machine, each, f"d{number}")
    plain = {each.name for each in defined if each.version is None}
    lines += _references(machine, referred, plain)
    return "\n".join((*lines, '.section .note.GNU-stack,"",%progbits', ""))


def _label(text: str) -> str:
    return f".L{text}"


def _definition(machine: Machine, it: Define, label: str) -> Iterator[str]:
    name = it.name if it.version is None else label
    yield f".weak {name}" if it.weak else f".globl {name}"
    if it.visibility is not None:
        yield f".{it.visibility} {name}"
    if it.version is not None:
        if it.default and it.kind is Kind.UNIQUE:  # which an alias would not be
            yield f".symver {name}, {it.name}@@@{it.version}"
        else:
            yield f".symver {name}, {it.name}@{'@' if it.default else ''}{it.version}, remove"
    if it.kind is Kind.ABSOLUTE or it.kind is Kind.ZERO:
        yield f"{name} = {0x1000 if it.kind is Kind.ABSOLUTE else 0}"
        return
    if it.kind is not Kind.NOTYPE:
        yield f".type {name}, %{it.kind.value}"
    if it.kind is Kind.TLS:
        yield '.section .tdata,"awT",%progbits'
    else:
        yield ".text" if it.kind in (Kind.FUNC, Kind.IFUNC) else ".data"
    if it.kind in (Kind.FUNC, Kind.IFUNC):
        code = machine.resolver if it.kind is Kind.IFUNC else machine.target
        yield f"{name}: {code.format(_label('target'))}"
    else:
        yield ".balign 8"
        yield f"{name}: .8byte 1"
    yield f".size {name}, .-{name}"


def _references(machine: Machine, referred: Iterable[Refer], plain: set[str]) -> Iterator[str]:
    """The code of each; a weak one only where the object does not define the plain name itself."""
    for number, it in enumerate(referred):
        name = it.name
        if it.version is not None:
            name = f"r{number}"
            yield f".symver {name}, {it.name}@{it.version}"
        if it.weak and name not in plain:
            yield f".weak {name}"
        if it.way in (Way.TLS, Way.DYNAMIC_TLS):
            yield f".type {name}, %tls_object"
        yield machine.ways[it.way].format(name)

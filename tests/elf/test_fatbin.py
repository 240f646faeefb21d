"""Device code, written as the specification of the bundles says, in files that gcc links."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.elf.fatbin import DeviceCode, GpuTargets, gpu_targets
from elfaudit.stream import FileStream

_HIP = "hipv4-amdgcn-amd-amdhsa--"


def bundle(*targets: str, payload: bytes = b"code") -> bytes:
    """A bundle: its magic, its table, and a piece of code for each target."""
    names = [f"{_HIP}{target}".encode() for target in targets] + [b"host-x86_64-unknown-linux--"]
    table = 32 + sum(24 + len(name) for name in names)
    rows = b"".join(
        struct.pack("<QQQ", table + number * len(payload), len(payload), len(name)) + name
        for number, name in enumerate(names)
    )
    head = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(names))
    return head + rows + payload * len(names)


def compressed(data: bytes, version: int, method: int = 0) -> bytes:
    """A compressed bundle (CCOB) of one of its three versions."""
    if method == 1:
        zstandard = pytest.importorskip("zstandard")
        body = zstandard.ZstdCompressor().compress(data)
    else:
        body = zlib.compress(data)
    sizes = {1: "<I", 2: "<II", 3: "<QQ"}[version]
    start = 8 + struct.calcsize(sizes) + 8
    values = (len(data),) if version == 1 else (start + len(body), len(data))
    head = b"CCOB" + struct.pack("<HH", version, method) + struct.pack(sizes, *values)
    return bytes(head + b"\0" * 8 + body)


def container(*images: tuple[int, int]) -> bytes:
    """A container of CUDA with images of (kind, number of the architecture)."""
    body = b"".join(
        struct.pack("<HHIQIIHHI", kind, 0x101, 64, 16, 0, 0, 0, 0, number).ljust(64, b"\0")
        + b"\0" * 16
        for kind, number in images
    )
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Links a library with the bytes of a section, by name."""

    def linked(strip: bool = False, **sections: bytes) -> Path:
        source = []
        for name, data in sections.items():
            (tmp_path / name).write_bytes(data)
            source.append(
                f'.section .{name},"a",@progbits\n.p2align 12\n.incbin "{tmp_path / name}"\n'
            )
        (tmp_path / "a.s").write_text("".join(source) + '.section .note.GNU-stack,"",@progbits\n')
        target = tmp_path / "lib.so"
        subprocess.run(["gcc", "-shared", "-o", target, tmp_path / "a.s"], check=True)
        return target

    return linked


def read(path: Path) -> GpuTargets:
    return gpu_targets(FileStream(str(path)), "lib.so")


def padded(*parts: bytes) -> bytes:
    return b"".join(part.ljust(-(-len(part) // 4096) * 4096, b"\0") for part in parts)


@pytest.mark.parametrize(("identity", "target"), [
    ("hipv4-amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-", "gfx90a:sramecc+:xnack-"),
    ("hip-amdgcn-amd-amdhsa--gfx906", "gfx906"), ("hip-amdgcn-amd-amdhsa-gfx906", "gfx906"),
    ("hipv4-amdgcn-amd-amdhsa-unknown-gfx90a:xnack-", "gfx90a:xnack-"),
    ("hipv4-amdgcn-amd-amdhsa-unknown-gfx11-generic", "gfx11-generic"),
    ("hipv4-amdgcn-amd-amdhsa--gfx9-4-generic:xnack+", "gfx9-4-generic:xnack+"),
    ("hip-spirv64-amd-amdhsa--amdgcnspirv", "amdgcnspirv"), ("hip", None), ("", None),
])  # fmt: skip
def test_what_follows_the_triple(build: Build, identity: str, target: str | None) -> None:
    """As ``ClangOffloadBundler.rst`` describes a bundle entry ID."""
    name = identity.encode()
    data = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<QQQQ", 1, 0, 0, len(name)) + name
    assert read(build(hip_fatbin=data)).hip == (() if target is None else (target,))


def test_a_bundle_behind_padding_of_any_length(build: Build) -> None:
    data = bundle("gfx900") + b"\0" * 100 + bundle("gfx1151")
    data += b"\0" * 4 + compressed(bundle("gfx942"), 2)
    assert read(build(hip_fatbin=data)).hip == ("gfx1151", "gfx900", "gfx942")


def test_bundles_one_behind_the_other(build: Build) -> None:
    data = padded(bundle("gfx1151", "gfx90a:xnack-"), bundle("gfx1030", payload=b"x" * 9000))
    found = read(build(hip_fatbin=data))
    assert found.hip == ("gfx1030", "gfx1151", "gfx90a:xnack-")
    assert (found.cuda, found.unknown, found.bundles) == ((), (), 2)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("method", [0, 1])
def test_compressed_bundles(build: Build, version: int, method: int) -> None:
    first = compressed(bundle("gfx942", payload=b"y" * 50_000), version, method)
    found = read(build(hip_fatbin=padded(first, compressed(bundle("gfx1100"), version, method))))
    assert found.hip == ("gfx1100", "gfx942")
    assert found.unknown == ()


def test_a_bundle_compressed_with_zstd_is_unknown_without_it(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build(hip_fatbin=compressed(bundle("gfx942"), 2, 1))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    found = read(path)
    assert found.hip == ()
    assert "pip install 'elfaudit[gpu]'" in found.unknown[0]


def test_containers_of_cuda(build: Build) -> None:
    data = container((2, 80), (2, 90), (1, 90)) + container((2, 120))
    found = read(build(nv_fatbin=data))
    assert found.cuda == ("compute_90", "sm_120", "sm_80", "sm_90")
    assert (found.unknown, found.bundles) == ((), 2)


@pytest.mark.parametrize("data", [
    b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", 1 << 60),
    b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<QQQQ", 1, 1 << 63, 1 << 63, 4) + b"host",
    b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<QQQQ", 1, 0, 0, 1 << 62),
    b"__CLANG_OFFLOAD_BUNDLE__",
    b"CCOB" + struct.pack("<HHII", 2, 0, 1 << 31, 5) + b"\0" * 40,
    b"CCOB" + struct.pack("<HHII", 2, 0, 40, 5) + b"\0" * 40,
    b"CCOB" + struct.pack("<HHII", 2, 7, 40, 5) + b"\0" * 40,
    b"CCOB" + struct.pack("<HHII", 9, 0, 40, 5) + b"\0" * 40,
    compressed(b"something else", 2),
    compressed(bundle("gfx1")[:60], 2),
    compressed(bundle("gfx1"), 3)[:-9],
])  # fmt: skip
def test_damaged_bundles_are_unknown(build: Build, data: bytes) -> None:
    found = read(build(hip_fatbin=data))
    assert found.unknown


def test_a_bundle_behind_a_damaged_one_is_found(build: Build) -> None:
    bad = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", 1 << 60)
    found = read(build(hip_fatbin=padded(bad, bundle("gfx1151"))))
    assert found.hip == ("gfx1151",)
    assert found.unknown


def test_a_bomb_is_not_unpacked(build: Build) -> None:
    path = build(hip_fatbin=compressed(bundle("gfx1", payload=b"\0" * (64 << 20)), 3))
    tracemalloc.start()
    found = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.hip == ("gfx1",)
    assert peak < 4 << 20


@pytest.mark.parametrize("data", [
    b"\1" * 64, struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 1 << 60), container((2, 80))[:-20],
    struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 64) + b"\0" * 64, container((9, 80)),
    struct.pack("<IHHQ", 0xBA55ED50, 1, 0, 0) + b"\0" * 64,
])  # fmt: skip
def test_damaged_containers_are_unknown(build: Build, data: bytes) -> None:
    assert read(build(nv_fatbin=data)).unknown


def test_every_cut_ends_in_facts_or_one_sentence(build: Build) -> None:
    from elfaudit import ElfAuditError

    whole = build(hip_fatbin=bundle("gfx1151")).read_bytes()
    cut = build(hip_fatbin=b"").with_name("cut.so")
    for size in range(0, len(whole), 97):
        cut.write_bytes(whole[:size])
        told = ""
        try:
            read(cut)
        except ElfAuditError as error:
            told = str(error)
        assert not told or told.startswith("lib.so")


def streamed(path: Path, piece: int) -> GpuTargets:
    """The same, from the bytes in their order and nothing else of the file."""
    from elfaudit.elf.header import read_header
    from elfaudit.elf.reader import Reader
    from elfaudit.elf.sections import find_sections

    data = path.read_bytes()
    code = DeviceCode(len(data))
    for at in range(0, len(data), piece):
        code.feed(at, data[at : at + piece])
    code.end()
    reader = Reader(FileStream(str(path)), "lib.so")
    return code.targets("lib.so", find_sections(reader, read_header(reader)))


@pytest.mark.parametrize("piece", [7, 4096, 65_537, 1 << 30])
@pytest.mark.parametrize("data", [
    padded(bundle("gfx1151", "gfx90a:xnack-"), bundle("gfx1030", payload=b"x" * 9000)),
    bundle("gfx1151", payload=b"0123456") + bundle("gfx1030"),
    padded(*(compressed(bundle(f"gfx{n}", payload=b"z" * 9000), n % 3 + 1) for n in range(20))),
    padded(b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", 1 << 60), bundle("gfx1151")),
    b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<QQQQ", 3, 0, 0, 1 << 60) + bundle("gfx1151"),
    b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", 2) + bundle("gfx1151") + bundle("gfx942"),
])  # fmt: skip
def test_bytes_that_come_in_order_tell_the_same(build: Build, data: bytes, piece: int) -> None:
    path = build(hip_fatbin=data, nv_fatbin=container((2, 80), (1, 90)) + container((2, 120)))
    assert streamed(path, piece) == read(path)


def test_a_file_without_section_headers_tells_the_same(build: Build) -> None:
    path = build(
        hip_fatbin=padded(bundle("gfx1151"), compressed(bundle("gfx942"), 2)),
        nv_fatbin=container((2, 90)),
    )
    whole = read(path)
    stripped = bytearray(path.read_bytes())
    stripped[0x28:0x30], stripped[0x3C:0x40] = bytes(8), bytes(4)  # e_shoff; e_shnum, e_shstrndx
    path.write_bytes(stripped)
    assert read(path) == whole
    assert whole.hip == ("gfx1151", "gfx942")


def test_a_bomb_of_zstd_is_not_unpacked(build: Build) -> None:
    """A frame of a few kilobytes that would be 4 GB."""
    zstandard = pytest.importorskip("zstandard")
    head = bundle("gfx1")
    blocks = [len(head) << 3, (1 << 17) << 3 | 1 << 1]  # raw, then of one byte, repeated
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, 0x58])  # no size, a window of 2 MB
    frame += blocks[0].to_bytes(3, "little") + head
    frame += (blocks[1].to_bytes(3, "little") + b"\0") * (4 << 30 >> 17)
    assert zstandard.ZstdDecompressor().stream_reader(frame).read(9) == head[:9]
    body = struct.pack("<HHII", 2, 1, 24 + len(frame), 0) + bytes(8) + frame
    tracemalloc.start()
    found = read(build(hip_fatbin=b"CCOB" + body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.hip == ("gfx1",)
    assert peak < 40 << 20


def test_a_magic_in_another_section_is_no_device_code(build: Build) -> None:
    assert read(build(other=bundle("gfx1"), nv_fatbin=b"")).bundles == 0
    assert streamed(build(other=bundle("gfx1"), nv_fatbin=b""), 4096).bundles == 0


# What nvcc 13.0 writes for -gencode arch=compute_X,code=CODE: kind, number and flags of the image.
_NVCC = [
    ("sm_75", 2, 75, 0x11), ("sm_90", 2, 90, 0x11), ("sm_90a", 2, 90, 0x100011),
    ("sm_100", 2, 100, 0x1000011), ("sm_100a", 2, 100, 0x1100011), ("sm_100f", 2, 100, 0x1200011),
    ("sm_120f", 2, 120, 0x1200011), ("compute_90", 1, 90, 0x8011),
    ("compute_90a", 1, 90, 0x108011), ("compute_103f", 1, 103, 0x208011),
    ("lto_80", 8, 80, 0x18011), ("lto_90a", 8, 90, 0x118011), ("lto_100f", 8, 100, 0x218011),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "number", "flags"), _NVCC)
def test_variants_of_an_architecture(
    build: Build, code: str, kind: int, number: int, flags: int
) -> None:
    image = struct.pack("<HHIQIIHHIIIQ", kind, 0x101, 64, 16, 0, 0, 8, 1, number, 0, 0, flags)
    body = image.ljust(64, b"\0") + bytes(16)
    data = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body
    assert read(build(nv_fatbin=data)).cuda == (code,)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_what_nvcc_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "k.cu").write_text("__global__ void k(float *p) { p[0] = 1; }\n")
    wanted = ("sm_80", "compute_80", "sm_90a", "compute_90a", "sm_100f", "sm_120")
    options = [f"-gencode=arch=compute_{code.partition('_')[2]},code={code}" for code in wanted]
    target = tmp_path / "k.so"
    command = ["nvcc", "-shared", "-Xcompiler=-fPIC", *options]
    command += ["-o", str(target), str(tmp_path / "k.cu")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this nvcc does not know all of these")
    found = read(target)
    assert found.cuda == tuple(sorted(wanted))
    assert found.unknown == ()
    assert streamed(target, 10_000) == found

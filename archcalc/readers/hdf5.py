"""HDF5 files: text attributes, the names in groups and the shapes of datasets, read within fixed limits.

HDF5's own library is not used: it cannot say how long an attribute is before it reads it, and a damaged
file may end the process. Values of datasets are never read. Source: HDF5 File Format Specification 3.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

MAX_READ = 64 * 1024 * 1024  # bytes that one file may cost
MAX_MESSAGES = 10_000  # of one object
MAX_OBJECTS = 50_000
MAX_READS = 1_000_000
MAX_NAME = 1_024
MAX_RANK = 32
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NONE = 2**64 - 1  # an address that is not defined

# types of messages in an object's header
_DATASPACE, _LINK_INFO, _LINK, _LAYOUT, _ATTRIBUTE, _CONTINUATION, _SYMBOLS, _ATTRIBUTES = (
    *(0x01, 0x02, 0x06, 0x08, 0x0C, 0x10, 0x11, 0x15),
)


class HDF5Error(ValueError):
    """The bytes are no HDF5 file, a damaged one, or one of a form that is not read."""


class Message(NamedTuple):
    """One message of an object's header."""

    kind: int
    data: bytes
    shared: bool


class File:
    """An HDF5 file of `size` bytes from `offset` on in an open file."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._size = size
        self._left, self._reads = MAX_READ, MAX_READS
        self._objects = 0
        self._root = self._superblock()

    @property
    def root(self) -> Node:
        """The group that holds everything."""
        return self.node(self._root)

    def node(self, address: int) -> Node:
        """The group or dataset at an address."""
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise HDF5Error(f"more than {MAX_OBJECTS:,} objects")
        return Node(self, tuple(self._messages(address)))

    def read(self, address: int, count: int) -> bytes:
        """Bytes at an address; raises `HDF5Error` outside the file and beyond the limit."""
        if not 0 <= count <= self._size or not 0 <= address <= self._size - count:
            raise HDF5Error("points outside the file")
        self._left -= count
        self._reads -= 1
        if self._left < 0 or self._reads < 0:
            raise HDF5Error(f"more than {MAX_READ:,} bytes, or {MAX_READS:,} parts, to be read")
        self._file.seek(self._offset + address)
        data = self._file.read(count)
        if len(data) != count:
            raise HDF5Error("ends too early")
        return data

    def unpack(self, form: str, address: int) -> tuple[Any, ...]:
        """Little-endian numbers at an address."""
        return struct.unpack(f"<{form}", self.read(address, struct.calcsize(f"<{form}")))

    def _superblock(self) -> int:
        """The address of the root group."""
        if self.read(0, 8) != SIGNATURE:
            raise HDF5Error("does not begin as an HDF5 file")
        (version,) = self.unpack("B", 8)
        if version in (0, 1):
            widths = self.unpack("BB", 13)
            after = 24 if version == 0 else 28
            base, root = self.unpack("Q", after)[0], self.unpack("Q", after + 40)[0]
        elif version in (2, 3):
            widths = self.unpack("BB", 9)
            base, root = self.unpack("Q", 12)[0], self.unpack("Q", 36)[0]
        else:
            raise HDF5Error(f"has a superblock of version {version}")
        if widths != (8, 8) or base != 0:
            raise HDF5Error("has addresses that are not of 64 bits from its beginning")
        return int(root)

    def _messages(self, address: int) -> Iterator[Message]:
        """The messages of an object's header, with those of its continuations."""
        modern = self.read(address, 4) == b"OHDR"
        blocks = [self._second_header(address) if modern else self._first_header(address)]
        ordered = modern and bool(self.unpack("B", address + 5)[0] & 4)
        seen: set[int] = set()
        count = 0
        while blocks:
            start, length = blocks.pop()
            if start in seen:
                raise HDF5Error("a header that continues in itself")
            seen.add(start)
            for message in _split(self.read(start, length), modern=modern, ordered=ordered):
                count += 1
                if count > MAX_MESSAGES:
                    raise HDF5Error(f"more than {MAX_MESSAGES:,} messages in a header")
                if message.kind != _CONTINUATION:
                    yield message
                    continue
                at, size = _unpack("QQ", message.data, 0)
                blocks.append((at + 4, size - 8) if modern else (at, size))

    def _first_header(self, address: int) -> tuple[int, int]:
        version, _, _, _, length = self.unpack("BBHII", address)
        if version != 1:
            raise HDF5Error(f"an object header of version {version}")
        return address + 16, length

    def _second_header(self, address: int) -> tuple[int, int]:
        version, flags = self.unpack("BB", address + 4)
        if version != 2:
            raise HDF5Error(f"an object header of version {version}")
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        form = "BHIQ"[flags & 3]
        (length,) = self.unpack(form, at)
        return at + struct.calcsize(f"<{form}"), length


class Node:
    """A group or a dataset."""

    def __init__(self, file: File, messages: tuple[Message, ...]) -> None:
        self._file = file
        self._of = messages

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of a dataset; None for a group."""
        if not any(m.kind == _LAYOUT for m in self._of):
            return None
        spaces = [m.data for m in self._of if m.kind == _DATASPACE and not m.shared]
        if len(spaces) != 1:
            raise HDF5Error("a dataset without a shape")
        return _dimensions(spaces[0])

    def children(self) -> Iterator[tuple[str, int]]:
        """The names and addresses of what a group holds; raises `HDF5Error` for links to other files."""
        for message in self._of:
            if message.kind == _SYMBOLS:
                yield from self._symbols(*_unpack("QQ", message.data, 0))
            elif message.kind == _LINK:
                yield _link(message.data)
            elif message.kind == _LINK_INFO:
                at = 2 + (8 if message.data[1:2] and message.data[1] & 1 else 0)
                if _unpack("Q", message.data, at)[0] != _NONE:
                    raise HDF5Error("groups in a form that Keras does not write")

    def attributes(self) -> Iterator[tuple[str, str | None]]:
        """The names and texts of the attributes; None for those that are no single text."""
        for message in self._of:
            if message.kind == _ATTRIBUTE and not message.shared:
                yield self._attribute(message.data)
            elif message.kind == _ATTRIBUTES:
                at = 2 + (2 if message.data[1:2] and message.data[1] & 1 else 0)
                if _unpack("Q", message.data, at)[0] != _NONE:
                    raise HDF5Error("attributes in a form that Keras does not write")

    def _symbols(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        names = self._heap(heap)
        waiting, seen = [tree], {tree}
        while waiting:
            address = waiting.pop()
            if self._file.read(address, 4) == b"TREE":
                kind, _, used, _, _ = self._file.unpack("BBHQQ", address + 4)
                if kind != 0:
                    raise HDF5Error("a group that is indexed like a dataset")
                numbers = self._file.unpack(f"{2 * used + 1}Q", address + 24)
                for child in numbers[1::2]:
                    if child in seen:
                        raise HDF5Error("a group whose index holds itself")
                    seen.add(child)
                    waiting.append(child)
                if len(seen) > MAX_OBJECTS:
                    raise HDF5Error(f"more than {MAX_OBJECTS:,} parts of an index")
                continue
            if self._file.read(address, 4) != b"SNOD":
                raise HDF5Error("a group without its index")
            (count,) = self._file.unpack("H", address + 6)
            table = self._file.read(address + 8, 40 * count)
            for i in range(count):
                at, header, cached = _unpack("QQI", table, 40 * i)
                if cached == 2:
                    raise HDF5Error("a symbolic link")
                end = names.find(b"\x00", at, at + MAX_NAME + 1)
                if at > len(names) or end < 0:
                    raise HDF5Error("a name outside its heap")
                yield _text(names[at:end]), header

    def _heap(self, address: int) -> bytes:
        signature, _, size, _, at = self._file.unpack("4sIQQQ", address)
        if signature != b"HEAP":
            raise HDF5Error("a group without its names")
        return self._file.read(at, size)

    def _attribute(self, data: bytes) -> tuple[str, str | None]:
        version, _, name_size, type_size, space_size = _unpack("BBHHH", data, 0)
        if version not in (1, 2, 3):
            raise HDF5Error(f"an attribute of version {version}")
        at = 9 if version == 3 else 8
        parts = []
        for size in (name_size, type_size, space_size):
            parts.append(data[at : at + size])
            at += (size + 7) // 8 * 8 if version == 1 else size
        name, kind, space = parts
        return _text(name.split(b"\x00")[0]), self._value(kind, space, data[at:])

    def _value(self, kind: bytes, space: bytes, value: bytes) -> str | None:
        first, flags, _, _, size = _unpack("BBBBI", kind, 0)
        if _dimensions(space) != ():
            return None
        if first & 15 == 3:  # a string of fixed size
            return _text(value[:size].rstrip(b"\x00 "))
        if first & 15 != 9 or flags & 15 != 1:
            return None
        length, address, index = _unpack("IQI", value, 0)
        return _text(self._collected(address, index, length))

    def _collected(self, address: int, index: int, length: int) -> bytes:
        """An object of a global heap, which holds texts of any length."""
        signature, _, size = self._file.unpack("4sIQ", address)
        if signature != b"GCOL":
            raise HDF5Error("a text without its heap")
        at = address + 16
        for _ in range(MAX_MESSAGES):
            if at + 16 > address + size:
                break
            number, _, _, held = self._file.unpack("HHIQ", at)
            if number == index and index:
                if length > held:
                    break
                return self._file.read(at + 16, length)
            if not number:
                break
            at += 16 + (held + 7) // 8 * 8
        raise HDF5Error("a text that its heap does not hold")


def _unpack(form: str, data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(f"<{form}", data, at)
    except struct.error:
        raise HDF5Error("a part that ends too early") from None


def _split(block: bytes, *, modern: bool, ordered: bool) -> Iterator[Message]:
    """The messages in a block of a header; `ordered`: each has the number of its creation."""
    at, head = 0, 4 + 2 * ordered if modern else 8
    while at + head <= len(block):
        kind, size, flags = struct.unpack_from("<BHB" if modern else "<HHB", block, at)
        at += head
        if at + size > len(block):
            raise HDF5Error("a message that ends outside its header")
        yield Message(kind, block[at : at + size], bool(flags & 2))
        at += size


def _link(data: bytes) -> tuple[str, int]:
    version, flags = _unpack("BB", data, 0)
    at = 2
    if version != 1 or (flags & 8 and _unpack("B", data, at)[0] != 0):
        raise HDF5Error("a link to another place")
    at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    form = "BHIQ"[flags & 3]
    (length,) = _unpack(form, data, at)
    at += struct.calcsize(f"<{form}")
    return _text(data[at : at + length]), _unpack("Q", data, at + length)[0]


def _dimensions(space: bytes) -> tuple[int, ...]:
    version, rank, _, kind = _unpack("BBBB", space, 0)
    if version not in (1, 2) or rank > MAX_RANK or (version == 2 and kind == 2):
        raise HDF5Error("a shape of a form that Keras does not write")
    return _unpack(f"{rank}Q", space, 8 if version == 1 else 4)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise HDF5Error("a text that is not UTF-8") from None

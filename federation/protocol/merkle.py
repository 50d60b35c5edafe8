"""Merkle trees in the shape of RFC 6962 (2.1), over leaves that are hashes already.

A leaf is hashed with 0x00 in front (by whoever makes it), a node with 0x01, so that a node never
passes for a leaf. The proof for one of 64 leaves has 6 hashes.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _level_up(level: Sequence[bytes]) -> list[bytes]:
    """Pair the hashes of one level; an odd one at the end rises as it is."""
    paired = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*paired, level[-1]] if len(level) % 2 else paired


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over at least one leaf."""
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        level = _level_up(level)
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes that lead from the leaf at `index` to the root, lowest first."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    path = []
    level = list(leaves)
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        level = _level_up(level)
        index //= 2
    return tuple(path)


def proofs(leaves: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Return the root over at least one leaf, and the proof of each: every hash is taken once."""
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        levels.append(_level_up(levels[-1]))
    paths = [
        tuple(
            level[sibling]
            for depth, level in enumerate(levels[:-1])
            if (sibling := (index >> depth) ^ 1) < len(level)
        )
        for index in range(len(leaves))
    ]
    return levels[-1][0], paths


def root_from_proof(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that the path leads to, or None where it does not fit a tree of `size`."""
    if not 0 <= index < size or any(len(each) != HASH_SIZE for each in path):
        return None
    hashes = iter(path)
    current = leaf
    while size > 1:
        if (index ^ 1) < size:
            sibling = next(hashes, None)
            if sibling is None:
                return None
            current = _node(sibling, current) if index % 2 else _node(current, sibling)
        index //= 2
        size = (size + 1) // 2
    return current if next(hashes, None) is None else None


def verify(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `leaf` stands at `index` of the tree of `size` leaves that has this root."""
    return root_from_proof(leaf, index=index, size=size, path=path) == root

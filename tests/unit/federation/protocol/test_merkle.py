from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.protocol import merkle

LEAVES = st.integers(1, 130).map(
    lambda count: [sha256(b"\0" + number.to_bytes(2)).digest() for number in range(count)]
)


def _recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word: split at the largest power of two below the count."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(
        b"\1" + _recursive_root(leaves[:split]) + _recursive_root(leaves[split:])
    ).digest()


@given(leaves=LEAVES)
def test_the_tree_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == _recursive_root(leaves)


def test_rfc_6962_known_answer() -> None:
    """The eight inputs that certificate transparency's own test vectors use."""
    inputs = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ]
    leaves = [sha256(b"\0" + each).digest() for each in inputs]
    assert merkle.root(leaves).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@given(leaves=LEAVES, data=st.data())
def test_every_leaf_is_provable_at_its_place_only(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = (
        data.draw(st.integers(0, len(leaves) - 1).filter(lambda at: at != index))
        if (len(leaves) > 1)
        else -1
    )
    path, root, size = merkle.proof(leaves, index), merkle.root(leaves), len(leaves)
    assert len(path) <= 8
    assert merkle.verify(leaves[index], index=index, size=size, path=path, root=root)
    assert not merkle.verify(leaves[index], index=other, size=size, path=path, root=root)
    assert not merkle.verify(leaves[other] if other >= 0 else b"x" * 32, index=index, size=size,
                             path=path, root=root)  # fmt: skip
    assert not merkle.verify(leaves[index], index=index, size=size, path=(*path, root), root=root)
    if path:
        assert not merkle.verify(leaves[index], index=index, size=size, path=path[:-1], root=root)
        assert not merkle.verify(leaves[index], index=index, size=size, path=(b"",), root=root)


def test_an_empty_tree_has_no_root() -> None:
    with pytest.raises(ValueError, match="at least one"):
        merkle.root([])
    with pytest.raises(IndexError):
        merkle.proof([bytes(32)], 1)


@given(leaves=LEAVES)
def test_all_proofs_at_once_are_those_of_each(leaves: list[bytes]) -> None:
    root, paths = merkle.proofs(leaves)
    assert root == merkle.root(leaves)
    assert paths == [merkle.proof(leaves, index) for index in range(len(leaves))]


def test_there_is_no_proof_without_a_leaf() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.proofs([])

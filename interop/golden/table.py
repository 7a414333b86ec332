"""A reader and a writer of TensorFlow's table files (the .index).

TensorFlow writes neither big-endian bundles nor Snappy blocks on the machines
we have, though it reads both. The files of those two kinds are made here from
bundles that TensorFlow wrote, and TensorFlow is then asked to read them.
"""

import struct

MAGIC = bytes.fromhex("57fb808b247547db")
RAW, SNAPPY = 0, 1

_CRC = []
for _i in range(256):
    for _ in range(8):
        _i = (_i >> 1) ^ (0x82F63B78 if _i & 1 else 0)
    _CRC.append(_i)


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for b in data:
        crc = _CRC[(crc ^ b) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def mask(crc):
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        b = data[at]
        at += 1
        value |= (b & 127) << shift
        shift += 7
        if b < 128:
            return value, at


def _entries(block):
    count = struct.unpack("<I", block[-4:])[0]
    at, end, key = 0, len(block) - 4 - 4 * count, b""
    while at < end:
        shared, at = read_varint(block, at)
        unshared, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length


def read(path):
    """The (key, value) pairs of a table without Snappy blocks, and how many data blocks it has."""
    with open(path, "rb") as f:
        data = f.read()
    assert data.endswith(MAGIC), path
    footer = data[-48:]
    at = 0
    for _ in range(2):  # the metaindex handle
        _, at = read_varint(footer, at)
    offset, at = read_varint(footer, at)
    size, at = read_varint(footer, at)
    pairs, blocks = [], 0
    for _, handle in _entries(data[offset : offset + size]):
        offset, at = read_varint(handle, 0)
        size, at = read_varint(handle, at)
        assert data[offset + size] == RAW, path
        pairs += _entries(data[offset : offset + size])
        blocks += 1
    return pairs, blocks


def _block(pairs, interval):
    out, restarts, last = bytearray(), [], b""
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    return bytes(out) + struct.pack(f"<{len(restarts)}II", *restarts, len(restarts))


def snappy(raw, copies=True):
    """A Snappy stream of literals, and of one copy element for runs of zero bytes."""
    out, at = bytearray(varint(len(raw))), 0

    def literal(part):
        n = len(part) - 1
        if n < 60:
            out.append(n << 2)
        else:
            out.extend([61 << 2, n & 255, n >> 8])
        out.extend(part)

    while at < len(raw):
        end = min(len(raw), at + 60000)
        run = raw.find(b"\0" * 9, at, end) if copies else -1
        if run >= 0:
            end = run + 1
        literal(raw[at:end])
        at = end
        if run >= 0:
            n = 8  # a copy of eight bytes from one byte back
            out.extend([(n - 4) << 2 | 1, 1])
            at += n
    return bytes(out)


def write(path, pairs, compress=False):
    """Writes a table of one data block, optionally with that block in Snappy."""
    out = bytearray()

    def emit(block, kind):
        stored = snappy(block) if kind == SNAPPY else block
        handle = varint(len(out)) + varint(len(stored))
        crc = mask(crc32c(bytes([kind]), crc32c(stored)))
        out.extend(stored + bytes([kind]) + struct.pack("<I", crc))
        return handle

    data = emit(_block(pairs, 16), SNAPPY if compress else RAW)
    meta = emit(_block([], 16), RAW)
    last = pairs[-1][0]
    successor = bytes([last[0] + 1])  # no key here begins with ff
    index = emit(_block([(successor, data)], 1), RAW)
    out.extend((meta + index).ljust(40, b"\0") + MAGIC)
    with open(path, "wb") as f:
        f.write(out)

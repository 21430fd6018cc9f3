"""Reads all of a repository with docs/reader, once as it is and then with one object changed in each of several ways.

    docs-reader-damage.py READER REPOSITORY CHANGES [RECOVERY_KEY]

Prints JSON: by area how many changes were errors and how many changed nothing, and those after which something else was read."""
import hashlib, json, os, sys

sys.path.insert(0, sys.argv[1])
import holdfast_read as reader

place, changes = sys.argv[2], int(sys.argv[3])
secret = ('raw', reader.recovery_key(sys.argv[4])) if len(sys.argv) > 4 else None
changed = {}


class Damaged(reader.Repository):
    def get(self, key, offset=0, count=65 * reader.MIB):
        data = changed[key] if key in changed else super().get(key)
        return data[offset:offset + count]


def read_all():
    repository, digest = Damaged(place, secret), hashlib.sha256()
    repository.read_index()
    for key in repository.list('snapshots', '.*'):
        snapshot = repository.snapshot(key)
        for source in snapshot['sources'] if snapshot else ():
            for each in repository.walk(source):
                digest.update(repr(each).encode())
                for piece in repository.pieces(each['references'], each['level']): digest.update(repr(piece).encode())
    return digest.hexdigest()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]


def ways(data):
    yield from (flipped(data, len(data) * i // changes) for i in range(changes))
    yield flipped(data, len(data) - 1)
    yield data[:-1]
    yield data[:len(data) // 2]
    yield b''
    yield bytes(len(data))


right, counts, wrong = read_all(), {}, []
for folder, _, names in sorted(os.walk(place)):
    for name in sorted(names):
        key = os.path.relpath(os.path.join(folder, name), place)
        with open(os.path.join(folder, name), 'rb') as file: data = file.read()
        count = counts.setdefault(key.split('/')[0], {'errors': 0, 'same': 0})
        for i, way in enumerate(ways(data)):
            changed = {key: way}
            try: read = read_all()
            except (reader.Damaged, reader.KeyTrouble, reader.Unsupported, *reader.FAULTS): count['errors'] += 1
            else:
                count['same'] += read == right
                if read != right: wrong.append(f'{key}, change {i}')
print(json.dumps({'counts': counts, 'wrong': wrong}))

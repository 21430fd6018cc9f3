"""Reads all of a repository with docs/reader, once as it is and then with one object changed in each of several ways. Before that,
the index is made from packs alone, and must be the same; and each key slot must be the one that the newest config names.

    docs-reader-damage.py READER REPOSITORY CHANGES [RECOVERY_KEY]

Prints JSON: by area how many changes were errors and how many changed nothing, and those after which something else was read."""
import base64, functools, hashlib, json, os, struct, sys

sys.path.insert(0, sys.argv[1])
import holdfast_read as reader

# What is pure needs no second process for the same input.
reader.gcm_open, reader.undo = functools.cache(reader.gcm_open), functools.cache(reader.undo)
place, changes = sys.argv[2], int(sys.argv[3])
secret = ('raw', reader.recovery_key(sys.argv[4])) if len(sys.argv) > 4 else None
changed, known = {}, []


class Damaged(reader.Repository):
    def get(self, key): return changed[key] if key in changed else super().get(key)


def read_all():
    repository, digest = Damaged(place, secret), hashlib.sha256()
    repository.read_index()
    known.append(places(repository))
    for key in repository.list('snapshots', '.*'):
        snapshot = repository.snapshot(key)
        digest.update(json.dumps(snapshot).encode())
        for root in [source['root'] for source in snapshot.get('sources', ())]:
            start = root and (base64.urlsafe_b64decode(root['id'] + '='), root['rawBytes'], root['level'])
            for each in repository.entries(*start) if root else ():
                digest.update(repr(each).encode())
                for piece in repository.pieces(*each['content']): digest.update(repr(piece).encode())
    return digest.hexdigest()


def packs_alone():
    """Section "Packs": names, footers and directories."""
    repository = Damaged(place, secret)
    for folder, _, names in os.walk(os.path.join(place, 'packs')):
        for name in names:
            with open(os.path.join(folder, name), 'rb') as file: pack = file.read()
            sections, size, magic = struct.unpack('<II4s', pack[-12:])
            sound = pack[:8] == b'HFPK\1\0\0\0' and magic == b'HFPE' and size == 12 * sections + 12
            reader.need(sound and hashlib.sha256(pack).hexdigest() == name, f'{name} is no pack')
            [(offset, count)] = [row[1:] for row in struct.iter_unpack('<III', pack[-size:-12]) if row[0] == 1]
            directory = repository.open_box(pack[offset:offset + count], 'index')
            repository.read_directory(name, reader.Cursor(directory))
    return places(repository)


def places(repository): return {chunk: sorted(found) for chunk, found in repository.places.items()}


def slots():
    repository = Damaged(place, secret)
    newest = repository.list('config', '.*')[-1]
    named = json.loads(repository.get(newest).split(b'\n')[1]).get('slots', {})
    return {key[5:]: hashlib.sha256(repository.get(key)).hexdigest() for key in repository.list('keys', '.*')}, {
        slot: each['hash'] for slot, each in named.items()}


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
if packs_alone() != known[0]: wrong.append('the index from packs alone')
there, named = slots()
if there != named: wrong.append('the slots')
for folder, _, names in sorted(os.walk(place)):
    for name in sorted(names):
        key = os.path.relpath(os.path.join(folder, name), place)
        with open(os.path.join(folder, name), 'rb') as file: data = file.read()
        count = counts.setdefault(key.split('/')[0], {'errors': 0, 'same': 0})
        for i, way in enumerate(ways(data)):
            changed = {key: way}
            try: read = read_all()
            except Exception: count['errors'] += 1
            else:
                count['same'] += read == right
                if read != right: wrong.append(f'{key}, change {i}')
print(json.dumps({'counts': counts, 'wrong': wrong}))

#!/usr/bin/env python3
"""Lists and extracts Holdfast repositories of format version 1; written from ../format.md alone. See README.md beside this."""
import argparse, base64, functools, hashlib, hmac, json, os, re, stat, struct, sys, unicodedata, zlib
from primitives import Cursor, Damaged, KeyTrouble, Unsupported, agree, gcm_open, hkdf, key_of, need, recovery_key, undo

KIB, MIB = 2**10, 2**20
KNOWN_FEATURES = set()
CLASSES = {'index': 2, 'content': 4, 'snapshots': 5}
TYPES = ['file', 'directory', 'symlink', 'fifo', 'socket', 'device', 'device', 'table', 'script', 'blob']
FAULTS = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError, struct.error, zlib.error)

def record(data, *types):
    value = json.loads(data.decode())
    need(isinstance(value, dict) and (not types or value['type'] in types), 'it is a record of another type')
    need(not types or value['version'] == 1, f"{value.get('type')} of version {value.get('version')}", Unsupported)
    return value

def lines(data, kind, count, limit):
    """What the last line is made over; the lines between the first and the last; the last."""
    head, parts = re.match(rb'holdfast ([a-z-]+) ([1-9][0-9]{0,8})\n', data), data.split(b'\n')
    need(len(data) <= limit and head and head[1] == kind.encode(), f'it is no {kind}')
    need(head[2] == b'1', f'{kind} of version {head[2].decode()}', Unsupported)
    need(len(parts) == count + 3 and not parts[-1] and re.fullmatch(b'[0-9a-f]{64}', parts[-2]), f'the {kind} is damaged')
    return data[:-65], parts[1:-2], parts[-2].decode()

def references(cursor, level, limit):
    """Each: size, id (None: a hole), bytes of the chunk."""
    count = cursor.varint()
    need(count <= limit and level <= 8, 'a list is out of bounds')
    for _ in range(count):
        size, hole = divmod(cursor.varint(), 2)
        yield (size, None, 0) if hole else (size, cursor.take(32), cursor.varint() if level else size)

def entry(meta, streams):
    kind, flags = meta.take(2)
    found = {'kind': kind, 'path': meta.text(64 * KIB), 'size': 0, 'attributes': {}}
    fields = {'mode': meta.varint, 'owner': lambda: [meta.varint(), meta.varint()],
              'mtime': lambda: struct.unpack('<q', meta.take(8))[0], 'size': meta.varint, 'target': lambda: meta.text(64 * KIB),
              'group': lambda: meta.text(256), 'attributes': lambda: record(meta.text(MIB))}
    found.update({name: read() for bit, (name, read) in enumerate(fields.items()) if flags >> bit & 1})
    named = [(streams.text(256), at := streams.varint(), [*references(streams, at, 64)]) for _ in range(streams.varint())]
    found['level'], found['references'] = next(((level, refs) for name, level, refs in named if not name), (0, []))
    need(kind != 0 or sum(size for size, *_ in found['references']) == found['size'], 'a file does not add up')
    return found

class Repository:
    """`secret`: None, or the kind of a key and its bytes. Nothing of a config counts before its MAC is right."""
    def __init__(self, place, secret):
        self.place, self.slot, self.segment = place, None, functools.lru_cache(16)(self.segment)
        configs = [self.get(key) for key in self.list('config', '[0-9]{8}')]
        need(configs, 'there is no repository')
        claimed = record(lines(configs[-1], 'config', 1, 64 * KIB)[1][0])
        self.id, self.encrypted = claimed['repositoryId'], claimed['encrypted']
        need(re.fullmatch('[0-9a-f]{32}', self.id) and type(self.encrypted) is bool, 'its config is damaged')
        need(self.encrypted == bool(secret), f'the repository is {"" if self.encrypted else "not "}encrypted', KeyTrouble)
        if self.encrypted: self.open_slot(claimed['slots'], *secret)
        else:
            self.root, first = (hkdf(self.id.encode(), f'holdfast/1/public-{name}') for name in ('root', 'epoch'))
            self.secrets = {0: first}
        epoch, previous = None, None
        for n, data in enumerate(configs, 1):
            signed, [line], mac = lines(data, 'config', 1, 64 * KIB)
            config, before = record(line), epoch
            epoch = config['epoch']
            need(config['previousHash'] == previous and (config['repositoryId'], config['encrypted']) == (self.id, self.encrypted)
                 and before in (None, epoch - ('rotation' in config)), f'config {n} does not follow the one before it')
            if epoch not in self.secrets: self.learn(config)
            parts = b''.join(struct.pack('<Q', len(part)) + part for part in (b'holdfast/1/config', b'config/%08d' % n, signed))
            made = hmac.digest(hkdf(self.secrets[epoch], 'holdfast/1/control'), parts, 'sha256').hex()
            need(hmac.compare_digest(made, mac), f'the MAC of config {n} is wrong')
            previous = hashlib.sha256(data).hexdigest()
        need(epoch == max(self.secrets), 'the newest config is missing')
        need(not self.encrypted or self.slot in config['slots'], 'this key was taken away', KeyTrouble)
        unknown = set(config['requiredFeatures']['read']) - KNOWN_FEATURES
        need(not unknown, f'reading needs {", ".join(sorted(unknown))}', Unsupported)
        self.digest = {'hmac-sha256': 'sha256', 'hmac-sha512-256': 'sha512_256'}.get(config['idAlgorithm'])
        need(self.digest and config['idBytes'] == 32, f"ids by {config['idAlgorithm']}", Unsupported)
        self.ids_key, self.places = hkdf(self.root, 'holdfast/1/ids'), {}
    def get(self, key, offset=0, count=65 * MIB):
        with open(os.path.join(self.place, key), 'rb') as file: return file.read(count) if file.seek(offset) == offset else b''
    def list(self, area, form):
        names = os.listdir(os.path.join(self.place, area)) if os.path.isdir(os.path.join(self.place, area)) else []
        return [f'{area}/{name}' for name in sorted(names) if re.fullmatch(form, name)]
    def open_slot(self, named, kind, secret):
        trouble = KeyTrouble('this key does not open it')
        for key in self.list('keys', '[0-9a-f]{32}'):
            try:
                if key[5:] in named and self.try_slot(key, kind, secret): return
            except (Damaged, *FAULTS) as error: trouble = Damaged(f'{key}: {error}')
        raise trouble
    def try_slot(self, key, kind, secret):
        signed, [line, wrapped], checksum = lines(self.get(key), 'key', 2, 128 * KIB)
        header, sealed = record(line), base64.b64decode(wrapped)
        need(hashlib.sha256(signed).hexdigest() == checksum, 'its checksum is wrong')
        if header['repositoryId'] != self.id or header['kind'] != kind: return False
        salt, (n, r, p) = base64.b64decode(header['kdf']['salt']), (header['kdf'].get(name, 0) for name in 'Nrp')
        if kind == 'passphrase':
            need(n in [2**i for i in range(15, 21)] and 1 <= r <= 32 and 1 <= p <= 16 and n * r <= 2**23, 'it would cost too much')
            made = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + MIB, dklen=96)
        else: made = hkdf(secret, 'holdfast/1/key-slot', 96, salt)
        if not hmac.compare_digest(sealed[:32], made[32:64]): return False
        bundle = Cursor(gcm_open(made[:32], signed[:-len(wrapped) - 1], sealed[32:]))
        need(bundle.take(5) == b'HFKB\1', 'keys of another version', Unsupported)
        self.slot, self.own, self.root = key[5:], made[64:], bundle.take(32)
        self.secrets = {bundle.uint(4): bundle.take(32) for _ in range(bundle.uint(2))}
        return bundle.end() is None
    def learn(self, config):
        """The secret of the epoch that this config begins, from what was sealed to the own slot."""
        epoch, rotation = config['epoch'], config['rotation']
        need(self.slot in rotation['sealed'], 'this key was taken away', KeyTrouble)
        ephemeral, public = (base64.b64decode(text) for text in (rotation['ephemeral'], config['slots'][self.slot]['publicKey']))
        secret = agree(self.own, ephemeral) + hkdf(self.secrets[epoch - 1], 'holdfast/1/next-epoch')
        aad = f'holdfast/1/epoch-seal\n{self.id}\n{self.slot}\n{epoch}'.encode()
        key = hkdf(secret, 'holdfast/1/epoch-seal', 32, ephemeral + public)
        self.secrets[epoch] = gcm_open(key, aad, base64.b64decode(rotation['sealed'][self.slot]))
    def open_box(self, data, cls, key=None, limit=64 * MIB):
        """The content of a box that fills `data`. `key`: of the object that it is; segments have none."""
        box = Cursor(data)
        magic, version, wrap, extra, epoch, number, count = struct.unpack('<4sBBHIBB', box.take(14))
        need(magic == b'HFBX' and version > 0, 'it is no box')
        need(version == 1 and wrap != 1, f'box of version {version}, wrap type {wrap}', Unsupported)
        need(extra == 0 and number == CLASSES[cls] and count <= 8 and wrap == (0 if self.encrypted else 2), 'its header is wrong')
        transforms = [box.take(box.uint(1), 32).decode('latin1') for _ in range(count)]
        salt, commitment, raw, stored, pad = struct.unpack('<32s32sIII', box.take(76))
        need(raw <= limit and stored == len(data) - box.at >= 16, 'its length is wrong')
        bound = b'\xff' * 4 if key is None else struct.pack('<I', len(key)) + key.encode()
        aad = struct.pack('<I', len(self.id)) + self.id.encode() + bound + data[:box.at]
        if self.encrypted:
            made = hkdf(hkdf(self.secrets[epoch], f'holdfast/1/{cls}'), 'holdfast/1/segment', 64, salt)
            need(hmac.compare_digest(made[32:], commitment), 'it is sealed under another key')
            need(transforms and transforms.pop() == 'aes-256-gcm', 'another encryption', Unsupported)
            body = gcm_open(made[:32], aad, data[box.at:])
        else:
            body = data[box.at:-32]
            need(stored >= 32 and hashlib.sha256(aad + body).digest() == data[-32:], 'its checksum is wrong')
        body, padding = body[:len(body) - pad], body[len(body) - pad:]
        need(len(padding) == pad and not any(padding), 'its pad is wrong')
        for i in range(len(transforms) - 1, -1, -1): body = undo(transforms[i], body, 2 * raw + 64 * KIB if i else raw)
        need(len(body) == raw, 'it is not as long as its header says')
        return body
    def snapshot(self, key):
        """None where a tombstone has taken its place."""
        found = record(self.open_box(self.get(key), 'snapshots', key, 64 * KIB), 'snapshot', 'tombstone')
        need(f"snapshots/{key_of(found['id'])}" == key, 'it says that it is another')
        return found if found['type'] == 'snapshot' else None
    def read_index(self):
        """All places of each chunk: those in dead packs too, since a pack that is gone is passed by."""
        for key in self.list('index', '[0-9a-f]{64}'):
            fragment = Cursor(self.open_box(self.get(key), 'index', key))
            need(fragment.uint(4) == 1 and fragment.take(32) and fragment.text(128), f'{key} is no fragment')
            for _ in range(fragment.uint(4)):
                pack, _, size = fragment.take(32).hex(), fragment.uint(4), fragment.uint(4)
                self.read_directory(pack, Cursor(fragment.take(size, 32 * MIB)))
            fragment.end()
    def read_directory(self, pack, directory):
        need(directory.take(4)[0] == 1, 'it is no directory')
        for offset, stored, raw, chunks in [*struct.iter_unpack('<4I', directory.take(16 * directory.uint(4)))]:
            begin = 0
            for _ in range(chunks):
                chunk, size = directory.take(32), directory.uint(4)
                self.places.setdefault(chunk, []).append((pack, offset, stored, raw, begin))
                begin += size
            need(begin == raw <= 9 * MIB and offset + stored <= 64 * MIB, 'a segment is out of bounds')
        directory.end()
    def segment(self, pack, offset, stored, raw):
        return self.open_box(self.get(f'packs/{pack[:2]}/{pack}', offset, stored), 'content', None, raw)
    def chunk(self, chunk, size):
        why = 'it is in no pack'
        for *segment, begin in self.places.get(chunk, ()):
            try:
                data = self.segment(*segment)[begin:begin + size]
                need(size <= 8 * MIB and hmac.digest(self.ids_key, data, self.digest) == chunk, 'its id is another')
                return data
            except (Damaged, *FAULTS) as error: why = f'pack {segment[0]}: {error}'
        raise Damaged(f'chunk {chunk.hex()}: {why}')
    def entries(self, chunk, size, level):
        """Those of a page and of the pages below it."""
        page = Cursor(self.chunk(chunk, size))
        kind, version, of, _ = page.take(4)
        need((kind, version) == (2 if level else 1, 1) and (not level or of == level <= 12), 'it is no page of its level')
        for _ in range(page.uint(4)):
            if level:
                _, child, size = page.text(64 * KIB), page.take(32), page.varint()
                page.take(32), page.varint(), page.varint()  # of its fingerprints; what is below it
                yield from self.entries(child, size, level - 1)
            else: yield entry(Cursor(page.take(page.varint())), Cursor(page.take(page.varint())))
        page.end()
    def walk(self, source):
        """All entries of a source, in order."""
        root, before, count = source['root'], [], 0
        for each in self.entries(base64.urlsafe_b64decode(root['id'] + '='), root['rawBytes'], root['level']) if root else ():
            parts, count = each['path'].split(b'/'), count + 1
            need(before < parts and not {b'', b'.', b'..'} & set(parts) and b'\0' not in each['path'], 'a path is out of order')
            before = parts
            yield each
        need(count == source['entries'], 'entries are missing')
    def pieces(self, found, level):
        """Of content: bytes, or the length of a hole."""
        for size, chunk, count in found:
            if chunk is None: yield size
            elif level == 0: yield self.chunk(chunk, count)
            else:
                page = Cursor(self.chunk(chunk, count))
                need(page.take(3) == bytes([3, 1, level - 1]), 'it is no list of its level')
                below = [*references(page, level - 1, 4096)]
                page.end()
                need(sum(each[0] for each in below) == size, 'a list does not add up')
                yield from self.pieces(below, level - 1)

def extract(repository, source, top):
    """Places the entries of a source in a new folder. Gives what could not be done, in words."""
    folders, later, groups, problems = set(), [], {}, []
    def folder(at):
        if at != top and at not in folders: folder(os.path.dirname(at))
        if at not in folders: os.mkdir(at)
        folders.add(at)
    def place(each, at):
        """False: it has no metadata of its own to be set."""
        kind, attributes = each['kind'], each['attributes']
        if each.get('group') in groups: return os.link(groups[each['group']], at, follow_symlinks=False)
        if kind in (0, 8, 9) or each['references']:
            with open(at, 'xb') as file:
                for piece in repository.pieces(each['references'], each['level']):
                    file.seek(piece, 1) if isinstance(piece, int) else file.write(piece)
                file.truncate()
        elif kind in (1, 7): folder(at)
        elif kind == 2: os.symlink(each['target'], at)
        elif kind == 3: os.mkfifo(at)
        elif kind in (5, 6): os.mknod(at, 0o600 | (stat.S_IFCHR if kind == 5 else stat.S_IFBLK), attributes['holdfast.rdev'])
        else: raise OSError('a socket, or of a type that no folder can hold')
        if 'group' in each: groups[each['group']] = at
        return True
    def dress(each, at):
        if 'owner' in each and os.geteuid() == 0: os.chown(at, *each['owner'], follow_symlinks=False)
        for name, value in each['attributes'].get('holdfast.xattrs', {}).items():
            os.setxattr(at, name.encode('utf-8', 'surrogateescape'), base64.b64decode(value), follow_symlinks=False)
        if 'mode' in each and each['kind'] != 2: os.chmod(at, each['mode'] & 0o7777)
        if 'mtime' in each: os.utime(at, ns=(each['mtime'], each['mtime']), follow_symlinks=False)
    def attempt(action, each, at):
        try: return action(each, at)
        except (OSError, AttributeError) as error: problems.append(f'{at.decode("utf-8", "backslashreplace")}: {error}')
    folder(top)
    for each in repository.walk(source):
        at = os.path.join(top, each['path'])
        folder(os.path.dirname(at))
        if attempt(place, each, at): later.append((each, at)) if at in folders else attempt(dress, each, at)
    for each, at in reversed(later): attempt(dress, each, at)
    return problems

def describe(source, each):
    """An entry as plain JSON; bytes that are not UTF-8 are lone surrogates, as Python has them."""
    kind, attributes = each['kind'], each['attributes']
    shown = {'path': os.path.join(source.encode(), each['path']), 'size': each['size'],
             'type': TYPES[kind] if kind < len(TYPES) else attributes.get('holdfast.type', 'other')}
    shown.update({name: each[name] for name in ('mode', 'owner', 'target', 'group', 'attributes') if name in each})
    if 'mtime' in each: shown['mtime'] = str(each['mtime'])
    return {name: value.decode('utf-8', 'surrogateescape') if isinstance(value, bytes) else value for name, value in shown.items()}

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('command', choices=['list', 'extract'], help='list snapshots, or the entries of one; or extract one')
    parser.add_argument('repository'), parser.add_argument('snapshot', nargs='?'), parser.add_argument('destination', nargs='?')
    parser.add_argument('--passphrase-file', help='its content without the line feed at its end')
    parser.add_argument('--recovery-key', help='in hex, base64 or groups of five; or @ and the name of a file that holds it')
    args, secret, problems = parser.parse_args(), None, []
    if args.command == 'extract' and not args.destination: parser.error('extract wants a snapshot and a destination')
    if args.passphrase_file:
        text = re.sub('\r?\n$', '', open(args.passphrase_file, encoding='utf-8', newline='').read())
        secret = 'passphrase', unicodedata.normalize('NFKC', text).encode()
    elif args.recovery_key:
        text = open(args.recovery_key[1:]).read() if args.recovery_key[0] == '@' else args.recovery_key
        secret = 'raw', recovery_key(text.strip())
    repository = Repository(args.repository, secret)
    if not args.snapshot:
        for key in repository.list('snapshots', '[a-z0-9_.-]+'):
            try: found = repository.snapshot(key)
            except (Damaged, Unsupported, *FAULTS) as error: problems.append(f'{key}: {error}')
            else: print(json.dumps(found)) if found else None
        return problems
    snapshot = repository.snapshot(f'snapshots/{key_of(args.snapshot)}')
    need(snapshot, 'this snapshot is gone')
    repository.read_index()
    if args.command == 'extract': os.mkdir(args.destination)
    for source in snapshot['sources']:
        need(re.fullmatch('[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}', source['name']), 'a source has a name that is none')
        top = os.path.join(os.fsencode(args.destination or ''), source['name'].encode())
        if args.command == 'extract': problems += extract(repository, source, top)
        else: [print(json.dumps(describe(source['name'], each))) for each in repository.walk(source)]
    return problems

if __name__ == '__main__':
    try: problems, code = main(), 1
    except (KeyTrouble, Unsupported) as error: problems, code = [f'{type(error).__name__.lower()}: {error}'], error.code
    except (Damaged, *FAULTS) as error: problems, code = [f'damaged: {error or type(error).__name__}'], 1
    print(*problems, sep='\n', end='\n' if problems else '', file=sys.stderr)
    sys.exit(code if problems else 0)

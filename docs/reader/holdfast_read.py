#!/usr/bin/env python3
"""Lists and extracts Holdfast repositories of format version 1; made from ../format.md alone. See README.md."""
import base64, functools, hashlib, hmac, json, os, pathlib, re, stat, struct, subprocess, sys, tempfile, zlib
from unicodedata import normalize
CLASSES = {'index': 2, 'content': 4, 'snapshots': 5}
TYPES = ['file', 'directory', 'symlink', 'fifo', 'socket', 'device', 'device', 'table', 'script', 'blob']
DEVICES = {'char': stat.S_IFCHR, 'block': stat.S_IFBLK}

class Damaged(Exception): code = 1
class KeyTrouble(Exception): code = 2
class Unsupported(Exception): code = 3
def need(condition, why, error=Damaged):
    if not condition: raise error(why)
def first(trouble, ways):  # that works; else the trouble with the last one
    for name, way in ways:
        try: return way()
        except Exception as error: trouble = (type(error) if hasattr(error, 'code') else Damaged)(f'{name}: {error}')
    raise trouble
def run(args, data):
    done = subprocess.run(args, input=data, capture_output=True)
    need(done.returncode == 0, f'{args[0]}: {done.stderr.decode("utf-8", "replace").strip()}')
    return done.stdout
def hkdf(secret, info, count=32, salt=b''):
    key, out = hmac.digest(salt, secret, 'sha256'), b''
    while len(out) < count: out += hmac.digest(key, out[-32:] + info.encode() + bytes([len(out) // 32 + 1]), 'sha256')
    return out
def gcm_open(key, aad, sealed):
    """AES-256-GCM, nonce zero. openssl has two parts of it: a key stream, of which block 0 is the key H of GHASH and
    block 1 hides the tag; and GMAC, which is GHASH of a text and its length: one multiplication by H more than that."""
    body, tag = sealed[:-16], int.from_bytes(sealed[-16:], 'big')
    stream = run(['openssl', 'enc', '-aes-256-ctr', '-K', key.hex(), '-iv', '0' * 32], bytes(32) + body)
    text = b''.join(x + bytes(-len(x) % 16) for x in (aad, body)) + struct.pack('>QQ', len(aad) * 8, len(body) * 8)
    options = '-macopt', 'cipher:AES-256-GCM', '-macopt', f'hexkey:{key.hex()}', '-macopt', f'hexiv:{"0" * 24}'
    made = run(['openssl', 'mac', *options, '-binary', 'GMAC'], text)
    h, product = int.from_bytes(stream[:16], 'big'), int.from_bytes(stream[16:32], 'big')
    factor = tag ^ product ^ len(text) * 8 << 64
    for bit in range(127, -1, -1):
        product ^= h * (factor >> bit & 1)
        h = h >> 1 ^ (h & 1) * (0xE1 << 120)
    need(made == product.to_bytes(16, 'big'), 'its tag is wrong')
    return stream[32:]
def undo(transform, data, limit):
    if transform == 'gzip': return zlib.decompressobj(31).decompress(data, limit + 1)  # a byte more is refused
    need(transform == 'zstd', f'transform {transform}', Unsupported)
    return run(['sh', '-c', f'zstd -dcq | head -c {limit + 1}'], data)
def recovery_key(text):  # what a sheet has to check itself is passed over: no slot opens with a wrong key
    signs = text.upper().translate(str.maketrans('OIL', '011', ' -\n\r\t'))
    if len(signs) == 64: return bytes.fromhex(signs)
    values = ('0123456789ABCDEFGHJKMNPQRSTVWXYZ'.find(sign) & 31 for at, sign in enumerate(signs) if at % 5 < 4)
    return int(''.join(f'{value:05b}' for value in values)[:256].ljust(256, '0'), 2).to_bytes(32, 'big')

class Cursor:
    """Takes a binary record apart, not past its end. Bytes of texts that are not UTF-8 become lone surrogates."""
    def __init__(self, data): self.data, self.at = data, 0
    def end(self): need(self.at == len(self.data), 'there are bytes after its end')
    def uint(self, count): return int.from_bytes(self.take(count), 'little')
    def take(self, count, limit=2**26):
        need(count <= min(limit, len(self.data) - self.at), 'it is cut short, or a length is out of bounds')
        self.at += count
        return self.data[self.at - count:self.at]
    def whole(self, left=8):
        byte = self.uint(1)
        need(byte < 128 or left > 1, 'a number is out of bounds')
        return byte if byte < 128 else byte - 128 + 128 * self.whole(left - 1)
    def text(self, limit=2**16): return self.take(self.whole(), limit).decode('utf-8', 'surrogateescape')

def lines(data, kind, count):
    """Of a config or a key slot: what the last line is made over; the JSON in the second line; the lines after that."""
    top, *rest = data.decode().split('\n')
    need(not re.fullmatch(f'holdfast {kind} ([2-9]|[1-9]\\d+)', top), f'{kind} of a later version: {top}', Unsupported)
    need(top == f'holdfast {kind} 1' and len(rest) == count and rest[-1] == '', f'it is no {kind}, or is damaged')
    return data[:-65], json.loads(rest[0]), rest[1:-1]
def references(cursor, level, limit):
    """Each: size, id (None: a hole), bytes of the chunk."""
    count = cursor.whole()
    need(count <= limit and level <= 8, 'a list is out of bounds')
    for _ in range(count):
        size, hole = divmod(cursor.whole(), 2)
        yield (size, None, 0) if hole else (size, cursor.take(32), cursor.whole() if level else size)
def entry(meta, streams):
    kind, flags = meta.take(2)
    found = {'path': meta.text(), 'size': 0, 'attributes': {}, 'content': (0, [])}
    fields = {'mode': meta.whole, 'owner': lambda: (meta.whole(), meta.whole()),
              'mtime': lambda: int.from_bytes(meta.take(8), 'little', signed=True), 'size': meta.whole,
              'target': meta.text, 'group': meta.text, 'attributes': lambda: json.loads(meta.text(2**20))}
    found.update({name: read() for bit, (name, read) in enumerate(fields.items()) if flags >> bit & 1})
    found['type'] = TYPES[kind] if kind < len(TYPES) else found['attributes'].get('holdfast.type', 'other')
    for _ in range(streams.whole()):
        name, level = streams.text(), streams.whole()
        content = level, [*references(streams, level, 64)]
        if name == '': found['content'] = content
    need(kind != 0 or sum(size for size, *_ in found['content'][1]) == found['size'], 'a file does not add up')
    need(not {'', '.', '..'} & {*found['path'].split('/')} and '\0' not in found['path'], 'a path leads elsewhere')
    return found

class Repository:
    def __init__(self, place, secret):
        """`secret`: None, or the kind of a key and its bytes. Nothing of a config counts before its MAC is right."""
        self.place, self.places, self.segment = pathlib.Path(place), {}, functools.lru_cache(16)(self.segment)
        need(configs := [self.get(key) for key in self.list('config', '[0-9]{8}')], 'there is no repository')
        previous, (_, config, _) = None, lines(configs[-1], 'config', 3)
        self.id, self.encrypted = config['repositoryId'], config['encrypted']
        need(self.encrypted == bool(secret), f'the repository is {"not " * bool(secret)}encrypted', KeyTrouble)
        if self.encrypted:
            slots = [key for key in self.list('keys', '[0-9a-f]{32}') if key[5:] in config['slots']]
            first(Damaged('no key is left'), ((key, functools.partial(self.open_slot, key, *secret)) for key in slots))
        else: self.root, *self.secrets = (hkdf(self.id.encode(), f'holdfast/1/public-{of}') for of in ('root', 'epoch'))
        for n, data in enumerate(configs, 1):
            signed, config, [mac] = lines(data, 'config', 3)
            if self.encrypted and config['epoch'] not in self.secrets: self.learn(**config)
            parts = (struct.pack('<Q', len(part)) + part for part in (b'holdfast/1/config', b'config/%08d' % n, signed))
            made = hmac.digest(self.key('control', config['epoch']), b''.join(parts), 'sha256').hex()
            said = mac, config['repositoryId'], config['encrypted'], config['previousHash']
            need(said == (made, self.id, self.encrypted, previous), f'config {n} is damaged, or not the next one')
            previous = hashlib.sha256(data).hexdigest()
        if self.encrypted:
            said, right = (config['slots'][self.slot]['hash'], config['epoch']), (self.slot_hash, max(self.secrets))
            need(said == right, 'its slot was exchanged, or the newest config is missing')
        need(not (new := config['requiredFeatures']['read']), f'reading needs {", ".join(new)}', Unsupported)
        self.digest = {'hmac-sha256': 'sha256', 'hmac-sha512-256': 'sha512_256'}.get(config['idAlgorithm'])
        need(self.digest and config['idBytes'] == 32, f"ids by {config['idAlgorithm']}", Unsupported)
    def key(self, cls, epoch): return hkdf(self.secrets[epoch], f'holdfast/1/{cls}')
    def get(self, key): return (self.place / key).read_bytes()
    def list(self, area, form):
        return sorted(f'{area}/{at.name}' for at in (self.place / area).glob('*') if re.fullmatch(form, at.name))
    def open_slot(self, key, kind, secret):
        data = self.get(key)
        signed, header, [wrapped, checksum] = lines(data, 'key', 4)
        need(hashlib.sha256(signed).hexdigest() == checksum, 'its checksum is wrong')
        need((header['repositoryId'], header['kind']) == (self.id, kind), 'this key does not open it', KeyTrouble)
        salt, sealed = base64.b64decode(header['kdf']['salt']), base64.b64decode(wrapped)
        if kind == 'raw': made = hkdf(secret, 'holdfast/1/key-slot', 96, salt)
        else:
            n, r, p = (header['kdf'][name] for name in 'Nrp')
            need(2**15 <= n <= 2**20 and 1 <= r <= 32 and 1 <= p <= 16 and n * r <= 2**23, 'it would cost too much')
            made = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=2**30 + 2**24, dklen=96)
        need(made[32:64] == sealed[:32], 'this key does not open it', KeyTrouble)
        bundle = Cursor(gcm_open(made[:32], signed[:-len(wrapped) - 1], sealed[32:]))
        need(bundle.take(5) == b'HFKB\1', 'keys of another version', Unsupported)
        self.slot, self.slot_hash, self.private = key[5:], hashlib.sha256(data).hexdigest(), made[64:]
        self.root, self.secrets = bundle.take(32), {bundle.uint(4): bundle.take(32) for _ in range(bundle.uint(2))}
    def learn(self, epoch, slots, rotation, **_):
        """The secret of the epoch that a config begins, sealed to the own slot. openssl takes X25519 keys in DER."""
        texts = slots[self.slot]['publicKey'], rotation['ephemeral'], rotation['sealed'][self.slot]
        public, ephemeral, sealed = map(base64.b64decode, texts)
        with tempfile.NamedTemporaryFile(buffering=0) as peer:
            peer.write(bytes.fromhex('302a300506032b656e032100') + ephemeral)
            files = '-keyform', 'DER', '-inkey', '/dev/stdin', '-peerform', 'DER', '-peerkey', peer.name
            private = bytes.fromhex('302e020100300506032b656e04220420') + self.private
            shared = run(['openssl', 'pkeyutl', '-derive', *files], private)
        secret = shared + hkdf(self.secrets[epoch - 1], 'holdfast/1/next-epoch')
        aad = f'holdfast/1/epoch-seal\n{self.id}\n{self.slot}\n{epoch}'.encode()
        self.secrets[epoch] = gcm_open(hkdf(secret, 'holdfast/1/epoch-seal', 32, ephemeral + public), aad, sealed)
    def open_box(self, data, cls, key=None, limit=2**26):
        """The content of a box that fills `data`. `key`: of the object that it is; segments have none."""
        box = Cursor(data)
        magic, version, wrap, extra, epoch, number, count = struct.unpack('<4sBBHIBB', box.take(14))
        need(version == 1 and wrap != 1, f'box of version {version}, wrap type {wrap}', Unsupported)
        need((magic, extra, number, wrap) == (b'HFBX', 0, CLASSES[cls], 2 * (not self.encrypted)), 'a wrong header')
        transforms = [box.take(box.uint(1), 32).decode() for _ in range(count)]
        salt, commitment, raw, stored, pad = struct.unpack('<32s32sIII', box.take(76))
        need(raw <= limit and stored == len(data) - box.at and count <= 8, 'its length is wrong')
        bound = b'\xff' * 4 if key is None else struct.pack('<I', len(key)) + key.encode()
        aad, body = struct.pack('<I', len(self.id)) + self.id.encode() + bound + data[:box.at], data[box.at:]
        if self.encrypted:
            made = hkdf(self.key(cls, epoch), 'holdfast/1/segment', 64, salt)
            need(made[32:] == commitment and transforms.pop() == 'aes-256-gcm', 'it is sealed under another key')
            body = gcm_open(made[:32], aad, body)
        else:
            need(hashlib.sha256(aad + body[:-32]).digest() == body[-32:], 'its checksum is wrong')
            body = body[:-32]
        need(pad <= len(body) and not any(body[len(body) - pad:]), 'its pad is wrong')
        body = body[:len(body) - pad]
        while transforms: body = undo(transforms.pop(), body, 2 * raw + 2**16 if transforms[1:] else raw)
        need(len(body) == raw, 'it is not as long as its header says')
        return body
    def snapshot(self, key):
        found = json.loads(self.open_box(self.get(key), 'snapshots', key, 2**16))
        need(found['version'] == 1, f"{found['type']} of version {found['version']}", Unsupported)
        return found
    def read_index(self):
        """All places of each chunk: those in dead packs too, since a pack that is gone is passed by."""
        for key in self.list('index', '[0-9a-f]{64}'):
            fragment = Cursor(self.open_box(self.get(key), 'index', key))
            need(fragment.uint(4) == 1 and fragment.take(32) and fragment.text(), f'{key} is no fragment')
            for _ in range(fragment.uint(4)):
                pack, _, size = fragment.take(32).hex(), fragment.uint(4), fragment.uint(4)
                self.read_directory(pack, Cursor(fragment.take(size, 2**25)))
            fragment.end()
    def read_directory(self, pack, directory):
        need(directory.take(4)[0] == 1, 'it is no directory')
        for offset, stored, raw, chunks in [*struct.iter_unpack('<4I', directory.take(16 * directory.uint(4)))]:
            begin = 0
            for chunk, size in struct.iter_unpack('<32sI', directory.take(36 * chunks)):
                self.places.setdefault(chunk, []).append(((pack, offset, stored, raw), begin))
                begin += size
            need(begin == raw <= 9 * 2**20, 'a segment is out of bounds')
        directory.end()
    def segment(self, pack, offset, stored, raw):
        return self.open_box(self.get(f'packs/{pack[:2]}/{pack}')[offset:offset + stored], 'content', None, raw)
    def chunk(self, chunk, size):
        def at(segment, begin):
            data = self.segment(*segment)[begin:begin + size]
            made = hmac.digest(hkdf(self.root, 'holdfast/1/ids'), data, self.digest)
            need(made == chunk and size <= 2**23, f'chunk {chunk.hex()} has another id')
            return data
        ways = ((place[0][0], functools.partial(at, *place)) for place in self.places.get(chunk, ()))
        return first(Damaged(f'chunk {chunk.hex()} is in no pack'), ways)
    def entries(self, chunk, size, level):
        page = Cursor(self.chunk(chunk, size))
        need([*page.take(3)] == ([2, 1, level] if level else [1, 1, 0]) and page.take(1), 'it is no page of its level')
        for _ in range(page.uint(4)):
            if level == 0: yield entry(*(Cursor(page.take(page.whole())) for _ in range(2)))
            else:
                _, child, size, *_ = page.text(), page.take(32), page.whole(), page.take(32), page.whole(), page.whole()
                yield from self.entries(child, size, level - 1)
        page.end()
    def pieces(self, level, found):
        """Of content: bytes, or the length of a hole."""
        for size, chunk, count in found:
            if chunk is None: yield size
            elif level == 0: yield self.chunk(chunk, count)
            else:
                page = Cursor(self.chunk(chunk, count))
                need([*page.take(3)] == [3, 1, level - 1], 'it is no list of its level')
                below = [*references(page, level - 1, 4096)]
                need(sum(each[0] for each in below) == size and page.end() is None, 'a list does not add up')
                yield from self.pieces(level - 1, below)

def extract(repository, entries, top, problems):
    """Makes the entries of a source in a new folder; adds what cannot be done, in words, to the problems."""
    folders, later, groups = {os.path.dirname(top)}, [], {}
    def folder(at):
        if at in folders: return
        folder(os.path.dirname(at))
        os.mkdir(at)
        folders.add(at)
    def make(each, at):
        kind, group, found = each['type'], each.get('group'), each['attributes']
        if group in groups: return os.link(groups[group], at, follow_symlinks=False)
        if each['content'][1] or kind in ('file', 'script', 'blob'):
            with open(at, 'xb') as file:
                for piece in repository.pieces(*each['content']):
                    file.seek(piece, 1) if isinstance(piece, int) else file.write(piece)
                file.truncate()
        elif kind in ('directory', 'table'): folder(at)
        elif kind == 'symlink': os.symlink(each['target'], at)
        elif kind == 'fifo': os.mkfifo(at)
        elif kind == 'device': os.mknod(at, 0o600 | DEVICES[found['holdfast.device']], found['holdfast.rdev'])
        else: raise OSError(f'a {kind} is not made')
        if group: groups[group] = at
        later.append((each, at)) if at in folders else dress(each, at)
    def dress(each, at):
        if 'owner' in each and os.geteuid() == 0: os.chown(at, *each['owner'], follow_symlinks=False)
        for name, value in each['attributes'].get('holdfast.xattrs', {}).items():
            os.setxattr(at, name, base64.b64decode(value), follow_symlinks=False)
        if 'mode' in each and each['type'] != 'symlink': os.chmod(at, each['mode'] & 0o7777)
        if 'mtime' in each: os.utime(at, ns=(each['mtime'], each['mtime']), follow_symlinks=False)
    def attempt(action, each, at):
        try: action(each, at)
        except OSError as error: problems.append(f'{at}: {error}')
    folder(top)
    for each in entries:
        at = os.path.join(top, each['path'])
        folder(os.path.dirname(at))
        attempt(make, each, at)
    for each, at in reversed(later): attempt(dress, each, at)

def main(command, place, snapshot=None, destination=None):
    phrase, key = os.environ.get('HOLDFAST_PASSPHRASE'), os.environ.get('HOLDFAST_RECOVERY_KEY')
    secret = ('raw', recovery_key(key)) if key else phrase and ('passphrase', normalize('NFKC', phrase).encode())
    repository, problems, found = Repository(place, secret), [], {}
    for name in repository.list('snapshots', '[a-z0-9_.-]+'):
        try: record = repository.snapshot(name)
        except Exception as error: problems.append(f'{name}: {error}')
        else: found.update({record['id']: record} if record['type'] == 'snapshot' else {})
    for record in found.values() if snapshot is None else (): print(json.dumps(record))
    need(snapshot is None or snapshot in found, '; '.join([f'there is no snapshot {snapshot}', *problems]))
    if destination: os.mkdir(destination)
    if snapshot: repository.read_index()
    for source in found[snapshot]['sources'] if snapshot else ():
        name, root = source['name'], source['root']
        need(re.fullmatch('[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}', name), 'a source has a name that is none')
        start = root and (base64.urlsafe_b64decode(root['id'] + '='), root['rawBytes'], root['level'])
        entries = repository.entries(*start) if root else ()
        if command == 'extract': extract(repository, entries, os.path.join(destination, name), problems)
        else:
            for each in entries: print(json.dumps({**each, 'content': None, 'path': f"{name}/{each['path']}"}))
    return problems

if __name__ == '__main__':
    if sys.argv[1:2] + [len(sys.argv)] not in (['list', 3], ['list', 4], ['extract', 5]):
        sys.exit('usage: holdfast_read.py list REPOSITORY [SNAPSHOT], or extract REPOSITORY SNAPSHOT DESTINATION')
    try: problems, code = main(*sys.argv[1:]), 1
    except Exception as error:
        code = getattr(error, 'code', 1)
        problems = [f'{["damaged", "keytrouble", "unsupported"][code - 1]}: {str(error) or type(error).__name__}']
    for each in problems: print(each, file=sys.stderr)
    sys.exit(code if problems else 0)

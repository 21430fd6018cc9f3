"""What the reader needs and neither Python nor the command line of openssl has at hand: AES-256-GCM, HKDF, X25519; decompression
with a limit; numbers and texts of binary records; the key of a recovery sheet; ids in object keys."""
import base64, functools, hashlib, hmac, re, struct, subprocess, tempfile, zlib

class Damaged(Exception): code = 1
class KeyTrouble(Exception): code = 2
class Unsupported(Exception): code = 3

def need(condition, why, error=Damaged):
    if not condition: raise error(why)

def run(args, data, limit):
    """What a program makes of the data. More than `limit` bytes are refused before they are read."""
    with tempfile.TemporaryFile() as file:
        file.write(data), file.seek(0)
        with subprocess.Popen(args, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
            out = program.stdout.read(limit + 1)
            if len(out) > limit: program.kill()
    need(program.returncode == 0 and len(out) <= limit, f'{args[0]} cannot read it')
    return out

def hkdf(secret, info, count=32, salt=b''):
    key, blocks = hmac.digest(salt, secret, 'sha256'), [b'']
    for i in range(1, -(-count // 32) + 1): blocks.append(hmac.digest(key, blocks[-1] + info.encode() + bytes([i]), 'sha256'))
    return b''.join(blocks)[:count]

def times_x(z, times):
    """In the field of GCM, whose highest bit is the lowest power."""
    for _ in range(times): z = z >> 1 ^ (z & 1) * (0xE1 << 120)
    return z

REDUCED = [times_x(low, 8) for low in range(256)]

def ghash(h, *parts):
    table, y = [0], 0
    for i in range(7, -1, -1): table += [times_x(h, i) ^ each for each in table]  # h times every byte
    for part in (*parts, struct.pack('>QQ', *(len(part) * 8 for part in parts))):
        for at in range(0, len(part), 16):
            y, z = y ^ int.from_bytes(part[at:at + 16].ljust(16, b'\0'), 'big'), 0
            for byte in reversed(y.to_bytes(16, 'big')): z = z >> 8 ^ REDUCED[z & 255] ^ table[byte]
            y = z
    return y

def gcm_open(key, aad, sealed):
    """AES-256-GCM, nonce zero. Of the key stream, block 0 is the key of GHASH, 1 hides the tag, 2 begins the content."""
    args = ['openssl', 'enc', '-aes-256-ctr', '-K', key.hex(), '-iv', '0' * 32]
    out = run(args, bytes(32) + sealed[:-16], len(sealed) + 16)
    tag = ghash(int.from_bytes(out[:16], 'big'), aad, sealed[:-16]) ^ int.from_bytes(out[16:32], 'big')
    need(hmac.compare_digest(tag.to_bytes(16, 'big'), sealed[-16:]), 'its tag is wrong')
    return out[32:]

def agree(secret, public):
    """X25519; openssl takes the keys in DER."""
    with tempfile.TemporaryDirectory() as folder:
        for name, head, data in ('own', '302e020100300506032b656e04220420', secret), ('peer', '302a300506032b656e032100', public):
            with open(f'{folder}/{name}', 'wb') as file: file.write(bytes.fromhex(head) + data)
        files = ['-keyform', 'DER', '-inkey', f'{folder}/own', '-peerform', 'DER', '-peerkey', f'{folder}/peer']
        return run(['openssl', 'pkeyutl', '-derive', *files], b'', 32)

def undo(transform, data, limit):
    if transform == 'zstd': return run(['zstd', '-dcq'], data, limit)
    need(transform == 'gzip', f'transform {transform}', Unsupported)
    unzip = zlib.decompressobj(31)
    out = unzip.decompress(data, limit + 1)
    need(unzip.eof and not unzip.unused_data and len(out) <= limit, 'gzip cannot read it')
    return out

class Cursor:
    """Takes binary records apart, and never reads past their end."""
    def __init__(self, data): self.data, self.at = data, 0
    def uint(self, count): return int.from_bytes(self.take(count), 'little')
    def text(self, limit): return self.take(self.varint(), limit)
    def end(self): need(self.at == len(self.data), 'there are bytes after its end')
    def take(self, count, limit=2**26):
        need(count <= min(limit, len(self.data) - self.at), 'it is cut short, or a length is out of bounds')
        self.at += count
        return self.data[self.at - count:self.at]
    def varint(self):
        value = 0
        for place in range(0, 56, 7):
            byte = self.uint(1)
            value |= (byte & 127) << place
            if byte < 128 and value < 2**53: return value
        raise Damaged('a number is out of bounds')

def recovery_key(text):
    """32 bytes: in hex, in base64 or base64url, or as the 14 groups of a recovery sheet."""
    if re.fullmatch('[0-9a-fA-F]{64}', text): return bytes.fromhex(text)
    if re.fullmatch('[A-Za-z0-9+/_-]{43}=?', text): return base64.b64decode(text[:43].replace('-', '+').replace('_', '/') + '=')
    signs = re.sub('[^0-9A-Z]', '', text.upper()).translate(str.maketrans('OIL', '011'))
    digits = ['0123456789ABCDEFGHJKMNPQRSTVWXYZ'.find(sign) for i, sign in enumerate(signs) if i % 5 < 4]
    bits = functools.reduce(lambda number, digit: number << 5 | digit, digits, 0)
    key = (bits >> 24 & 2**256 - 1).to_bytes(32, 'big')
    check = int.from_bytes(hashlib.sha256(b'holdfast/1/recovery-key' + key).digest()[:3], 'big') >> 4
    need(len(signs) == 70 and -1 not in digits and bits & 0xFFFFFF == check, 'the recovery key is mistyped', KeyTrouble)
    return key

def key_of(name):
    """An id as a segment of an object key."""
    if re.fullmatch('[a-z0-9][a-z0-9._-]{0,127}', name): return name
    return '_' + re.sub('[^a-z0-9.-]', lambda sign: f'_{ord(sign[0]):02x}', name)

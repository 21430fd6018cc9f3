"""The reader's own code, against test/golden/vectors.json: docs-reader-vectors.py READER VECTORS. See "Test vectors" in docs/format.md."""
import json, sys, types

sys.path.insert(0, sys.argv[1])
import holdfast_read as reader

with open(sys.argv[2]) as file: vectors = json.load(file)


def count(n, k=0): return bytes((k + i) % 251 for i in range(n))


keys, box = vectors['keys'], vectors['box']
for cls in 'index', 'control', 'content', 'snapshots':
    assert reader.hkdf(count(32, 100), f'holdfast/1/{cls}').hex() == keys['encrypted'][cls], cls
made = reader.hkdf(count(32), 'holdfast/1/segment', 64, count(32, 50)).hex()
assert made == keys['segmentKey'] + keys['segmentCommitment']
assert reader.gcm_open(count(32), bytes.fromhex(box['aadOfRecord']), bytes.fromhex(box['sealed'])) == count(20)
assert reader.recovery_key(vectors['recovery']) == count(32)

# What the slot itself gives, and the epoch before; the rest is in the config.
epoch = vectors['epoch']
knows = types.SimpleNamespace(id=epoch['repositoryId'], slot=epoch['slot'], private=count(32, 150), secrets={1: count(32, 100)})
reader.Repository.learn(knows, 2, epoch['config']['slots'], epoch['config']['rotation'])
assert knows.secrets[2] == count(32, 10)

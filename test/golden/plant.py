"""Makes a tree from a list of nodes (JSON on stdin; text is latin1, one character a byte) in the folder given. Linux, as root."""
import json, os, socket, stat, sys

root = os.fsencode(sys.argv[1])
nodes = json.load(sys.stdin)


def path(text):
    return os.path.join(root, text.encode('latin1'))


def make(node):
    at, kind = path(node['path']), node['type']
    if kind == 'directory':
        os.mkdir(at)
    elif kind == 'symlink':
        os.symlink(node['to'].encode('latin1'), at)
    elif kind == 'hardlink':
        os.link(path(node['to']), at, follow_symlinks=False)
    elif kind == 'fifo':
        os.mkfifo(at)
    elif kind == 'socket':
        socket.socket(socket.AF_UNIX).bind(at)
    elif kind in ('char', 'block'):
        os.mknod(at, 0o600 | (stat.S_IFCHR if kind == 'char' else stat.S_IFBLK), os.makedev(*node['device']))
    else:
        with open(at, 'wb') as file:
            file.truncate(node['size'])
            for offset, content in node.get('pieces', []):
                file.seek(offset)
                file.write(content.encode('latin1'))


def settle(node):
    at = path(node['path'])
    if node['type'] == 'hardlink':
        return
    for name, value in node.get('xattrs', {}).items():
        os.setxattr(at, name, value.encode('latin1'))
    if node['type'] != 'symlink':
        os.chmod(at, node['mode'])
    os.utime(at, ns=(int(node['mtime']), int(node['mtime'])), follow_symlinks=False)


for each in nodes:
    make(each)
for each in reversed(nodes):
    settle(each)

/** Trees with every kind of entry, from lists of nodes: planted for the engine, and said again for readers. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { latin1ToUser } from '../../src/util/paths.ts'

/** Texts are latin1: one character a byte. */
export interface SceneNode {
  path: string
  type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'socket' | 'char' | 'block'
  /** Of files. Where nothing is written there is a hole. */
  size?: number
  pieces?: readonly (readonly [offset: number, content: string])[]
  /** Of links. */
  to?: string
  /** Major and minor number. */
  device?: readonly [number, number]
  mode: number
  /** Nanoseconds since 1970. */
  mtime: string
  xattrs?: Readonly<Record<string, string>>
}

/** What a reader must find. Names as users see them, extended attributes in base64. */
export interface SceneEntry {
  path: string
  type: string
  size: number
  mode: number
  mtime: string
  sha256?: string
  linkTarget?: string
  /** The first name of the same file. */
  sameAs?: string
  device?: string
  rdev?: number
  xattrs?: Readonly<Record<string, string>>
}

export const SCENE_SOURCE = 'tree'
const MTIME = '1767323045123456789'

export function plantTree(root: string, nodes: readonly SceneNode[]): void {
  execFileSync('python3', [new URL('plant.py', import.meta.url).pathname, root], { input: JSON.stringify(nodes) })
}

export function expectedTree(nodes: readonly SceneNode[]): SceneEntry[] {
  const byPath = new Map(nodes.map((node) => [node.path, node]))
  return nodes.map((node) => {
    if (node.type !== 'hardlink') return expectedNode(node, node.path)
    return { ...expectedNode(byPath.get(node.to!)!, node.path), sameAs: `${SCENE_SOURCE}/${node.to}` }
  })
}

function expectedNode({ type, size = 0, pieces = [], to, device, mode, mtime, xattrs }: SceneNode, path: string): SceneEntry {
  const isDevice = type === 'char' || type === 'block'
  return {
    path: `${SCENE_SOURCE}/${latin1ToUser(path)}`,
    type: isDevice ? 'device' : type,
    size,
    mode,
    mtime,
    ...(type === 'file' && { sha256: sha256(contentOf(size, pieces)) }),
    ...(to !== undefined && { linkTarget: latin1ToUser(to) }),
    ...(isDevice && { device: type, rdev: device![0] * 256 + device![1] }),
    ...(xattrs && { xattrs: Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [name, base64(value)])) }),
  }
}

function contentOf(size: number, pieces: NonNullable<SceneNode['pieces']>): Buffer {
  const content = Buffer.alloc(size)
  for (const [offset, piece] of pieces) content.write(piece, offset, 'latin1')
  return content
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

export function file(path: string, content: string, over: Partial<SceneNode> = {}): SceneNode {
  return { path, type: 'file', size: content.length, pieces: [[0, content]], mode: 0o644, mtime: MTIME, ...over }
}

export function folder(path: string, over: Partial<SceneNode> = {}): SceneNode {
  return { path, type: 'directory', mode: 0o755, mtime: MTIME, ...over }
}

export function node(path: string, type: SceneNode['type'], over: Partial<SceneNode> = {}): SceneNode {
  return { path, type, mode: type === 'symlink' ? 0o777 : 0o640, mtime: MTIME, ...over }
}

/** Text that does not repeat, nor compress to nothing. */
export function prose(bytes: number, seed: number): string {
  let text = ''
  for (let i = 0; text.length < bytes; i++) text += `${createHash('sha256').update(`${seed}/${i}`).digest('base64').slice(0, 11)} and `
  return text.slice(0, bytes)
}

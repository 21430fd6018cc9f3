/**
 * A real Ceph Object Gateway (S3) from its programs, on free loopback ports, in a folder of its own: one monitor, one OSD
 * that keeps everything in memory, one gateway. A small shell waits at a pipe that only this process holds; when it
 * closes, however this process ended, the shell ends the servers and removes the folder.
 */
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, openSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { aptInstall } from './apt.ts'

const run = promisify(execFile)

const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph', 'monmaptool']
const PACKAGES = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common']
const START_MS = 90_000
/** An upper limit only: memory is taken as objects come. */
const STORE_BYTES = 16 * 1024 ** 3

export interface Launched {
  readonly endpoint: string
  readonly config: string
}
export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Whether the gateway's programs are on this machine; installs them where that is possible. */
export async function haveCeph(): Promise<boolean> {
  return allFound() || ((await aptInstall(PACKAGES)) && allFound())
}

function allFound(): boolean {
  const folders = (process.env.PATH ?? '').split(':').filter(Boolean)
  return PROGRAMS.every((name) => folders.some((folder) => existsSync(join(folder, name))))
}

/** Where Debian, Fedora and others keep the classes of RADOS that the gateway needs. */
function classFolder(): string {
  const triples = existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`) : []
  const folders = [...triples, '/usr/lib64', '/usr/lib'].map((folder) => `${folder}/rados-classes`)
  const found = folders.find((folder) => existsSync(join(folder, 'libcls_rgw.so')))
  if (found === undefined) throw new Error('the classes of RADOS (libcls_rgw.so) were not found below /usr/lib')
  return found
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

interface Layout {
  readonly folder: string
  readonly fsid: string
  readonly monitor: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
}

function configOf({ folder, fsid, monitor, port, settings }: Layout): string {
  const more = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  return `[global]
fsid = ${fsid}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_network = 127.0.0.0/8
mon_host = [${monitor}]
ms_bind_msgr2 = false
run_dir = ${folder}/run
admin_socket = ${folder}/run/$cluster-$name-$pid.asok
log_file = ${folder}/$name.log
mon_cluster_log_file = ${folder}/cluster.log
debug_ms = 0
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 2000
osd_objectstore = memstore
memstore_device_bytes = ${STORE_BYTES}
mon_data = ${folder}/mon
osd_data = ${folder}/osd
osd_class_dir = ${classFolder()}
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:${port}
keyring = ${folder}/keyring
rgw_run_sync_thread = false
rgw_usage_log_flush_threshold = 1000000
rgw_gc_obj_min_wait = 30
rgw_gc_processor_period = 15
rgw_gc_processor_max_time = 15
${more.join('\n')}
`
}

/** Ends what is named in the folder's pid files when the pipe closes, and removes the folder. */
const SWEEPER = `trap '' INT TERM HUP
while read -r _; do :; done <&3
for name in gateway osd monitor; do [ -f "$1/$name.pid" ] && kill -KILL "$(cat "$1/$name.pid")" 2>/dev/null; done
for round in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.2; done`

function startSweeper(folder: string): void {
  const child = spawn('/bin/sh', ['-c', SWEEPER, 'holdfast-test-s3', folder], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  child.unref()
  ;(child.stdio[3] as Socket).on('error', () => {}).unref()
}

/** Starts a server whose output goes to a file, and writes down its id for the sweeper. */
async function startDaemon(folder: string, name: string, command: string, args: readonly string[]): Promise<void> {
  const out = openSync(join(folder, `${name}.out`), 'a')
  const child = spawn(command, args, { cwd: folder, detached: true, stdio: ['ignore', out, out] })
  child.unref()
  await new Promise((resolve, reject) => child.once('spawn', () => resolve(undefined)).once('error', reject))
  await writeFile(join(folder, `${name}.pid`), String(child.pid))
}

async function until(what: string, folder: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + START_MS
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`${what} did not start:\n${await lastLines(folder)}`)
    await sleep(50)
  }
}

async function lastLines(folder: string): Promise<string> {
  const names = ['monitor', 'osd', 'gateway']
  const texts = await Promise.all(names.map((name) => readFile(join(folder, `${name}.out`), 'utf8').catch(() => '')))
  return texts.map((text, i) => `${names[i]}: ${text.trim().split('\n').slice(-8).join('\n')}`).join('\n')
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (up: boolean): void => {
      socket.destroy()
      resolve(up)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}

/** Up in some 10 s. The gateway's one user `holdfast` has these keys. @throws Error with what the servers said last. */
export async function launchCeph(keys: Keys, settings: Readonly<Record<string, string>>): Promise<Launched> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-s3-'))
  startSweeper(folder)
  const [monitorPort, port] = [await freePort(), await freePort()]
  const layout: Layout = { folder, fsid: randomUUID(), monitor: `v1:127.0.0.1:${monitorPort}`, port, settings }
  const config = join(folder, 'ceph.conf')
  for (const name of ['mon', 'osd', 'run']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'keyring'), '')
  await writeFile(config, configOf(layout))
  await startStore(layout, config)
  await startDaemon(folder, 'gateway', 'radosgw', ['-n', 'client.rgw', '-f', '-c', config])
  await until('the gateway', folder, () => answers(port))
  await cephAdmin(config, ['user', 'create', '--uid=holdfast', '--display-name=holdfast', ...userKeys(keys)])
  return { endpoint: `http://127.0.0.1:${port}`, config }
}

/** The monitor and the OSD, in the order in which they need each other. */
async function startStore({ folder, fsid, monitor }: Layout, config: string): Promise<void> {
  const ceph = (...args: string[]): Promise<{ stdout: string }> =>
    run('ceph', ['-c', config, '--connect-timeout', '5', ...args], { timeout: 20_000 })
  const map = join(folder, 'monmap')
  await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', `[${monitor}]`, map])
  await run('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', map, '-c', config])
  await startDaemon(folder, 'monitor', 'ceph-mon', ['-i', 'a', '-f', '-c', config])
  const id = randomUUID()
  await until('the monitor', folder, async () => (await ceph('osd', 'new', id)).stdout.trim() === '0')
  await run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', id, '-c', config])
  // Refused now and then by a monitor that has only just begun (EPERM, on a busy machine).
  const add = ['osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=localhost']
  await until('the place of the OSD', folder, async () => typeof (await ceph(...add)).stdout === 'string')
  await startDaemon(folder, 'osd', 'ceph-osd', ['-i', '0', '-f', '-c', config])
  await until('the OSD', folder, async () => (await ceph('osd', 'stat')).stdout.includes('1 up'))
}

function userKeys({ accessKeyId, secretAccessKey }: Keys): string[] {
  return [`--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`]
}

/** What `radosgw-admin` prints. */
export async function cephAdmin(config: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('radosgw-admin', ['-c', config, '-n', 'client.rgw', ...args], { timeout: 60_000 })
  return stdout
}

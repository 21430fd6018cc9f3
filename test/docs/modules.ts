/** Makes modules of the blocks of a page, and finds the line of the page again that an error is about. */
import type { Block } from './blocks.ts'

/** What a page takes for granted, and how it is run. */
export interface Context {
  /** Module that runs before all blocks, from where `holdfast` and Node are. Its names are there for all of them. */
  readonly before?: string
  /** Text of a block to what runs right before it, in its scope. */
  readonly beforeBlock?: Readonly<Record<string, string>>
  /** The same, right after it. */
  readonly afterBlock?: Readonly<Record<string, string>>
  readonly after?: string
  /** Blocks use names of the ones before. Otherwise each has names of its own, but for those of the first if it is `shared`. */
  readonly joined?: boolean
  /** The first block opens what the others use. */
  readonly shared?: boolean
  /** What a page names, and what a test has instead. Every one of them must be in the page. */
  readonly instead?: Readonly<Record<string, string>>
}

export interface Module {
  readonly code: string
  /** Line of the module to 'docs/page.md:12', for lines of the page. */
  readonly lines: ReadonlyMap<number, string>
}

const IMPORT = /^import .*$/gm
/** So a type that is imported twice is not declared twice. */
const NAMED = /^import (type )?\{ (.*) \} from '(.*)'$/

/** A block that is a module by itself, with an import for each of its own. */
export function moduleAsItIs(block: Block): Module {
  const lines = block.code.split('\n').map((_, index) => [index + 1, `${block.page}:${block.line + index}`] as const)
  return { code: block.code, lines: new Map(lines) }
}

export function moduleOf(blocks: readonly Block[], context: Context): Module {
  const { before = '', after = '', beforeBlock = {}, afterBlock = {} } = context
  const out = new Lines()
  out.add(importsOf([before, ...blocks.map(({ code }) => code), after]))
  out.add(before.replace(IMPORT, ''))
  blocks.forEach((block, index) => {
    const isOpen = context.joined === true || (context.shared === true && index === 0)
    out.add(isOpen ? '' : '{')
    out.add(codeFor(block, beforeBlock))
    // Lines stay lines, so that each can be found in the page.
    out.addBlock(block, block.code.replace(IMPORT, '').replace(/^export /gm, ''))
    out.add(codeFor(block, afterBlock))
    out.add(isOpen ? '' : '}')
  })
  out.add(after.replace(IMPORT, ''))
  out.add('export {}')
  return { code: replaced(out.text(), context.instead ?? {}), lines: out.lines }
}

function codeFor({ code }: Block, byText: Readonly<Record<string, string>>): string {
  return Object.entries(byText)
    .flatMap(([text, added]) => (code.includes(text) ? [added] : []))
    .join('\n')
}

/** Each name once, though several blocks import it. */
function importsOf(codes: readonly string[]): string {
  const names = new Map<string, Set<string>>()
  const others = new Set<string>()
  for (const line of codes.flatMap((code) => code.match(IMPORT) ?? [])) {
    const [, type = '', list, module] = NAMED.exec(line) ?? []
    if (module === undefined) others.add(line)
    else for (const name of list!.split(', ')) names.set(module, (names.get(module) ?? new Set()).add(type + name))
  }
  const joined = [...names].map(([module, all]) => {
    const kept = [...all].filter((name) => !name.startsWith('type ') || !all.has(name.slice(5)))
    return `import { ${kept.join(', ')} } from '${module}'`
  })
  return [...others, ...joined].join('\n')
}

function replaced(code: string, instead: Readonly<Record<string, string>>): string {
  return Object.entries(instead).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`no block has ${from} any more`)
    return text.replaceAll(from, to)
  }, code)
}

class Lines {
  readonly lines = new Map<number, string>()
  readonly #all: string[] = []

  add(code: string): void {
    this.#all.push(...code.split('\n'))
  }

  addBlock({ page, line }: Block, code: string): void {
    code.split('\n').forEach((_, index) => {
      this.lines.set(this.#all.length + index + 1, `${page}:${line + index}`)
    })
    this.add(code)
  }

  text(): string {
    return this.#all.join('\n')
  }
}

/** What tsc or a stack says, with pages in place of modules. `modules`: by path, as the text has it. */
export function toPages(text: string, modules: ReadonlyMap<string, Module>): string {
  return [...modules].reduce((said, [path, { lines }]) => {
    const at = new RegExp(`${path.replace(/[.\\/]/g, '\\$&')}(?:\\((\\d+),\\d+\\)|:(\\d+):\\d+)`, 'g')
    return said.replace(at, (whole, a, b) => lines.get(Number(a ?? b)) ?? whole)
  }, text)
}

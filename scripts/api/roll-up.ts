/**
 * The types of one entry of the package as one readable text: what it exports in order of name, then what that needs and is
 * not exported. Names of chunks, their short names for each other, and the order of files do not show.
 */
import { join } from 'node:path'
import ts from 'typescript'
import { type Binding, type DeclarationFile, readDeclarations } from './declarations.ts'

const MAIN = 'holdfast'

/** `folder`: with the built `.d.ts` files. What the main entry exports is not repeated by the others. */
export function rollUp(folder: string, entry: string): string {
  const files = new Map<string, DeclarationFile>()
  const own = exportsOf(files, join(folder, `${entry}.d.ts`))
  const main = entry === 'index' ? new Map<string, string>() : exportsOf(files, join(folder, 'index.d.ts'))
  return new RollUp(files, own, main).text()
}

/** Id of a declaration to the name that it is exported by. */
function exportsOf(files: Map<string, DeclarationFile>, path: string): Map<string, string> {
  const { exported } = fileOf(files, path)
  return new Map([...exported].map(([name, binding]) => [idOf(resolve(files, binding)), name]))
}

function fileOf(files: Map<string, DeclarationFile>, path: string): DeclarationFile {
  const file = files.get(path) ?? readDeclarations(path)
  files.set(path, file)
  return file
}

function idOf({ module, name }: Binding): string {
  return `${module}#${name}`
}

/** From chunk to chunk, to where it is declared. */
function resolve(files: Map<string, DeclarationFile>, binding: Binding): Binding {
  if (binding.outside) return binding
  const { declared, exported, imported } = fileOf(files, binding.module)
  const next = exported.get(binding.name) ?? imported.get(binding.name)
  if (next && idOf(next) !== idOf(binding)) return resolve(files, next)
  if (!declared.has(binding.name)) throw new Error(`${binding.module} has no ${binding.name}`)
  return binding
}

class RollUp {
  readonly #files: Map<string, DeclarationFile>
  readonly #own: ReadonlyMap<string, string>
  readonly #main: ReadonlyMap<string, string>
  /** Module to what is imported from it. */
  readonly #imports = new Map<string, Set<string>>()
  readonly #reexported: string[] = []
  /** Id to name, of what is needed and not exported, in the order in which it was met. */
  readonly #hidden = new Map<string, string>()
  readonly #taken: Set<string>

  constructor(
    files: Map<string, DeclarationFile>,
    own: ReadonlyMap<string, string>,
    main: ReadonlyMap<string, string>,
  ) {
    this.#files = files
    this.#own = own
    this.#main = main
    this.#taken = new Set([...own.values()])
  }

  text(): string {
    const exported = sorted([...this.#own].map(([id, name]) => [name, id] as const)).flatMap(([name, id]) => {
      if (!this.#main.has(id)) return [this.#print(id, name, true)]
      this.#reexported.push(this.#main.get(id) === name ? name : `${this.#main.get(id)} as ${name}`)
      return []
    })
    const hidden: [name: string, text: string][] = []
    // What is printed may need more.
    for (const [id, name] of this.#hidden) hidden.push([name, this.#print(id, name, false)])
    const note = hidden.length > 0 ? ['// Not exported, and part of what is:'] : []
    return [...this.#head(), ...exported, ...note, ...sorted(hidden).map(([, text]) => text), ''].join('\n\n')
  }

  #head(): string[] {
    const imports = sorted([...this.#imports]).map(([module, names]) => {
      const all = [...names].sort()
      const whole = all.find((name) => !name.startsWith('{'))
      if (whole !== undefined && all.length > 1) throw new Error(`${module} is imported in two ways`)
      return `import type ${whole ?? `{ ${all.map((name) => name.slice(1)).join(', ')} }`} from '${module}'`
    })
    const again = this.#reexported.length > 0 ? [`export { ${this.#reexported.sort().join(', ')} } from '${MAIN}'`] : []
    return imports.length + again.length > 0 ? [[...imports, ...again].join('\n')] : []
  }

  #print(id: string, name: string, exported: boolean): string {
    const [module, local] = id.split('#') as [string, string]
    const statements = fileOf(this.#files, module).declared.get(local)!
    return statements.map((statement) => this.#statement(module, statement, local, name, exported)).join('\n')
  }

  #statement(module: string, statement: ts.Statement, local: string, name: string, exported: boolean): string {
    const comment = (statement as { jsDoc?: ts.JSDoc[] }).jsDoc?.at(-1)
    const start = comment?.pos ?? statement.getStart()
    const edits = namesIn(statement, local).map((node) => {
      const isDeclared = node.text === local && !isReference(node)
      return { at: node.getStart() - start, old: node.text, text: isDeclared ? name : this.#nameOf(module, node.text) }
    })
    let text = statement.getSourceFile().text.slice(start, statement.getEnd())
    for (const { at, old, text: next } of edits.sort((a, b) => b.at - a.at))
      text = text.slice(0, at) + next + text.slice(at + old.length)
    const body = statement.getStart() - start
    const code = text.slice(body).replace(/^export /, '')
    return `${text.slice(0, body)}${exported ? 'export ' : ''}${code}`
  }

  /** How a name that a declaration uses is written in the roll-up. */
  #nameOf(module: string, name: string): string {
    const { declared, imported } = fileOf(this.#files, module)
    // Of the language, a parameter of a type, or declared in here.
    if (!declared.has(name) && !imported.has(name)) return name
    const binding = resolve(this.#files, imported.get(name) ?? { module, name, outside: false })
    if (binding.outside) return this.#import(binding, name)
    const id = idOf(binding)
    const inMain = this.#main.get(id)
    if (inMain !== undefined) return this.#import({ module: MAIN, name: inMain, outside: true }, inMain)
    return this.#own.get(id) ?? this.#hidden.get(id) ?? this.#hide(id, binding.name)
  }

  #import({ module, name }: Binding, local: string): string {
    const names = this.#imports.get(module) ?? new Set()
    const whole = { default: local, '*': `* as ${local}` }[name]
    names.add(whole ?? (name === local ? `{${name}` : `{${name} as ${local}`))
    this.#imports.set(module, names)
    this.#taken.add(local)
    return local
  }

  #hide(id: string, name: string): string {
    const plain = name.replace(/\$\d+$/, '')
    let free = plain
    for (let count = 2; this.#taken.has(free); count++) free = `${plain}_${count}`
    this.#taken.add(free)
    this.#hidden.set(id, free)
    return free
  }
}

/** Where the declaration is named, and where it names others. */
function namesIn(statement: ts.Statement, local: string): ts.Identifier[] {
  const found: ts.Identifier[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && (isReference(node) || (node.text === local && isDeclaredBy(node, statement))))
      found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(statement)
  return found
}

function isDeclaredBy({ parent }: ts.Identifier, statement: ts.Statement): boolean {
  return parent === statement || parent.parent?.parent === statement
}

/** The first part of a name of a type, or of a value of which the type is taken. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isTypeReferenceNode(parent)) return parent.typeName === node
  if (ts.isTypeQueryNode(parent)) return parent.exprName === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  if (ts.isTypePredicateNode(parent)) return false
  return ts.isExpressionWithTypeArguments(parent) && parent.expression === node
}

function sorted<T extends readonly [string, unknown]>(items: readonly T[]): T[] {
  return [...items].sort(([a], [b]) => (a < b ? -1 : 1))
}

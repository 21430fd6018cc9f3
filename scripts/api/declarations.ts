/** What one built `.d.ts` file declares, imports and exports, by name. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** A name of a module: a file of the build, or a package or `node:` module outside of it. */
export interface Binding {
  /** Path of a file where `outside` is false. */
  readonly module: string
  readonly name: string
  readonly outside: boolean
}

export interface DeclarationFile {
  readonly source: ts.SourceFile
  /** Local name to all that declares it: overloads are several. */
  readonly declared: ReadonlyMap<string, readonly ts.Statement[]>
  readonly imported: ReadonlyMap<string, Binding>
  /** What others get by this name. */
  readonly exported: ReadonlyMap<string, Binding>
}

export function readDeclarations(path: string): DeclarationFile {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const declared = new Map<string, ts.Statement[]>()
  const imported = new Map<string, Binding>()
  const exported = new Map<string, Binding>()
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) addImports(path, statement, imported)
    else if (ts.isExportDeclaration(statement)) addExports(path, statement, imported, exported)
    else for (const name of namesOf(statement)) declared.set(name, [...(declared.get(name) ?? []), statement])
  }
  return { source, declared, imported, exported }
}

function addImports(path: string, statement: ts.ImportDeclaration, imported: Map<string, Binding>): void {
  const { importClause: clause, moduleSpecifier } = statement
  const from = moduleOf(path, moduleSpecifier)
  if (clause?.name) imported.set(clause.name.text, { ...from, name: 'default' })
  const bindings = clause?.namedBindings
  if (bindings === undefined) return
  if (ts.isNamespaceImport(bindings)) imported.set(bindings.name.text, { ...from, name: '*' })
  else
    for (const { name, propertyName } of bindings.elements)
      imported.set(name.text, { ...from, name: (propertyName ?? name).text })
}

function addExports(
  path: string,
  statement: ts.ExportDeclaration,
  imported: ReadonlyMap<string, Binding>,
  exported: Map<string, Binding>,
): void {
  const { exportClause: clause, moduleSpecifier } = statement
  if (clause === undefined || !ts.isNamedExports(clause))
    throw new Error(`${path}: ${statement.getText()} is not known here`)
  for (const { name, propertyName } of clause.elements) {
    const local = (propertyName ?? name).text
    const here = imported.get(local) ?? { module: path, outside: false, name: local }
    exported.set(name.text, moduleSpecifier ? { ...moduleOf(path, moduleSpecifier), name: local } : here)
  }
}

function moduleOf(path: string, specifier: ts.Expression): Pick<Binding, 'module' | 'outside'> {
  const module = (specifier as ts.StringLiteral).text
  if (!module.startsWith('.')) return { module, outside: true }
  return { module: join(dirname(path), module.replace(/\.js$/, '.d.ts')), outside: false }
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  const { name } = statement as ts.DeclarationStatement
  if (name === undefined) throw new Error(`${statement.getSourceFile().fileName}: a statement without a name`)
  return [name.text]
}

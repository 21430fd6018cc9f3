/**
 * Cuts what pg_dump writes as plain SQL into statements, each with what the comment above it says it belongs to. Follows
 * psql's rules: quotes, dollar quotes, nested comments, parentheses, bodies between BEGIN ATOMIC and END; its meta
 * commands (\restrict, \connect) are left out. COPY blocks with data do not occur here.
 */
import { type Token, tokenAt } from './sql-lex.ts'

/** `-- Name: orders; Type: TABLE; Schema: public; Owner: app` */
export interface TocComment {
  readonly name: string
  readonly type: string
  /** Null where pg_dump writes '-'. */
  readonly schema: string | null
  /** Null where pg_dump writes '-', or nothing. */
  readonly owner: string | null
}

export interface SqlStatement {
  /** Without the closing semicolon and the comments around it. */
  readonly text: string
  /** Null before the first such comment. All statements of one entry share one object. */
  readonly toc: TocComment | null
  /** Where the text goes on after its semicolon. */
  readonly end?: number
}

/** Statements of a text that comes in pieces. */
export class SqlSplitter {
  #text = ''
  #at = 0
  /** How much of the text has been forgotten. */
  #base = 0
  /** Where the statement began that is being read; -1 between statements. */
  #start = -1
  #parens = 0
  #body = new AtomicBody()
  #toc: TocComment | null = null
  /** Not looked at again before there is this much text: an unfinished literal is not scanned anew for each piece. */
  #wanted = 0

  push(chunk: string): SqlStatement[] {
    this.#text += chunk
    return this.#text.length < this.#wanted ? [] : this.#read(false)
  }

  end(): SqlStatement[] {
    const found = this.#read(true)
    if (this.#start >= 0) found.push(this.#take(this.#text.length))
    return found
  }

  #read(whole: boolean): SqlStatement[] {
    const found: SqlStatement[] = []
    for (;;) {
      const token = tokenAt(this.#text, this.#at, whole)
      if (token === null) break
      this.#at = token.end
      if (this.#see(token)) found.push(this.#take(token.start))
    }
    this.#forget()
    return found
  }

  /** True for a semicolon that ends a statement. */
  #see(token: Token): boolean {
    if (token.kind === 'space' || token.kind === 'meta') return false
    if (token.kind === 'comment') {
      if (this.#start < 0) this.#toc = tocOf(this.#text.slice(token.start, token.end)) ?? this.#toc
      return false
    }
    const isSymbol = token.kind === 'symbol'
    const symbol = isSymbol ? this.#text[token.start] : ''
    if (symbol === ';' && this.#start < 0) return false
    if (this.#start < 0) this.#start = token.start
    if (symbol === '(') this.#parens++
    else if (symbol === ')') this.#parens = Math.max(0, this.#parens - 1)
    else if (symbol === ';') return this.#parens === 0 && this.#body.depth === 0
    if (token.kind === 'word' && this.#parens === 0) this.#body.word(this.#text.slice(token.start, token.end))
    return false
  }

  #take(end: number): SqlStatement {
    const text = this.#text.slice(this.#start, end).trimEnd()
    this.#start = -1
    this.#parens = 0
    this.#body = new AtomicBody()
    return { text, toc: this.#toc, end: this.#base + this.#at }
  }

  #forget(): void {
    const from = this.#start < 0 ? this.#at : this.#start
    this.#text = this.#text.slice(from)
    this.#at -= from
    this.#base += from
    if (this.#start >= 0) this.#start = 0
    this.#wanted = this.#at + 2 * (this.#text.length - this.#at)
  }
}

/** psql's own way to know BEGIN ATOMIC bodies: only in CREATE [OR REPLACE] FUNCTION | PROCEDURE; CASE has an END too. */
class AtomicBody {
  depth = 0
  #head: string[] = []

  word(raw: string): void {
    const word = raw.length > 9 ? '' : raw.toLowerCase()
    this.#count(word)
    if (!this.#makesRoutine()) return
    if (word === 'begin') this.depth++
    else if (word === 'case' && this.depth > 0) this.depth++
    else if (word === 'end' && this.depth > 0) this.depth--
  }

  #count(word: string): void {
    if (this.#head.length < 4) this.#head.push(word)
  }

  #makesRoutine(): boolean {
    const [first, second, third, fourth] = this.#head
    if (first !== 'create') return false
    const what = second === 'or' && third === 'replace' ? fourth : second
    return what === 'function' || what === 'procedure'
  }
}

const TOC = /^-- (?:Data for )?Name: (.*); Type: (.*?); Schema: (.*); Owner: ?([^;]*?)(?:; Tablespace: .*)?\r?\n?$/

function tocOf(comment: string): TocComment | null {
  const found = TOC.exec(comment)
  if (found === null) return null
  const [, name = '', type = '', schema = '', owner = ''] = found
  return { name, type, schema: schema === '-' ? null : schema, owner: owner === '-' || owner === '' ? null : owner }
}

/** All statements of a text. */
export function splitSql(text: string): SqlStatement[] {
  const splitter = new SqlSplitter()
  const first = splitter.push(text)
  return first.concat(splitter.end())
}

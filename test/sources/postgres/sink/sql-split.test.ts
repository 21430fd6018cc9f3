import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pieces } from '../../../../src/sources/postgres/sql-lex.ts'
import { SqlSplitter, splitSql } from '../../../../src/sources/postgres/sql-split.ts'

const texts = (sql: string): string[] => splitSql(sql).map((one) => one.text)

describe('splitSql', () => {
  it('ends a statement at a semicolon that is not inside of anything', () => {
    expect(texts('SELECT 1; SELECT 2;')).toEqual(['SELECT 1', 'SELECT 2'])
    expect(texts('SELECT \'a;\'\'b\', "c;""d"; X')).toEqual(['SELECT \'a;\'\'b\', "c;""d"', 'X'])
    expect(texts("SELECT E'it\\';s'; Y")).toEqual(["SELECT E'it\\';s'", 'Y'])
    expect(texts("SELECT 'C:\\'; Y")).toEqual(["SELECT 'C:\\'", 'Y'])
    expect(texts('SELECT $$a;b$$, $t$ $$;$t$; Y')).toEqual(['SELECT $$a;b$$, $t$ $$;$t$', 'Y'])
    expect(texts('SELECT $1; SELECT a$b$c;')).toEqual(['SELECT $1', 'SELECT a$b$c'])
    expect(texts('/* a; /* b; */ c; */ SELECT /* ; */ 1; -- x; y\nZ')).toEqual(['SELECT /* ; */ 1', 'Z'])
    expect(texts('CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2;); Y')).toEqual([
      'CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2;)',
      'Y',
    ])
  })

  it('keeps bodies of BEGIN ATOMIC whole, with CASE inside', () => {
    const body =
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END'
    const replaced = 'CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END'
    expect(texts(`${body};\n${replaced};BEGIN;END;`)).toEqual([body, replaced, 'BEGIN', 'END'])
  })

  it('leaves out meta commands of psql and empty statements', () => {
    expect(texts('\\restrict abc;\n\n;;SELECT 1;\n\\unrestrict abc\n')).toEqual(['SELECT 1'])
  })

  it('reads the comment of each entry', () => {
    const sql = [
      '--\n-- PostgreSQL database dump\n--\n\nSET x = 1;',
      '--\n-- Name: a; b; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE "a; b" ();\n\nALTER TABLE "a; b" OWNER TO me;',
      '--\n-- Name: s; Type: SCHEMA; Schema: -; Owner: -\n--\n\nCREATE SCHEMA s;',
      '--\n-- Name: i; Type: INDEX; Schema: s; Owner: me; Tablespace: fast\n--\n\nCREATE INDEX i;',
    ].join('\n\n')
    const table = { name: 'a; b', type: 'TABLE', schema: 'public', owner: 'me' }
    expect(splitSql(sql).map(({ text, toc }) => ({ text, toc }))).toEqual([
      { text: 'SET x = 1', toc: null },
      { text: 'CREATE TABLE "a; b" ()', toc: table },
      { text: 'ALTER TABLE "a; b" OWNER TO me', toc: table },
      { text: 'CREATE SCHEMA s', toc: { name: 's', type: 'SCHEMA', schema: null, owner: null } },
      { text: 'CREATE INDEX i', toc: { name: 'i', type: 'INDEX', schema: 's', owner: 'me' } },
    ])
  })

  it('gives the same statements however the text is cut, and loses nothing that it was given', () => {
    const literal = fc.stringMatching(/^[a-z;'"$\\\-/* \n]{0,8}$/)
    const part = fc.oneof(
      literal.map((text) => `'${text.replaceAll("'", "''")}'`),
      literal.map((text) => `"${text.replaceAll('"', '""')}"`),
      literal.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
      literal.map((text) => `$q1$${text}$q1$`),
      literal.map((text) => `/*${text.replaceAll('/', '').replaceAll('*', '')}*/`),
      fc.constantFrom('SELECT', '(a;b)', 'é', '1.5', '+', '$1', '::', 'CASE', 'end'),
    )
    const statement = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => `x ${parts.join(' ')}`)
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 5 }), fc.array(fc.nat(40)), (statements, cuts) => {
        const sql = statements.map((one) => `${one};\n`).join('')
        const splitter = new SqlSplitter()
        const found: string[] = []
        let at = 0
        for (const cut of cuts) {
          found.push(...splitter.push(sql.slice(at, at + cut)).map((one) => one.text))
          at += cut
        }
        found.push(...splitter.push(sql.slice(at)).map((one) => one.text))
        found.push(...splitter.end().map((one) => one.text))
        expect(found).toEqual(statements)
      }),
      { numRuns: 2000 },
    )
  })

  it('ends on any text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\s\S]*$/), fc.stringMatching(/^[;'"$\\\-/*()eE a\n]*$/), (any, nasty) => {
        const whole = splitSql(nasty + any)
        const bits = new SqlSplitter()
        const found = [...nasty, ...any].flatMap((char) => bits.push(char))
        expect([...found, ...bits.end()]).toEqual(whole)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('pieces', () => {
  it('gives names and literals as they are meant', () => {
    const sql = 'CREATE INDEX "A""b" ON s.t /* no */ (x) -- end\n WHERE a = \'it\'\'s\' OR $q$x$q$'
    expect([...pieces(sql)].map((one) => one.value)).toEqual([
      'create',
      'index',
      'A"b',
      'on',
      's',
      '.',
      't',
      '(',
      'x',
      ')',
      'where',
      'a',
      '=',
      "it's",
      'or',
      'x',
    ])
  })
})

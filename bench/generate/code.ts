/** Source code: idioms of three languages, filled with the names that a project and a file use. */
import { writeClause } from './prose.ts'
import type { Random } from './random.ts'
import type { Pen, Vocabulary } from './words.ts'

/** In a line: `$` is a name, `@` a number, `%` some words. Openers go one level in, closers one level out. */
interface Language {
  readonly indent: string
  readonly header: readonly string[]
  readonly lines: readonly string[]
  readonly openers: readonly string[]
  readonly closers: readonly string[]
  readonly comment: string
}

const SCRIPT: Language = {
  indent: '  ',
  header: ["import { $, $ } from './$.js'", "import type { $ } from '../$/$.js'", "import $ from '$'"],
  lines: [
    'const $ = await $.$($, $)',
    'const $ = $.$($)',
    'const { $, $ } = $.$',
    'let $ = @',
    '$.push($)',
    '$.set($, $)',
    'return $.$($)',
    'return $',
    "if ($ === undefined) throw new Error('%')",
    'if (!$) return undefined',
    '$ += $.length',
    'this.$ = $',
    "logger.info({ $, $ }, '%')",
    'expect($.$).toEqual($)',
    'export const $ = @',
    '$.on($, ($) => $.$($))',
    'const $: Map<string, $> = new Map()',
    'readonly $: $ | undefined',
  ],
  openers: [
    'export function $($: $, $: number): $ {',
    'for (const $ of $) {',
    'if ($.$ > @) {',
    'for (let i = 0; i < $.length; i++) {',
    'export class $ extends $ {',
    'export interface $ {',
    'async function $($: $): Promise<$> {',
    "it('%', async () => {",
    'try {',
  ],
  closers: ['}', '}', '})', '} finally { $.close() }'],
  comment: '// ',
}

const SNAKE: Language = {
  indent: '    ',
  header: ['import $', 'from $.$ import $, $', 'from typing import Any, Optional'],
  lines: [
    '$ = self.$($, $)',
    'self.$ = $',
    'return $',
    'return [$ for $ in $ if $.$]',
    '$ = $.get("$", None)',
    'raise ValueError("%")',
    'assert $.$ == @',
    'yield $, $',
    'logger.debug("%", $)',
    '$.append($)',
    'del $[$]',
  ],
  openers: [
    'def $(self, $: Any, $: Optional[str] = None) -> None:',
    'class $($):',
    'for $ in $.items():',
    'if $ is None:',
    'if $ and $.$ > @:',
    'with $.open($) as $:',
    'try:',
  ],
  closers: ['', '', 'return $', 'pass'],
  comment: '# ',
}

const BRACES: Language = {
  indent: '\t',
  header: ['#include <$.h>', '#include "$/$.h"', '#define $_$ @'],
  lines: [
    'int $ = $($, @);',
    'if ($ < 0) return -@;',
    '$->$ = $;',
    'memcpy($, $->$, sizeof(*$));',
    'return $;',
    'free($->$);',
    'static struct $ *$;',
    'assert($ != NULL);',
    'fprintf(stderr, "%\\n", $);',
    '$ |= 0x@;',
    'break;',
    'case $: $($); break;',
  ],
  openers: [
    'static int $(struct $ *$, size_t $) {',
    'for (size_t i = 0; i < $; i++) {',
    'while ($->$) {',
    'if ($ == NULL || $->$ > @) {',
    'switch ($->$) {',
    'struct $ {',
  ],
  closers: ['}', '}', '};'],
  comment: '/* ',
}

const LANGUAGES = [SCRIPT, SCRIPT, SNAKE, BRACES] as const
const LICENCE =
  'Copyright the authors. Use of this source code is governed by a licence that can be found in the LICENSE file.'

/** Names of one file: mostly the project's frequent ones. */
function localNames(random: Random, vocabulary: Vocabulary, project: number): number[] {
  const base = (project * 761) % (vocabulary.identifiers.count - 2000)
  return Array.from({ length: random.between(20, 70) }, () => base + random.zipf(2000))
}

function writeLine(pen: Pen, random: Random, vocabulary: Vocabulary, line: string, names: readonly number[]): void {
  for (let i = 0; i < line.length; i++) {
    const character = line[i] as string
    if (character === '$') pen.token(vocabulary.identifiers, names[random.below(names.length)] as number)
    else if (character === '@') pen.ascii(String(random.zipf(4096)))
    else if (character === '%') writeClause(pen, random, vocabulary, 2)
    else pen.ascii(character)
  }
  pen.ascii('\n')
}

function writeHeader(pen: Pen, random: Random, vocabulary: Vocabulary, language: Language, names: number[]): void {
  if (random.chance(0.3)) pen.ascii(`${language.comment}${LICENCE}\n\n`)
  for (let i = random.between(2, 8); i > 0; i--) writeLine(pen, random, vocabulary, random.pick(language.header), names)
  pen.ascii('\n')
}

/** Fills the pen; `project` chooses the names, so that files of one project resemble each other. */
export function writeCode(pen: Pen, random: Random, vocabulary: Vocabulary, project: number): void {
  const language = LANGUAGES[project % LANGUAGES.length] as Language
  const names = localNames(random, vocabulary, project)
  writeHeader(pen, random, vocabulary, language, names)
  let depth = 0
  while (!pen.full) {
    const dice = random.below(100)
    if (dice < 11) {
      pen.ascii(language.indent.repeat(depth) + language.comment)
      writeClause(pen, random, vocabulary, random.between(2, 5))
      pen.ascii('\n')
    } else if (depth > 0 && dice < 11 + depth * 9) {
      depth--
      pen.ascii(language.indent.repeat(depth))
      writeLine(pen, random, vocabulary, random.pick(language.closers), names)
      if (depth === 0) pen.ascii('\n')
    } else if (depth < 5 && (depth === 0 || dice > 80)) {
      pen.ascii(language.indent.repeat(depth))
      writeLine(pen, random, vocabulary, random.pick(language.openers), names)
      depth++
    } else {
      pen.ascii(language.indent.repeat(depth))
      writeLine(pen, random, vocabulary, random.pick(language.lines), names)
    }
  }
}

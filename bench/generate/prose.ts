/** Plain text: Markdown-like documents and mail. */
import type { Random } from './random.ts'
import type { Pen, Vocabulary } from './words.ts'

/** Some words without a full stop: some of them in phrases that other files use too. */
export function writeClause(pen: Pen, random: Random, vocabulary: Vocabulary, tokens: number): void {
  for (let i = 0; i < tokens && !pen.full; i++) {
    if (i > 0) pen.ascii(' ')
    if (random.chance(0.2)) pen.token(vocabulary.phrases, random.zipf(vocabulary.phrases.count))
    else pen.token(vocabulary.words, random.zipf(vocabulary.words.count))
  }
}

function writeParagraph(pen: Pen, random: Random, vocabulary: Vocabulary): void {
  let lineStart = pen.at
  for (let sentence = random.between(2, 7); sentence > 0 && !pen.full; sentence--) {
    writeClause(pen, random, vocabulary, random.between(3, 9))
    pen.ascii('.')
    if (pen.at - lineStart > 60) {
      pen.ascii('\n')
      lineStart = pen.at
    } else pen.ascii(' ')
  }
  pen.ascii('\n\n')
}

function writeList(pen: Pen, random: Random, vocabulary: Vocabulary): void {
  for (let item = random.between(2, 8); item > 0 && !pen.full; item--) {
    pen.ascii('- ')
    writeClause(pen, random, vocabulary, random.between(1, 4))
    pen.ascii('\n')
  }
  pen.ascii('\n')
}

export function writeProse(pen: Pen, random: Random, vocabulary: Vocabulary): void {
  while (!pen.full) {
    if (random.chance(0.15)) {
      pen.ascii('## ')
      writeClause(pen, random, vocabulary, 2)
      pen.ascii('\n\n')
    }
    if (random.chance(0.2)) writeList(pen, random, vocabulary)
    else writeParagraph(pen, random, vocabulary)
  }
}

/** Names of the parts of a long ZIP: what `cat` joins in their order. */
export function volumeKey(key: string, number: number): string {
  return `${key}.${String(number).padStart(3, '0')}`
}

/** First number from 0 to `count` at which `reached` is true, given that it stays true from there. */
export function firstWhere(count: number, reached: (at: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (reached(middle)) high = middle
    else low = middle + 1
  }
  return low
}

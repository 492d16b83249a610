/** The law, for every stretch between two of the times. */
export function breaksLaw(atMs: readonly number[], rate: { perSecond: number; burst: number }): string | null {
  const sorted = atMs.toSorted((a, b) => a - b)
  for (let i = 0; i < sorted.length; i++)
    for (let j = i; j < sorted.length; j++) {
      const seconds = (sorted[j]! - sorted[i]!) / 1_000
      if (j - i + 1 > rate.perSecond * seconds + rate.burst + 1e-3) return `${j - i + 1} within ${seconds} s`
    }
  return null
}

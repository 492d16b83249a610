/**
 * Bounds how much of something is under way at once: `count` turns, given out first come, first served. Whoever waits
 * leaves the line when its signal aborts, so a stopping caller never waits for the work of another.
 */
export type Turns = {
  /** Runs `task` when a turn is free. */
  run<T>(task: () => Promise<T>): Promise<T>
  /** The same, but answers null without running `task` when the signal aborts before that. */
  runUnless<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T | null>
}

export function turns(count: number): Turns {
  let free = count
  /** In the order they came. */
  const line = new Set<() => void>()

  /** Resolves when a turn is ours, or the signal says to leave. Answers whether it is ours. */
  const wait = (signal: AbortSignal | null): Promise<boolean> =>
    new Promise((resolve) => {
      const take = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve(true)
      }
      const leave = (): void => {
        line.delete(take)
        resolve(false)
      }
      line.add(take)
      signal?.addEventListener('abort', leave, { once: true })
    })

  const pass = (): void => {
    const [first] = line
    if (first === undefined) {
      free += 1
      return
    }
    line.delete(first)
    first()
  }

  const runUnless = async <T>(signal: AbortSignal, task: () => Promise<T>): Promise<T | null> => {
    if (signal.aborted) return null
    if (free > 0) free -= 1
    else if (!(await wait(signal))) return null
    try {
      return signal.aborted ? null : await task()
    } finally {
      pass()
    }
  }

  const run = async <T>(task: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1
    else await wait(null)
    try {
      return await task()
    } finally {
      pass()
    }
  }

  return { run, runUnless }
}

/**
 * Keeps the process small. V8 lets the space for new objects grow to tens of MB under load; most of what a request
 * allocates dies with it, so that beyond a few MB the growth costs about 100 MB of resident memory and gains nothing
 * (`npm run bench`). The limit can only be given to V8 before it starts, and a published command cannot do that on
 * every system; so growth is left on until the space is large enough, and then switched off.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

const LARGE_ENOUGH_BYTES = 8 * 1024 * 1024
const LOOK_EVERY_MS = 20

/** Stops the growth of the space for new objects once it is large enough for good. */
export function boundNursery(): void {
  const timer = setInterval(() => {
    const space = getHeapSpaceStatistics().find((s) => s.space_name === 'new_space')
    if (space !== undefined && space.space_size < LARGE_ENOUGH_BYTES) return
    setFlagsFromString('--semi-space-growth-factor=1')
    clearInterval(timer)
  }, LOOK_EVERY_MS)
  timer.unref()
}

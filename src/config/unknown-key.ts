import { nearestName } from './nearest.ts'
import { OPTIONS } from './options.ts'
import type { OptionNode } from './option-tree.ts'

/**
 * What to say about a key that is not known: the slip it most likely is, else the place where such a key does
 * exist, else the keys that may stand here. The nearest known key is always named.
 */
export function unknownKeyHint(key: string, node: OptionNode, path: string, siblings: readonly string[]): string {
  const foreign = node.children.get(key)?.option?.sinks
  if (foreign !== undefined) {
    const types = foreign.map((type) => `"${type}"`).join(' or ')
    return `"${key}" belongs to a sink of type ${types}. Known keys here: ${siblings.join(', ')}.`
  }
  const nearest = nearestName(key, siblings)
  if (nearest?.close === true) return `Did you mean "${nearest.name}"?`
  const elsewhere = pathsEndingIn(key, path)
  if (elsewhere.length > 0) return `Did you mean ${elsewhere.map((place) => `"${place}"`).join(' or ')}?`
  if (nearest === null) return 'No keys are known here.'
  return `The nearest known key is "${nearest.name}". Known keys here: ${siblings.join(', ')}.`
}

/** Table paths whose last key is this one, the route name filled in when the place is inside a route. */
function pathsEndingIn(key: string, path: string): string[] {
  const route = /^routes\.([^.]+)/.exec(path)?.[1]
  return OPTIONS.flatMap((option) => {
    if (option.path === null || !option.path.toLowerCase().endsWith(`.${key.toLowerCase()}`)) return []
    return [option.path.replace('*', route ?? 'NAME')]
  })
}

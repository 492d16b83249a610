import type { Option } from './option.ts'
import { OPTIONS } from './options.ts'

/**
 * The option table as a tree, the way a configuration is nested: what may stand at a place, and nothing else.
 * A node without an option is a plain group such as `http`.
 */
export type OptionNode = {
  /** Path in the table, with `*` for a route name; empty at the root. */
  readonly path: string
  readonly option: Option | null
  readonly children: ReadonlyMap<string, OptionNode>
}

export const OPTION_TREE: OptionNode = grow('')

/** The options of a node that a sink of this type has; null means any type. */
export function childrenFor(node: OptionNode, sinkType: string | null): [string, OptionNode][] {
  return [...node.children].filter(([, child]) => {
    const only = child.option?.sinks
    return only === undefined || sinkType === null || only.some((type) => type === sinkType)
  })
}

function grow(path: string): OptionNode {
  const prefix = path === '' ? '' : `${path}.`
  const children = new Map<string, OptionNode>()
  for (const option of OPTIONS) {
    if (option.path === null || option.path === path || !option.path.startsWith(prefix)) continue
    const key = option.path.slice(prefix.length).split('.')[0] ?? ''
    if (!children.has(key)) children.set(key, grow(prefix + key))
  }
  return { path, option: OPTIONS.find((option) => option.path !== null && option.path === path) ?? null, children }
}

/** Which handler answers a method and path. Paths are templates: `{id}` is one segment. */
import { NOT_FOUND, problem, type Answer, type Call } from './answer.ts'

export type Route = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly answer: (call: Call) => Answer | Promise<Answer>
}

export type Found = { readonly route: Route; readonly params: readonly string[] }

/** Finds the route, or the 404 or 405 that says there is none. A literal segment is preferred to `{id}`. */
export function routerOf(routes: readonly Route[]): (method: string, path: string) => Found | Answer {
  const cut = routes.map((route) => ({ route, segments: route.path.split('/') }))
  return (method, path) => {
    const segments = path.split('/')
    const fitting = cut
      .filter(
        (candidate) => candidate.segments.length === segments.length && candidate.segments.every((s, i) => s === ID || s === segments[i]),
      )
      .toSorted((a, b) => holes(a.segments) - holes(b.segments))
    const [best] = fitting
    if (best === undefined) return NOT_FOUND
    const same = fitting.find(({ route }) => route.method === method && route.path === best.route.path)
    if (same === undefined) return problem(405, 'method.not.allowed', `${method.slice(0, 20)} is not allowed here.`)
    const params = segments.filter((_, i) => same.segments[i] === ID)
    return params.includes('') ? NOT_FOUND : { route: same.route, params: params.map(decoded) }
  }
}

/** Tells what the router found from the answer that nothing was. */
export function isFound(found: Found | Answer): found is Found {
  return 'route' in found
}

const ID = '{id}'

function holes(segments: readonly string[]): number {
  return segments.filter((segment) => segment === ID).length
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

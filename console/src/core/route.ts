// Where the reader is: the path and everything that they have chosen, in the URL's
// fragment, as #/functions/NAME?tab=logs&from=6h. A screen keeps nothing else that a
// copied link should have.
import { Store, useStore } from "./store"

export interface Route {
  path: string // "/functions/hello"
  query: URLSearchParams
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split(/\?(.*)/s)
  return { path: path || "/", query: new URLSearchParams(query) }
}

export const route = new Store<Route>(read())
window.addEventListener("hashchange", () => route.set(read()))

// What goes along from screen to screen: the time that one looks at.
const kept = ["from", "to", "refresh"]

export function href(path: string, query: Record<string, string | undefined> = {}): string {
  const params = new URLSearchParams()
  for (const name of kept) {
    const value = route.get().query.get(name)
    if (value !== null) params.set(name, value)
  }
  for (const [name, value] of Object.entries(query)) {
    if (value) params.set(name, value)
    else params.delete(name)
  }
  const text = params.toString()
  return "#" + path + (text ? "?" + text : "")
}

// to builds a path of parts that may hold anything.
export const to = (...parts: string[]) => "/" + parts.map(encodeURIComponent).join("/")

export function go(path: string, query?: Record<string, string | undefined>): void {
  location.hash = href(path, query)
}

// choose changes what is chosen on this screen. Typing replaces the entry of the
// history, a click adds one.
export function choose(change: Record<string, string | undefined>, replace = false): void {
  const now = read()
  for (const [name, value] of Object.entries(change)) {
    if (value) now.query.set(name, value)
    else now.query.delete(name)
  }
  const text = now.query.toString()
  const hash = "#" + now.path + (text ? "?" + text : "")
  if (hash === location.hash) return
  if (replace) history.replaceState(null, "", hash)
  else history.pushState(null, "", hash)
  route.set(read())
}

// useChoice is one thing that is chosen, by its name in the URL.
export function useChoice(name: string, fallback = ""): [string, (value: string, replace?: boolean) => void] {
  const now = useStore(route)
  return [now.query.get(name) ?? fallback, (value, replace) => choose({ [name]: value === fallback ? undefined : value }, replace)]
}

// match returns the parts that a pattern such as /functions/:name names.
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split("/")
  const have = path.split("/")
  if (want.length !== have.length) return undefined
  const found: Record<string, string> = {}
  for (let i = 0; i < want.length; i++) {
    const w = want[i]!
    const h = have[i]!
    if (w.startsWith(":")) {
      try {
        found[w.slice(1)] = decodeURIComponent(h)
      } catch {
        return undefined
      }
    } else if (w !== h) return undefined
  }
  return found
}

// The time that the screens look at: from and to of the URL, "1h" ago until now or two
// moments in seconds, and how often what is shown is asked for anew.
import { choose, route } from "./route"
import { Store, useStore } from "./store"

export const presets: [string, string][] = [
  ["15m", "Last 15 minutes"],
  ["1h", "Last hour"],
  ["6h", "Last 6 hours"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
]
export const refreshes: [string, string][] = [
  ["off", "Off"],
  ["5s", "5 s"],
  ["15s", "15 s"],
  ["1m", "1 min"],
]

export interface Range {
  from: string // as in the URL
  live: boolean // until now
  start: number // seconds
  end: number
  step: number // between the points of a chart
  span: number
  label: string
}

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }

// seconds reads "90s", "15m", "6h", "7d"; undefined if it is none.
export function seconds(text: string): number | undefined {
  const found = /^(\d+)([smhdw])$/.exec(text)
  return found ? Number(found[1]) * units[found[2]!]! : undefined
}

const steps = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]

export function rangeOf(query: URLSearchParams, now = Date.now() / 1000): Range {
  const from = query.get("from") ?? "1h"
  const to = query.get("to") ?? "now"
  const back = seconds(from)
  const end = to === "now" || !Number(to) ? now : Number(to)
  const start = back !== undefined ? end - back : Math.min(Number(from) || end - 3600, end - 1)
  const span = end - start
  const step = steps.find((s) => span / s <= 120) ?? 86400
  const live = to === "now" && back !== undefined
  const preset = presets.find(([value]) => value === from)
  const label = live ? (preset?.[1] ?? `Last ${from}`) : `${stamp(start)} – ${stamp(end)}`
  return { from, live, start: Math.floor(start / step) * step, end: Math.ceil(end / step) * step, step, span, label }
}

function stamp(at: number): string {
  const d = new Date(at * 1000)
  const day = d.toLocaleDateString(undefined, { month: "short", day: "numeric" })
  return `${day} ${d.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`
}

// zoom looks at two moments.
export const zoom = (start: number, end: number) => choose({ from: String(Math.floor(start)), to: String(Math.ceil(end)) })

// tick counts how often what is shown has become old. It stands still while nobody
// looks.
export const tick = new Store(0)
// asked counts how often the reader has asked for everything anew.
export const asked = new Store(0)
export const reload = () => {
  asked.set(asked.get() + 1)
  tick.set(tick.get() + 1)
}
let timer: number | undefined

function wind(): void {
  clearInterval(timer)
  const query = route.get().query
  const every = seconds(query.get("refresh") ?? "15s")
  if (every === undefined || !rangeOf(query).live) return
  timer = window.setInterval(() => document.visibilityState === "visible" && tick.set(tick.get() + 1), every * 1000)
}
route.watch(wind)
wind()

// useRange is the range at the last tick.
export function useRange(): Range {
  const { query } = useStore(route)
  useStore(tick)
  return rangeOf(query)
}

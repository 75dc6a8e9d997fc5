// Questions to what is measured, by the Prometheus API.
import { send } from "./call"
import type { Range } from "./range"

export interface Series {
  labels: Record<string, string>
  points: [number, number][] // seconds, value; in order
}

interface Answer {
  data: { resultType: string; result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[] }
}

async function ask(path: string, params: Record<string, string>, signal?: AbortSignal): Promise<Answer> {
  const answer = await send(`/api/v1/${path}?${new URLSearchParams(params)}`, { signal })
  return (await answer.json()) as Answer
}

// ranged answers an expression at every step of a range.
export async function ranged(expr: string, range: Range, signal?: AbortSignal, step = range.step): Promise<Series[]> {
  const a = await ask("query_range", { query: expr, start: String(range.start), end: String(range.end), step: String(step) }, signal)
  return a.data.result.map((r) => ({ labels: r.metric, points: (r.values ?? []).map(([t, v]) => [t, Number(v)] as [number, number]) }))
}

// instant answers an expression about a moment: now, or the end of a range.
export async function instant(expr: string, range?: Range, signal?: AbortSignal): Promise<Series[]> {
  const params: Record<string, string> = { query: expr }
  if (range && !range.live) params.time = String(range.end)
  const a = await ask("query", params, signal)
  return a.data.result.map((r) => ({ labels: r.metric, points: r.value ? [[r.value[0], Number(r.value[1])] as [number, number]] : [] }))
}

// one is the value of the only series, if there is one.
export const one = (list: Series[] | undefined) => list?.[0]?.points.at(-1)?.[1]

// quote is a text in an expression.
export const quote = (text: string) => JSON.stringify(text)

// window is how far rate() looks back so that every step has measurements: metrics are
// written every 10 s.
export const window = (range: Range) => `${Math.max(range.step, 60)}s`

// counted is how much a counter has grown, exactly: what increase() alone would guess
// at the edges of a window is left out.
export const counted = (series: string, window: string) => `increase(${series}[${window}] anchored)`

export const span = (range: Range) => `${Math.round(range.end - range.start)}s`

// filled gives series of counts a point at every step: what is not there was nothing.
export function filled(list: Series[], range: Range, step = range.step): Series[] {
  return list.map((s) => {
    const known = new Map(s.points)
    const points: [number, number][] = []
    for (let t = range.start; t <= range.end; t += step) points.push([t, known.get(t) ?? 0])
    return { ...s, points }
  })
}

// counts is what a counter grew by at every step, for every set of labels.
export const counts = async (by: string, series: string, range: Range, signal?: AbortSignal, step = range.step) =>
  filled(await ranged(`sum${by && ` by (${by})`} (${counted(series, step + "s")})`, range, signal, step), range, step)

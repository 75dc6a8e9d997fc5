// Questions to the logs, in the language of docs/logs.md.
import { control, logs } from "./call"
import type { Range } from "./range"

export type Row = Record<string, string>

export interface Found {
  rows: Row[]
  columns: string[] // of the rows, in their order
  status: string
  matched: number
  scanned: number
  bytes: number
}

export interface Use {
  name: string
  percent: number
  values?: { value: string; count: number }[]
}

interface Results {
  results: { field: string; value: string }[][]
  statistics: { recordsMatched: number; recordsScanned: number; bytesScanned: number }
  status: string
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done, fail) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      fail(new DOMException("stopped", "AbortError"))
    })
  })

// ask runs a query over groups, whose names may end with "*", and calls partly with what
// has been found so far. Who stops waiting stops the query.
export async function ask(groups: string[], queryString: string, range: Range, limit: number, signal: AbortSignal, partly?: (found: Found) => void): Promise<Found> {
  const { queryId } = await logs<{ queryId: string }>("StartQuery", { logGroupIdentifiers: groups, queryString, startTime: Math.floor(range.start), endTime: Math.ceil(range.end), limit }, signal)
  try {
    for (let wait = 30; ; wait = Math.min(wait * 1.6, 1000)) {
      await pause(wait, signal)
      const answer = await logs<Results>("GetQueryResults", { queryId }, signal)
      const found = read(answer)
      if (answer.status === "Complete") return found
      if (answer.status !== "Running" && answer.status !== "Scheduled") throw new Error(`the query has ended as ${answer.status}; a shorter time or fewer groups may help`)
      if (found.rows.length > 0) partly?.(found)
    }
  } catch (e) {
    if (signal.aborted) void logs("StopQuery", { queryId }).catch(() => undefined) // it may have ended meanwhile
    throw e
  }
}

function read(answer: Results): Found {
  const columns: string[] = []
  const rows = answer.results.map((fields) => {
    const row: Row = {}
    for (const { field, value } of fields) {
      row[field] = value
      if (field !== "@ptr" && !columns.includes(field)) columns.push(field)
    }
    return row
  })
  const s = answer.statistics
  return { rows, columns, status: answer.status, matched: s.recordsMatched, scanned: s.recordsScanned, bytes: s.bytesScanned }
}

export const record = (ptr: string, signal?: AbortSignal) => logs<{ logRecord: Row }>("GetLogRecord", { logRecordPointer: ptr }, signal).then((a) => a.logRecord)

export const fieldsOf = (groups: string[], range: Range, signal?: AbortSignal) =>
  control<{ fields: Use[] }>("LogFields", { groups, start: iso(range.start), end: iso(range.end), values: 6 }, signal).then((a) => a.fields)

const iso = (t: number) => new Date(t * 1000).toISOString()

export async function groupNames(signal?: AbortSignal): Promise<string[]> {
  const names: string[] = []
  let nextToken: string | undefined
  do {
    const page = await logs<{ logGroups: { logGroupName: string }[]; nextToken?: string }>("DescribeLogGroups", { nextToken }, signal)
    names.push(...page.logGroups.map((g) => g.logGroupName))
    nextToken = page.nextToken
  } while (nextToken)
  return names
}

// time reads a time as the language writes it: UTC.
export const moment = (text: string | undefined) => Date.parse((text ?? "").replace(" ", "T") + "Z")

const bins: [number, string][] = [[10, "10s"], [30, "30s"], [60, "1m"], [300, "5m"], [600, "10m"], [1800, "30m"], [3600, "1h"], [10800, "3h"], [43200, "12h"], [86400, "1d"]]
export const bin = (range: Range) => bins.find(([s]) => range.span / s <= 80) ?? bins.at(-1)!

// head is the search that a query begins with, without the commands behind it.
export function head(query: string): string {
  let quote = ""
  for (let i = 0; i < query.length; i++) {
    const c = query[i]!
    if (c === "\\") i++
    else if (quote) quote = c === quote ? "" : quote
    else if (c === '"' || c === "`") quote = c
    else if (c === "/" && (i === 0 || /[\s(:]/.test(query[i - 1]!)) && /^\/(?:[^/\\\n]|\\.)+\/(?=[\s)|]|$)/.test(query.slice(i))) quote = c
    else if (c === "|") return query.slice(0, i).trim()
  }
  return query.trim()
}

// plain says whether a query finds records, not rows that are made of them.
export const plain = (query: string) => !/(^|\|)\s*(stats|top)\b/.test(query)

const word = (name: string) => (/^[@\w.()-]+$/.test(name) ? name : "`" + name + "`")
// having narrows a query down to records with a value, or to those without it.
export function having(query: string, field: string, value: string, not = false): string {
  const search = head(query)
  const rest = query.trim().slice(search.length)
  const test = `${not ? "-" : ""}${word(field)}:${JSON.stringify(value)}`
  const narrowed = !search || search === "*" ? test : / OR /.test(search) ? `(${search}) ${test}` : `${search} ${test}`
  return narrowed + (rest && " ") + rest
}

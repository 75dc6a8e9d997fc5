// Invocations, as the REPORT lines in a function's log tell of them.
import { Fault, logs } from "./call"
import type { Range } from "./range"

export interface Invocation {
  request: string
  at: number // milliseconds
  stream: string
  duration: number // seconds
  init?: number // of a cold start
  memory: number // bytes, the most that was used
  limit: number
  error?: string
}

export interface LogEvent {
  eventId: string
  timestamp: number
  message: string
  logStreamName: string
  requestId?: string
}

export const group = (name: string) => `/aws/lambda/${name}`

// lastEvents are the newest records of a log group in which a pattern is found, the
// newest first. Records come the oldest first, so that ever more of the past is asked
// for until there are enough. A group that is not there has none.
export async function lastEvents(logGroupName: string, filterPattern: string, range: Range, want: number, signal?: AbortSignal): Promise<LogEvent[]> {
  const end = Math.ceil(range.end) * 1000
  const start = range.start * 1000
  let found: LogEvent[] = []
  try {
    for (let back = Math.min(60_000, end - start); ; back = Math.min(back * 8, end - start)) {
      found = await between(logGroupName, filterPattern, end - back, end, want * 20, signal)
      if (found.length >= want || back >= end - start) break
    }
  } catch (e) {
    if (!(e instanceof Fault) || e.code !== "ResourceNotFoundException") throw e
  }
  return found.reverse().slice(0, want)
}

async function between(logGroupName: string, filterPattern: string, startTime: number, endTime: number, most: number, signal?: AbortSignal): Promise<LogEvent[]> {
  const all: LogEvent[] = []
  let nextToken: string | undefined
  do {
    const page = await logs<{ events: LogEvent[]; nextToken?: string }>("FilterLogEvents", { logGroupName, filterPattern, startTime, endTime, limit: 1000, nextToken }, signal)
    all.push(...page.events)
    nextToken = page.nextToken
  } while (nextToken && all.length < most)
  return all
}

const number = (line: string, name: string) => {
  const found = new RegExp(`(?:^|\\t)${name}: ([\\d.]+)`).exec(line)
  return found ? Number(found[1]) : undefined
}

// report reads a REPORT line.
export function report(e: LogEvent): Invocation | undefined {
  const request = /REPORT RequestId: (\S+)/.exec(e.message)?.[1]
  if (!request) return undefined
  const init = number(e.message, "Init Duration")
  const status = /\tStatus: ([^\t\n]+)/.exec(e.message)?.[1]?.trim()
  const kind = /\tError Type: ([^\t\n]+)/.exec(e.message)?.[1]?.trim()
  return {
    request,
    at: e.timestamp,
    stream: e.logStreamName,
    duration: (number(e.message, "Duration") ?? 0) / 1000,
    init: init === undefined ? undefined : init / 1000,
    memory: (number(e.message, "Max Memory Used") ?? 0) * 1048576,
    limit: (number(e.message, "Memory Size") ?? 0) * 1048576,
    error: status && status !== "success" ? (kind ?? status) : undefined,
  }
}

// failures finds what runtimes and the platform log when an invocation fails.
export const failures = '?"Invoke Error" ?"Task timed out" ?"Status: error" ?"Status: timeout" ?"Runtime exited" ?"errorType" ?"panic:" ?"level\\":\\"error" ?"ERROR"'

// lastInvocations are those of the REPORT lines. A failure that the function's own code
// has thrown is not in them, but the runtime logs it.
export async function lastInvocations(name: string, range: Range, signal?: AbortSignal): Promise<Invocation[]> {
  const [reports, failed] = await Promise.all([
    lastEvents(group(name), '"REPORT RequestId"', range, 100, signal),
    lastEvents(group(name), '"Invoke Error"', range, 100, signal),
  ])
  const kinds = new Map(failed.map((e) => [requestOf(e), /"errorType":\s*"([^"]+)"/.exec(e.message)?.[1] ?? "error"]))
  return reports
    .map(report)
    .filter((i) => i !== undefined)
    .map((i) => ({ ...i, error: i.error ?? kinds.get(i.request) }))
}

const requestOf = (e: LogEvent) => e.requestId ?? /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(e.message)?.[0] ?? ""

// linesOf are the records of one invocation, in order.
export async function linesOf(name: string, i: Invocation, signal?: AbortSignal): Promise<LogEvent[]> {
  const start = Math.floor(i.at - (i.duration + (i.init ?? 0)) * 1000 - 5000)
  const events = await between(group(name), `"${i.request}"`, start, i.at + 60_000, 1000, signal)
  const near = await between(group(name), "", start, i.at + 2000, 2000, signal)
  const ids = new Set(events.map((e) => e.eventId))
  return near.filter((e) => ids.has(e.eventId) || e.requestId === i.request)
}

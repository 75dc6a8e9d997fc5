// Records of logs as they are written.
import { send } from "./call"

export interface Live {
  time: number
  group: string
  stream: string
  requestId?: string
  message: string
}

// follow calls take with records as they come, until signal aborts or the platform ends.
// It reads the stream itself: the browser's EventSource sends no header, and a session
// needs one.
export async function follow(groups: string[], filter: string, take: (records: Live[], lost: number) => void, signal: AbortSignal): Promise<void> {
  const answer = await send("/api/tail?" + new URLSearchParams({ groups: groups.join(","), filter }), { signal })
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read()
    if (done) return
    const events = (rest + value).split("\n\n")
    rest = events.pop()!
    let lost = 0
    const records: Live[] = []
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1]
      if (data === undefined) continue
      if (event.startsWith("event: lost")) lost += Number(data)
      else records.push(JSON.parse(data) as Live)
    }
    if (records.length > 0 || lost > 0) take(records, lost)
  }
}

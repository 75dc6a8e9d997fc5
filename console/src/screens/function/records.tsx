// Records of a function's log, the newest first, and as they come.
import { useEffect, useState } from "preact/hooks"
import { group, lastEvents, type LogEvent } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { useRange } from "../../core/range"
import { useChoice } from "../../core/route"
import { follow } from "../../core/tail"
import { pretty } from "../../kit/code"
import { exact, moment } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Empty, Failed, Panel, Show } from "../../kit/panel"
import { Search } from "../../kit/search"

export function Records({ name }: { name: string }) {
  const [live, setLive] = useChoice("live")
  return (
    <Panel
      title="Log"
      note={live ? "as it is written" : "the newest 200 of this time"}
      actions={
        <>
          <button type="button" class="small" aria-pressed={!!live} onClick={() => setLive(live ? "" : "1")}>
            <Icon name={live ? "pause" : "play"} size={12} /> {live ? "Stop" : "Follow"}
          </button>
          <Search label="Find a text" />
        </>
      }
    >
      {live ? <Following name={name} /> : <Past name={name} />}
    </Panel>
  )
}

const pattern = (text: string) => (text ? JSON.stringify(text) : "")

function Past({ name }: { name: string }) {
  const range = useRange()
  const [text] = useChoice("q")
  const list = useLoad(`${range.start} ${range.end} ${text}`, (signal) => lastEvents(group(name), pattern(text), range, 200, signal), { subject: name })
  return (
    <Show of={list} lines={8}>
      {(records) =>
        records.length > 0 ? (
          <RecordList records={records} />
        ) : (
          <Empty icon="logs" title="Nothing was logged">
            {text ? "Nothing in this time has that text." : "What the function prints is here, a line a record."}
          </Empty>
        )
      }
    </Show>
  )
}

// Following shows records as they come, the newest first.
function Following({ name }: { name: string }) {
  const [text] = useChoice("q")
  const [records, setRecords] = useState<LogEvent[]>([])
  const [error, setError] = useState<Error>()
  useEffect(() => {
    const abort = new AbortController()
    let n = 0
    setRecords([])
    setError(undefined)
    follow(
      [group(name)],
      pattern(text),
      (come) => {
        const more = come.map((r) => ({ eventId: `live-${n++}`, timestamp: r.time, message: r.message, logStreamName: r.stream, requestId: r.requestId }))
        setRecords((old) => [...more.reverse(), ...old].slice(0, 500))
      },
      abort.signal,
    ).then(
      () => !abort.signal.aborted && setError(new Error("the platform has ended")),
      (e: Error) => !abort.signal.aborted && setError(e),
    )
    return () => abort.abort()
  }, [name, text])
  return (
    <>
      {error && <Failed error={error} />}
      {records.length > 0 ? (
        <RecordList records={records} />
      ) : (
        !error && (
          <Empty icon="logs" title="Waiting for the next record">
            Invoke the function, and what it logs is here at once.
          </Empty>
        )
      )}
    </>
  )
}

const levels: [RegExp, string][] = [
  [/"level":\s*"?(error|fatal)|\bERROR\b|panic:|Status: (error|timeout)/i, "bad"],
  [/"level":\s*"?warn|\bWARN(ING)?\b/i, "warn"],
  [/^(START|END|REPORT|INIT_START) /, "muted"],
]

// levelOf is how bad a record sounds: bad, warn, muted or nothing.
export const levelOf = (message: string) => levels.find(([pattern]) => pattern.test(message))?.[1] ?? ""

// RecordList shows records by their times; one opens to all of it.
export function RecordList({ records }: { records: LogEvent[] }) {
  return (
    <ol class="records">
      {records.map((r) => {
        const tone = levelOf(r.message)
        const line = r.message.trimEnd()
        const long = line.length > 160 || line.includes("\n") || line.startsWith("{")
        const at = (
          <time dateTime={new Date(r.timestamp).toISOString()} title={moment(r.timestamp)}>
            {exact(r.timestamp)}
          </time>
        )
        return (
          <li key={r.eventId} class={tone}>
            {long ? (
              <details>
                <summary>
                  {at}
                  <span>{line.slice(0, 400)}</span>
                </summary>
                <pre>{pretty(line)}</pre>
              </details>
            ) : (
              <div>
                {at}
                <span>{line}</span>
              </div>
            )}
          </li>
        )
      })}
    </ol>
  )
}

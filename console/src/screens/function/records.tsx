// Records of a function's log, the newest first, and as they come.
import { group, lastEvents, type LogEvent } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { useRange } from "../../core/range"
import { useChoice } from "../../core/route"
import { pretty } from "../../kit/code"
import { exact, moment } from "../../kit/format"
import { Empty, Panel, Show } from "../../kit/panel"
import { Search } from "../../kit/search"

export function Records({ name }: { name: string }) {
  const range = useRange()
  const [text] = useChoice("q")
  const pattern = text ? JSON.stringify(text) : ""
  const list = useLoad(`${range.start} ${range.end} ${pattern}`, (signal) => lastEvents(group(name), pattern, range, 200, signal), { subject: name })
  return (
    <Panel title="Log" note={range.live ? "the newest 200, and what comes" : "the newest 200 of this time"} actions={<Search label="Find a text" />}>
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
    </Panel>
  )
}

const levels: [RegExp, string][] = [
  [/"level":\s*"?(error|fatal)|\bERROR\b|panic:|Status: (error|timeout)/i, "bad"],
  [/"level":\s*"?warn|\bWARN(ING)?\b/i, "warn"],
  [/^(START|END|REPORT|INIT_START) /, "muted"],
]

// RecordList shows records by their times; one opens to all of it.
export function RecordList({ records }: { records: LogEvent[] }) {
  return (
    <ol class="records">
      {records.map((r) => {
        const tone = levels.find(([pattern]) => pattern.test(r.message))?.[1] ?? ""
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

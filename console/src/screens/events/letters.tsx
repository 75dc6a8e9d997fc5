// Dead letters of functions: events that were given up after their retries.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { listFunctions } from "../../core/functions"
import { useLoad } from "../../core/load"
import { counted, instant, one, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { href, to, useChoice } from "../../core/route"
import { Code, pretty } from "../../kit/code"
import { ago, count, moment, plural } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm } from "../../kit/overlay"
import { Empty, Panel, Show } from "../../kit/panel"
import { toast } from "../../kit/toast"

interface Letter {
  requestId: string
  errorCode: number
  errorMessage: string
  queued: string
  time: string
  body: string // base64
}

const text = (base64: string) => pretty(new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))))

export function Letters() {
  const range = useRange()
  const [name, setName] = useChoice("function")
  const functions = useLoad("functions", async (signal) => (await listFunctions(signal)).map((f) => f.FunctionName), { still: true })
  const given = useLoad(`${range.start} ${range.end}`, async (signal) =>
    (await instant(`sum by (function) (${counted("dropstack_function_dead_letters_total", span(range))}) > 0`, range, signal)).map((s) => ({ name: s.labels.function ?? "", n: one([s]) ?? 0 })),
  )
  const chosen = name || given.data?.[0]?.name || ""
  return (
    <>
      <Panel title="Events that functions gave up">
        <div class="stack">
          <label class="field">
            <span>Function</span>
            <select value={chosen} onChange={(e) => setName(e.currentTarget.value)}>
              <option value="">Choose a function…</option>
              {(functions.data ?? []).map((f) => (
                <option key={f} value={f}>
                  {f}
                </option>
              ))}
            </select>
          </label>
          {given.data && given.data.length > 0 ? (
            <ul class="chips" aria-label="Functions with dead letters in this time">
              {given.data.map((g) => (
                <li key={g.name}>
                  <button type="button" class="small" aria-pressed={g.name === chosen} onClick={() => setName(g.name)}>
                    {g.name} gave up {count(g.n)}
                  </button>
                </li>
              ))}
            </ul>
          ) : (
            <p class="muted">No function has given an event up in this time.</p>
          )}
        </div>
      </Panel>
      {chosen && <Of name={chosen} />}
    </>
  )
}

function Of({ name }: { name: string }) {
  const [going, setGoing] = useState<Letter | "all">()
  const letters = useLoad("letters", async (signal) => (await control<Letter[] | null>("DeadLetters", { function: name, limit: 100 }, signal)) ?? [], { still: true, subject: name })
  return (
    <Panel
      title={name}
      flush
      actions={
        <>
          <a class="small" href={href(to("functions", name), { tab: "errors" })}>
            Its errors
          </a>
          {letters.data && letters.data.length > 0 && (
            <button type="button" class="small primary" onClick={() => setGoing("all")}>
              <Icon name="undo" size={14} /> Try all again
            </button>
          )}
        </>
      }
    >
      <Show of={letters}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon="check" title="No dead letters">
              An event of an asynchronous invocation that fails is tried again after one and two minutes. What still fails is kept here, and goes where <code>destinations.onFailure</code> says.
            </Empty>
          ) : (
            <ul class="records flat">
              {list.map((l) => (
                <li key={l.requestId} class="bad">
                  <details>
                    <summary>
                      <time title={moment(l.time)}>{ago(l.time)}</time>
                      <span>{l.errorMessage || `status ${l.errorCode}`}</span>
                    </summary>
                    <Code text={text(l.body)} label="The event" />
                    <p class="pad">
                      <button type="button" class="small" onClick={() => setGoing(l)}>
                        Try this one again
                      </button>
                    </p>
                  </details>
                </li>
              ))}
            </ul>
          )
        }
      </Show>
      {going && (
        <Confirm
          title={going === "all" ? `Let ${name} try its dead letters again?` : `Let ${name} try this event again?`}
          verb="Try again"
          close={() => setGoing(undefined)}
          act={async () => {
            const done = await control<{ count: number }>("Redrive", { function: name, id: going === "all" ? undefined : going.requestId })
            toast(`${plural(done.count, "event")} queued again`)
            letters.reload()
          }}
        >
          <p>What goes back into the queue gets all its retries anew, the oldest first. What made it fail should be mended before.</p>
        </Confirm>
      )}
    </Panel>
  )
}

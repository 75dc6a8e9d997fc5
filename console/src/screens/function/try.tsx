// Try invokes the function with an event that is typed in, or kept from last time.
import { useState } from "preact/hooks"
import { type Invoked, invoke } from "../../core/functions"
import { useChoice } from "../../core/route"
import { Code, JSONEditor, pretty } from "../../kit/code"
import { Icon } from "../../kit/icons"
import { Badge, Empty, Failed, Panel } from "../../kit/panel"
import { toast } from "../../kit/toast"

const examples: Record<string, unknown> = {
  Empty: {},
  "HTTP API request": {
    version: "2.0",
    routeKey: "GET /",
    rawPath: "/",
    rawQueryString: "",
    headers: { accept: "*/*", host: "localhost" },
    requestContext: { http: { method: "GET", path: "/", protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "console" }, stage: "$default" },
    isBase64Encoded: false,
  },
  "Topic message": { Records: [{ EventSource: "aws:sns", EventVersion: "1.0", Sns: { Type: "Notification", MessageId: "1", Subject: null, Message: "hello", MessageAttributes: {} } }] },
  "Queue message": { Records: [{ messageId: "1", receiptHandle: "r", body: "hello", attributes: {}, messageAttributes: {}, eventSource: "aws:sqs" }] },
  "Bucket event": { Records: [{ eventSource: "aws:s3", eventName: "ObjectCreated:Put", s3: { bucket: { name: "bucket" }, object: { key: "key", size: 1 } } }] },
  Schedule: { version: "0", "detail-type": "Scheduled Event", source: "aws.events", resources: [], detail: {} },
}

const place = (name: string) => "dropstack.events." + name

function saved(name: string): Record<string, string> {
  try {
    return JSON.parse(localStorage.getItem(place(name)) ?? "{}") as Record<string, string>
  } catch {
    return {}
  }
}

export function Try({ name }: { name: string }) {
  const [events, setEvents] = useState(saved(name))
  const [text, setText] = useState(Object.values(events)[0] ?? "{}")
  const [title, setTitle] = useState("")
  const [qualifier, setQualifier] = useChoice("qualifier")
  const [result, setResult] = useState<Invoked>()
  const [error, setError] = useState<Error>()
  const [busy, setBusy] = useState(false)
  const run = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      setResult(await invoke(name, qualifier, text))
    } catch (e) {
      setError(e as Error)
    }
    setBusy(false)
  }
  const keep = (next: Record<string, string>) => {
    setEvents(next)
    localStorage.setItem(place(name), JSON.stringify(next))
  }
  return (
    <div class="grid two">
      <Panel title="Event">
        <form class="stack" onSubmit={run}>
          <label class="field">
            <span>Begin with</span>
            <select
              value=""
              onChange={(e) => {
                const chosen = e.currentTarget.value
                setText(events[chosen] ?? JSON.stringify(examples[chosen], null, 2))
                setTitle(events[chosen] === undefined ? "" : chosen)
                e.currentTarget.value = ""
              }}
            >
              <option value="">Choose an event…</option>
              {Object.keys(events).length > 0 && (
                <optgroup label="Saved in this browser">
                  {Object.keys(events).map((k) => (
                    <option key={k}>{k}</option>
                  ))}
                </optgroup>
              )}
              <optgroup label="Examples">
                {Object.keys(examples).map((k) => (
                  <option key={k}>{k}</option>
                ))}
              </optgroup>
            </select>
          </label>
          <JSONEditor label="JSON" value={text} change={setText} rows={12} />
          <div class="row">
            <input class="fit" aria-label="Version or alias" placeholder="Version or alias: latest" value={qualifier} onInput={(e) => setQualifier(e.currentTarget.value, true)} />
            <button type="submit" class="primary" disabled={busy} aria-busy={busy}>
              <Icon name="play" size={14} /> {busy ? "Running…" : "Invoke"}
            </button>
          </div>
          <div class="row">
            <input class="fit" aria-label="Name to save the event under" placeholder="Save it under a name" value={title} onInput={(e) => setTitle(e.currentTarget.value)} />
            <button
              type="button"
              disabled={!title.trim()}
              onClick={() => {
                keep({ ...events, [title.trim()]: text })
                toast(`Saved ${title.trim()}`)
              }}
            >
              Save
            </button>
            {events[title.trim()] !== undefined && (
              <button
                type="button"
                onClick={() => {
                  const { [title.trim()]: _, ...rest } = events
                  keep(rest)
                  setTitle("")
                }}
              >
                Forget
              </button>
            )}
          </div>
        </form>
      </Panel>
      <Panel title="Result">
        <div aria-live="polite" class="stack">
          {error && <Failed error={error} />}
          {result ? (
            <>
              <div class="row">
                {result.error ? <Badge tone="bad" dot>failed</Badge> : <Badge tone="good" dot>succeeded</Badge>}
                <span class="muted">
                  version {result.version} · {Math.round(result.took)} ms with the way there and back
                </span>
              </div>
              <Code text={pretty(result.payload)} label="What it answered" />
              {result.log && (
                <>
                  <h3>Log</h3>
                  <Code text={result.log} label="What it logged" />
                </>
              )}
            </>
          ) : (
            !error && (
              <Empty icon="play" title="Not run yet">
                It runs as any invocation does: it is measured, logged, and does what it does.
              </Empty>
            )
          )}
        </div>
      </Panel>
    </div>
  )
}

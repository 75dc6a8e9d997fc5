// Traces: what one request has led to, through the edge, functions, topics and queues.
import { control } from "../core/call"
import { useLoad } from "../core/load"
import { useRange } from "../core/range"
import { href, to, useChoice } from "../core/route"
import { duration, exact, moment, plural } from "../kit/format"
import { Badge, Empty, Panel, Show } from "../kit/panel"
import { Search } from "../kit/search"
import { Table } from "../kit/table"
import { Segments } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { levelOf } from "./function/records"

interface Summary {
  id: string
  name: string
  start: number
  duration: number // milliseconds
  spans: number
  errors?: number
  functions?: string[]
}

interface Step {
  id: string
  kind: string
  name: string
  status: string
  start: number
  offset: number
  duration: number
  depth: number
  attributes?: Record<string, string>
}

interface Whole {
  id: string
  start: number
  duration: number
  spans: Step[] | null
  lines?: { time: number; group: string; requestId?: string; message: string }[]
  withheld?: string[]
}

function Traces() {
  const range = useRange()
  const [only, setOnly] = useChoice("only", "slowest")
  const [name] = useChoice("q")
  const list = useLoad(
    `${range.from} ${range.live || range.end} ${only}`,
    (signal) => control<{ traces: Summary[] | null }>("ListTraces", { start: range.start, end: range.end, errors: only === "errors", slowest: only === "slowest", limit: 200 }, signal).then((a) => a.traces ?? []),
    { still: true },
  )
  return (
    <div class="screen">
      <div class="row">
        <Segments label="Which traces" value={only} choose={(v) => setOnly(v)} options={[["slowest", "Slowest"], ["errors", "Errors"], ["newest", "Newest"]]} />
        <Search label="Filter by name or function" />
      </div>
      <Panel title="Traces" note="up to 200 of this time" flush>
        <Show of={list} lines={8}>
          {(all) => (
            <Table
              label="Traces"
              rows={all.filter((t) => `${t.name} ${t.functions ?? ""} ${t.id}`.toLowerCase().includes(name.toLowerCase()))}
              id={(t) => t.id}
              link={(t) => href(to("traces", t.id))}
              empty={
                <Empty icon="logs" title={only === "errors" ? "No trace with an error in this time" : "No traces in this time"}>
                  Each request to the edge, each message and each tick of a schedule begins a trace; it goes along with everything that it leads to.
                </Empty>
              }
              columns={[
                { name: "name", title: "Began as", grow: true, cell: (t) => t.name },
                { name: "state", title: "Ended", cell: (t) => (t.errors ? <Badge tone="bad" dot>{plural(t.errors, "span")} failed</Badge> : <Badge tone="good" dot>well</Badge>) },
                { name: "functions", title: "Functions", quiet: true, cell: (t) => <span class="muted">{t.functions?.join(", ") ?? "–"}</span> },
                { name: "spans", title: "Spans", right: true, sort: (t) => t.spans, cell: (t) => t.spans },
                { name: "took", title: "Took", right: true, sort: (t) => t.duration, cell: (t) => duration(t.duration / 1000) },
                { name: "at", title: "At", right: true, sort: (t) => t.start, cell: (t) => <span title={moment(t.start * 1000)}>{exact(t.start * 1000)}</span> },
              ]}
            />
          )}
        </Show>
      </Panel>
    </div>
  )
}

function Trace({ id }: { id: string }) {
  const one = useLoad(id, (signal) => control<Whole>("GetTrace", { trace: id }, signal), { still: true, subject: id })
  return (
    <div class="screen">
      <Show of={one} lines={8}>
        {(t) => {
          const spans = t.spans ?? []
          const bad = spans.filter(failed).length
          return (
            <>
              <div class="row headline">
                <Badge tone={bad ? "bad" : "good"} dot>
                  {bad ? `${plural(bad, "span")} failed` : "ended well"}
                </Badge>
                <span>{duration(t.duration / 1000)}</span>
                <span class="muted">{moment(t.start * 1000)}</span>
                <code class="wrap">{t.id}</code>
              </div>
              <Panel title="Spans">
                <ol class="waterfall">
                  {spans.map((s) => (
                    <li key={s.id}>
                      <details>
                        <summary>
                          <span class={"span-name depth" + Math.min(s.depth, 8)}>
                            <span class="muted">{s.kind}</span> {s.name}
                            {failed(s) && <span class="bad"> failed</span>}
                          </span>
                          <Bar step={s} whole={t.duration} />
                          <span class="span-took">{duration(s.duration / 1000)}</span>
                        </summary>
                        <dl class="facts">
                          <dt>begins after</dt>
                          <dd>{duration(s.offset / 1000)}</dd>
                          {Object.entries(s.attributes ?? {}).map(([k, v]) => (
                            <>
                              <dt>{k}</dt>
                              <dd>{v}</dd>
                            </>
                          ))}
                          {s.kind === "function" && (
                            <>
                              <dt>function</dt>
                              <dd>
                                <a href={href(to("functions", s.name))}>{s.name}</a>
                              </dd>
                            </>
                          )}
                        </dl>
                      </details>
                    </li>
                  ))}
                </ol>
              </Panel>
              <Panel title="What was logged" actions={<a href={href("/logs", { q: `@xrayTraceId:"${t.id}"`, from: String(Math.floor(t.start) - 60), to: String(Math.ceil(t.start + t.duration / 1000) + 60) })}>In the logs</a>}>
                {t.lines?.length ? (
                  <ol class="records">
                    {t.lines.map((l, i) => (
                      <li key={i} class={levelOf(l.message)}>
                        <div>
                          <time dateTime={new Date(l.time * 1000).toISOString()} title={l.group}>
                            {exact(l.time * 1000)}
                          </time>
                          <span>
                            <span class="muted">{l.group.split("/").at(-1)} </span>
                            {l.message.trimEnd()}
                          </span>
                        </div>
                      </li>
                    ))}
                  </ol>
                ) : (
                  !t.withheld && <Empty icon="logs" title="Nothing was logged" />
                )}
                {t.withheld && <p class="muted">Lines of {t.withheld.join(", ")} are not shown: your key may not do logs:FilterLogEvents there.</p>}
              </Panel>
            </>
          )
        }}
      </Show>
    </div>
  )
}

const failed = (s: Step) => s.status.toLowerCase() === "error"

function Bar({ step: s, whole }: { step: Step; whole: number }) {
  const x = (s.offset / (whole || 1)) * 100
  const width = Math.max((s.duration / (whole || 1)) * 100, 0.6)
  return (
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="none" x="0" y="4.5" width="100" height="1" />
      <rect class={failed(s) ? "bad" : s.kind === "function" ? "fn" : "other"} x={Math.min(x, 99.4)} y="1" width={Math.min(width, 100)} height="8" />
    </svg>
  )
}

export const traces: Screen = { path: "/traces", title: "Traces", icon: "trace", group: "Observe", key: "t", timed: true, view: Traces }
export const trace: Screen = { path: "/traces/:id", title: "Trace", icon: "trace", view: Trace }

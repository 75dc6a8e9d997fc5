// What one sees first: whether all is well, and where to look if not.
import { send } from "../core/call"
import { useLoad } from "../core/load"
import { counted, counts, instant, one, ranged, span } from "../core/metrics"
import { useRange } from "../core/range"
import { href, to } from "../core/route"
import { Chart, type Line, lines } from "../kit/chart"
import { ago, count, duration, moment, plural, ratio } from "../kit/format"
import { Icon } from "../kit/icons"
import { Badge, Empty, Panel, Show, type Tone } from "../kit/panel"
import { Stat } from "../kit/stat"
import { Table } from "../kit/table"
import type { Screen } from "../shell/screen"
import { recent } from "./deploys"

const invocations = "dropstack_function_invocations_total"
const errors = "dropstack_function_errors_total"
const hits = 'result=~"Hit|RefreshHit|OriginShieldHit"'

function Overview() {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const s = span(range)
  const sums = useLoad(id, async (signal) => {
    const [calls, failed, p95, hit, edge] = await Promise.all([
      instant(`sum(${counted(invocations, s)})`, range, signal),
      instant(`sum(${counted(errors, s)})`, range, signal),
      instant(`histogram_quantile(0.95, sum(increase(dropstack_function_duration_seconds[${s}])))`, range, signal),
      instant(`sum(${counted(`dropstack_edge_requests_total{${hits}}`, s)})`, range, signal),
      instant(`sum(${counted("dropstack_edge_requests_total", s)})`, range, signal),
    ])
    return { calls: one(calls) ?? 0, failed: one(failed) ?? 0, p95: one(p95), hits: one(hit) ?? 0, edge: one(edge) ?? 0 }
  })
  const calls = useLoad(id + "calls", async (signal): Promise<Line[]> => {
    const [ok, bad] = await Promise.all([counts("", invocations, range, signal), counts("", errors, range, signal)])
    return [...lines(ok, () => "invocations"), ...lines(bad, () => "errors").map((l) => ({ ...l, tone: "--bad" }))]
  })
  const slow = useLoad(id + "p95", async (signal) => {
    const of = (q: number) => `histogram_quantile(${q}, sum(rate(dropstack_function_duration_seconds[${Math.max(range.step, 60)}s])))`
    const [half, most] = await Promise.all([ranged(of(0.5), range, signal), ranged(of(0.95), range, signal)])
    return [...lines(half, () => "p50"), ...lines(most, () => "p95")]
  })
  const deploys = useLoad("deploys", recent, { still: true })
  const marks = (deploys.data?.revisions ?? []).map((r) => ({ at: new Date(r.created).getTime() / 1000, label: `deployed ${r.stack}` }))
  const v = sums.data
  const share = v && v.calls > 0 ? v.failed / v.calls : 0
  const points = (label: string) => calls.data?.find((l) => l.label === label)?.points
  return (
    <div class="screen">
      <Health />
      <div class="stats">
        <Stat title="Invocations" value={v ? count(v.calls) : "…"} note={range.label.toLowerCase()} points={points("invocations") ?? []} range={range} link={href("/functions")} />
        <Stat
          title="Errors"
          value={v ? count(v.failed) : "…"}
          tone={v && v.failed > 0 ? (share >= 0.5 ? "bad" : "warn") : "plain"}
          note={v && v.calls > 0 ? `${ratio(share)} of invocations` : "none"}
          points={points("errors") ?? []} range={range}
          link={href("/functions", { only: "failing", sort: "-errors" })}
        />
        <Stat
          title="Duration, p95"
          value={v?.p95 !== undefined && Number.isFinite(v.p95) ? duration(v.p95) : v ? "–" : "…"}
          note="of all functions"
          points={slow.data?.find((l) => l.label === "p95")?.points ?? []} range={range}
          link={href("/functions", { sort: "-p95" })}
        />
        <Stat title="Edge hit ratio" value={v ? (v.edge > 0 ? ratio(v.hits / v.edge) : "–") : "…"} note={v ? (v.edge > 0 ? plural(v.edge, "request") : "no requests") : " "} />
      </div>
      <div class="grid two">
        <Chart title="Invocations" range={range} lines={calls} marks={marks} area total empty="Nothing was invoked in this time" />
        <Chart title="Duration" range={range} lines={slow} unit="seconds" marks={marks} empty="Nothing was invoked in this time" />
      </div>
      <div class="grid two">
        <Firing />
        <Panel
          title="Recent deployments"
          flush
          actions={
            <a class="small" href={href("/deploys")}>
              All
            </a>
          }
        >
          <Show of={deploys}>
            {({ revisions }) => (
              <Table
                label="Recent deployments"
                rows={revisions.slice(0, 6)}
                id={(r) => r.stack + r.id}
                link={(r) => href("/deploys", { revision: `${r.stack} ${r.id}` })}
                choice="deploys"
                empty={
                  <Empty icon="deploy" title="Nothing is deployed yet">
                    Run <code>dropstack deploy</code> in the directory of a serverless.yml.
                  </Empty>
                }
                columns={[
                  { name: "stack", title: "Stack", cell: (r) => r.stack },
                  { name: "state", title: "State", cell: (r) => (r.active ? <Badge tone="good" dot>active</Badge> : <span class="muted">earlier</span>) },
                  { name: "created", title: "Deployed", right: true, cell: (r) => <span title={moment(r.created)}>{ago(r.created)}</span> },
                ]}
              />
            )}
          </Show>
        </Panel>
      </div>
      <Monitors />
      <Worst />
    </div>
  )
}

// Health is whether the platform itself is well.
function Health() {
  const checks = useLoad("ready", async (signal) => {
    const answer = await fetch("/readyz", { signal, cache: "no-store" })
    return (await answer.json()) as Record<string, string>
  })
  const bad = Object.entries(checks.data ?? {}).filter(([name, state]) => state !== (name === "shutdown" ? "no" : "ok"))
  if (checks.error || bad.length > 0) {
    return (
      <div class="failed" role="alert">
        <Icon name="warn" size={18} />
        <div>
          {checks.error ? <p>The platform does not answer. Is `dropstack up` still running?</p> : bad.map(([name, state]) => <p key={name}>{`${name}: ${state}`}</p>)}
        </div>
      </div>
    )
  }
  return (
    <p class="health">
      <i class={"dot " + (checks.data ? "good" : "muted")} />
      {checks.data ? "All parts of the platform are well" : "Asking the platform how it is…"}
    </p>
  )
}

interface Alert {
  labels: Record<string, string>
  annotations: Record<string, string>
  state: string
  activeAt: string
}

const severities: Record<string, Tone> = { critical: "bad", warning: "warn", info: "info" }

// Firing are the alerts whose rules hold.
function Firing() {
  const alerts = useLoad("alerts", async (signal) => ((await (await send("/api/v1/alerts", { signal })).json()) as { data: { alerts: Alert[] } }).data.alerts)
  return (
    <Panel title="Alerts" flush>
      <Show of={alerts}>
        {(list) => (
          <Table
            label="Alerts"
            rows={[...list].sort((a, b) => a.state.localeCompare(b.state)).slice(0, 8)}
            id={(a) => JSON.stringify(a.labels)}
            choice="alerts"
            empty={
              <Empty icon="check" title="Nothing fires">
                Rules watch every function, topic and disk. What fires is here, with the reason.
              </Empty>
            }
            columns={[
              {
                name: "name",
                title: "Alert",
                grow: true,
                cell: (a) => (
                  <>
                    {a.annotations.summary ?? a.labels.alertname} {a.state === "pending" && <Badge>pending</Badge>}
                  </>
                ),
              },
              { name: "severity", title: "Severity", cell: (a) => <Badge tone={severities[a.labels.severity ?? ""] ?? "plain"} dot>{a.labels.severity ?? "none"}</Badge> },
              { name: "since", title: "Since", right: true, cell: (a) => <span title={moment(a.activeAt)}>{ago(a.activeAt)}</span> },
            ]}
          />
        )}
      </Show>
    </Panel>
  )
}

const states: [string, Tone][] = [
  ["up", "good"],
  ["slow", "warn"],
  ["down", "bad"],
  ["maintenance", "info"],
]

// Monitors are the pages that are watched from outside, the worst first.
function Monitors() {
  const list = useLoad("monitors", async (signal) => (await instant("dropstack_monitor_state", undefined, signal)).map((s) => ({ name: s.labels.monitor ?? "", state: one([s]) ?? 0 })))
  if (!list.data?.length) return null
  return (
    <Panel title="Uptime">
      <ul class="chips">
        {[...list.data]
          .sort((a, b) => Number(b.state === 2) - Number(a.state === 2) || b.state - a.state || a.name.localeCompare(b.name))
          .map((m) => (
            <li key={m.name}>
              <Badge tone={states[m.state]?.[1]} dot>
                {m.name} is {states[m.state]?.[0]}
              </Badge>
            </li>
          ))}
      </ul>
    </Panel>
  )
}

// Worst are the functions that fail most.
function Worst() {
  const range = useRange()
  const s = span(range)
  const worst = useLoad(`${range.start} ${range.end}`, async (signal) => {
    const [bad, all] = await Promise.all([
      instant(`topk(8, sum by (function) (${counted(errors, s)}) > 0)`, range, signal),
      instant(`sum by (function) (${counted(invocations, s)}) and on (function) (sum by (function) (${counted(errors, s)}) > 0)`, range, signal),
    ])
    const calls = new Map(all.map((x) => [x.labels.function, one([x]) ?? 0]))
    return bad.map((x) => ({ name: x.labels.function ?? "", errors: one([x]) ?? 0, calls: calls.get(x.labels.function) ?? 0 }))
  })
  if (!worst.data?.length) return null
  return (
    <Panel title="Functions that fail" flush>
      <Table
        label="Functions that fail"
        rows={worst.data}
        id={(r) => r.name}
        link={(r) => href(to("functions", r.name), { tab: "errors" })}
        choice="worst"
        order="-errors"
        columns={[
          { name: "name", title: "Function", grow: true, cell: (r) => r.name },
          { name: "errors", title: "Errors", right: true, sort: (r) => r.errors, cell: (r) => <span class="bad">{count(r.errors)}</span> },
          { name: "share", title: "Share", right: true, sort: (r) => r.errors / Math.max(r.calls, 1), cell: (r) => ratio(r.errors / Math.max(r.calls, r.errors, 1)) },
          { name: "calls", title: "Invocations", right: true, sort: (r) => r.calls, cell: (r) => count(r.calls) },
        ]}
      />
    </Panel>
  )
}

export const overview: Screen = { path: "/", title: "Overview", icon: "overview", group: "Observe", key: "o", timed: true, view: Overview }

// Explorer: what is measured, drawn and calculated with, and what an alert about it
// would have said.
import { useState } from "preact/hooks"
import { control } from "../core/call"
import { useLoad } from "../core/load"
import { ranged, type Series } from "../core/metrics"
import { useRange } from "../core/range"
import { choose, useChoice } from "../core/route"
import { Chart, type Line } from "../kit/chart"
import { Copy } from "../kit/copy"
import { ago, duration, moment, type Unit, value } from "../kit/format"
import { Badge, Empty, Failed, Panel, Show } from "../kit/panel"
import { Table } from "../kit/table"
import type { Screen } from "../shell/screen"
import { Builder } from "./explore/builder"

const examples: [string, string][] = [
  ["Invocations by function", "sum by (function) (rate(dropstack_function_invocations_total[5m]))"],
  ["Errors by function", "sum by (function) (rate(dropstack_function_errors_total[5m]))"],
  ["Duration, p95, by function", "histogram_quantile(0.95, sum by (function) (rate(dropstack_function_duration_seconds[5m])))"],
  ["Requests to the edge by status", "sum by (status) (rate(dropstack_edge_requests_total[5m]))"],
  ["Free disk space", "dropstack_disk_free_bytes"],
]

const told = (labels: Record<string, string>) =>
  Object.entries(labels)
    .filter(([k]) => k !== "__name__")
    .map(([, v]) => v)
    .join(" ") ||
  labels.__name__ ||
  "all"

// unitOf is what an expression is measured in, as far as names tell.
function unitOf(expr: string): Unit {
  if (/_seconds\b/.test(expr) && !/_seconds_total|_count/.test(expr)) return "seconds"
  if (/_bytes\b/.test(expr) && !/rate\(/.test(expr)) return "bytes"
  return "count"
}

// combined puts the series into a formula in place of their letters.
export const combined = (formula: string, a: string, b: string) => formula.replace(/(?<![\w:."])([ab])(?![\w:."(])/g, (_, name: string) => `(${name === "a" ? a : b})`)

function Explore() {
  const range = useRange()
  const [a, setA] = useChoice("a")
  const [b, setB] = useChoice("b")
  const [formula, setFormula] = useChoice("f")
  const [band, setBand] = useChoice("usual")
  const [than] = useChoice("than")
  const [op] = useChoice("op", ">")
  const [lasts] = useChoice("for", "1m")
  const expr = formula ? combined(formula, a, b) : a
  const id = `${expr} ${formula ? "" : b} ${range.start} ${range.end}`
  const series = useLoad(
    id,
    async (signal): Promise<{ a: Series[]; b: Series[] }> => {
      if (!expr) return { a: [], b: [] }
      const [one, two] = await Promise.all([ranged(expr, range, signal), formula || !b ? [] : ranged(b, range, signal)])
      return { a: one, b: two }
    },
    { subject: `${expr} ${b}` },
  )
  const usual = useLoad(
    `${band} ${id}`,
    async (signal): Promise<Line[]> => {
      if (!band || !expr) return []
      const past = `(${expr})[14d:${Math.max(range.step, 300)}s]`
      const [expected, deviation] = await Promise.all([ranged(`anomaly_${band}_expected(${past})`, range, signal), ranged(`anomaly_${band}_deviation(${past})`, range, signal)])
      return expected.slice(0, 4).flatMap((e) => {
        const d = new Map(deviation.find((x) => told(x.labels) === told(e.labels))?.points ?? [])
        const side = (sign: number) => e.points.map(([t, v]) => [t, v + sign * 3 * (d.get(t) ?? 0)] as [number, number])
        const of = expected.length > 1 ? ` of ${told(e.labels)}` : ""
        return [
          { label: `usual, at most${of}`, points: side(1), tone: "--warn" },
          { label: `usual, at least${of}`, points: side(-1), tone: "--warn" },
        ]
      })
    },
    { subject: `${band} ${expr}` },
  )
  const [since, setSince] = useState<string>()
  const fires = useLoad(
    `${expr} ${op} ${than} ${lasts} ${range.from} ${since}`,
    async (signal) => {
      if (!expr || than === "" || !Number.isFinite(Number(than))) return undefined
      const rule = { name: "Preview", expr: `(${expr}) ${op} ${than}`, for: nanoseconds(lasts), labels: {}, annotations: {} }
      return control<Replayed>("TestRule", { rules: [rule], since: Math.max(range.span, 60) * 1e9 }, signal)
    },
    { still: true },
  )
  const drawn = series.data && [...label(series.data.a, b && !formula ? "a " : ""), ...label(series.data.b, "b "), ...(usual.data ?? [])]
  const level = than !== "" && Number.isFinite(Number(than)) ? [{ at: Number(than), label: `${op} ${than}` }] : []
  const marks = (fires.data?.fires ?? []).map((f) => ({ at: Date.parse(f.starts) / 1000, label: `would fire: ${told(f.labels)}` }))
  const unit = formula ? "count" : unitOf(a)
  const yaml = ["- alert: Name", `  expr: ${JSON.stringify(`(${expr}) ${op} ${than || 0}`)}`, `  for: ${lasts}`, "  labels: {severity: warning}", "  annotations: {summary: '{{ $labels.function }}: {{ $value }}'}", ""].join("\n")
  return (
    <div class="screen">
      <Panel>
        <div class="stack">
          <Expression letter="a" value={a} set={setA} />
          {(b || formula) && <Expression letter="b" value={b} set={setB} />}
          {(b || formula) && (
            <label class="field">
              <span>Formula of a and b; empty draws both</span>
              <input class="mono" placeholder="a / b * 100" value={formula} onChange={(e) => setFormula(e.currentTarget.value.trim())} />
            </label>
          )}
          <div class="row">
            <Builder use={(text) => (a && !b && formula ? setB(text) : setA(text))} />
            {!b && a && (
              <button type="button" class="small" onClick={() => choose({ b: a, f: "a / b * 100" })}>
                Add b and a formula
              </button>
            )}
            {b && (
              <button type="button" class="small" onClick={() => choose({ b: undefined, f: undefined })}>
                Without b
              </button>
            )}
            <select class="fit" aria-label="What is usual" value={band} onChange={(e) => setBand(e.currentTarget.value)}>
              <option value="">without what is usual</option>
              <option value="basic">usual: basic</option>
              <option value="agile">usual: agile</option>
              <option value="robust">usual: robust</option>
            </select>
            <div class="grow" />
            <span class="row">
              <span class="muted small">PromQL</span>
              <Copy text={expr} label="Copy the PromQL" />
              <span class="muted small">link</span>
              <Copy text={location.href} label="Copy a link to this" />
            </span>
          </div>
        </div>
      </Panel>
      {a ? (
        <>
          <Chart title={formula || "What was measured"} range={range} lines={{ ...series, data: drawn }} unit={unit} levels={level} marks={marks} height={280} empty="Nothing was measured in this time that is like that" />
          {usual.error && <Failed error={usual.error} />}
          {band && usual.data?.length === 0 && <p class="muted">Too little is known yet to say what is usual: that takes three days of seasons.</p>}
          <div class="grid two">
            <Panel title="Alert" note="tried out on this time">
              <div class="stack">
                <div class="row">
                  <select class="fit" aria-label="Fires when the value is" value={op} onChange={(e) => choose({ op: e.currentTarget.value === ">" ? undefined : e.currentTarget.value })}>
                    {[">", ">=", "<", "<="].map((o) => (
                      <option key={o}>{o}</option>
                    ))}
                  </select>
                  <input class="fit" type="number" step="any" aria-label="Threshold" placeholder="threshold" value={than} onChange={(e) => choose({ than: e.currentTarget.value || undefined })} />
                  <label class="row">
                    <span class="muted">for</span>
                    <select class="fit" value={lasts} onChange={(e) => choose({ for: e.currentTarget.value === "1m" ? undefined : e.currentTarget.value })}>
                      {["0s", "1m", "5m", "15m", "1h"].map((f) => (
                        <option key={f}>{f}</option>
                      ))}
                    </select>
                  </label>
                  <button type="button" class="small" onClick={() => setSince(String(Date.now()))}>
                    Try again
                  </button>
                  <Copy text={yaml} label="Copy as a rule in YAML" />
                </div>
                {than === "" ? (
                  <p class="muted">With a threshold, the rule is tried out on the past: when it would have fired, and for how long.</p>
                ) : (
                  <Show of={fires} lines={2}>
                    {(r) =>
                      r && (
                        <>
                          <p>{r.fires.length === 0 ? "It would not have fired." : `It would have fired ${r.fires.length === 1 ? "once" : `${r.fires.length} times`}.`}</p>
                          {r.without.map((w) => (
                            <p key={w} class="muted">
                              {w}
                            </p>
                          ))}
                          <ul class="things">
                            {r.fires.slice(0, 20).map((f) => (
                              <li key={f.starts + JSON.stringify(f.labels)}>
                                <span class="grow wrap">{told(f.labels)}</span>
                                <span title={moment(f.starts)}>{ago(f.starts)}</span>
                                {!f.ends || f.ends.startsWith("0001") ? <Badge tone="bad">goes on</Badge> : <span class="muted">for {duration((Date.parse(f.ends) - Date.parse(f.starts)) / 1000)}</span>}
                                <span class="muted">up to {value(f.most, unit)}</span>
                              </li>
                            ))}
                          </ul>
                          <p class="muted small">
                            The copied rule goes into <code>custom.dropstack.alerts</code> of a serverless.yml.
                          </p>
                        </>
                      )
                    }
                  </Show>
                )}
              </div>
            </Panel>
            <Panel title="Last values" flush>
              <Show of={series}>
                {(s) => (
                  <Table
                    label="Last values"
                    rows={[...label(s.a, b && !formula ? "a " : ""), ...label(s.b, "b ")]}
                    id={(l) => l.label}
                    order="-last"
                    page={12}
                    columns={[
                      { name: "name", title: "Series", grow: true, cell: (l) => l.label },
                      { name: "last", title: "Last", right: true, sort: (l) => l.points.at(-1)?.[1] ?? 0, cell: (l) => value(l.points.at(-1)?.[1], unit) },
                      { name: "most", title: "Most", right: true, sort: (l) => most(l), cell: (l) => value(most(l), unit) },
                    ]}
                  />
                )}
              </Show>
            </Panel>
          </div>
        </>
      ) : (
        <Panel>
          <Empty icon="explore" title="Nothing is asked yet">
            Choose a metric above, write PromQL, or begin with one of these:
          </Empty>
          <ul class="chips centred">
            {examples.map(([title, text]) => (
              <li key={title}>
                <button type="button" class="small" onClick={() => setA(text)}>
                  {title}
                </button>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </div>
  )
}

const most = (l: Line) => l.points.reduce((m, p) => (p[1] > m ? p[1] : m), -Infinity)

const label = (list: Series[], letter: string): Line[] => list.slice(0, 40).map((s) => ({ label: letter + told(s.labels), points: s.points }))

interface Replayed {
  fires: { labels: Record<string, string>; starts: string; ends?: string; most: number; least: number }[]
  without: string[]
}

const nanoseconds = (text: string) => Number.parseInt(text) * ({ s: 1, m: 60, h: 3600 }[text.at(-1)!] ?? 1) * 1e9

function Expression({ letter, value, set }: { letter: string; value: string; set: (text: string) => void }) {
  return (
    <label class="field">
      <span>Series {letter}, in PromQL</span>
      <input class="mono" data-search={letter === "a" ? true : undefined} spellcheck={false} placeholder="sum by (function) (rate(dropstack_function_invocations_total[5m]))" value={value} onChange={(e) => set(e.currentTarget.value.trim())} />
    </label>
  )
}

export const explore: Screen = { path: "/explore", title: "Explorer", icon: "explore", group: "Observe", key: "e", timed: true, view: Explore }

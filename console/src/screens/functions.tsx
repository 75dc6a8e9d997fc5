// Every function with what it does: three questions for all of them together, however
// many there are.
import { type Configuration, listFunctions, listStacks, stackOf, time } from "../core/functions"
import { useLoad } from "../core/load"
import { counted, counts, instant, one, type Series, span } from "../core/metrics"
import { useRange } from "../core/range"
import { href, to, useChoice } from "../core/route"
import { ago, bytes, count, duration, moment, plural, ratio } from "../kit/format"
import { Badge, Empty, Panel, Show } from "../kit/panel"
import { Search } from "../kit/search"
import { Spark } from "../kit/spark"
import { type Column, Table } from "../kit/table"
import { Segments } from "../kit/tabs"
import type { Screen } from "../shell/screen"

interface Row {
  fn: Configuration
  stack?: string
  calls: number
  errors: number
  p95?: number
  points: [number, number][]
  range: { start: number; end: number }
}

const by = (list: Series[] | undefined) => new Map((list ?? []).map((s) => [s.labels.function ?? "", s]))

// useRows joins the functions with their measurements.
function useRows() {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const all = useLoad("functions", (signal) => Promise.all([listFunctions(signal), listStacks(signal).catch(() => [])]), { still: true })
  const step = Math.max(range.step, Math.ceil(range.span / 40 / 10) * 10)
  const calls = useLoad(id + "calls", (signal) => counts("function", "dropstack_function_invocations_total", range, signal, step))
  const sums = useLoad(id + "sums", (signal) =>
    Promise.all([
      instant(`sum by (function) (${counted("dropstack_function_invocations_total", span(range))})`, range, signal),
      instant(`sum by (function) (${counted("dropstack_function_errors_total", span(range))})`, range, signal),
      instant(`histogram_quantile(0.95, sum by (function) (increase(dropstack_function_duration_seconds[${span(range)}])))`, range, signal),
    ]),
  )
  if (!all.data) return { ...all, data: undefined, error: all.error, measured: calls.error ?? sums.error }
  const [functions, stacks] = all.data
  const lines = by(calls.data)
  const [n, e, p] = (sums.data ?? []).map(by)
  const rows = functions.map((fn): Row => {
    const name = fn.FunctionName
    const get = (m: Map<string, Series> | undefined) => one(m?.get(name) ? [m.get(name)!] : undefined)
    return { fn, stack: stackOf(name, stacks), calls: get(n) ?? 0, errors: get(e) ?? 0, p95: get(p), points: lines.get(name)?.points ?? [], range }
  })
  return { ...all, data: rows, measured: calls.error ?? sums.error }
}

const columns: Column<Row>[] = [
  {
    name: "name",
    title: "Function",
    grow: true,
    sort: (r) => r.fn.FunctionName,
    cell: (r) => r.fn.FunctionName,
  },
  { name: "trend", title: "Trend", quiet: true, cell: (r) => <Spark points={r.points} range={r.range} tone={r.errors > r.calls / 2 ? "bad" : ""} /> },
  { name: "calls", title: "Invocations", right: true, sort: (r) => r.calls, cell: (r) => count(r.calls) },
  {
    name: "errors",
    title: "Errors",
    right: true,
    sort: (r) => r.errors,
    cell: (r) =>
      r.errors > 0 ? (
        <Badge tone={r.errors >= r.calls / 2 ? "bad" : "warn"}>
          {count(r.errors)} · {ratio(r.errors / Math.max(r.calls, r.errors))}
        </Badge>
      ) : (
        <span class="muted">0</span>
      ),
  },
  { name: "p95", title: "p95", right: true, sort: (r) => (Number.isFinite(r.p95) ? r.p95! : -1), cell: (r) => (r.p95 !== undefined && Number.isFinite(r.p95) ? duration(r.p95) : <span class="muted">–</span>) },
  { name: "runtime", title: "Runtime", quiet: true, sort: (r) => r.fn.Runtime, cell: (r) => <span class="muted nowrap">{r.fn.Runtime}</span> },
  { name: "memory", title: "Memory", right: true, quiet: true, sort: (r) => r.fn.MemorySize, cell: (r) => bytes(r.fn.MemorySize * 1048576) },
  {
    name: "modified",
    title: "Deployed",
    right: true,
    quiet: true,
    sort: (r) => r.fn.LastModified,
    cell: (r) => <span title={moment(time(r.fn.LastModified))}>{ago(time(r.fn.LastModified))}</span>,
  },
]

function Functions() {
  const rows = useRows()
  const [text] = useChoice("q")
  const [only, setOnly] = useChoice("only", "all")
  const [stack, setStack] = useChoice("stack")
  return (
    <div class="screen">
      <div class="row">
        <Search label="Filter functions" />
        <Segments
          label="Which"
          value={only}
          choose={setOnly}
          options={[
            ["all", "All"],
            ["failing", "Failing"],
            ["idle", "Idle"],
          ]}
        />
        {rows.data && new Set(rows.data.map((r) => r.stack)).size > 1 && (
          <select class="fit" aria-label="Stack" value={stack} onChange={(e) => setStack(e.currentTarget.value)}>
            <option value="">All stacks</option>
            {[...new Set(rows.data.map((r) => r.stack ?? ""))].filter(Boolean).sort().map((s) => (
              <option key={s}>{s}</option>
            ))}
          </select>
        )}
        <div class="grow" />
        {rows.data && <span class="muted small">{plural(rows.data.length, "function")}</span>}
      </div>
      <Panel flush>
        <Show of={rows} lines={8}>
          {(all) => {
            const words = text.toLowerCase().split(/\s+/).filter(Boolean)
            const shown = all.filter(
              (r) =>
                words.every((w) => (r.fn.FunctionName + " " + r.fn.Runtime).toLowerCase().includes(w)) &&
                (only !== "failing" || r.errors > 0) &&
                (only !== "idle" || r.calls === 0) &&
                (!stack || r.stack === stack),
            )
            return (
              <Table
                label="Functions"
                rows={shown}
                columns={columns}
                id={(r) => r.fn.FunctionName}
                link={(r) => href(to("functions", r.fn.FunctionName))}
                order="-calls"
                empty={
                  all.length ? (
                    <Empty icon="search" title="No function is like that">
                      Change the filter, or look at a longer time.
                    </Empty>
                  ) : (
                    <Empty icon="function" title="No functions yet">
                      Run <code>dropstack deploy</code> in the directory of a serverless.yml, and its functions are here.
                    </Empty>
                  )
                }
              />
            )
          }}
        </Show>
      </Panel>
    </div>
  )
}

export const functions: Screen = { path: "/functions", title: "Functions", icon: "function", group: "Observe", key: "f", timed: true, view: Functions }

// One function: what it does, did and is.
import { getConfiguration, listRevisions, listStacks, stackOf, time } from "../core/functions"
import { useLoad } from "../core/load"
import { counts, quote, ranged, window } from "../core/metrics"
import { useRange } from "../core/range"
import { useChoice } from "../core/route"
import { Chart, lines, type Mark } from "../kit/chart"
import { ago, bytes, duration, moment } from "../kit/format"
import { Badge, Failed } from "../kit/panel"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Config } from "./function/config"
import { Errors } from "./function/errors"
import { Invocations } from "./function/invocations"
import { Records } from "./function/records"
import { Try } from "./function/try"
import { Triggers } from "./function/triggers"
import { Versions } from "./function/versions"

function Fn({ name }: { name: string }) {
  const [tab] = useChoice("tab", "metrics")
  const about = useLoad("about", (signal) => getConfiguration(name, signal), { still: true, subject: name })
  const stack = useLoad(
    "stack",
    async (signal) => {
      const stack = stackOf(name, await listStacks(signal))
      return { stack, revisions: stack ? await listRevisions(stack, signal) : [] }
    },
    { still: true, subject: name },
  )
  const marks = (stack.data?.revisions ?? []).map((r): Mark => ({ at: new Date(r.created).getTime() / 1000, label: r.restores ? "rolled back" : "deployed" }))
  const c = about.data
  return (
    <div class="screen">
      {about.error && !c && <Failed error={about.error} retry={about.reload} />}
      <div class="row headline">
        {c ? (
          <>
            {c.Description && <span>{c.Description}</span>}
            <Badge>{c.Runtime}</Badge>
            <Badge>{bytes(c.MemorySize * 1048576)}</Badge>
            <Badge>timeout {duration(c.Timeout)}</Badge>
            <span class="muted" title={moment(time(c.LastModified))}>
              deployed {ago(time(c.LastModified))}
              {stack.data?.stack && ` in ${stack.data.stack}`}
            </span>
          </>
        ) : (
          <span class="muted">{about.error ? "" : "Loading…"}</span>
        )}
      </div>
      <Tabs
        tabs={[
          ["metrics", "Metrics"],
          ["invocations", "Invocations"],
          ["logs", "Logs"],
          ["errors", "Errors"],
          ["triggers", "Triggers"],
          ["config", "Configuration"],
          ["versions", "Versions"],
          ["test", "Test"],
        ]}
      />
      {tab === "metrics" && <Metrics name={name} marks={marks} memory={c ? c.MemorySize * 1048576 : undefined} />}
      {tab === "invocations" && <Invocations name={name} />}
      {tab === "logs" && <Records name={name} />}
      {tab === "errors" && <Errors name={name} />}
      {tab === "triggers" && <Triggers name={name} stack={stack} />}
      {tab === "config" && <Config about={about} />}
      {tab === "versions" && <Versions name={name} stack={stack.data?.stack} />}
      {tab === "test" && <Try name={name} />}
    </div>
  )
}

function Metrics({ name, marks, memory }: { name: string; marks: Mark[]; memory?: number }) {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const of = (metric: string, more = "") => `dropstack_function_${metric}{function=${quote(name)}${more}}`
  const w = `${range.step}s`
  const load = (key: string, expr: string, label: (l: Record<string, string>) => string) =>
    useLoad(key + id, async (signal) => lines(await ranged(expr, range, signal), label), { subject: name })
  const quantiles = useLoad(
    "quantiles" + id,
    async (signal) => {
      const lists = await Promise.all(
        [0.5, 0.95, 0.99].map((q) => ranged(`histogram_quantile(${q}, sum(rate(${of("duration_seconds")}[${window(range)}])))`, range, signal)),
      )
      return lists.flatMap((list, i) => lines(list, () => ["p50", "p95", "p99"][i]!))
    },
    { subject: name },
  )
  const count = (by: string, metric: string, label: (l: Record<string, string>) => string) =>
    useLoad(metric + id, async (signal) => lines(await counts(by, of(metric), range, signal), label), { subject: name })
  const calls = count("version", "invocations_total", (l) => (l.version === "$LATEST" ? "latest" : `version ${l.version}`))
  const errors = count("type", "errors_total", (l) => l.type ?? "error")
  const throttles = count("", "throttles_total", () => "throttled")
  const running = load("running", `max_over_time(${of("concurrent_executions")}[${w}])`, () => "running")
  const used = load("memory", `histogram_quantile(0.95, sum(rate(${of("memory_used_bytes")}[${window(range)}])))`, () => "p95 used")
  const cold = load("cold", `histogram_quantile(0.95, sum(rate(${of("init_duration_seconds")}[${window(range)}])))`, () => "p95 of cold starts")
  const none = "Not invoked in this time"
  return (
    <div class="grid">
      <Chart title="Invocations" range={range} lines={calls} marks={marks} area total empty={none} />
      <Chart title="Errors by type" range={range} lines={errors} marks={marks} area total empty="No errors in this time" />
      <Chart title="Duration" range={range} lines={quantiles} unit="seconds" marks={marks} empty={none} />
      <Chart title="Running at once" range={range} lines={running} marks={marks} area empty={none} />
      <Chart title="Throttles" range={range} lines={throttles} marks={marks} area total empty="None was refused in this time" />
      <Chart title={memory ? `Memory used, of ${bytes(memory)}` : "Memory used"} range={range} lines={used} unit="bytes" marks={marks} empty={none} />
      <Chart title="Cold starts" range={range} lines={cold} unit="seconds" marks={marks} empty="No cold start in this time" />
    </div>
  )
}

export const fn: Screen = { path: "/functions/:name", title: "Function", icon: "function", timed: true, view: Fn }

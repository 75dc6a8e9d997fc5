// Errors by their type, and the invocations that failed last.
import { group, lastEvents, report } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { counted, instant, one, quote, ranged, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { href, to } from "../../core/route"
import { ago, count, duration, moment } from "../../kit/format"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Spark } from "../../kit/spark"
import { Table } from "../../kit/table"

export function Errors({ name }: { name: string }) {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const series = `dropstack_function_errors_total{function=${quote(name)}}`
  const types = useLoad(
    id,
    async (signal) => {
      const [sums, trend] = await Promise.all([
        instant(`sum by (type) (${counted(series, span(range))}) > 0`, range, signal),
        ranged(`sum by (type) (${counted(series, range.step + "s")})`, range, signal),
      ])
      return sums.map((s) => ({ type: s.labels.type ?? "", n: one([s]) ?? 0, points: trend.find((t) => t.labels.type === s.labels.type)?.points ?? [] }))
    },
    { subject: name },
  )
  const failed = useLoad(
    id,
    async (signal) => (await lastEvents(group(name), '"REPORT RequestId" "Status:"', range, 50, signal)).map(report).filter((i) => i?.error),
    { subject: name },
  )
  return (
    <>
      <Panel title="Errors by type" flush>
        <Show of={types}>
          {(rows) => (
            <Table
              label="Errors by type"
              rows={rows}
              id={(r) => r.type}
              order="-n"
              empty={<Empty icon="check" title="No errors in this time" />}
              columns={[
                { name: "type", title: "Type", grow: true, sort: (r) => r.type, cell: (r) => <code class="wrap">{r.type}</code> },
                { name: "trend", title: "Trend", cell: (r) => <Spark points={r.points} range={range} tone="bad" /> },
                { name: "n", title: "Errors", right: true, sort: (r) => r.n, cell: (r) => count(r.n) },
              ]}
            />
          )}
        </Show>
      </Panel>
      <Panel title="Failed last" flush>
        <Show of={failed}>
          {(rows) => (
            <Table
              label="Failed invocations"
              rows={rows.map((r) => r!)}
              id={(r) => r.request}
              choice="failed"
              link={(r) => href(to("functions", name), { tab: "invocations", request: r.request })}
              empty={<Empty icon="check" title="None failed in this time" />}
              columns={[
                { name: "at", title: "When", cell: (r) => <span title={moment(r.at)}>{ago(r.at)}</span> },
                { name: "error", title: "Error", cell: (r) => <Badge tone="bad" dot>{r.error}</Badge> },
                { name: "duration", title: "Duration", right: true, cell: (r) => duration(r.duration) },
                { name: "request", title: "Request", quiet: true, cell: (r) => <code>{r.request.slice(0, 8)}</code> },
              ]}
            />
          )}
        </Show>
      </Panel>
    </>
  )
}

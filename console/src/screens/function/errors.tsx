// Errors by their type, and what was logged about them.
import { failures, group, lastEvents } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { counted, counts, instant, one, quote, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { count } from "../../kit/format"
import { Empty, Panel, Show } from "../../kit/panel"
import { Spark } from "../../kit/spark"
import { Table } from "../../kit/table"
import { RecordList } from "./records"

export function Errors({ name }: { name: string }) {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const series = `dropstack_function_errors_total{function=${quote(name)}}`
  const types = useLoad(
    id,
    async (signal) => {
      const [sums, trend] = await Promise.all([
        instant(`sum by (type) (${counted(series, span(range))}) > 0`, range, signal),
        counts("type", series, range, signal),
      ])
      return sums.map((s) => ({ type: s.labels.type ?? "", n: one([s]) ?? 0, points: trend.find((t) => t.labels.type === s.labels.type)?.points ?? [] }))
    },
    { subject: name },
  )
  const records = useLoad(id, (signal) => lastEvents(group(name), failures, range, 100, signal), { subject: name })
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
      <Panel title="What it logged about them" note="the newest 100">
        <Show of={records}>{(list) => (list.length > 0 ? <RecordList records={list} /> : <Empty icon="logs" title="No error is logged in this time" />)}</Show>
      </Panel>
    </>
  )
}

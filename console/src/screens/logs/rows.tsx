// Rows of statistics: a table, and a chart when they are over time.
import type { Range } from "../../core/range"
import { moment, type Found, type Row } from "../../core/search"
import { Chart, type Line } from "../../kit/chart"
import { Empty, Failed, Panel, Skeleton } from "../../kit/panel"
import { Table } from "../../kit/table"
import { Told, useFound } from "./found"

const number = (text: string | undefined) => (text === undefined || text === "" ? NaN : Number(text))
const stamp = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/

// over are lines over time, if a column holds times and another numbers.
function over({ rows, columns }: Found): Line[] {
  const time = columns.find((c) => rows.every((r) => stamp.test(r[c] ?? "")))
  if (!time) return []
  const numbers = columns.filter((c) => c !== time && rows.every((r) => r[c] === undefined || Number.isFinite(number(r[c]))))
  const names = columns.filter((c) => c !== time && !numbers.includes(c))
  const lines = new Map<string, Line>()
  for (const r of rows) {
    const of = names.map((n) => r[n] ?? "").join(" ")
    for (const n of numbers) {
      const label = numbers.length > 1 || !of ? `${of} ${n}`.trim() : of
      const line = lines.get(label) ?? { label, points: [] }
      if (r[n] !== undefined) line.points.push([moment(r[time]) / 1000, number(r[n])])
      lines.set(label, line)
    }
  }
  return [...lines.values()].slice(0, 12).map((l) => ({ ...l, points: l.points.sort((a, b) => a[0] - b[0]) }))
}

export function Rows({ groups, query, range }: { groups: string[]; query: string; range: Range }) {
  const found = useFound(groups, query, range, 1000)
  const drawn = found.data ? over(found.data) : []
  return (
    <>
      {drawn.length > 0 && <Chart title="Over time" range={range} lines={{ data: drawn, loading: false, reload: found.reload }} />}
      <Panel title="Rows" note={<Told found={found.data} partial={found.partial} />} flush>
        {found.error && <Failed error={found.error} retry={found.reload} />}
        {found.data ? <Answer found={found.data} /> : !found.error && <Skeleton lines={6} />}
      </Panel>
    </>
  )
}

function Answer({ found }: { found: Found }) {
  const { rows, columns } = found
  const numeric = new Set(columns.filter((c) => rows.every((r) => r[c] === undefined || Number.isFinite(number(r[c])))))
  const most = new Map([...numeric].map((c) => [c, Math.max(...rows.map((r) => number(r[c]) || 0))]))
  const place = new Map(rows.map((r, i) => [r, i]))
  return (
    <Table
      label="Rows"
      rows={rows}
      id={(r) => String(place.get(r))}
      empty={<Empty icon="logs" title="No rows">Nothing in this time is what the query counts.</Empty>}
      columns={columns.map((c) => ({
        name: c,
        title: c,
        right: numeric.has(c),
        sort: (r: Row) => (numeric.has(c) ? number(r[c]) : (r[c] ?? "")),
        cell: (r: Row) =>
          numeric.has(c) && rows.length > 1 ? (
            <span class="weighed">
              <meter min={0} max={Math.max(most.get(c)!, 1e-9)} value={Math.max(number(r[c]) || 0, 0)} aria-hidden="true" /> {shown(r[c])}
            </span>
          ) : numeric.has(c) ? (
            shown(r[c])
          ) : (
            (r[c] ?? "–")
          ),
      }))}
    />
  )
}

const shown = (text: string | undefined) => (text === undefined ? "–" : Number(text).toLocaleString(undefined, { maximumFractionDigits: 3 }))

// What is asked for most and who asks most, from the access logs of distributions.
import { type Row, insights } from "../../core/insights"
import { type Loaded, useLoad } from "../../core/load"
import { useRange } from "../../core/range"
import { count, ratio } from "../../kit/format"
import { Empty, Panel, Show } from "../../kit/panel"
import { type Column, Table } from "../../kit/table"
import { BanButton } from "./bans"

const number = (row: Row, name: string) => Number(row[name] ?? 0)
// Logs Insights' own words: a condition in an aggregation counts 1 where it holds.
const failing = "sum(`sc-status` >= 400) as failed"

export function Top({ distribution }: { distribution: string }) {
  const range = useRange()
  const groups = [`/aws/cloudfront/${distribution || "*"}`]
  const id = `${range.start} ${range.end} ${distribution}`
  const ask = (by: string) => (signal: AbortSignal) => insights(groups, `filter ispresent(\`${by}\`) | stats count(*) as n, ${failing} by \`${by}\` | sort n desc | limit 10`, range, signal)
  const paths = useLoad(id + "paths", ask("cs-uri-stem"), { subject: distribution })
  const clients = useLoad(id + "clients", ask("c-ip"), { subject: distribution })
  return (
    <div class="grid two">
      <Most title="Paths that are asked for most" first="Path" of={paths} field="cs-uri-stem" />
      <Most title="Clients that ask most" first="Client" of={clients} field="c-ip" more={{ name: "ban", title: "", right: true, cell: (r) => <BanButton client={r["c-ip"] ?? ""} /> }} />
    </div>
  )
}

function Most({ title, first, of, field, more }: { title: string; first: string; of: Loaded<Row[]>; field: string; more?: Column<Row> }) {
  return (
    <Panel title={title} flush>
      <Show of={of}>
        {(rows) => (
          <Table
            label={title}
            rows={rows}
            id={(r) => r[field] ?? ""}
            choice={field}
            empty={
              <Empty icon="edge" title="No request in this time">
                Every request to a distribution is in its access log, in the group <code>/aws/cloudfront/ID</code>.
              </Empty>
            }
            columns={[
              { name: "what", title: first, grow: true, cell: (r) => <code class="wrap">{r[field]}</code> },
              { name: "n", title: "Requests", right: true, sort: (r) => number(r, "n"), cell: (r) => count(number(r, "n")) },
              {
                name: "failed",
                title: "4xx, 5xx",
                right: true,
                sort: (r) => number(r, "failed"),
                cell: (r) => (number(r, "failed") > 0 ? <span class="warn">{ratio(number(r, "failed") / number(r, "n"))}</span> : <span class="muted">0</span>),
              },
              ...(more ? [more] : []),
            ]}
          />
        )}
      </Show>
    </Panel>
  )
}

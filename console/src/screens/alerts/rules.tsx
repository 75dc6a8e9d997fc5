import { useChoice } from "../../core/route"
import { ago, moment } from "../../kit/format"
import { Badge, Empty, type Tone } from "../../kit/panel"
import { Search } from "../../kit/search"
import { Table } from "../../kit/table"
import { type Rule, severities } from "./alert"
import { Why } from "./why"

const tones: Record<string, Tone> = { firing: "bad", pending: "warn", inactive: "good" }

// Rules are all that is watched, those that need attention first.
export function Rules({ rules, refused }: { rules: Rule[]; refused?: string }) {
  const [text] = useChoice("q")
  const [why, setWhy] = useChoice("why")
  const rank = (r: Rule) => (r.error ? 0 : (["firing", "pending"].indexOf(r.state) + 4) % 4)
  const shown = rules
    .filter((r) => `${r.name} ${r.group} ${r.expr ?? r.query}`.toLowerCase().includes(text.toLowerCase()))
    .sort((a, b) => Number(!a.error) - Number(!b.error) || b.alerts - a.alerts || rank(a) - rank(b))
  return (
    <>
      {refused && (
        <div class="failed" role="alert">
          <div>
            <p>The files of rules, as they are now, are not taken; those before go on. {refused}</p>
          </div>
        </div>
      )}
      <div class="pad">
        <Search label="Filter rules" />
      </div>
      <Table
        label="Rules"
        rows={shown}
        id={(r) => `${r.source} ${r.group} ${r.name} ${r.expr ?? r.query} ${JSON.stringify(r.labels)}`}
        open={(r) => setWhy(r.name)}
        choice="rules"
        empty={
          text ? (
            <Empty title="No rule is like that" />
          ) : (
            <Empty icon="alert" title="No rules">
              <code>custom.dropstack.alerts</code> in serverless.yml takes rules in Prometheus' own words.
            </Empty>
          )
        }
        columns={[
          {
            name: "name",
            title: "Rule",
            grow: true,
            cell: (r) => (
              <>
                {r.name}
                {r.error && <span class="bad small wrap"> {r.error}</span>}
              </>
            ),
          },
          { name: "state", title: "State", cell: (r) => (r.error ? <Badge tone="bad">error</Badge> : r.record ? <Badge>records</Badge> : <Badge tone={tones[r.state]} dot>{r.state}</Badge>) },
          { name: "severity", title: "Severity", cell: (r) => (r.labels?.severity ? <Badge tone={severities[r.labels.severity]}>{r.labels.severity}</Badge> : "–") },
          { name: "evaluated", title: "Asked", cell: (r) => (r.evaluated ? <span title={`${moment(r.evaluated)}, in ${r.tookMs} ms`}>{ago(r.evaluated)}</span> : "not yet") },
          { name: "source", title: "Stands in", quiet: true, cell: (r) => <span class="muted">{r.source}</span> },
        ]}
      />
      {why && <Why name={why} close={() => setWhy("")} />}
    </>
  )
}

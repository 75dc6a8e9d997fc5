import { ago, moment } from "../../kit/format"
import { Badge, Empty, type Tone } from "../../kit/panel"
import { Table } from "../../kit/table"

export interface Alarm {
  AlarmName: string
  AlarmDescription?: string
  StateValue: string
  StateReason: string
  StateUpdatedTimestamp: number
  MetricName?: string
  Namespace?: string
  ActionsEnabled?: boolean
}

const states: Record<string, [string, Tone]> = { OK: ["ok", "good"], ALARM: ["alarm", "bad"], INSUFFICIENT_DATA: ["too little data", "plain"] }

export function Alarms({ list }: { list: Alarm[] }) {
  const order = ["ALARM", "INSUFFICIENT_DATA", "OK"]
  return (
    <Table
      label="CloudWatch alarms"
      rows={[...list].sort((a, b) => order.indexOf(a.StateValue) - order.indexOf(b.StateValue) || a.AlarmName.localeCompare(b.AlarmName))}
      id={(a) => a.AlarmName}
      choice="alarms"
      empty={
        <Empty icon="alert" title="No alarms">
          They come from <code>custom.alerts</code> in serverless.yml, from <code>AWS::CloudWatch::Alarm</code> in its resources, and from <code>aws cloudwatch put-metric-alarm</code>.
        </Empty>
      }
      columns={[
        { name: "name", title: "Alarm", grow: true, cell: (a) => a.AlarmName },
        { name: "state", title: "State", cell: (a) => <Badge tone={states[a.StateValue]?.[1]} dot>{states[a.StateValue]?.[0] ?? a.StateValue}</Badge> },
        { name: "reason", title: "Why", cell: (a) => <span class="muted">{a.StateReason}</span> },
        { name: "metric", title: "Metric", quiet: true, cell: (a) => <code class="wrap">{[a.Namespace, a.MetricName].filter(Boolean).join(" ") || "an expression"}</code> },
        { name: "since", title: "Since", right: true, cell: (a) => <span title={moment(a.StateUpdatedTimestamp * 1000)}>{ago(a.StateUpdatedTimestamp * 1000)}</span> },
      ]}
    />
  )
}

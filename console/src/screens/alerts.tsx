// Alerts: what fires and why, who is told, and what keeps quiet.
import { aws, control } from "../core/call"
import { useLoad } from "../core/load"
import { instant, type Series } from "../core/metrics"
import { useRange } from "../core/range"
import { choose, useChoice } from "../core/route"
import { Panel, Show } from "../kit/panel"
import { Stat } from "../kit/stat"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Active } from "./alerts/active"
import type { ActiveAlert, Rule } from "./alerts/alert"
import { type Alarm, Alarms } from "./alerts/alarms"
import { Receivers, type Told } from "./alerts/receivers"
import { Rules } from "./alerts/rules"
import { Silences, type Silence, SilenceForm } from "./alerts/silences"

export async function allAlarms(signal?: AbortSignal): Promise<Alarm[]> {
  const all: Alarm[] = []
  for (let NextToken: string | undefined; ; ) {
    const page: { MetricAlarms: Alarm[]; NextToken?: string } = await aws("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", { MaxRecords: 100, NextToken }, signal)
    all.push(...page.MetricAlarms)
    NextToken = page.NextToken
    if (!NextToken) return all
  }
}

function Alerts() {
  const range = useRange()
  const [tab] = useChoice("tab", "active")
  const [silence] = useChoice("silence")
  const alerts = useLoad("alerts", (signal) => control<{ alerts: ActiveAlert[] }>("ListAlerts", {}, signal).then((a) => a.alerts), { still: true })
  // the state of the rules is in the metrics, which can be asked as often as one likes
  const now = useLoad("firing", (signal) => instant('count by (alertstate) (ALERTS)', undefined, signal))
  const silences = useLoad("silences", (signal) => control<{ silences: Silence[] }>("ListSilences", {}, signal).then((a) => a.silences ?? []), { still: true })
  const rules = useLoad("rules", (signal) => control<{ rules: Rule[]; refused?: string }>("ListRules", {}, signal), { still: true })
  const alarms = useLoad("alarms", allAlarms, { still: true })
  const told = useLoad("receivers", (signal) => control<Told>("GetReceivers", {}, signal).then((t) => ({ ...t, failures: t.failures ?? [] })), { still: true })
  const count = (state: string) => alerts.data?.filter((a) => a.state === state).length
  const moved = changed(now.data, alerts.data)
  const broken = rules.data?.rules.filter((r) => r.error).length ?? 0
  const ringing = alarms.data?.filter((a) => a.StateValue === "ALARM").length ?? 0
  return (
    <div class="screen">
      <div class="stats">
        <Stat title="Firing" value={count("firing") ?? "…"} tone={count("firing") ? "bad" : "plain"} note={alerts.data ? (count("pending") ? `${count("pending")} pending` : "none pending") : " "} />
        <Stat title="Silences" value={silences.data?.length ?? "…"} note="active or to come" />
        <Stat title="Rules" value={rules.data?.rules.length ?? "…"} tone={broken ? "warn" : "plain"} note={broken ? `${broken} cannot be asked` : "all can be asked"} />
        <Stat title="Not reached" value={told.data?.failures.length ?? "…"} tone={told.data?.failures.length ? "bad" : "plain"} note="receivers that failed last" />
      </div>
      {moved && (
        <p class="row">
          <span class="muted">What fires has changed since this was loaded.</span>
          <button type="button" class="small" onClick={alerts.reload}>
            Load anew
          </button>
        </p>
      )}
      <Tabs
        tabs={[
          ["active", "Active", alerts.data?.length],
          ["silences", "Silences", silences.data?.length],
          ["rules", "Rules", rules.data?.rules.length],
          ["alarms", "Alarms", ringing || alarms.data?.length],
          ["receivers", "Receivers", told.data?.receivers.length],
        ]}
      />
      {tab === "active" && (
        <Show of={alerts} lines={6}>
          {(list) => <Active list={list} rules={rules.data?.rules ?? []} silences={silences.data ?? []} range={range} />}
        </Show>
      )}
      {tab === "silences" && <Silences silences={silences} />}
      {tab === "rules" && (
        <Panel title="Rules" flush>
          <Show of={rules}>{(r) => <Rules rules={r.rules} refused={r.refused} />}</Show>
        </Panel>
      )}
      {tab === "alarms" && (
        <Panel title="CloudWatch alarms" flush>
          <Show of={alarms}>{(list) => <Alarms list={list} />}</Show>
        </Panel>
      )}
      {tab === "receivers" && <Show of={told}>{(t) => <Receivers told={t} />}</Show>}
      {silence && (
        <SilenceForm
          given={silence}
          close={() => choose({ silence: undefined })}
          done={() => {
            silences.reload()
            alerts.reload()
          }}
        />
      )}
    </div>
  )
}

// changed says whether the metrics know of other alerts than the list, which is asked
// for only when the reader asks.
function changed(now: Series[] | undefined, list: ActiveAlert[] | undefined): boolean {
  if (!now || !list) return false
  const of = (state: string) => now.find((s) => s.labels.alertstate === state)?.points.at(-1)?.[1] ?? 0
  return of("firing") !== list.filter((a) => a.state === "firing" && a.labels.alarm === undefined && a.rule).length
}

export const alerts: Screen = { path: "/alerts", title: "Alerts", icon: "alert", group: "Observe", key: "a", timed: true, view: Alerts }

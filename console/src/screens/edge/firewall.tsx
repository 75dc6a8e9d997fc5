// The firewall: what its rules have matched, and what became of it.
import { useLoad } from "../../core/load"
import { counted, counts, instant, one, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { Chart, lines } from "../../kit/chart"
import { count } from "../../kit/format"
import { Badge, Empty, Panel, Show, type Tone } from "../../kit/panel"
import { Table } from "../../kit/table"

const matched = "dropstack_firewall_requests_total"

// What rules do with what they match, by WAF's names of metrics.
const outcomes: Record<string, [string, Tone]> = {
  AllowedRequests: ["let through", "good"],
  BlockedRequests: ["blocked", "bad"],
  CountedRequests: ["counted", "info"],
  CaptchaRequests: ["puzzled", "warn"],
  ChallengeRequests: ["challenged", "warn"],
}

export function Firewall() {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const blocked = useLoad(id + "blocked", async (signal) => lines(await counts("rule", `${matched}{metric="BlockedRequests"}`, range, signal), (l) => l.rule ?? ""))
  const rules = useLoad(id + "rules", async (signal) =>
    (await instant(`sum by (web_acl, rule, metric) (${counted(matched, span(range))}) > 0`, range, signal)).map((s) => ({ ...s.labels, n: one([s]) ?? 0 }) as { web_acl?: string; rule?: string; metric?: string; n: number }),
  )
  return (
    <>
      <Chart title="Blocked requests by rule" range={range} lines={blocked} area total empty="Nothing was blocked in this time" />
      <Panel title="What rules have matched" flush>
        <Show of={rules}>
          {(rows) => (
            <Table
              label="Rules of the firewall"
              rows={rows}
              id={(r) => `${r.web_acl} ${r.rule} ${r.metric}`}
              order="-n"
              empty={
                <Empty icon="check" title="No rule has matched in this time">
                  A distribution with <code>webACL: default</code>, or one of your own made by <code>aws wafv2 create-web-acl</code>, has its requests looked at. What rules match is counted here.
                </Empty>
              }
              columns={[
                { name: "rule", title: "Rule", grow: true, sort: (r) => r.rule ?? "", cell: (r) => r.rule ?? "" },
                {
                  name: "metric",
                  title: "What became of it",
                  sort: (r) => r.metric ?? "",
                  cell: (r) => {
                    const [word, tone] = outcomes[r.metric ?? ""] ?? [r.metric ?? "", "plain" as Tone]
                    return <Badge tone={tone}>{word}</Badge>
                  },
                },
                { name: "acl", title: "Web ACL", quiet: true, sort: (r) => r.web_acl ?? "", cell: (r) => <span class="wrap">{r.web_acl}</span> },
                { name: "n", title: "Requests", right: true, sort: (r) => r.n, cell: (r) => count(r.n) },
              ]}
            />
          )}
        </Show>
      </Panel>
    </>
  )
}

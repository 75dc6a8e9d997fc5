// Alerts that are pending or firing, each with its evidence.
import { useState } from "preact/hooks"
import { useLoad } from "../../core/load"
import { ranged } from "../../core/metrics"
import type { Range } from "../../core/range"
import { choose, href, to } from "../../core/route"
import { ask, moment as at } from "../../core/search"
import { ago, count, exact, moment } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Badge, Empty, Panel } from "../../kit/panel"
import { Spark } from "../../kit/spark"
import { type ActiveAlert, type Rule, severities } from "./alert"
import { matched, type Silence } from "./silences"
import { Why } from "./why"

export const selector = (labels: Record<string, string>) =>
  "{" +
  Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join(",") +
  "}"

// measured is what an expression compares, without the comparison at its end.
export function measured(expr: string): string {
  const first = expr.split(/\n\s*(?:and|unless|or)\b/)[0]!.trim()
  return /^(.*\S)\s*(?:[<>]=?|[!=]=)\s*(?:bool\s*)?[-+\d.eE]+$/s.exec(first)?.[1] ?? first
}

// threshold is the number that an expression compares with.
export const threshold = (expr: string) => {
  const found = /(?:[<>]=?|[!=]=)\s*(?:bool\s*)?([-+]?\d[\d.eE+-]*)$/.exec(expr.split(/\n\s*(?:and|unless|or)\b/)[0]!.trim())
  return found ? Number(found[1]) : undefined
}

export function Active({ list, rules, silences, range }: { list: ActiveAlert[]; rules: Rule[]; silences: Silence[]; range: Range }) {
  if (list.length === 0) {
    return (
      <Panel>
        <Empty icon="check" title="Nothing fires">
          Rules watch every function, topic, monitor and disk; <code>custom.dropstack.alerts</code> in serverless.yml adds yours. What fires is here, with what is known about it.
        </Empty>
      </Panel>
    )
  }
  const order = (a: ActiveAlert) => (a.state === "firing" ? 0 : 10) + ["critical", "warning", "info"].indexOf(a.labels.severity ?? "info")
  return (
    <div class="stack wide-gap">
      {[...list]
        .sort((a, b) => order(a) - order(b) || b.since.localeCompare(a.since))
        .map((a) => (
          <One key={selector(a.labels)} alert={a} rule={rules.find((r) => r.name === a.rule)} silence={silences.find((s) => s.state === "active" && matched(s.matchers, a.labels))} range={range} />
        ))}
    </div>
  )
}

function One({ alert: a, rule, silence, range }: { alert: ActiveAlert; rule?: Rule; silence?: Silence; range: Range }) {
  const [why, setWhy] = useState(false)
  const [logs, setLogs] = useState(false)
  const name = a.labels.alertname ?? a.rule
  const own = Object.entries(a.labels).filter(([k]) => !["alertname", "severity"].includes(k))
  return (
    <Panel
      title={a.annotations.summary || name}
      actions={
        <>
          {silence && <Badge tone="info" title={silence.comment}>silenced until {moment(silence.ends)}</Badge>}
          <Badge tone={severities[a.labels.severity ?? ""] ?? "plain"}>{a.labels.severity ?? "no severity"}</Badge>
          <Badge tone={a.state === "firing" ? "bad" : "warn"} dot>
            {a.state}
          </Badge>
        </>
      }
    >
      <div class="stack">
        {a.annotations.description && <p class="muted">{a.annotations.description.trim()}</p>}
        <div class="evidence">
          {rule?.expr && <Trend rule={rule} alert={a} range={range} />}
          <dl class="facts">
            <dt>Rule</dt>
            <dd>{name}</dd>
            <dt>Since</dt>
            <dd title={moment(a.since)}>{ago(a.since)}</dd>
            <dt>Value</dt>
            <dd>{count(a.value)}</dd>
            {a.annotations.owner && (
              <>
                <dt>Owner</dt>
                <dd>{a.annotations.owner}</dd>
              </>
            )}
            {own.map(([k, v]) => (
              <>
                <dt>{k}</dt>
                <dd>{k === "function" ? <a href={href(to("functions", v), { tab: "errors" })}>{v}</a> : k === "monitor" ? <a href={href(to("uptime", v))}>{v}</a> : v}</dd>
              </>
            ))}
          </dl>
        </div>
        {logs && <Lines alert={a} range={range} />}
        <div class="row">
          {rule && (
            <button type="button" class="small" onClick={() => setWhy(true)}>
              Why<span class="sr"> does {name} fire</span>
            </button>
          )}
          {(a.annotations.logs || a.labels.function) && (
            <button type="button" class="small" aria-pressed={logs} onClick={() => setLogs(!logs)}>
              {logs ? "Hide" : "Show"} what was logged
            </button>
          )}
          {rule?.expr && (
            <a class="button small" href={href("/explore", { a: measured(rule.expr), than: threshold(rule.expr)?.toString() })}>
              Explore
            </a>
          )}
          {a.annotations.runbook && /^https?:/.test(a.annotations.runbook) && (
            <a class="button small" href={a.annotations.runbook} rel="noreferrer">
              Runbook
            </a>
          )}
          <button type="button" class="small" onClick={() => choose({ silence: selector(a.labels) })}>
            <Icon name="pause" size={12} /> Silence
          </button>
        </div>
      </div>
      {why && <Why name={a.rule} labels={subject(a, rule)} close={() => setWhy(false)} />}
    </Panel>
  )
}

// subject are the labels by which the alert's own series are told apart: those that the
// rule and the platform add are not measured.
const subject = (a: ActiveAlert, rule?: Rule) => Object.fromEntries(Object.entries(a.labels).filter(([k]) => !["alertname", "severity", "stack"].includes(k) && !(k in (rule?.labels ?? {}))))

// Trend is what the rule measures of what the alert is about.
function Trend({ rule, alert: a, range }: { rule: Rule; alert: ActiveAlert; range: Range }) {
  const line = useLoad(`${rule.expr} ${range.start} ${range.end}`, async (signal) => {
    const list = await ranged(measured(rule.expr!), range, signal)
    return (list.find((s) => Object.entries(s.labels).every(([k, v]) => k === "__name__" || a.labels[k] === undefined || a.labels[k] === v)) ?? list[0])?.points ?? []
  })
  return (
    <div class="trend">
      <Spark points={line.data ?? []} range={range} width={280} height={56} tone="bad" />
      <span class="muted small">{range.label.toLowerCase()}</span>
    </div>
  )
}

// Lines are the newest records that the rule says are evidence.
function Lines({ alert: a, range }: { alert: ActiveAlert; range: Range }) {
  const group = a.labels.function ? `/aws/lambda/${a.labels.function}` : "*"
  const query = a.annotations.logs?.trim() || 'filter level = "error" or @message like /ERROR|Invoke Error/ | sort @timestamp desc'
  const found = useLoad(`${group} ${query}`, (signal) => ask([group], query, range, 5, signal), { still: true })
  const link = href("/logs", { group: group === "*" ? undefined : group, q: query })
  if (found.error) return <p class="hint bad">{found.error.message}</p>
  if (!found.data) return <p class="muted">Looking…</p>
  return (
    <div class="stack">
      {found.data.rows.length === 0 ? (
        <p class="muted">Nothing in this time is what the rule calls evidence.</p>
      ) : (
        <ol class="records boxed">
          {found.data.rows.map((r) => (
            <li key={r["@ptr"]} class="bad">
              <div>
                <time>{Number.isFinite(at(r["@timestamp"])) ? exact(at(r["@timestamp"])) : ""}</time>
                <span>{(r["@message"] ?? Object.values(r).join(" ")).trim().slice(0, 500)}</span>
              </div>
            </li>
          ))}
        </ol>
      )}
      <a href={link}>All in the logs</a>
    </div>
  )
}

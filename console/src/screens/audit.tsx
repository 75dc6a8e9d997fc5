// The audit log: who did what, what was refused, and whether the log is as it was written.
import { useEffect, useState } from "preact/hooks"
import { control } from "../core/call"
import { useLoad } from "../core/load"
import { useRange } from "../core/range"
import { action, about, type AuditRecord, denied, type Page, records, who } from "../core/records"
import { useChoice } from "../core/route"
import { Code } from "../kit/code"
import { ago, count, moment, plural } from "../kit/format"
import { Icon } from "../kit/icons"
import { Drawer } from "../kit/overlay"
import { Badge, Empty, Failed, Panel, Show } from "../kit/panel"
import { Table } from "../kit/table"
import { Segments, Tabs } from "../kit/tabs"
import { toast } from "../kit/toast"
import type { Screen } from "../shell/screen"
import { Own } from "./audit/own"

function Audit() {
  const [tab] = useChoice("tab", "records")
  return (
    <div class="screen">
      <Tabs
        tabs={[
          ["records", "Records"],
          ["chain", "The chain"],
          ["keys", "Your access keys"],
        ]}
      />
      {tab === "records" && <Records />}
      {tab === "chain" && <Chain />}
      {tab === "keys" && <Own />}
    </div>
  )
}

// at is a moment in UTC as the search has it.
const at = (seconds: number) => new Date(seconds * 1000).toISOString()

function Field({ name, label, hint }: { name: string; label: string; hint: string }) {
  const [value, setValue] = useChoice(name)
  return (
    <label class="field">
      <span>{label}</span>
      <input value={value} placeholder={hint} spellcheck={false} onChange={(e) => setValue(e.currentTarget.value.trim())} />
    </label>
  )
}

function Records() {
  const range = useRange()
  const [principal] = useChoice("who")
  const [act] = useChoice("action")
  const [resource] = useChoice("resource")
  const [only, setOnly] = useChoice("only", "all")
  const [open, setOpen] = useChoice("record")
  const search = { principal, action: act, resource, errors: only !== "all" }
  const wanted = (r: AuditRecord) => only !== "denied" || denied(r)
  const load = (token?: string, signal?: AbortSignal) => records({ ...search, since: at(range.start), until: at(range.end) }, 100, token, signal, wanted)
  const id = JSON.stringify(search) + only + (range.live ? range.from : `${range.start} ${range.end}`)
  const first = useLoad(id, (signal) => load(undefined, signal), { still: true })
  const [more, setMore] = useState<Page[]>([])
  useEffect(() => setMore([]), [first.data])
  return (
    <>
      <Panel>
        <div class="fields">
          <Field name="who" label="Who" hint="name, ARN or access key" />
          <Field name="action" label="Action" hint="ssm:GetParameter" />
          <Field name="resource" label="Resource" hint="name or ARN" />
          <div class="field">
            <span>Show</span>
            <Segments
              label="Which records"
              value={only}
              options={[
                ["all", "All"],
                ["failed", "Failed"],
                ["denied", "Denied"],
              ]}
              choose={setOnly}
            />
          </div>
        </div>
      </Panel>
      <Panel title="Records" note={range.label.toLowerCase()} flush>
        <Show of={first}>
          {(page) => {
            const pages = [page, ...more]
            const all = pages.flatMap((p) => p.events)
            const next = pages.at(-1)!.token
            const opened = all.find((r) => r.eventID === open)
            return (
              <>
                <Table
                  label="Records"
                  rows={all}
                  id={(r) => r.eventID}
                  open={(r) => setOpen(r.eventID)}
                  page={100}
                  empty={
                    <Empty icon="audit" title="No such record in this time">
                      Every change, every read of a secret and every denial is recorded before it is answered. Look at a longer time, or for less.
                    </Empty>
                  }
                  columns={[
                    { name: "action", title: "Action", cell: (r) => <span class="nowrap">{action(r)}</span> },
                    { name: "who", title: "Who", cell: (r) => <span class="wrap">{who(r)}</span> },
                    { name: "about", title: "About", grow: true, cell: (r) => <span class="wrap muted">{about(r) || "–"}</span> },
                    { name: "result", title: "Result", cell: (r) => (r.errorCode ? <Badge tone={denied(r) ? "bad" : "warn"}>{denied(r) ? "denied" : r.errorCode}</Badge> : <span class="muted">done</span>) },
                    { name: "from", title: "From", quiet: true, cell: (r) => <span class="nowrap">{r.sourceIPAddress}</span> },
                    { name: "when", title: "When", right: true, cell: (r) => <span title={moment(r.eventTime)}>{ago(r.eventTime)}</span> },
                  ]}
                />
                {next && (
                  <button type="button" class="more" onClick={() => load(next).then((p) => setMore([...more, p]), (e: Error) => toast(e.message, true))}>
                    <Icon name="down" size={14} /> Earlier records
                  </button>
                )}
                {opened && <Opened r={opened} close={() => setOpen("")} />}
              </>
            )
          }}
        </Show>
      </Panel>
    </>
  )
}

function Opened({ r, close }: { r: AuditRecord; close: () => void }) {
  return (
    <Drawer title={action(r)} close={close}>
      <dl class="facts">
        <dt>Who</dt>
        <dd class="wrap">{r.userIdentity.arn ?? who(r)}</dd>
        {r.userIdentity.accessKeyId && (
          <>
            <dt>With the key</dt>
            <dd>
              <code class="wrap">{r.userIdentity.accessKeyId}</code>
            </dd>
          </>
        )}
        <dt>When</dt>
        <dd>{moment(r.eventTime)}</dd>
        <dt>From</dt>
        <dd class="wrap">
          {r.sourceIPAddress} <span class="muted">{r.userAgent}</span>
        </dd>
        <dt>Result</dt>
        <dd class="wrap">{r.errorCode ? `${r.errorCode}: ${r.errorMessage ?? ""}` : r.readOnly ? "answered" : "done"}</dd>
      </dl>
      <h3>The record as it stands in the log</h3>
      <Code text={JSON.stringify(r, null, 2)} label="The record" />
    </Drawer>
  )
}

interface Report {
  files: number
  digests: number
  records: number
  first: number
  last: number
  head: string
  heads: number
  keys: string[]
  faults: { file: string; line?: number; seq?: number; problem: string }[]
  notes: string[]
}

// Chain checks the log when it is asked to: that reads all of it.
function Chain() {
  const [report, setReport] = useState<Report>()
  const [error, setError] = useState<Error>()
  const [busy, setBusy] = useState(false)
  const verify = async () => {
    setBusy(true)
    setError(undefined)
    try {
      setReport(await control<Report>("VerifyAuditRecords"))
    } catch (e) {
      setError(e as Error)
    }
    setBusy(false)
  }
  return (
    <Panel title="Is the log as it was written?">
      <div class="stack" aria-live="polite">
        <p class="muted">
          Each record has the hash of the one before, and the last is signed: what was changed, left out or put in shows, with its place. By itself that proves little against somebody who has
          this machine and its root key; hold it against what is kept elsewhere by <code>dropstack audit verify --key --heads</code>.
        </p>
        <div class="row">
          <button type="button" class="primary" disabled={busy} aria-busy={busy} onClick={verify}>
            <Icon name="check" size={14} /> {busy ? "Reading the whole log…" : report ? "Check it again" : "Check it"}
          </button>
        </div>
        {error && <Failed error={error} />}
        {report && (
          <>
            <p class="row">
              {report.faults.length === 0 ? (
                <Badge tone="good" dot>
                  nothing was changed
                </Badge>
              ) : (
                <Badge tone="bad" dot>
                  {plural(report.faults.length, "place")} not as written
                </Badge>
              )}
              <span class="muted">
                {plural(report.records, "record")} ({count(report.first)} to {count(report.last)}) in {plural(report.files, "file")}
              </span>
            </p>
            {report.faults.length > 0 && (
              <ul class="records">
                {report.faults.map((f) => (
                  <li key={f.file + f.line + f.problem} class="bad">
                    <div>
                      <time>
                        {f.file}
                        {f.line ? `:${f.line}` : ""}
                      </time>
                      <span>{f.problem}</span>
                    </div>
                  </li>
                ))}
              </ul>
            )}
            {report.notes.map((n) => (
              <p key={n} class="muted">
                {n}
              </p>
            ))}
            <dl class="facts">
              <dt>Last signed record</dt>
              <dd>
                <code class="wrap">{report.head}</code>
              </dd>
              <dt>Signed with</dt>
              <dd>
                <code class="wrap">{report.keys.join(", ")}</code>
              </dd>
            </dl>
          </>
        )}
      </div>
    </Panel>
  )
}

export const audit: Screen = { path: "/audit", title: "Audit", icon: "audit", group: "Platform", key: "a", timed: true, view: Audit }

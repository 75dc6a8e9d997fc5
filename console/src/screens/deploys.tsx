// What is deployed, what was deployed before, and the way back.
import { useState } from "preact/hooks"
import { control } from "../core/call"
import { listRevisions, listStacks, type Past, type StackSummary, time } from "../core/functions"
import { useLoad } from "../core/load"
import { reload } from "../core/range"
import { href, to, useChoice } from "../core/route"
import { Copy } from "../kit/copy"
import { ago, moment } from "../kit/format"
import { Icon } from "../kit/icons"
import { Confirm, Drawer } from "../kit/overlay"
import { Badge, Empty, Panel, Show, type Tone } from "../kit/panel"
import { Table } from "../kit/table"
import { toast } from "../kit/toast"
import type { Screen } from "../shell/screen"
import { Compared } from "./deploys/compared"

export interface Revision extends Past {
  stack: string
}

// recent are the revisions of all stacks, the newest first.
export async function recent(signal?: AbortSignal): Promise<{ stacks: StackSummary[]; revisions: Revision[] }> {
  const stacks = await listStacks(signal)
  const lists = await Promise.all(stacks.map(async (s) => (await listRevisions(s.stack, signal)).map((p) => ({ ...p, stack: s.stack }))))
  return { stacks, revisions: lists.flat().sort((a, b) => b.created.localeCompare(a.created)) }
}

function Deploys() {
  const all = useLoad("deploys", recent, { still: true })
  const [stack, setStack] = useChoice("stack")
  const [open, setOpen] = useChoice("revision")
  return (
    <div class="screen">
      <Show of={all} lines={8}>
        {({ stacks, revisions }) =>
          stacks.length === 0 ? (
            <Panel>
              <Empty icon="deploy" title="Nothing is deployed yet">
                Run <code>dropstack deploy</code> in the directory of a serverless.yml.
              </Empty>
            </Panel>
          ) : (
            <>
              <div class="cards">
                {stacks.map((s) => (
                  <button key={s.stack} type="button" class="card" aria-pressed={stack === s.stack} onClick={() => setStack(stack === s.stack ? "" : s.stack)}>
                    <strong>{s.stack}</strong>
                    <span class="muted">{s.contents}</span>
                    <span class="muted" title={moment(time(s.created))}>
                      deployed {ago(time(s.created))}
                    </span>
                  </button>
                ))}
              </div>
              <Panel title={stack ? `Revisions of ${stack}` : "Revisions"} flush>
                <Table
                  label="Revisions"
                  rows={revisions.filter((r) => !stack || r.stack === stack)}
                  id={(r) => r.stack + r.id}
                  open={(r) => setOpen(`${r.stack} ${r.id}`)}
                  columns={[
                    { name: "stack", title: "Stack", cell: (r) => r.stack },
                    {
                      name: "state",
                      title: "State",
                      cell: (r) => (r.active ? <Badge tone="good" dot>active</Badge> : r.restores ? <Badge>rolled back</Badge> : <span class="muted">earlier</span>),
                    },
                    { name: "created", title: "Deployed", cell: (r) => <span title={moment(r.created)}>{ago(r.created)}</span> },
                    { name: "contents", title: "Contents", grow: true, cell: (r) => <span class="muted">{r.contents}</span> },
                    { name: "id", title: "Revision", quiet: true, cell: (r) => <code>{r.id.slice(-8)}</code> },
                  ]}
                />
              </Panel>
              {open && <Opened which={open} revisions={revisions} close={() => setOpen("")} />}
            </>
          )
        }
      </Show>
    </div>
  )
}

interface Diff {
  from?: string
  changes: { action: "create" | "change" | "remove"; kind: string; name: string; fields?: { name: string; from?: string; to?: string }[] }[]
}

const tones: Record<string, Tone> = { create: "good", change: "info", remove: "bad" }

function Opened({ which, revisions, close }: { which: string; revisions: Revision[]; close: () => void }) {
  const [back, setBack] = useState(false)
  const [stack, id] = which.split(" ")
  const revision = revisions.find((r) => r.stack === stack && r.id === id)
  const diff = useLoad(which, (signal) => control<Diff>("DescribeRevision", { stack, id }, signal), { still: true, subject: which })
  if (!revision) return null
  return (
    <Drawer title={`${revision.stack} · ${moment(revision.created)}`} close={close}>
      <dl class="facts">
        <dt>Revision</dt>
        <dd class="row">
          <code>{revision.id}</code>
          <Copy text={revision.id} />
        </dd>
        <dt>State</dt>
        <dd>{revision.active ? <Badge tone="good" dot>active</Badge> : "earlier"}</dd>
        {revision.restores && (
          <>
            <dt>Brings back</dt>
            <dd>
              <code>{revision.restores}</code>
            </dd>
          </>
        )}
        <dt>Contents</dt>
        <dd>{revision.contents}</dd>
      </dl>
      <h3>What changed</h3>
      <Show of={diff}>
        {(d) =>
          d.changes.length === 0 ? (
            <p class="muted">Nothing but the code's build: the revision before has the same contents.</p>
          ) : (
            <ul class="changes">
              {d.changes.slice(0, 60).map((c) => (
                <li key={c.kind + c.name}>
                  <Badge tone={tones[c.action]}>{c.action}</Badge> <span class="muted">{c.kind}</span>{" "}
                  {c.kind === "function" && c.action !== "remove" ? <a href={href(to("functions", c.name))}>{c.name}</a> : c.name}
                  {c.fields && (
                    <dl class="facts">
                      {c.fields.map((f) => (
                        <div key={f.name}>
                          <dt>{f.name}</dt>
                          <dd>
                            {f.from && <del>{f.from}</del>} {f.to && <ins>{f.to}</ins>}
                          </dd>
                        </div>
                      ))}
                    </dl>
                  )}
                </li>
              ))}
              {d.changes.length > 60 && <li class="muted">and {d.changes.length - 60} more</li>}
            </ul>
          )
        }
      </Show>
      <Compared stack={revision.stack} id={revision.id} />
      {!revision.active && (
        <div class="row">
          <button type="button" class="primary" onClick={() => setBack(true)}>
            <Icon name="undo" /> Roll back to this revision
          </button>
        </div>
      )}
      {back && (
        <Confirm
          title={`Roll ${revision.stack} back?`}
          verb="Roll back"
          danger
          close={() => setBack(false)}
          act={async () => {
            await control("Rollback", { stack: revision.stack, to: revision.id })
            toast(`${revision.stack} is back at the revision of ${moment(revision.created)}`)
            close()
            reload()
          }}
        >
          <p>
            What was deployed {ago(revision.created)} becomes the next revision, at once and for all callers: code, configuration, routes, topics and schedules. Data stay as they
            are.
          </p>
        </Confirm>
      )}
    </Drawer>
  )
}

export const deploys: Screen = { path: "/deploys", title: "Deploys", icon: "deploy", group: "Platform", key: "d", view: Deploys }

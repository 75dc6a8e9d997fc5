// Distributions: where they answer, what answers for them, and having what they store
// asked for again.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { counted, instant, one, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { href, useChoice } from "../../core/route"
import { count, plural } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm, Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Origin {
  id: string
  stack?: string
  api?: string
  url?: string
  bucket?: string
  domain?: string
  path?: string
}

export interface Distribution {
  id: string
  stack: string
  domain?: string
  aliases?: string[]
  default?: boolean
  disabled?: boolean
  comment?: string
  origins?: Origin[]
  originGroups?: { id: string; members: string[]; statuses: number[] }[]
  behaviours: { path: string; methods?: string[]; origin: string; viewer?: string; cache?: unknown }[]
  webACL?: string
  certificate?: unknown
  urls: string[]
}

export const useDistributions = () => useLoad("distributions", (signal) => control<Distribution[]>("ListDistributions", {}, signal), { still: true })

// answering is what stands behind an origin, in words.
function answering(o: Origin): string {
  if (o.bucket) return `bucket ${o.bucket}${o.path ?? ""}`
  if (o.domain) return o.domain + (o.path ?? "")
  if (o.url) return `function URL ${o.url}`
  if (o.api) return `API ${o.api}${o.path ?? ""}`
  return `stack ${o.stack ?? ""}`
}

// behind is everything that answers for a distribution: behaviours may name a stack
// that no origin does.
function behind(d: Distribution): string[] {
  const known = new Map((d.origins ?? []).map((o) => [o.id, answering(o)]))
  const groups = new Map((d.originGroups ?? []).map((g) => [g.id, g.members.map((m) => known.get(m) ?? m).join(", else ")]))
  return [...new Set(d.behaviours.map((b) => known.get(b.origin) ?? groups.get(b.origin) ?? `stack ${b.origin}`))]
}

export function Distributions() {
  const range = useRange()
  const s = span(range)
  const [open, setOpen] = useChoice("open")
  const [invalidating, setInvalidating] = useState<Distribution>()
  const list = useDistributions()
  const asked = useLoad(`${range.start} ${range.end}`, async (signal) => new Map((await instant(`sum by (distribution) (${counted("dropstack_edge_requests_total", s)})`, range, signal)).map((x) => [x.labels.distribution, one([x])])))
  return (
    <Show of={list}>
      {(all) => {
        const opened = all.find((d) => d.id === open)
        return (
          <>
            <Panel title="Distributions" flush>
              <Table
                label="Distributions"
                rows={all}
                id={(d) => d.id}
                open={(d) => setOpen(d.id)}
                order="id"
                empty={
                  <Empty icon="edge" title="No distributions yet">
                    <code>custom.dropstack.distributions</code> of serverless.yml, or an <code>AWS::CloudFront::Distribution</code> under <code>resources</code>, makes one: host names, a
                    cache and a firewall before a service, a bucket or any server.
                  </Empty>
                }
                columns={[
                  { name: "id", title: "Distribution", sort: (d) => d.id, cell: (d) => d.id },
                  {
                    name: "state",
                    title: "State",
                    cell: (d) => (d.disabled ? <Badge tone="warn">disabled: 403</Badge> : d.default ? <Badge tone="good" dot>answers, default</Badge> : <Badge tone="good" dot>answers</Badge>),
                  },
                  { name: "hosts", title: "Names", grow: true, cell: (d) => <Names list={d.aliases?.length ? d.aliases : [d.domain ?? "any"]} /> },
                  { name: "origins", title: "Origins", quiet: true, cell: (d) => <Names list={behind(d)} /> },
                  { name: "requests", title: "Requests", right: true, sort: (d) => asked.data?.get(d.id) ?? 0, cell: (d) => (asked.data ? count(asked.data.get(d.id) ?? 0) : "…") },
                  {
                    name: "do",
                    title: "",
                    right: true,
                    cell: (d) => (
                      <button type="button" class="small" onClick={() => setInvalidating(d)}>
                        Invalidate<span class="sr"> paths of {d.id}</span>
                      </button>
                    ),
                  },
                ]}
              />
            </Panel>
            {opened && <Opened d={opened} close={() => setOpen("")} />}
            {invalidating && <Invalidate d={invalidating} close={() => setInvalidating(undefined)} />}
          </>
        )
      }}
    </Show>
  )
}

const Names = ({ list }: { list: string[] }) => (
  <span class="wrap" title={list.join(", ")}>
    {list.slice(0, 2).join(", ")}
    {list.length > 2 && <span class="muted"> and {list.length - 2} more</span>}
  </span>
)

function Opened({ d, close }: { d: Distribution; close: () => void }) {
  return (
    <Drawer title={d.id} close={close}>
      <dl class="facts">
        <dt>Stack</dt>
        <dd>{d.stack}</dd>
        {d.comment && (
          <>
            <dt>Comment</dt>
            <dd>{d.comment}</dd>
          </>
        )}
        <dt>Answers at</dt>
        <dd>
          {d.urls.map((u) => (
            <div key={u}>
              <a href={u} target="_blank" rel="noreferrer" class="wrap">
                {u}
              </a>
            </div>
          ))}
        </dd>
        <dt>Firewall</dt>
        <dd>{d.webACL ? <code class="wrap">{d.webACL}</code> : "none"}</dd>
        <dt>Traffic</dt>
        <dd>
          <a href={href("/edge", { distribution: d.id, tab: undefined })}>its requests</a>
        </dd>
      </dl>
      <h3>Behaviours, in the order in which they are tried</h3>
      <ul class="things">
        {d.behaviours.map((b) => (
          <li key={b.path + (b.methods ?? []).join()} class="wraps">
            <code class="wrap">{b.path}</code>
            {b.methods && <span class="muted">{b.methods.join(" ")}</span>}
            <Icon name="right" size={12} />
            <span class="wrap">{behind({ ...d, behaviours: [b] })[0]}</span>
            {b.cache ? <Badge tone="info">cached</Badge> : <Badge>not cached</Badge>}
            {b.viewer && b.viewer !== "allow-all" && <Badge>{b.viewer}</Badge>}
          </li>
        ))}
      </ul>
    </Drawer>
  )
}

function Invalidate({ d, close }: { d: Distribution; close: () => void }) {
  const [text, setText] = useState("/*")
  return (
    <Confirm
      title={`Invalidate paths of ${d.id}`}
      verb="Invalidate"
      close={close}
      act={async () => {
        const paths = text.split(/\s+/).filter(Boolean)
        if (paths.length === 0) throw new Error("Name at least one path, such as /images/*")
        await control("Invalidate", { id: d.id, paths })
        toast(`${plural(paths.length, "path")} of ${d.id} will be asked of the origin again`)
      }}
    >
      <label class="field">
        <span>Paths, one a line</span>
        <textarea class="mono" rows={4} spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <span class="hint">A path that ends with * stands for all that begin with it. What is stored under them counts as gone at once, in all variants; the origin is asked by the next client.</span>
      </label>
    </Confirm>
  )
}

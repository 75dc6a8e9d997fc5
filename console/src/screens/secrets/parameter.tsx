// A parameter: its versions and tags, who has read it, and a new value for it. The
// console never asks for a value.
import { useState } from "preact/hooks"
import { aws } from "../../core/call"
import { useLoad } from "../../core/load"
import { action, denied, records, who } from "../../core/records"
import { href } from "../../core/route"
import { Copy } from "../../kit/copy"
import { ago, moment } from "../../kit/format"
import { Confirm, Drawer } from "../../kit/overlay"
import { Badge, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

export interface Parameter {
  Name: string
  ARN: string
  Type: string
  KeyId?: string
  LastModifiedDate: number // seconds
  LastModifiedUser?: string
  Description?: string
  AllowedPattern?: string
  Version: number
  Tier: string
}

const ssm = <Out,>(operation: string, input: unknown, signal?: AbortSignal) => aws<Out>("ssm", "AmazonSSM." + operation, input, signal)

export function Opened({ p, close, changed }: { p: Parameter; close: () => void; changed: () => void }) {
  const [asking, setAsking] = useState<"write" | "delete">()
  const tags = useLoad("tags", async (signal) => (await ssm<{ TagList: { Key: string; Value: string }[] | null }>("ListTagsForResource", { ResourceType: "Parameter", ResourceId: p.Name }, signal)).TagList ?? [], { still: true, subject: p.Name })
  const reads = useLoad("reads" + p.Version, async (signal) => (await records({ parameter: p.Name }, 30, undefined, signal, (r) => r.eventName !== "ListTagsForResource")).events, { still: true, subject: p.Name })
  return (
    <Drawer title={p.Name} close={close}>
      <dl class="facts">
        <dt>ARN</dt>
        <dd class="row">
          <code class="wrap">{p.ARN}</code>
          <Copy text={p.ARN} />
        </dd>
        {p.Description && (
          <>
            <dt>Description</dt>
            <dd>{p.Description}</dd>
          </>
        )}
        <dt>Type</dt>
        <dd>{p.Type}</dd>
        {p.KeyId && (
          <>
            <dt>Encrypted with</dt>
            <dd>
              <code class="wrap">{p.KeyId}</code>
            </dd>
          </>
        )}
        <dt>Version</dt>
        <dd>
          {p.Version}, of {moment(p.LastModifiedDate * 1000)}
        </dd>
        <dt>Value</dt>
        <dd class="muted">never shown here; who may read it can, by aws ssm get-parameter</dd>
        <dt>Tags</dt>
        <dd class="row">
          {tags.data?.length === 0 && "none"}
          {tags.data?.map((t) => (
            <Badge key={t.Key}>
              {t.Key}: {t.Value}
            </Badge>
          ))}
        </dd>
      </dl>
      <div class="row">
        <button type="button" class="primary" onClick={() => setAsking("write")}>
          Set a new value
        </button>
        <button type="button" class="danger" onClick={() => setAsking("delete")}>
          Delete
        </button>
      </div>
      <Panel
        title="Who read or changed it"
        flush
        actions={
          <a class="small" href={href("/audit", { resource: p.Name })}>
            In the audit log
          </a>
        }
      >
        <Show of={reads}>
          {(list) => (
            <Table
              label="Who read or changed it"
              rows={list}
              id={(r) => r.eventID}
              choice="reads"
              page={10}
              empty={<p class="muted pad">Nobody yet. Each read is recorded before it is answered, those of functions too.</p>}
              columns={[
                { name: "who", title: "Who", grow: true, cell: (r) => <span class="wrap">{who(r)}</span> },
                { name: "what", title: "What", cell: (r) => <span class="row">{action(r).replace("ssm:", "")} {r.errorCode && <Badge tone={denied(r) ? "bad" : "warn"}>{denied(r) ? "denied" : "failed"}</Badge>}</span> },
                { name: "when", title: "When", right: true, cell: (r) => <span title={moment(r.eventTime)}>{ago(r.eventTime)}</span> },
              ]}
            />
          )}
        </Show>
      </Panel>
      {asking === "write" && <Writing p={p} close={() => setAsking(undefined)} done={changed} />}
      {asking === "delete" && (
        <Confirm
          title="Delete this parameter?"
          verb="Delete"
          danger
          close={() => setAsking(undefined)}
          act={async () => {
            await ssm("DeleteParameter", { Name: p.Name })
            toast(`${p.Name} is deleted`)
            changed()
            close()
          }}
        >
          <p>
            <code class="wrap">{p.Name}</code> and all its versions are gone, and there is no way back. Functions that ask for it fail; those that got it when they were deployed keep it until
            the next deployment.
          </p>
        </Confirm>
      )}
    </Drawer>
  )
}

// Writing sets a value: of a parameter, or of a new one.
export function Writing({ p, close, done }: { p?: Parameter; close: () => void; done: () => void }) {
  const [name, setName] = useState(p?.Name ?? "")
  const [type, setType] = useState(p?.Type ?? "SecureString")
  const [value, setValue] = useState("")
  return (
    <Confirm
      title={p ? `A new value of ${p.Name}` : "New parameter"}
      verb={p ? "Set the value" : "Make it"}
      close={close}
      act={async () => {
        const made = await ssm<{ Version: number }>("PutParameter", { Name: name.trim(), Value: value, Type: type, Overwrite: !!p })
        toast(`${name.trim()} has version ${made.Version}`)
        done()
      }}
    >
      <div class="stack">
        {!p && (
          <>
            <label class="field">
              <span>Name</span>
              <input value={name} required placeholder="/shop/prod/password" spellcheck={false} autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} />
            </label>
            <label class="field">
              <span>Type</span>
              <select value={type} onChange={(e) => setType(e.currentTarget.value)}>
                <option value="SecureString">Encrypted</option>
                <option value="String">Text</option>
                <option value="StringList">List, with commas between</option>
              </select>
            </label>
          </>
        )}
        <label class="field">
          <span>Value</span>
          {type === "SecureString" ? (
            <input type="password" value={value} required autocomplete="new-password" spellcheck={false} onInput={(e) => setValue(e.currentTarget.value)} />
          ) : (
            <textarea class="mono" rows={4} required spellcheck={false} value={value} onInput={(e) => setValue(e.currentTarget.value)} />
          )}
          <span class="hint">
            {p ? "Who asks for it gets this from now on; what was deployed with the old one keeps that until the next deployment. " : ""}The console does not show it again.
          </span>
        </label>
      </div>
    </Confirm>
  )
}

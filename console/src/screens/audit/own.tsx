// The access keys of who is signed in: make another one, turn one off, delete one.
import { useState } from "preact/hooks"
import { iam } from "../../core/call"
import { useLoad } from "../../core/load"
import { session } from "../../core/session"
import { useStore } from "../../core/store"
import { Copy } from "../../kit/copy"
import { ago, moment } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Key {
  id: string
  active: boolean
  created: string
}

const text = (of: Element | Document, name: string) => of.getElementsByTagName(name)[0]?.textContent ?? ""

export function Own() {
  const me = useStore(session)
  if (!me) return null
  if (me.type !== "IAMUser") {
    return (
      <Panel title="Your access keys">
        <Empty icon="key" title="You are signed in as no user">
          <code class="wrap">{me.accessKeyId}</code> is a key of {me.name || me.arn}, and only users have keys of their own. Make users for people and programs by <code>aws iam create-user</code>{" "}
          and <code>aws iam create-access-key --user-name NAME</code>, so that the audit log can tell them apart.
        </Empty>
      </Panel>
    )
  }
  return <Keys user={me.name} mine={me.accessKeyId} />
}

function Keys({ user, mine }: { user: string; mine: string }) {
  const [made, setMade] = useState<{ id: string; secret: string }>()
  const [going, setGoing] = useState<Key>()
  const list = useLoad(
    "keys",
    async (signal) => [...(await iam("ListAccessKeys", { UserName: user }, signal)).querySelectorAll("AccessKeyMetadata > member")].map((k): Key => ({ id: text(k, "AccessKeyId"), active: text(k, "Status") === "Active", created: text(k, "CreateDate") })),
    { still: true, subject: user },
  )
  const make = () =>
    iam("CreateAccessKey", { UserName: user }).then(
      (doc) => {
        setMade({ id: text(doc, "AccessKeyId"), secret: text(doc, "SecretAccessKey") })
        list.reload()
      },
      (e: Error) => toast(e.message, true),
    )
  const turn = (k: Key) =>
    iam("UpdateAccessKey", { UserName: user, AccessKeyId: k.id, Status: k.active ? "Inactive" : "Active" }).then(
      () => {
        toast(`${k.id} is ${k.active ? "off" : "on"}`)
        list.reload()
      },
      (e: Error) => toast(e.message, true),
    )
  return (
    <Panel
      title={`Access keys of ${user}`}
      flush
      actions={
        <button type="button" class="small primary" onClick={make}>
          Make another one
        </button>
      }
    >
      {made && (
        <div class="pad stack" role="status">
          <p>
            <strong>{made.id}</strong> is made. Its secret is told this once:
          </p>
          <p class="row">
            <code class="wrap">{made.secret}</code>
            <Copy text={made.secret} label="Copy the secret" />
            <button type="button" class="small" onClick={() => setMade(undefined)}>
              I have it
            </button>
          </p>
        </div>
      )}
      <Show of={list}>
        {(keys) => (
          <Table
            label="Access keys"
            rows={keys}
            id={(k) => k.id}
            choice="keys"
            columns={[
              { name: "id", title: "Key", grow: true, cell: (k) => <code class="wrap">{k.id}</code> },
              { name: "state", title: "State", cell: (k) => (k.active ? <Badge tone="good" dot>{k.id === mine ? "on, yours now" : "on"}</Badge> : <Badge tone="warn">off</Badge>) },
              { name: "created", title: "Made", cell: (k) => <span title={moment(k.created)}>{ago(k.created)}</span> },
              {
                name: "do",
                title: "",
                right: true,
                cell: (k) =>
                  k.id !== mine && (
                    <span class="row">
                      <button type="button" class="small" onClick={() => turn(k)}>
                        {k.active ? "Turn off" : "Turn on"}
                        <span class="sr"> {k.id}</span>
                      </button>
                      <button type="button" class="small danger" onClick={() => setGoing(k)}>
                        Delete<span class="sr"> {k.id}</span>
                      </button>
                    </span>
                  ),
              },
            ]}
          />
        )}
      </Show>
      {going && (
        <Confirm
          title="Delete this access key?"
          verb="Delete"
          danger
          close={() => setGoing(undefined)}
          act={async () => {
            await iam("DeleteAccessKey", { UserName: user, AccessKeyId: going.id })
            toast(`${going.id} is deleted`)
            list.reload()
          }}
        >
          <p>What signs with {going.id} is refused from now on, and sessions of the console that it opened end.</p>
        </Confirm>
      )}
    </Panel>
  )
}

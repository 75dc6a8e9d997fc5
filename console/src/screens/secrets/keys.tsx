// Keys that encrypt and sign: their names, whether they may be used, and their rotation.
import { useState } from "preact/hooks"
import { aws } from "../../core/call"
import { useLoad } from "../../core/load"
import { useChoice } from "../../core/route"
import { Copy } from "../../kit/copy"
import { ago, moment } from "../../kit/format"
import { Confirm, Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show, type Tone } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Key {
  KeyId: string
  Arn: string
  CreationDate: number
  Description: string
  KeyUsage: string
  KeyState: string
  KeyManager: string
  KeySpec: string
  DeletionDate?: number
  aliases: string[]
}

interface Rotation {
  KeyRotationEnabled: boolean
  NextRotationDate?: number
  RotationPeriodInDays?: number
}

const kms = <Out,>(operation: string, input: unknown, signal?: AbortSignal) => aws<Out>("kms", "TrentService." + operation, input, signal)

async function load(signal: AbortSignal): Promise<Key[]> {
  const ids: string[] = []
  let Marker: string | undefined
  do {
    const page = await kms<{ Keys: { KeyId: string }[] | null; NextMarker?: string }>("ListKeys", { Limit: 100, Marker }, signal)
    ids.push(...(page.Keys ?? []).map((k) => k.KeyId))
    Marker = page.NextMarker
  } while (Marker)
  const { Aliases } = await kms<{ Aliases: { AliasName: string; TargetKeyId?: string }[] | null }>("ListAliases", { Limit: 100 }, signal)
  return Promise.all(
    ids.map(async (id) => {
      const { KeyMetadata } = await kms<{ KeyMetadata: Omit<Key, "aliases"> }>("DescribeKey", { KeyId: id }, signal)
      return { ...KeyMetadata, aliases: (Aliases ?? []).filter((a) => a.TargetKeyId === id).map((a) => a.AliasName.replace(/^alias\//, "")) }
    }),
  )
}

const states: Record<string, [string, Tone]> = { Enabled: ["enabled", "good"], Disabled: ["disabled", "warn"], PendingDeletion: ["waits to be deleted", "bad"] }
const uses: Record<string, string> = { ENCRYPT_DECRYPT: "encrypts", SIGN_VERIFY: "signs", GENERATE_VERIFY_MAC: "authenticates", KEY_AGREEMENT: "agrees on keys" }

function State({ k }: { k: Key }) {
  const [word, tone] = states[k.KeyState] ?? [k.KeyState, "plain" as Tone]
  return (
    <Badge tone={tone} dot>
      {word}
    </Badge>
  )
}

export function Keys() {
  const [open, setOpen] = useChoice("open")
  const list = useLoad("keys", load, { still: true })
  return (
    <Panel title="Keys" flush>
      <Show of={list}>
        {(all) => {
          const opened = all.find((k) => k.KeyId === open)
          return (
            <>
              <Table
                label="Keys"
                rows={all}
                id={(k) => k.KeyId}
                open={(k) => setOpen(k.KeyId)}
                order="name"
                choice="keys"
                empty={
                  <Empty icon="key" title="No keys yet">
                    The first encrypted parameter makes one; <code>aws kms create-key</code> makes others.
                  </Empty>
                }
                columns={[
                  { name: "name", title: "Key", grow: true, sort: (k) => k.aliases[0] ?? "~" + k.KeyId, cell: (k) => (k.aliases.length > 0 ? k.aliases.join(", ") : <code class="wrap">{k.KeyId}</code>) },
                  { name: "state", title: "State", sort: (k) => k.KeyState, cell: (k) => <State k={k} /> },
                  { name: "use", title: "What for", cell: (k) => <span class="nowrap">{uses[k.KeyUsage] ?? k.KeyUsage}</span> },
                  { name: "by", title: "Made by", quiet: true, cell: (k) => <span class="nowrap">{k.KeyManager === "AWS" ? "the platform" : "you"}</span> },
                  { name: "description", title: "Description", quiet: true, cell: (k) => <span class="wrap muted">{k.Description}</span> },
                  { name: "created", title: "Made", right: true, sort: (k) => k.CreationDate, cell: (k) => <span title={moment(k.CreationDate * 1000)}>{ago(k.CreationDate * 1000)}</span> },
                ]}
              />
              {opened && <Opened k={opened} close={() => setOpen("")} changed={list.reload} />}
            </>
          )
        }}
      </Show>
    </Panel>
  )
}

function Opened({ k, close, changed }: { k: Key; close: () => void; changed: () => void }) {
  const [asking, setAsking] = useState(false)
  const turns = k.KeySpec === "SYMMETRIC_DEFAULT"
  const rotation = useLoad("rotation", async (signal) => (turns ? kms<Rotation>("GetKeyRotationStatus", { KeyId: k.KeyId }, signal) : undefined), { still: true, subject: k.KeyId })
  const enabled = k.KeyState === "Enabled"
  const own = k.KeyManager !== "AWS"
  return (
    <Drawer title={k.aliases[0] ?? "Key"} close={close}>
      <dl class="facts">
        <dt>ARN</dt>
        <dd class="row">
          <code class="wrap">{k.Arn}</code>
          <Copy text={k.Arn} />
        </dd>
        <dt>Aliases</dt>
        <dd>{k.aliases.join(", ") || "none"}</dd>
        {k.Description && (
          <>
            <dt>Description</dt>
            <dd>{k.Description}</dd>
          </>
        )}
        <dt>State</dt>
        <dd>
          <State k={k} /> {k.DeletionDate && <span class="muted">{ago(k.DeletionDate * 1000)}</span>}
        </dd>
        <dt>Kind</dt>
        <dd>{k.KeySpec}</dd>
        <dt>Rotation</dt>
        <dd>
          <Show of={{ ...rotation, data: rotation.loading && !rotation.data ? undefined : (rotation.data ?? null) }} lines={1}>
            {(r) => (r === null ? "not of this kind of key" : r.KeyRotationEnabled ? `every ${r.RotationPeriodInDays ?? 365} days${r.NextRotationDate ? `, next ${ago(r.NextRotationDate * 1000)}` : ""}` : "off")}
          </Show>
        </dd>
      </dl>
      {own && k.KeyState !== "PendingDeletion" && (
        <div class="row">
          <button type="button" onClick={() => setAsking(true)}>
            {enabled ? "Disable it" : "Enable it"}
          </button>
          {turns && rotation.data && (
            <button
              type="button"
              onClick={() =>
                kms(rotation.data?.KeyRotationEnabled ? "DisableKeyRotation" : "EnableKeyRotation", { KeyId: k.KeyId }).then(
                  () => {
                    toast(rotation.data?.KeyRotationEnabled ? "The key no longer rotates by itself" : "The key rotates by itself")
                    rotation.reload()
                  },
                  (e: Error) => toast(e.message, true),
                )
              }
            >
              {rotation.data.KeyRotationEnabled ? "Stop its rotation" : "Rotate it every year"}
            </button>
          )}
        </div>
      )}
      {asking && (
        <Confirm
          title={enabled ? "Disable this key?" : "Enable this key?"}
          verb={enabled ? "Disable" : "Enable"}
          danger={enabled}
          close={() => setAsking(false)}
          act={async () => {
            await kms(enabled ? "DisableKey" : "EnableKey", { KeyId: k.KeyId })
            toast(enabled ? "The key is disabled" : "The key is enabled")
            changed()
          }}
        >
          <p>{enabled ? "What it has encrypted cannot be read until it is enabled again: parameters, and data of whoever uses it." : "What it has encrypted can be read again by who may."}</p>
        </Confirm>
      )}
    </Drawer>
  )
}

// Bans: who is turned away, why and until when; and whom no ban turns away.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { instant, one } from "../../core/metrics"
import { reload } from "../../core/range"
import { ago, count, moment, plural } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Ban {
  client: string
  reason: string
  by: string
  since: string
  until: string
  times: number
  shadow?: boolean
}

interface Allowed {
  client: string
  reason: string
  by: string
  since: string
}

const lengths: [string, string][] = [
  ["900", "15 minutes"],
  ["3600", "an hour"],
  ["14400", "4 hours"],
  ["86400", "a day"],
  ["604800", "a week"],
  ["2592000", "30 days"],
]

// plain is one IPv4 address without its length.
const plain = (client: string) => client.replace(/\/32$/, "")
const who = (by: string) => (by === "edge" ? "the edge itself" : by.split(/[/:]/).at(-1))

export function Bans() {
  const [adding, setAdding] = useState(false)
  const [allowing, setAllowing] = useState(false)
  const [going, setGoing] = useState<Ban>()
  const bans = useLoad("bans", (signal) => control<{ bans: Ban[] | null }>("ListBans", {}, signal), { still: true })
  const allowed = useLoad("allowed", (signal) => control<{ allowed: Allowed[] | null }>("ListAllowed", {}, signal), { still: true })
  const turned = useLoad("turned", async (signal) => one(await instant("sum(increase(dropstack_edge_banned_total[1h] anchored))", undefined, signal)) ?? 0)
  return (
    <>
      <Panel
        title="Bans"
        note={turned.data ? `${plural(turned.data, "request")} turned away in the last hour` : undefined}
        flush
        actions={
          <button type="button" class="small primary" onClick={() => setAdding(true)}>
            Ban a client
          </button>
        }
      >
        <Show of={bans}>
          {(answer) => (
            <Table
              label="Bans"
              rows={answer.bans ?? []}
              id={(b) => b.client}
              choice="bans"
              order="until"
              empty={
                <Empty icon="check" title="Nobody is banned">
                  The edge bans who floods it or whom a firewall rule bans; <code>dropstack waf ban</code> and functions that watch the logs ban others.
                </Empty>
              }
              columns={[
                { name: "client", title: "Client", sort: (b) => b.client, cell: (b) => <code>{plain(b.client)}</code> },
                { name: "state", title: "State", cell: (b) => (b.shadow ? <Badge title="written down only">shadow</Badge> : <Badge tone="bad" dot>turned away</Badge>) },
                { name: "reason", title: "Why", grow: true, cell: (b) => <span class="wrap">{b.reason || <span class="muted">no reason was given</span>}</span> },
                { name: "by", title: "By", quiet: true, cell: (b) => who(b.by) },
                { name: "times", title: "Times", right: true, quiet: true, sort: (b) => b.times, cell: (b) => count(b.times) },
                { name: "until", title: "Over", right: true, sort: (b) => b.until, cell: (b) => <span title={moment(b.until)}>{ago(b.until)}</span> },
                {
                  name: "do",
                  title: "",
                  right: true,
                  cell: (b) => (
                    <button type="button" class="small" onClick={() => setGoing(b)}>
                      Unban<span class="sr"> {plain(b.client)}</span>
                    </button>
                  ),
                },
              ]}
            />
          )}
        </Show>
      </Panel>
      <Panel
        title="Never turned away"
        flush
        actions={
          <button type="button" class="small" onClick={() => setAllowing(true)}>
            Allow a client
          </button>
        }
      >
        <Show of={allowed}>
          {(answer) => (
            <Table
              label="Clients that are never turned away"
              rows={answer.allowed ?? []}
              id={(a) => a.client}
              choice="allowed"
              empty={
                <Empty icon="user" title="No exceptions">
                  Put your office, or what watches your pages, on this list: no ban turns it away, whatever it does.
                </Empty>
              }
              columns={[
                { name: "client", title: "Client", sort: (a) => a.client, cell: (a) => <code>{plain(a.client)}</code> },
                { name: "reason", title: "Why", grow: true, cell: (a) => <span class="wrap">{a.reason}</span> },
                { name: "since", title: "Since", right: true, cell: (a) => <span title={moment(a.since)}>{ago(a.since)}</span> },
                {
                  name: "do",
                  title: "",
                  right: true,
                  cell: (a) => (
                    <button
                      type="button"
                      class="small"
                      onClick={() =>
                        control("DeleteAllowed", { client: a.client }).then(
                          () => {
                            toast(`${plain(a.client)} may be banned again`)
                            allowed.reload()
                          },
                          (e: Error) => toast(e.message, true),
                        )
                      }
                    >
                      Remove<span class="sr"> {plain(a.client)}</span>
                    </button>
                  ),
                },
              ]}
            />
          )}
        </Show>
      </Panel>
      {adding && <Adding close={() => setAdding(false)} />}
      {allowing && <Allowing close={() => setAllowing(false)} done={allowed.reload} />}
      {going && (
        <Confirm
          title={`Let ${plain(going.client)} in again?`}
          verb="Unban"
          close={() => setGoing(undefined)}
          act={async () => {
            await control("DeleteBan", { client: going.client })
            toast(`${plain(going.client)} is no longer banned`)
            bans.reload()
          }}
        >
          <p>Its requests are answered again at once, and that it was banned is forgotten.</p>
        </Confirm>
      )}
    </>
  )
}

// BanButton bans a client where it is seen.
export function BanButton({ client }: { client: string }) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <button type="button" class="small" onClick={() => setAsking(true)}>
        Ban<span class="sr"> {client}</span>
      </button>
      {asking && <Adding client={client} close={() => setAsking(false)} />}
    </>
  )
}

function Adding({ client: first = "", close }: { client?: string; close: () => void }) {
  const [client, setClient] = useState(first)
  const [seconds, setSeconds] = useState("14400")
  const [reason, setReason] = useState("")
  const [shadow, setShadow] = useState(false)
  return (
    <Confirm
      title={first ? `Ban ${first}?` : "Ban a client"}
      verb="Ban"
      danger
      close={close}
      act={async () => {
        const made = await control<Ban>("PutBan", { client: client.trim(), seconds: Number(seconds), reason: reason.trim(), shadow })
        toast(`${plain(made.client)} is banned until ${moment(made.until)}`)
        reload()
      }}
    >
      <div class="stack">
        {!first && (
          <label class="field">
            <span>Address or prefix</span>
            <input value={client} required placeholder="203.0.113.7 or 198.51.100.0/24" spellcheck={false} onInput={(e) => setClient(e.currentTarget.value)} />
          </label>
        )}
        <label class="field">
          <span>For</span>
          <select value={seconds} onChange={(e) => setSeconds(e.currentTarget.value)}>
            {lengths.map(([s, text]) => (
              <option key={s} value={s}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Why, for whoever reads the list</span>
          <input value={reason} maxLength={200} placeholder="guesses passwords" onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={shadow} onChange={(e) => setShadow(e.currentTarget.checked)} /> Write it down only, and turn nobody away
        </label>
      </div>
      <p class="muted">
        Its requests get 403 at every edge until the ban is over. Loopback, trusted proxies and clients that are allowed cannot be banned; of IPv6 the whole /64 is.
      </p>
    </Confirm>
  )
}

function Allowing({ close, done }: { close: () => void; done: () => void }) {
  const [client, setClient] = useState("")
  const [reason, setReason] = useState("")
  return (
    <Confirm
      title="Never turn a client away"
      verb="Allow"
      close={close}
      act={async () => {
        await control("PutAllowed", { client: client.trim(), reason: reason.trim() })
        toast(`${client.trim()} is never turned away by a ban`)
        done()
      }}
    >
      <div class="stack">
        <label class="field">
          <span>Address or prefix</span>
          <input value={client} required placeholder="198.51.100.0/24" spellcheck={false} onInput={(e) => setClient(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Why</span>
          <input value={reason} placeholder="our office" onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
      </div>
    </Confirm>
  )
}

// Parameters and keys. Values go in and never come out: who reads one is recorded.
import { useState } from "preact/hooks"
import { aws } from "../core/call"
import { useLoad } from "../core/load"
import { useChoice } from "../core/route"
import { ago, moment, plural } from "../kit/format"
import { Badge, Empty, Panel, Show } from "../kit/panel"
import { Search } from "../kit/search"
import { Table } from "../kit/table"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Keys } from "./secrets/keys"
import { type Parameter, Opened, Writing } from "./secrets/parameter"

function Secrets() {
  const [tab] = useChoice("tab", "parameters")
  return (
    <div class="screen">
      <Tabs
        tabs={[
          ["parameters", "Parameters"],
          ["keys", "Keys"],
        ]}
      />
      {tab === "parameters" && <Parameters />}
      {tab === "keys" && <Keys />}
    </div>
  )
}

async function load(signal: AbortSignal): Promise<Parameter[]> {
  const all: Parameter[] = []
  let NextToken: string | undefined
  do {
    const page = await aws<{ Parameters: Parameter[] | null; NextToken?: string }>("ssm", "AmazonSSM.DescribeParameters", { MaxResults: 50, NextToken }, signal)
    all.push(...(page.Parameters ?? []))
    NextToken = page.NextToken
  } while (NextToken)
  return all
}

export const Type = ({ type }: { type: string }) => (type === "SecureString" ? <Badge tone="info">encrypted</Badge> : <Badge>{type === "StringList" ? "list" : "text"}</Badge>)

function Parameters() {
  const [search] = useChoice("q")
  const [open, setOpen] = useChoice("open")
  const [making, setMaking] = useState(false)
  const list = useLoad("parameters", load, { still: true })
  return (
    <Show of={list}>
      {(all) => {
        const shown = all.filter((p) => p.Name.includes(search))
        const opened = all.find((p) => p.Name === open)
        return (
          <>
            <Panel
              title="Parameters"
              note={search ? `${shown.length} of ${plural(all.length, "parameter")}` : plural(all.length, "parameter")}
              flush
              actions={
                <>
                  <Search label="Find parameters" />
                  <button type="button" class="small primary" onClick={() => setMaking(true)}>
                    New parameter
                  </button>
                </>
              }
            >
              <Table
                label="Parameters"
                rows={shown}
                id={(p) => p.Name}
                open={(p) => setOpen(p.Name)}
                order="name"
                empty={
                  all.length > 0 ? (
                    <Empty icon="search" title={`No parameter has “${search}” in its name`} />
                  ) : (
                    <Empty icon="secret" title="No parameters yet">
                      Make one here, or by <code>aws ssm put-parameter --type SecureString</code>; functions get it as <code>{"${ssm:/shop/password}"}</code> in serverless.yml, or ask for it themselves.
                    </Empty>
                  )
                }
                columns={[
                  { name: "name", title: "Name", grow: true, sort: (p) => p.Name, cell: (p) => <span class="wrap">{p.Name}</span> },
                  { name: "type", title: "Type", sort: (p) => p.Type, cell: (p) => <Type type={p.Type} /> },
                  { name: "version", title: "Version", right: true, sort: (p) => p.Version, cell: (p) => p.Version },
                  { name: "changed", title: "Changed", right: true, sort: (p) => p.LastModifiedDate, cell: (p) => <span title={moment(p.LastModifiedDate * 1000)}>{ago(p.LastModifiedDate * 1000)}</span> },
                  { name: "by", title: "By", quiet: true, cell: (p) => p.LastModifiedUser?.split(/[/:]/).at(-1) ?? "" },
                ]}
              />
            </Panel>
            {opened && <Opened p={opened} close={() => setOpen("")} changed={list.reload} />}
            {making && <Writing close={() => setMaking(false)} done={list.reload} />}
          </>
        )
      }}
    </Show>
  )
}

export const secrets: Screen = { path: "/secrets", title: "Secrets", icon: "secret", group: "Data", key: "s", view: Secrets }

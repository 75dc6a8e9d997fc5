// Versions and the aliases that lead callers to them: shift some callers to another
// version, all of them, or roll the stack back.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { type Alias, type Configuration, listAliases, listVersions, moveAlias, time } from "../../core/functions"
import { useLoad } from "../../core/load"
import { reload } from "../../core/range"
import { ago, bytes, moment, ratio } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

export function Versions({ name, stack }: { name: string; stack?: string }) {
  const both = useLoad("versions", (signal) => Promise.all([listVersions(name, signal), listAliases(name, signal)]), { still: true, subject: name })
  const [shifting, setShifting] = useState<Alias>()
  const [back, setBack] = useState(false)
  return (
    <Show of={both}>
      {([versions, aliases]) => (
        <>
          <Panel
            title="Aliases"
            flush
            actions={
              stack && (
                <button type="button" class="small" onClick={() => setBack(true)}>
                  <Icon name="undo" size={14} /> Roll back {stack}
                </button>
              )
            }
          >
            <Table
              label="Aliases"
              rows={aliases}
              id={(a) => a.Name}
              choice="aliases"
              empty={
                <Empty icon="link" title="No aliases">
                  Callers get the latest code. With <code>deploymentSettings</code> in serverless.yml, or an alias made by <code>aws lambda create-alias</code>, some can be led to a
                  version.
                </Empty>
              }
              columns={[
                { name: "name", title: "Alias", cell: (a) => a.Name },
                { name: "to", title: "Callers get", grow: true, cell: (a) => <Split alias={a} /> },
                {
                  name: "shift",
                  title: "",
                  right: true,
                  cell: (a) => (
                    <button type="button" class="small" onClick={() => setShifting(a)}>
                      Shift callers<span class="sr"> of {a.Name}</span>
                    </button>
                  ),
                },
              ]}
            />
          </Panel>
          <Panel title="Versions" flush>
            <Table
              label="Versions"
              rows={[...versions].reverse()}
              id={(v) => v.Version}
              choice="versions"
              columns={[
                { name: "version", title: "Version", cell: (v) => (v.Version === "$LATEST" ? <Badge tone="info">latest</Badge> : v.Version) },
                { name: "aliases", title: "Aliases", cell: (v) => aliases.filter((a) => a.FunctionVersion === v.Version || a.RoutingConfig?.AdditionalVersionWeights?.[v.Version]).map((a) => <Badge key={a.Name}>{a.Name}</Badge>) },
                { name: "created", title: "Made", sort: (v) => v.LastModified, cell: (v) => <span title={moment(time(v.LastModified))}>{ago(time(v.LastModified))}</span> },
                { name: "size", title: "Code", right: true, cell: (v) => bytes(v.CodeSize) },
                { name: "sha", title: "SHA-256", quiet: true, cell: (v) => <code>{v.CodeSha256.slice(0, 12)}</code> },
              ]}
            />
          </Panel>
          {shifting && <Shift name={name} alias={shifting} versions={versions} close={() => setShifting(undefined)} />}
          {back && (
            <Confirm
              title={`Roll ${stack} back?`}
              verb="Roll back"
              danger
              close={() => setBack(false)}
              act={async () => {
                await control("Rollback", { stack })
                toast(`${stack} is back at the revision before`)
                reload()
              }}
            >
              <p>The revision before the active one comes back for the whole stack, at once and for all callers. Deploys lists the earlier ones.</p>
            </Confirm>
          )}
        </>
      )}
    </Show>
  )
}

function Split({ alias }: { alias: Alias }) {
  const others = Object.entries(alias.RoutingConfig?.AdditionalVersionWeights ?? {})
  const rest = 1 - others.reduce((sum, [, w]) => sum + w, 0)
  return (
    <span class="row">
      <Badge>version {alias.FunctionVersion}</Badge>
      {others.length > 0 && <span class="muted">{ratio(rest)}</span>}
      {others.map(([v, w]) => (
        <span key={v} class="row">
          <Badge tone="info">version {v}</Badge>
          <span class="muted">{ratio(w)}</span>
        </span>
      ))}
    </span>
  )
}

function Shift({ name, alias, versions, close }: { name: string; alias: Alias; versions: Configuration[]; close: () => void }) {
  const numbered = versions.filter((v) => v.Version !== "$LATEST").map((v) => v.Version)
  const [version, setVersion] = useState(numbered.filter((v) => v !== alias.FunctionVersion).at(-1) ?? alias.FunctionVersion)
  const [percent, setPercent] = useState("10")
  const all = percent === "100"
  return (
    <Confirm
      title={`Shift callers of ${alias.Name}`}
      verb={all ? `Lead all to version ${version}` : `Lead ${percent} % to version ${version}`}
      close={close}
      act={async () => {
        if (all) await moveAlias(name, alias.Name, version)
        else await moveAlias(name, alias.Name, alias.FunctionVersion, percent === "0" || version === alias.FunctionVersion ? undefined : { version, weight: Number(percent) / 100 })
        toast(`${alias.Name} leads ${all ? "all" : percent + " %"} of its callers to version ${version}`)
        reload()
      }}
    >
      <label class="field">
        <span>Version</span>
        <select value={version} onChange={(e) => setVersion(e.currentTarget.value)}>
          {numbered.map((v) => (
            <option key={v} value={v}>
              {v} {v === alias.FunctionVersion ? "(callers get it now)" : ""}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Share of callers: {percent} %</span>
        <input type="range" min="0" max="100" step="5" value={percent} onInput={(e) => setPercent(e.currentTarget.value)} />
      </label>
      <p class="muted small">The others stay at version {alias.FunctionVersion}. The next deployment moves the alias as serverless.yml says.</p>
    </Confirm>
  )
}

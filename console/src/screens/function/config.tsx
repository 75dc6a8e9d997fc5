// What a function is configured with. Of its environment only names are shown: values
// may be secrets.
import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
import type { Configuration } from "../../core/functions"
import type { Loaded } from "../../core/load"
import { Copy } from "../../kit/copy"
import { bytes, duration } from "../../kit/format"
import { Empty, Panel, Show } from "../../kit/panel"

export function Config({ about }: { about: Loaded<Configuration> }) {
  return (
    <Show of={about}>
      {(c) => (
        <div class="grid two">
          <Panel title="Settings">
            <dl class="facts">
              {facts(c).map(([name, value]) => (
                <>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </>
              ))}
            </dl>
          </Panel>
          <Environment variables={c.Environment?.Variables ?? {}} />
        </div>
      )}
    </Show>
  )
}

function facts(c: Configuration): [string, ComponentChildren][] {
  const list: [string, ComponentChildren][] = [
    ["Runtime", c.Runtime],
    ["Handler", <code class="wrap">{c.Handler}</code>],
    ["Memory", bytes(c.MemorySize * 1048576)],
    ["Timeout", duration(c.Timeout)],
    ["/tmp", bytes(c.EphemeralStorage.Size * 1048576)],
    ["Architecture", c.Architectures.join(", ")],
    ["Code", `${bytes(c.CodeSize)}, SHA-256 ${c.CodeSha256.slice(0, 12)}…`],
    ["Role", <span class="wrap">{c.Role?.split(":").at(-1)}</span>],
    [
      "ARN",
      <span class="row">
        <code class="wrap">{c.FunctionArn}</code>
        <Copy text={c.FunctionArn} label="Copy the ARN" />
      </span>,
    ],
  ]
  if (c.Layers?.length) list.push(["Layers", c.Layers.map((l) => l.Arn.split(":").slice(-2).join(":")).join(", ")])
  if (c.VpcConfig?.SubnetIds.length) list.push(["Network", c.VpcConfig.SubnetIds.join(", ")])
  if (c.DeadLetterConfig?.TargetArn) list.push(["Dead letters", c.DeadLetterConfig.TargetArn.split(":").at(-1)])
  for (const f of c.FileSystemConfigs ?? []) list.push(["File system", `${f.LocalMountPath}`])
  if (c.LoggingConfig.LogGroup) list.push(["Log group", <code class="wrap">{c.LoggingConfig.LogGroup}</code>])
  return list
}

function Environment({ variables }: { variables: Record<string, string> }) {
  const names = Object.keys(variables).sort()
  const [shown, setShown] = useState<string[]>([])
  return (
    <Panel title="Environment" note={names.length ? "values are hidden until you ask for one" : ""}>
      {names.length === 0 ? (
        <Empty title="No variables">Those under environment: in serverless.yml are here.</Empty>
      ) : (
        <ul class="things">
          {names.map((name) => (
            <li key={name}>
              <code class="wrap">{name}</code>
              <span class="grow" />
              {shown.includes(name) ? <code class="wrap">{variables[name] || "(empty)"}</code> : <span class="muted">••••••</span>}
              <button type="button" class="small" onClick={() => setShown(shown.includes(name) ? shown.filter((x) => x !== name) : [...shown, name])}>
                {shown.includes(name) ? "Hide" : "Show"}
                <span class="sr"> {name}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

// What invokes a function, as the revision of its stack says.
import { control } from "../../core/call"
import { type Loaded, useLoad } from "../../core/load"
import type { IconName } from "../../kit/icons"
import { Icon } from "../../kit/icons"
import { Empty, Panel, Show } from "../../kit/panel"

interface Revision {
  apis?: { name: string; kind: string; routes?: { method: string; path: string; function?: string }[] }[]
  subscriptions?: { topic: string; function?: string }[]
  schedules?: { name: string; expression: string; function?: string }[]
  notifications?: { bucket: string; function?: string; events?: string[]; prefix?: string; suffix?: string }[]
  eventSourceMappings?: { source: string; function?: string }[]
  rules?: { name: string; bus?: string; targets?: { function?: string }[] }[]
}

interface Trigger {
  icon: IconName
  kind: string
  what: string
}

function triggersOf(r: Revision, name: string): Trigger[] {
  const list: Trigger[] = []
  const is = (f: string | undefined) => f === name || f?.split(":")[0] === name
  for (const api of r.apis ?? []) {
    for (const route of api.routes ?? []) {
      if (is(route.function)) list.push({ icon: "edge", kind: api.kind === "URL" ? "Function URL" : `${api.kind} API`, what: `${route.method} ${route.path}` })
    }
  }
  for (const s of r.subscriptions ?? []) if (is(s.function)) list.push({ icon: "topic", kind: "Topic", what: s.topic.split(":").at(-1)! })
  for (const s of r.schedules ?? []) if (is(s.function)) list.push({ icon: "schedule", kind: "Schedule", what: s.expression })
  for (const n of r.notifications ?? []) if (is(n.function)) list.push({ icon: "storage", kind: "Bucket", what: [n.bucket, ...(n.events ?? [])].join(" ") })
  for (const m of r.eventSourceMappings ?? []) if (is(m.function)) list.push({ icon: "logs", kind: "Queue", what: m.source.split(":").at(-1)! })
  for (const rule of r.rules ?? []) if (rule.targets?.some((t) => is(t.function))) list.push({ icon: "explore", kind: "Rule", what: `${rule.bus ?? "default"}/${rule.name}` })
  return list
}

export function Triggers({ name, stack }: { name: string; stack: Loaded<{ stack?: string }> }) {
  const of = stack.data ? (stack.data.stack ?? "api") : undefined
  const list = useLoad("triggers" + of, async (signal) => (of ? triggersOf((await control<{ revision: Revision }>("Info", { stack: of }, signal)).revision, name) : undefined), {
    still: true,
    subject: name,
  })
  return (
    <Panel title="What invokes it">
      <Show of={list}>
        {(all) =>
          all?.length ? (
            <ul class="things">
              {all.map((t) => (
                <li key={t.kind + t.what}>
                  <Icon name={t.icon} size={18} />
                  <span class="muted">{t.kind}</span>
                  <code class="wrap">{t.what}</code>
                </li>
              ))}
            </ul>
          ) : (
            <Empty icon="link" title="Nothing in its stack invokes it">
              Events of serverless.yml, such as <code>httpApi</code>, <code>sns</code> or <code>schedule</code>, are here. It can be invoked by its name, too.
            </Empty>
          )
        }
      </Show>
    </Panel>
  )
}

// Panels and what stands in them while there is nothing to show: skeletons while it
// comes, an error with what to do, an explanation when there is nothing yet.
import type { ComponentChildren } from "preact"
import { Fault } from "../core/call"
import type { Loaded } from "../core/load"
import { Copy } from "./copy"
import { Icon, type IconName } from "./icons"

export function Panel(props: { title?: ComponentChildren; actions?: ComponentChildren; note?: ComponentChildren; flush?: boolean; class?: string; children: ComponentChildren }) {
  return (
    <section class={"panel" + (props.flush ? " flush" : "") + (props.class ? " " + props.class : "")}>
      {(props.title || props.actions) && (
        <header class="panel-head">
          <h2>{props.title}</h2>
          {props.note && <span class="muted">{props.note}</span>}
          <div class="grow" />
          {props.actions}
        </header>
      )}
      <div class="panel-body">{props.children}</div>
    </section>
  )
}

export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} class={"w" + (i % 4)} />
      ))}
    </div>
  )
}

// Empty teaches what would be here, and how it comes here.
export function Empty({ icon, title, children }: { icon?: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      {icon && (
        <span class="empty-icon">
          <Icon name={icon} size={22} />
        </span>
      )}
      <strong>{title}</strong>
      {children && <div class="muted">{children}</div>}
    </div>
  )
}

// Failed is an error and what to do about it.
export function Failed({ error, retry }: { error: Error; retry?: () => void }) {
  const denied = error instanceof Fault ? error.denied : undefined
  return (
    <div class="failed" role="alert">
      <Icon name={denied ? "secret" : "warn"} size={18} />
      <div>
        {denied ? <Denied {...denied} /> : <p>{error.message}</p>}
        {retry && !denied && (
          <button type="button" class="small" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  )
}

function Denied({ action, resource }: { action: string; resource: string }) {
  const statement = JSON.stringify({ Effect: "Allow", Action: action, Resource: resource })
  return (
    <>
      <p>
        Your access key may not do <code>{action}</code>
        {resource !== "*" && (
          <>
            {" "}
            on <code class="wrap">{resource}</code>
          </>
        )}
        . A policy with this statement allows it:
      </p>
      <p class="row">
        <code class="wrap">{statement}</code>
        <Copy text={statement} label="Copy the statement" />
      </p>
    </>
  )
}

// Show shows what has been loaded, or what stands in for it. An error beside what was
// loaded before is a line above it.
export function Show<T>({ of, lines, children }: { of: Loaded<T>; lines?: number; children: (data: T) => ComponentChildren }) {
  if (of.data === undefined) return of.error ? <Failed error={of.error} retry={of.reload} /> : <Skeleton lines={lines} />
  return (
    <>
      {of.error && <Failed error={of.error} retry={of.reload} />}
      {children(of.data)}
    </>
  )
}

export type Tone = "good" | "warn" | "bad" | "info" | "plain"

export function Badge({ tone = "plain", dot, children, title }: { tone?: Tone; dot?: boolean; children: ComponentChildren; title?: string }) {
  return (
    <span class={"badge " + tone} title={title}>
      {dot && <i class="dot" />}
      {children}
    </span>
  )
}

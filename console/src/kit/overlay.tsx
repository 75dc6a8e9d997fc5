// What lies over the page: drawers, dialogs and questions. All are the browser's own
// dialog, which keeps the focus inside and gives it back.
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { Failed } from "./panel"
import { Icon } from "./icons"

export function Overlay({ kind, title, close, children, bare }: { kind: "drawer" | "dialog" | "palette" | "sheet"; title: string; close: () => void; children: ComponentChildren; bare?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = ref.current!
    dialog.showModal()
    return () => dialog.close()
  }, [])
  return (
    <dialog
      ref={ref}
      class={kind}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault()
        close()
      }}
      onClick={(e) => e.target === ref.current && close()}
    >
      {bare ? (
        children
      ) : (
        <>
          <header class="overlay-head">
            <h2>{title}</h2>
            <button type="button" class="ghost" aria-label="Close" onClick={close}>
              <Icon name="close" />
            </button>
          </header>
          <div class="overlay-body">{children}</div>
        </>
      )}
    </dialog>
  )
}

export const Drawer = (props: { title: string; close: () => void; children: ComponentChildren }) => <Overlay kind="drawer" {...props} />

// Confirm asks before something that others will notice. act does it; while it fails,
// the question stays and says why.
export function Confirm({ title, verb, danger, act, close, children }: { title: string; verb: string; danger?: boolean; act: () => Promise<unknown>; close: () => void; children?: ComponentChildren }) {
  const [error, setError] = useState<Error>()
  const [busy, setBusy] = useState(false)
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      await act()
      close()
    } catch (e) {
      setError(e as Error)
      setBusy(false)
    }
  }
  return (
    <Overlay kind="dialog" title={title} close={close}>
      <form onSubmit={submit}>
        {children}
        {error && <Failed error={error} />}
        <div class="row end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={busy} aria-busy={busy}>
            {verb}
          </button>
        </div>
      </form>
    </Overlay>
  )
}

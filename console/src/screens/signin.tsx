// Signing in: by a link that `dropstack up` or `dropstack console` prints, or by an
// access key.
import { useEffect, useState } from "preact/hooks"
import { route } from "../core/route"
import { signIn } from "../core/session"
import { useStore } from "../core/store"
import { Copy } from "../kit/copy"
import { Icon, Mark } from "../kit/icons"

export function SignIn() {
  const [error, setError] = useState("")
  const [busy, setBusy] = useState(false)
  const [temporary, setTemporary] = useState(false)
  const attempt = async (credentials: Parameters<typeof signIn>[0]) => {
    setBusy(true)
    setError("")
    try {
      await signIn(credentials)
    } catch (e) {
      setError((e as Error).message)
    }
    setBusy(false)
  }
  const { path, query } = useStore(route)
  useEffect(() => {
    document.title = "Sign in – dropstack"
    if (path !== "/signin") return
    const link = query.get("token")
    history.replaceState(null, "", "#/") // a link works once: it is no use in the history
    route.set({ path: "/", query: new URLSearchParams() })
    if (link) void attempt({ link })
  }, [path])
  const submit = (e: SubmitEvent) => {
    e.preventDefault()
    const form = new FormData(e.currentTarget as HTMLFormElement)
    const text = (name: string) => String(form.get(name) ?? "").trim()
    void attempt({ accessKeyId: text("id"), secretAccessKey: text("secret"), sessionToken: text("session") || undefined })
  }
  return (
    <main class="signin">
      <div class="signin-card">
        <Mark size={44} />
        <h1>Sign in to dropstack</h1>
        <p class="muted">The quickest way is a link, on the machine that it runs on:</p>
        <div class="command">
          <code>dropstack console --open</code>
          <Copy text="dropstack console --open" label="Copy the command" />
        </div>
        <div class="or" aria-hidden="true">
          or with an access key
        </div>
        <form onSubmit={submit}>
          <label class="field">
            <span>Access key ID</span>
            <input name="id" required autocomplete="username" spellcheck={false} placeholder="AKIA…" />
          </label>
          <label class="field">
            <span>Secret access key</span>
            <input name="secret" type="password" required autocomplete="current-password" />
          </label>
          {temporary ? (
            <label class="field">
              <span>Session token</span>
              <input name="session" autocomplete="off" spellcheck={false} />
            </label>
          ) : (
            <button type="button" class="link" onClick={() => setTemporary(true)}>
              The key is temporary
            </button>
          )}
          <div role="alert" class="signin-error">
            {error && (
              <>
                <Icon name="warn" /> {error}
              </>
            )}
          </div>
          <button type="submit" class="primary wide" disabled={busy} aria-busy={busy}>
            {busy ? "Signing in…" : "Sign in"}
          </button>
        </form>
        <p class="muted small">The administrator's key is in the file credentials of the data directory. What you may do here is what your key's policies allow.</p>
      </div>
    </main>
  )
}

// Who is signed in. The cookie is out of reach of scripts; the token beside it is kept
// in this origin's storage, which pages on other ports of this host cannot read.
import { Store } from "./store"

export interface Session {
  arn: string
  name: string
  type: string
  accessKeyId: string
  account: string
  region: string
  endpoints: { http: string; aws: string; console: string }
}

const place = "dropstack.session"
const header = "X-Dropstack-Session"

// undefined: not known yet; null: nobody.
export const session = new Store<Session | null | undefined>(undefined)

function stored(): string {
  return localStorage.getItem(place) ?? ""
}

// authorised is what a request needs to be the session's.
export function authorised(init: RequestInit = {}): RequestInit {
  const headers = new Headers(init.headers)
  headers.set(header, stored() || "none")
  return { ...init, headers, credentials: "same-origin", cache: "no-store" }
}

// resume finds out whether the session of last time is still good.
export async function resume(): Promise<void> {
  if (!stored()) return session.set(null)
  const answer = await fetch("/session", authorised())
  session.set(answer.ok ? ((await answer.json()) as Session) : null)
}

export type Credentials = { link: string } | { accessKeyId: string; secretAccessKey: string; sessionToken?: string }

export async function signIn(credentials: Credentials): Promise<void> {
  const answer = await fetch("/session", authorised({ method: "POST", body: JSON.stringify(credentials) }))
  const told = (await answer.json()) as Session & { token: string; error?: string }
  if (!answer.ok) throw new Error(told.error ?? "the console did not answer")
  localStorage.setItem(place, told.token)
  session.set(told)
}

export async function signOut(): Promise<void> {
  await fetch("/session", authorised({ method: "DELETE" }))
  localStorage.removeItem(place)
  session.set(null)
}

// lost is called when an answer says that nobody is signed in any more.
export function lost(): void {
  localStorage.removeItem(place)
  session.set(null)
}

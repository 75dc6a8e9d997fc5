// Records of the audit log: who called what, and what came of it.
import { control } from "./call"

export interface AuditRecord {
  eventID: string
  eventTime: string
  eventSource: string // ssm.amazonaws.com
  eventName: string
  userIdentity: { type: string; arn?: string; userName?: string; accessKeyId?: string; invokedBy?: string; sessionContext?: { sessionIssuer?: { userName?: string } } }
  sourceIPAddress: string
  userAgent: string
  errorCode?: string
  errorMessage?: string
  requestParameters?: Record<string, unknown> | null
  resources?: { ARN: string }[]
  readOnly: boolean
}

export interface Search {
  parameter?: string
  principal?: string
  action?: string
  resource?: string
  errors?: boolean
  since?: string
  until?: string
}

export interface Page {
  events: AuditRecord[]
  token?: string
}

// records finds so many of the newest records. A page may be short and the log go on.
export async function records(search: Search, want: number, token?: string, signal?: AbortSignal, wanted: (r: AuditRecord) => boolean = () => true): Promise<Page> {
  const found: Page = { events: [], token }
  for (let asked = 0; asked < 20 && found.events.length < want; asked++) {
    const page = await control<Page>("ListAuditRecords", { ...search, limit: want, token: found.token }, signal)
    found.events.push(...page.events.filter(wanted))
    found.token = page.token
    if (!page.token) break
  }
  return found
}

export const denied = (r: AuditRecord) => /AccessDenied|Unauthorized|NotAuthorized/.test(r.errorCode ?? "")

export function who(r: AuditRecord): string {
  const u = r.userIdentity
  return u.userName ?? u.sessionContext?.sessionIssuer?.userName ?? (u.type === "Root" ? "root" : (u.arn?.split(/[/:]/).at(-1) ?? u.invokedBy ?? u.type))
}

export const action = (r: AuditRecord) => `${r.eventSource.split(".")[0]}:${r.eventName}`

const naming = ["name", "names", "path", "keyId", "topicArn", "functionName", "function", "stack", "bucketName", "queueUrl", "logGroupName", "client", "userName"]

// about is what a call was about: the name that it gave, else its first resource.
export function about(r: AuditRecord): string {
  for (const name of naming) {
    const value = r.requestParameters?.[name]
    if (value !== undefined && value !== null) return Array.isArray(value) ? value.join(", ") : String(value)
  }
  return r.resources?.[0]?.ARN.split(":").slice(5).join(":") ?? ""
}

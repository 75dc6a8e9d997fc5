// Calls of the AWS endpoint and of the platform's own control plane, in the name of who
// is signed in. Inputs and outputs are AWS's; the screens declare what they read of them.
import { authorised, lost } from "./session"

// Fault is an answer that is an error. What may not be done is told apart, so that the
// page can say what permission is missing.
export class Fault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
  get denied(): { action: string; resource: string } | undefined {
    const found = /is not authorized to perform: (\S+) on resource: (\S+)/.exec(this.message)
    return found ? { action: found[1]!, resource: found[2]! } : undefined
  }
}

async function fault(answer: Response): Promise<Fault> {
  const text = await answer.text()
  let code = answer.headers.get("X-Amzn-ErrorType") ?? ""
  let message = text.trim() || `the platform answered ${answer.status}`
  try {
    const doc = JSON.parse(text) as Record<string, string>
    code ||= doc.__type ?? doc.errorType ?? ""
    message = doc.message ?? doc.Message ?? doc.error ?? message
  } catch {
    if (text.startsWith("<")) {
      const doc = new DOMParser().parseFromString(text, "text/xml")
      code ||= doc.querySelector("Code")?.textContent ?? ""
      message = doc.querySelector("Message")?.textContent ?? message
    }
  }
  if (answer.status === 401) lost()
  return new Fault(answer.status, code, message)
}

// send sends a request to the console's port and throws what is not a success.
export async function send(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(path, authorised(init))
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e
    throw new Fault(0, "Unreachable", "the platform does not answer; is `dropstack up` still running?")
  }
  if (!answer.ok) throw await fault(answer)
  return answer
}

// aws calls an operation that is named by X-Amz-Target: aws("ssm", "AmazonSSM.GetParameter", {…}).
export async function aws<Out>(service: string, target: string, input: unknown = {}, signal?: AbortSignal): Promise<Out> {
  const answer = await send(`/call/${service}/`, {
    method: "POST",
    signal,
    body: JSON.stringify(input),
    headers: { "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1" },
  })
  return (await answer.json()) as Out
}

// control calls the platform's own control plane: control("ListRevisions", { stack }).
export const control = <Out>(operation: string, input: unknown = {}, signal?: AbortSignal) =>
  aws<Out>("dropstack", `Dropstack.${operation}`, input, signal)

export const logs = <Out>(operation: string, input: unknown, signal?: AbortSignal) =>
  aws<Out>("logs", `Logs_20140328.${operation}`, input, signal)

// lambda calls Lambda's REST API: lambda("GET", "2015-03-31/functions").
export async function lambda<Out>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Out> {
  const answer = await send(`/call/lambda/${path}`, {
    method,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  })
  const text = await answer.text()
  return (text ? JSON.parse(text) : undefined) as Out
}

// s3 sends a request to the object store; paths are /BUCKET/KEY, encoded.
export async function s3(method: string, path: string, init: RequestInit = {}): Promise<Document> {
  const answer = await send(`/call/s3${path}`, { ...init, method })
  return new DOMParser().parseFromString(await answer.text(), "text/xml")
}

// iam calls IAM's Query API, which answers XML.
export async function iam(operation: string, input: Record<string, string>, signal?: AbortSignal): Promise<Document> {
  const answer = await send("/call/iam/", { method: "POST", signal, body: new URLSearchParams({ Action: operation, Version: "2010-05-08", ...input }) })
  return new DOMParser().parseFromString(await answer.text(), "text/xml")
}

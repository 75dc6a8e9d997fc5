// Functions and the stacks that they are of.
import { control, lambda, send } from "./call"

export interface Configuration {
  FunctionName: string
  FunctionArn: string
  Description: string
  Runtime: string
  Handler: string
  MemorySize: number
  Timeout: number
  LastModified: string
  Version: string
  CodeSize: number
  CodeSha256: string
  Role?: string
  Architectures: string[]
  Environment?: { Variables?: Record<string, string> }
  Layers?: { Arn: string }[]
  VpcConfig?: { SubnetIds: string[]; SecurityGroupIds: string[] }
  DeadLetterConfig?: { TargetArn: string }
  FileSystemConfigs?: { Arn: string; LocalMountPath: string }[]
  EphemeralStorage: { Size: number }
  LoggingConfig: { LogGroup?: string; LogFormat?: string }
}

export interface Alias {
  Name: string
  AliasArn: string
  FunctionVersion: string
  Description: string
  RoutingConfig?: { AdditionalVersionWeights?: Record<string, number> }
}

export interface StackSummary {
  stack: string
  revision: string
  created: string
  contents: string
}

export interface Past {
  id: string
  created: string
  active?: boolean
  restores?: string
  contents: string
}

const at = "2015-03-31/functions"

// pages collects a list that comes in pages.
async function pages<T>(name: string, path: string, signal?: AbortSignal): Promise<T[]> {
  const all: T[] = []
  for (let marker = ""; ; ) {
    const page = await lambda<Record<string, unknown>>("GET", `${path}?MaxItems=50${marker && "&Marker=" + encodeURIComponent(marker)}`, undefined, signal)
    all.push(...((page[name] as T[] | null) ?? []))
    marker = (page.NextMarker as string | undefined) ?? ""
    if (!marker) return all
  }
}

export const listFunctions = (signal?: AbortSignal) => pages<Configuration>("Functions", at, signal)
export const listVersions = (name: string, signal?: AbortSignal) => pages<Configuration>("Versions", `${at}/${encodeURIComponent(name)}/versions`, signal)
export const listAliases = (name: string, signal?: AbortSignal) => pages<Alias>("Aliases", `${at}/${encodeURIComponent(name)}/aliases`, signal)
export const getConfiguration = (name: string, signal?: AbortSignal) => lambda<Configuration>("GET", `${at}/${encodeURIComponent(name)}/configuration`, undefined, signal)

// moveAlias leads callers of an alias to a version, and a share of them to another one.
export const moveAlias = (name: string, alias: string, version: string, other?: { version: string; weight: number }) =>
  lambda<Alias>("PUT", `${at}/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}`, {
    FunctionVersion: version,
    RoutingConfig: { AdditionalVersionWeights: other ? { [other.version]: other.weight } : {} },
  })

export interface Invoked {
  payload: string
  error: string // the kind of failure; "": none
  log: string
  version: string
  request: string
  took: number // milliseconds, with the way there and back
}

export async function invoke(name: string, qualifier: string, payload: string): Promise<Invoked> {
  const begun = performance.now()
  const answer = await send(`/call/lambda/${at}/${encodeURIComponent(name)}/invocations${qualifier ? "?Qualifier=" + encodeURIComponent(qualifier) : ""}`, {
    method: "POST",
    body: payload,
    headers: { "Content-Type": "application/json", "X-Amz-Log-Type": "Tail" },
  })
  const head = (name: string) => answer.headers.get(name) ?? ""
  const text = await answer.text()
  const log = head("X-Amz-Log-Result")
  return {
    payload: text,
    error: head("X-Amz-Function-Error"),
    log: log ? new TextDecoder().decode(Uint8Array.from(atob(log), (c) => c.charCodeAt(0))) : "",
    version: head("X-Amz-Executed-Version"),
    request: head("X-Amzn-Requestid"),
    took: performance.now() - begun,
  }
}

export const listStacks = (signal?: AbortSignal) => control<StackSummary[]>("List", {}, signal)
export const listRevisions = (stack: string, signal?: AbortSignal) => control<Past[]>("ListRevisions", { stack }, signal)

// stackOf is the stack that a function's name begins with.
export function stackOf(name: string, stacks: { stack: string }[]): string | undefined {
  return stacks
    .map((s) => s.stack)
    .filter((s) => name.startsWith(s + "-"))
    .sort((a, b) => b.length - a.length)[0]
}

// time reads the times of stacks, which have a space where ISO 8601 has a T, and those
// of Lambda.
export const time = (text: string) => new Date(text.replace(" ", "T").replace(/\+0000$/, "Z"))

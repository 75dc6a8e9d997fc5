// Buckets and the objects in them, as S3 tells of them.
import { s3, send } from "./call"

export interface Bucket {
  name: string
  created: string
}

export interface StoredObject {
  key: string
  size: number
  modified: string
}

export interface Listing {
  prefixes: string[]
  objects: StoredObject[]
  next?: string // where the listing goes on
}

export interface Details {
  type: string
  size: number
  modified: string
  etag: string
  headers: [string, string][] // those that were stored with it, its metadata among them
}

// largest is what one upload through the console may have: its port passes on no more.
export const largest = 8 << 20

const text = (of: Element | Document, name: string) => of.getElementsByTagName(name)[0]?.textContent ?? ""
const all = (of: Element | Document, name: string) => [...of.getElementsByTagName(name)]

const at = (bucket: string, key = "") => `/${encodeURIComponent(bucket)}${key && "/" + key.split("/").map(encodeURIComponent).join("/")}`

export async function listBuckets(signal?: AbortSignal): Promise<Bucket[]> {
  const doc = await s3("GET", "/", { signal })
  return all(doc, "Bucket").map((b) => ({ name: text(b, "Name"), created: text(b, "CreationDate") }))
}

// listObjects is a page of what lies right below a prefix. Keys come encoded, since XML
// cannot hold all of them.
export async function listObjects(bucket: string, prefix: string, token?: string, signal?: AbortSignal): Promise<Listing> {
  const query = new URLSearchParams({ "list-type": "2", delimiter: "/", prefix, "max-keys": "500", "encoding-type": "url" })
  if (token) query.set("continuation-token", token)
  const doc = await s3("GET", `${at(bucket)}?${query}`, { signal })
  const plain = (key: string) => decodeURIComponent(key.replace(/\+/g, " "))
  return {
    prefixes: all(doc, "CommonPrefixes").map((p) => plain(text(p, "Prefix"))),
    objects: all(doc, "Contents").map((o) => ({ key: plain(text(o, "Key")), size: Number(text(o, "Size")), modified: text(o, "LastModified") })),
    next: text(doc, "NextContinuationToken") || undefined,
  }
}

// What is stored with an object. no-store is what the console says of all its answers.
const stored = /^(cache-control|content-disposition|content-encoding|content-language|expires|x-amz-(meta-.*|version-id|storage-class|server-side-encryption))$/

export async function headObject(bucket: string, key: string, signal?: AbortSignal): Promise<Details> {
  const { headers } = await send("/call/s3" + at(bucket, key), { method: "HEAD", signal })
  return {
    type: headers.get("Content-Type") ?? "",
    size: Number(headers.get("Content-Length")),
    modified: headers.get("Last-Modified") ?? "",
    etag: (headers.get("ETag") ?? "").replace(/"/g, ""),
    headers: [...headers].filter(([name, value]) => stored.test(name) && value !== "no-store"),
  }
}

export const putObject = (bucket: string, key: string, file: File) =>
  send("/call/s3" + at(bucket, key), { method: "PUT", body: file, headers: { "Content-Type": file.type || "application/octet-stream" } })

export const deleteObject = (bucket: string, key: string) => send("/call/s3" + at(bucket, key), { method: "DELETE" })

// presigned is a link to an object that is good for 15 minutes, for whoever has it.
export async function presigned(Bucket: string, Key: string): Promise<string> {
  const answer = await send("/session/presign", { method: "POST", body: JSON.stringify({ Bucket, Key }), headers: { "Content-Type": "application/json" } })
  return ((await answer.json()) as { url: string }).url
}

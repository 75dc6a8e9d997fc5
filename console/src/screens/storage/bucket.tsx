// A bucket: prefixes as directories, and the objects right below the one that is open.
import { useEffect, useState } from "preact/hooks"
import { useLoad } from "../../core/load"
import { type Listing, largest, listObjects, putObject } from "../../core/objects"
import { href, to, useChoice } from "../../core/route"
import { ago, bytes, moment, plural } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm } from "../../kit/overlay"
import { Empty, Panel, Show } from "../../kit/panel"
import { Search } from "../../kit/search"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"
import type { Screen } from "../../shell/screen"
import { Opened } from "./object"

interface Entry {
  key: string
  name: string
  below: boolean // a prefix
  size: number
  modified: string
}

const entries = (l: Listing, prefix: string): Entry[] => [
  ...l.prefixes.map((key) => ({ key, name: key.slice(prefix.length), below: true, size: -1, modified: "" })),
  ...l.objects.map((o) => ({ key: o.key, name: o.key.slice(prefix.length) || o.key, below: false, size: o.size, modified: o.modified })),
]

function Bucket({ name }: { name: string }) {
  const [prefix] = useChoice("prefix")
  const [search] = useChoice("q")
  const [open, setOpen] = useChoice("object")
  const [uploading, setUploading] = useState(false)
  const list = useLoad(name + prefix, (signal) => listObjects(name, prefix, undefined, signal), { still: true, subject: `${name}/${prefix}` })
  const [more, setMore] = useState<Listing[]>([])
  useEffect(() => setMore([]), [list.data])
  const path = to("storage", name)
  return (
    <div class="screen">
      <Crumbs bucket={name} prefix={prefix} />
      <Panel
        title={prefix ? prefix.split("/").at(-2) + "/" : "Objects"}
        flush
        actions={
          <>
            <Search label="Find in what is listed" />
            <button type="button" class="small primary" onClick={() => setUploading(true)}>
              <Icon name="deploy" size={14} /> Upload
            </button>
          </>
        }
      >
        <Show of={list}>
          {(first) => {
            const pages = [first, ...more]
            const all = pages.flatMap((p) => entries(p, prefix))
            const next = pages.at(-1)!.next
            return (
              <>
                <Table
                  label="Objects"
                  rows={all.filter((e) => e.name.includes(search))}
                  id={(e) => e.key}
                  link={(e) => href(path, e.below ? { prefix: e.key } : { prefix, object: e.key })}
                  page={200}
                  empty={
                    all.length > 0 ? (
                      <Empty icon="search" title={`Nothing listed has “${search}” in its name`} />
                    ) : (
                      <Empty icon="storage" title={prefix ? "Nothing below this prefix" : "The bucket is empty"}>
                        Upload a file, or <code>aws s3 cp FILE s3://{name}/{prefix}</code>.
                      </Empty>
                    )
                  }
                  columns={[
                    {
                      name: "name",
                      title: "Name",
                      grow: true,
                      sort: (e) => (e.below ? " " : "") + e.name,
                      cell: (e) => <span class="wrap">{e.name}</span>,
                    },
                    { name: "size", title: "Size", right: true, sort: (e) => e.size, cell: (e) => (e.below ? <span class="muted">prefix</span> : bytes(e.size)) },
                    { name: "modified", title: "Changed", right: true, sort: (e) => e.modified, cell: (e) => (e.below ? <span class="muted">–</span> : <span title={moment(e.modified)}>{ago(e.modified)}</span>) },
                  ]}
                />
                {next && (
                  <button
                    type="button"
                    class="more"
                    onClick={() =>
                      listObjects(name, prefix, next).then(
                        (page) => setMore([...more, page]),
                        (e: Error) => toast(e.message, true),
                      )
                    }
                  >
                    <Icon name="down" size={14} /> List more than these {all.length}
                  </button>
                )}
              </>
            )
          }}
        </Show>
      </Panel>
      {open && <Opened bucket={name} name={open} close={() => setOpen("")} deleted={list.reload} />}
      {uploading && <Upload bucket={name} prefix={prefix} close={() => setUploading(false)} done={list.reload} />}
    </div>
  )
}

// Crumbs lead from the prefix that is open back to the list of buckets.
function Crumbs({ bucket, prefix }: { bucket: string; prefix: string }) {
  const parts = prefix.split("/").slice(0, -1)
  const path = to("storage", bucket)
  return (
    <nav class="trail" aria-label="Where this is">
      <a href={href("/storage")}>Buckets</a>
      <Icon name="right" size={12} />
      {parts.length > 0 ? <a href={href(path)}>{bucket}</a> : <strong>{bucket}</strong>}
      {parts.map((part, i) => (
        <>
          <Icon name="right" size={12} />
          {i < parts.length - 1 ? <a href={href(path, { prefix: parts.slice(0, i + 1).join("/") + "/" })}>{part || "/"}</a> : <strong>{part || "/"}</strong>}
        </>
      ))}
    </nav>
  )
}

function Upload({ bucket, prefix, close, done }: { bucket: string; prefix: string; close: () => void; done: () => void }) {
  const [files, setFiles] = useState<File[]>([])
  const [below, setBelow] = useState(prefix)
  return (
    <Confirm
      title={`Upload to ${bucket}`}
      verb={files.length > 0 ? `Upload ${plural(files.length, "file")}` : "Upload"}
      close={close}
      act={async () => {
        if (files.length === 0) throw new Error("Choose at least one file")
        const big = files.find((f) => f.size > largest)
        if (big) throw new Error(`${big.name} has ${bytes(big.size)}, and the console takes files of up to ${bytes(largest)}. Run aws s3 cp ${big.name} s3://${bucket}/${below}`)
        for (const file of files) await putObject(bucket, below + file.name, file)
        toast(`${plural(files.length, "file")} uploaded to ${bucket}`)
        done()
      }}
    >
      <label class="field">
        <span>Files</span>
        <input type="file" multiple onChange={(e) => setFiles([...(e.currentTarget.files ?? [])])} />
      </label>
      <label class="field">
        <span>What their keys begin with</span>
        <input value={below} placeholder="nothing" spellcheck={false} onInput={(e) => setBelow(e.currentTarget.value)} />
        <span class="hint">An object that has the same key is replaced. Functions that the bucket notifies run.</span>
      </label>
    </Confirm>
  )
}

export const bucket: Screen = { path: "/storage/:name", title: "Bucket", icon: "storage", view: Bucket }

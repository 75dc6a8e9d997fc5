// Buckets: what they hold and how much of it.
import { useLoad } from "../core/load"
import { instant, one } from "../core/metrics"
import { type Bucket, listBuckets } from "../core/objects"
import { to, useChoice } from "../core/route"
import { ago, bytes, count, moment, plural } from "../kit/format"
import { Empty, Panel, Show } from "../kit/panel"
import { Search } from "../kit/search"
import { Stat } from "../kit/stat"
import { type Column, Table } from "../kit/table"
import type { Screen } from "../shell/screen"

interface Row extends Bucket {
  objects?: number // undefined: not counted yet
  bytes?: number
}

const columns: Column<Row>[] = [
  { name: "name", title: "Bucket", grow: true, sort: (r) => r.name, cell: (r) => r.name },
  { name: "objects", title: "Objects", right: true, sort: (r) => r.objects ?? -1, cell: (r) => (r.objects === undefined ? <NotYet /> : count(r.objects)) },
  { name: "bytes", title: "Size", right: true, sort: (r) => r.bytes ?? -1, cell: (r) => (r.bytes === undefined ? <NotYet /> : bytes(r.bytes)) },
  { name: "created", title: "Made", right: true, sort: (r) => r.created, cell: (r) => <span title={moment(r.created)}>{ago(r.created)}</span> },
]

const NotYet = () => (
  <span class="muted" title="Buckets are counted every five minutes">
    –
  </span>
)

function Storage() {
  const [search] = useChoice("q")
  const list = useLoad("buckets", (signal) => listBuckets(signal), { still: true })
  const sizes = useLoad("sizes", async (signal) => {
    const [objects, size] = await Promise.all([instant("max by (bucket) (dropstack_bucket_objects)", undefined, signal), instant("max by (bucket) (dropstack_bucket_bytes)", undefined, signal)])
    const by = (all: typeof objects) => new Map(all.map((s) => [s.labels.bucket, one([s])]))
    return { objects: by(objects), bytes: by(size) }
  })
  return (
    <div class="screen">
      <Show of={list}>
        {(all) => {
          const rows = all.map((b): Row => ({ ...b, objects: sizes.data?.objects.get(b.name), bytes: sizes.data?.bytes.get(b.name) }))
          const sum = (of: (r: Row) => number | undefined) => rows.reduce((n, r) => n + (of(r) ?? 0), 0)
          const shown = rows.filter((r) => r.name.includes(search))
          return (
            <>
              <div class="stats">
                <Stat title="Buckets" value={count(all.length)} note="of all stacks" />
                <Stat title="Objects" value={sizes.data ? count(sum((r) => r.objects)) : "…"} note="counted every five minutes" />
                <Stat title="Size" value={sizes.data ? bytes(sum((r) => r.bytes)) : "…"} note="without what the disk adds" />
              </div>
              <Panel title="Buckets" note={search ? `${shown.length} of ${plural(all.length, "bucket")}` : undefined} flush actions={<Search label="Find buckets" />}>
                <Table
                  label="Buckets"
                  rows={shown}
                  columns={columns}
                  id={(r) => r.name}
                  link={(r) => "#" + to("storage", r.name)}
                  order="name"
                  empty={
                    all.length > 0 ? (
                      <Empty icon="search" title={`No bucket has “${search}” in its name`} />
                    ) : (
                      <Empty icon="storage" title="No buckets yet">
                        A bucket under <code>resources</code> of serverless.yml, or <code>aws s3 mb s3://NAME</code>, makes one.
                      </Empty>
                    )
                  }
                />
              </Panel>
            </>
          )
        }}
      </Show>
    </div>
  )
}

export const storage: Screen = { path: "/storage", title: "Storage", icon: "storage", group: "Data", key: "b", view: Storage }

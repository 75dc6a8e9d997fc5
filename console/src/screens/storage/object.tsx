// An object: what is stored with it, a link that opens it, and its deletion.
import { useState } from "preact/hooks"
import { useLoad } from "../../core/load"
import { deleteObject, headObject, presigned } from "../../core/objects"
import { ago, bytes, moment } from "../../kit/format"
import { Copy } from "../../kit/copy"
import { Icon } from "../../kit/icons"
import { Confirm, Drawer } from "../../kit/overlay"
import { Show } from "../../kit/panel"
import { toast } from "../../kit/toast"

export function Opened({ bucket, name, close, deleted }: { bucket: string; name: string; close: () => void; deleted: () => void }) {
  const [asking, setAsking] = useState(false)
  const head = useLoad(bucket + name, (signal) => headObject(bucket, name, signal), { still: true, subject: `${bucket}/${name}` })
  return (
    <Drawer title={name.split("/").at(-1) || name} close={close}>
      <Show of={head}>
        {(d) => (
          <>
            <dl class="facts">
              <dt>Key</dt>
              <dd class="row">
                <code class="wrap">{name}</code>
                <Copy text={`s3://${bucket}/${name}`} label="Copy its S3 address" />
              </dd>
              <dt>Type</dt>
              <dd>{d.type || "–"}</dd>
              <dt>Size</dt>
              <dd>{bytes(d.size)}</dd>
              <dt>Changed</dt>
              <dd>
                {moment(d.modified)} <span class="muted">({ago(d.modified)})</span>
              </dd>
              <dt>ETag</dt>
              <dd>
                <code class="wrap">{d.etag}</code>
              </dd>
              {d.headers.map(([k, v]) => (
                <>
                  <dt>{k.replace(/^x-amz-meta-/, "")}</dt>
                  <dd class="wrap">{v}</dd>
                </>
              ))}
            </dl>
            <Link bucket={bucket} name={name} />
            <div class="row">
              <button type="button" class="danger" onClick={() => setAsking(true)}>
                Delete
              </button>
            </div>
          </>
        )}
      </Show>
      {asking && (
        <Confirm
          title="Delete this object?"
          verb="Delete"
          danger
          close={() => setAsking(false)}
          act={async () => {
            await deleteObject(bucket, name)
            toast(`${name} is deleted`)
            deleted()
            close()
          }}
        >
          <p>
            <code class="wrap">{name}</code> is gone for all who read it from <strong>{bucket}</strong>, and there is no way back. What an edge has stored of it stays there until it is
            invalidated.
          </p>
        </Confirm>
      )}
    </Drawer>
  )
}

// Link makes the link that opens an object when it is asked for one: it is good for
// whoever has it.
function Link({ bucket, name }: { bucket: string; name: string }) {
  const [url, setURL] = useState("")
  const make = () => presigned(bucket, name).then(setURL, (e: Error) => toast(e.message, true))
  return url ? (
    <p class="row">
      <a class="button" href={url} target="_blank" rel="noreferrer">
        <Icon name="link" size={14} /> Open or save
      </a>
      <Copy text={url} label="Copy the link" />
      <span class="muted">good for 15 minutes, for whoever has it</span>
    </p>
  ) : (
    <p class="row">
      <button type="button" class="primary" onClick={make}>
        <Icon name="link" size={14} /> Make a link to it
      </button>
    </p>
  )
}

// Queues: how deep they are, and where what nobody could handle goes.
import { useState } from "preact/hooks"
import { aws } from "../../core/call"
import { useLoad } from "../../core/load"
import { instant, one, ranged } from "../../core/metrics"
import { useRange } from "../../core/range"
import { useChoice } from "../../core/route"
import { last } from "../../core/words"
import { Chart, lines } from "../../kit/chart"
import { count, duration } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm, Drawer } from "../../kit/overlay"
import { Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

const sqs = <Out,>(operation: string, input: unknown, signal?: AbortSignal) => aws<Out>("sqs", "AmazonSQS." + operation, input, signal)
const nameOf = (url: string) => url.split("/").at(-1)!

export function Queues() {
  const range = useRange()
  const [open, setOpen] = useChoice("open")
  const list = useLoad("queues", async (signal) => (await sqs<{ QueueUrls?: string[] }>("ListQueues", {}, signal)).QueueUrls ?? [], { still: true })
  const depths = useLoad(`${range.start} ${range.end}`, async (signal) => new Map((await instant("sum by (queue, state) (dropstack_queue_messages)", range, signal)).map((s) => [`${s.labels.queue} ${s.labels.state}`, one([s]) ?? 0])))
  const over = useLoad(`${range.start} ${range.end} over`, async (signal) => lines(await ranged("sum by (queue) (dropstack_queue_messages)", range, signal), (l) => l.queue ?? ""))
  const depth = (url: string, state: string) => depths.data?.get(`${nameOf(url)} ${state}`) ?? 0
  const column = (state: string, title: string) => ({ name: state, title, right: true, sort: (url: string) => depth(url, state), cell: (url: string) => (depths.data ? count(depth(url, state)) : "…") })
  return (
    <>
      <Chart title="Messages in queues" range={range} lines={over} empty="No queue was there in this time" />
      <Panel title="Queues" flush>
        <Show of={list}>
          {(urls) => (
            <>
              <Table
                label="Queues"
                rows={urls}
                id={(url) => url}
                open={(url) => setOpen(nameOf(url))}
                order="name"
                choice="queues"
                empty={
                  <Empty icon="logs" title="No queues yet">
                    An <code>AWS::SQS::Queue</code> under <code>resources</code>, or <code>aws sqs create-queue</code>, makes one; an <code>sqs</code> event has a function work it off.
                  </Empty>
                }
                columns={[{ name: "name", title: "Queue", grow: true, sort: nameOf, cell: nameOf }, column("visible", "Waiting"), column("inflight", "Under way"), column("delayed", "Delayed")]}
              />
              {urls.filter((url) => nameOf(url) === open).map((url) => <Opened key={url} url={url} close={() => setOpen("")} />)}
            </>
          )}
        </Show>
      </Panel>
    </>
  )
}

function Opened({ url, close }: { url: string; close: () => void }) {
  const [asking, setAsking] = useState(false)
  const about = useLoad(
    url,
    async (signal) => {
      const [a, sources] = await Promise.all([
        sqs<{ Attributes: Record<string, string> }>("GetQueueAttributes", { QueueUrl: url, AttributeNames: ["All"] }, signal),
        sqs<{ queueUrls?: string[] }>("ListDeadLetterSourceQueues", { QueueUrl: url }, signal),
      ])
      return { ...a.Attributes, sources: (sources.queueUrls ?? []).map(nameOf) } as Record<string, string> & { sources: string[] }
    },
    { still: true, subject: url },
  )
  const seconds = (text: string | undefined) => duration(Number(text ?? 0))
  return (
    <Drawer title={nameOf(url)} close={close}>
      <Show of={about}>
        {(a) => {
          const redrive = a.RedrivePolicy ? (JSON.parse(a.RedrivePolicy) as { deadLetterTargetArn: string; maxReceiveCount: number }) : undefined
          return (
            <>
              <dl class="facts">
                <dt>ARN</dt>
                <dd>
                  <code class="wrap">{a.QueueArn}</code>
                </dd>
                <dt>Waiting</dt>
                <dd>{count(Number(a.ApproximateNumberOfMessages))}</dd>
                <dt>Under way</dt>
                <dd>{count(Number(a.ApproximateNumberOfMessagesNotVisible))}</dd>
                <dt>Delayed</dt>
                <dd>{count(Number(a.ApproximateNumberOfMessagesDelayed))}</dd>
                <dt>Hidden while it is handled</dt>
                <dd>{seconds(a.VisibilityTimeout)}</dd>
                <dt>Kept</dt>
                <dd>{seconds(a.MessageRetentionPeriod)}</dd>
                <dt>Dead letters go to</dt>
                <dd>{redrive ? `${last(redrive.deadLetterTargetArn)}, after ${redrive.maxReceiveCount} attempts` : "nowhere: a message comes again until it is too old"}</dd>
                {a.sources.length > 0 && (
                  <>
                    <dt>Takes the dead letters of</dt>
                    <dd>{a.sources.join(", ")}</dd>
                  </>
                )}
              </dl>
              {a.sources.length > 0 && (
                <div class="row">
                  <button type="button" class="primary" onClick={() => setAsking(true)}>
                    <Icon name="undo" size={14} /> Move its messages back
                  </button>
                </div>
              )}
              {asking && (
                <Confirm
                  title="Move dead letters back?"
                  verb="Move back"
                  close={() => setAsking(false)}
                  act={async () => {
                    await sqs("StartMessageMoveTask", { SourceArn: a.QueueArn })
                    toast(`The messages of ${nameOf(url)} go back to where they came from`)
                    about.reload()
                  }}
                >
                  <p>All messages of {nameOf(url)} go back into the queues that they came from ({a.sources.join(", ")}), and are handled again.</p>
                </Confirm>
              )}
            </>
          )
        }}
      </Show>
    </Drawer>
  )
}

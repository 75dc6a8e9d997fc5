// What goes from one part to another: topics, queues, schedules, buses, and the letters
// that nobody took.
import { useChoice } from "../core/route"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Buses } from "./events/buses"
import { Letters } from "./events/letters"
import { Queues } from "./events/queues"
import { Schedules } from "./events/schedules"
import { Topics } from "./events/topics"

function Events() {
  const [tab] = useChoice("tab", "topics")
  return (
    <div class="screen">
      <Tabs
        tabs={[
          ["topics", "Topics"],
          ["queues", "Queues"],
          ["schedules", "Schedules"],
          ["buses", "Buses"],
          ["letters", "Dead letters"],
        ]}
      />
      {tab === "topics" && <Topics />}
      {tab === "queues" && <Queues />}
      {tab === "schedules" && <Schedules />}
      {tab === "buses" && <Buses />}
      {tab === "letters" && <Letters />}
    </div>
  )
}

export const events: Screen = { path: "/events", title: "Events", icon: "topic", group: "Traffic", key: "t", timed: true, view: Events }

// The screens, in the order of the navigation.
import { alerts } from "../screens/alerts"
import { audit } from "../screens/audit"
import { deploys } from "../screens/deploys"
import { edge } from "../screens/edge"
import { events } from "../screens/events"
import { explore } from "../screens/explore"
import { fn } from "../screens/function"
import { functions } from "../screens/functions"
import { logs } from "../screens/logs"
import { monitor } from "../screens/monitor"
import { overview } from "../screens/overview"
import { secrets } from "../screens/secrets"
import { storage } from "../screens/storage"
import { bucket } from "../screens/storage/bucket"
import { trace, traces } from "../screens/traces"
import { uptime } from "../screens/uptime"
import type { Screen } from "./screen"

export const screens: Screen[] = [
  overview,
  functions,
  fn,
  logs,
  traces,
  trace,
  explore,
  alerts,
  uptime,
  monitor,
  edge,
  events,
  storage,
  bucket,
  secrets,
  deploys,
  audit,
]

// The screens, in the order of the navigation.
import { alerts } from "../screens/alerts"
import { deploys } from "../screens/deploys"
import { explore } from "../screens/explore"
import { fn } from "../screens/function"
import { functions } from "../screens/functions"
import { logs } from "../screens/logs"
import { monitor } from "../screens/monitor"
import { overview } from "../screens/overview"
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
  deploys,
]

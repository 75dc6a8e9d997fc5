// The screens, in the order of the navigation.
import { audit } from "../screens/audit"
import { deploys } from "../screens/deploys"
import { edge } from "../screens/edge"
import { events } from "../screens/events"
import { fn } from "../screens/function"
import { functions } from "../screens/functions"
import { overview } from "../screens/overview"
import { secrets } from "../screens/secrets"
import { storage } from "../screens/storage"
import { bucket } from "../screens/storage/bucket"
import type { Screen } from "./screen"

export const screens: Screen[] = [
  overview,
  functions,
  fn,
  edge,
  events,
  storage,
  bucket,
  secrets,
  deploys,
  audit,
]

// A screen: a page of the console. console/README.md tells how one is written.
import type { ComponentType } from "preact"
import type { IconName } from "../kit/icons"

export interface Screen {
  path: string // "/functions/:name"; what is named comes as a property
  title: string
  icon: IconName
  group?: "Observe" | "Traffic" | "Data" | "Platform" // of the navigation; none: it is not in it
  key?: string // g and this leads here
  timed?: boolean // it shows a time that can be chosen
  view: ComponentType<any>
}

// Keys: "/" searches, "?" helps, g and a letter lead to a screen, Ctrl-K or ⌘K opens the
// palette, r loads anew.
import { go } from "../core/route"
import { reload } from "../core/range"
import { Store } from "../core/store"
import { screens } from "./screens"

export const over = new Store<"" | "palette" | "help" | "menu">("")

let led = 0 // when g was pressed

export function listen(): void {
  window.addEventListener("keydown", (e) => {
    if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === "k") {
      e.preventDefault()
      over.set(over.get() === "palette" ? "" : "palette")
      return
    }
    const at = e.target as HTMLElement
    if (e.metaKey || e.ctrlKey || e.altKey || at.closest("input,textarea,select,[contenteditable]") || document.querySelector("dialog[open]")) return
    if (Date.now() - led < 1200) {
      led = 0
      const screen = screens.find((s) => s.key === e.key)
      if (screen) {
        e.preventDefault()
        go(screen.path)
      }
      return
    }
    switch (e.key) {
      case "g":
        led = Date.now()
        break
      case "/": {
        const field = document.querySelector<HTMLInputElement>("[data-search]")
        e.preventDefault()
        if (field) field.focus()
        else over.set("palette")
        break
      }
      case "?":
        over.set("help")
        break
      case "r":
        reload()
    }
  })
}

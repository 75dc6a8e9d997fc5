import "uplot/dist/uPlot.min.css"
import "./style/base.css"
import "./style/shell.css"
import "./style/kit.css"
import "./style/screens.css"
import { render } from "preact"
import { route } from "./core/route"
import { resume, session } from "./core/session"
import { useStore } from "./core/store"
import { SignIn } from "./screens/signin"
import { listen } from "./shell/keys"
import { Shell } from "./shell/shell"
import "./shell/theme"

function App() {
  const who = useStore(session)
  const { path } = useStore(route)
  if (who === undefined) {
    return (
      <div class="boot" role="status">
        <span class="spin" />
        <span class="sr">Loading the console</span>
      </div>
    )
  }
  return who && path !== "/signin" ? <Shell who={who} /> : <SignIn />
}

const root = document.getElementById("app")!
root.replaceChildren()
render(<App />, root)
listen()
resume().catch(() => session.set(null))

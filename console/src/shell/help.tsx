import { Overlay } from "../kit/overlay"
import { over } from "./keys"
import { screens } from "./screens"

export function Help() {
  const keys: [string, string][] = [
    ["/", "Search on this page"],
    ["Ctrl K or ⌘ K", "Go to anything"],
    ["r", "Load anew"],
    ["?", "This help"],
    ["Esc", "Close what lies over the page"],
    ...screens.filter((s) => s.key).map((s) => [`g ${s.key}`, s.title] as [string, string]),
  ]
  return (
    <Overlay kind="dialog" title="Keyboard shortcuts" close={() => over.set("")}>
      <dl class="keys">
        {keys.map(([k, what]) => (
          <div key={k}>
            <dt>
              <kbd>{k}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        Drag over a chart to look closer. The address of a page has all that you chose on it: copy it to show others what you see.{" "}
        <a href="/licenses.txt">Licences of what these pages are made with.</a>
      </p>
    </Overlay>
  )
}

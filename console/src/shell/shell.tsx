// The frame around every screen.
import { useEffect, useRef } from "preact/hooks"
import { busy } from "../core/load"
import { href, match, route } from "../core/route"
import { type Session, signOut } from "../core/session"
import { useStore } from "../core/store"
import { Icon, Mark } from "../kit/icons"
import { Overlay } from "../kit/overlay"
import { Empty } from "../kit/panel"
import { Toasts } from "../kit/toast"
import { Help } from "./help"
import { over } from "./keys"
import { Palette } from "./palette"
import type { Screen } from "./screen"
import { screens } from "./screens"
import { choice, next } from "./theme"
import { TimePicker } from "./time"

const mac = /Mac|iP(hone|ad)/.test(navigator.platform)
const groups = ["Observe", "Traffic", "Data", "Platform"] as const

export function Shell({ who }: { who: Session }) {
  const { path } = useStore(route)
  const layer = useStore(over)
  let screen: Screen | undefined
  let props: Record<string, string> = {}
  for (const s of screens) {
    const found = match(s.path, path)
    if (found) {
      screen = s
      props = found
      break
    }
  }
  const main = useRef<HTMLElement>(null)
  const name = props.name ?? screen?.title ?? "Not found"
  useEffect(() => {
    document.title = `${name} – dropstack`
    main.current?.scrollTo(0, 0)
    over.set("")
  }, [path])
  const parent = screen && !screen.group ? screens.find((s) => s.group && screen.path.startsWith(s.path + "/")) : undefined
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to the page
      </a>
      <Busy />
      <nav class="side" aria-label="Screens">
        <Menu path={path} who={who} />
      </nav>
      <header class="top">
        <a class="home" href={href("/")} aria-label="Overview">
          <Mark size={26} />
        </a>
        <div class="crumbs">
          {parent && (
            <>
              <a href={href(parent.path)}>{parent.title}</a>
              <span class="muted" aria-hidden="true">
                /
              </span>
            </>
          )}
          <h1 title={name}>{name}</h1>
        </div>
        <div class="grow" />
        <button type="button" class="find" onClick={() => over.set("palette")}>
          <Icon name="search" size={14} />
          <span>Go to…</span>
          <kbd>{mac ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        {screen?.timed && <TimePicker />}
      </header>
      <main class="page" ref={main} tabIndex={-1} id="main">
        {screen ? (
          <screen.view key={path} {...props} />
        ) : (
          <Empty icon="search" title="There is no such page">
            <a href={href("/")}>Go to the overview</a>
          </Empty>
        )}
      </main>
      <nav class="bottom" aria-label="Main screens">
        {screens
          .filter((s) => s.group)
          .slice(0, 4)
          .map((s) => (
            <a key={s.path} href={href(s.path)} aria-current={within(s, path) ? "page" : undefined}>
              <Icon name={s.icon} size={20} />
              {s.title}
            </a>
          ))}
        <button type="button" onClick={() => over.set("menu")}>
          <Icon name="menu" size={20} />
          More
        </button>
      </nav>
      {layer === "palette" && <Palette />}
      {layer === "help" && <Help />}
      {layer === "menu" && (
        <Overlay kind="sheet" title="Screens" close={() => over.set("")} bare>
          <nav aria-label="All screens">
            <Menu path={path} who={who} />
          </nav>
        </Overlay>
      )}
      <Toasts />
    </div>
  )
}

// within reports whether a path is the screen's or of what is below it.
const within = (s: Screen, path: string) => path === s.path || (s.path !== "/" && path.startsWith(s.path + "/"))

function Busy() {
  const n = useStore(busy)
  return <div class={"busy" + (n > 0 ? " on" : "")} aria-hidden="true" />
}

function Menu({ path, who }: { path: string; who: Session }) {
  const mode = useStore(choice)
  return (
    <>
      <a class="brand" href={href("/")}>
        <Mark />
        <span>dropstack</span>
      </a>
      <div class="nav">
        {groups.map((group) => {
          const list = screens.filter((s) => s.group === group)
          return (
            list.length > 0 && (
              <div key={group}>
                <h2>{group}</h2>
                {list.map((s) => (
                  <a key={s.path} href={href(s.path)} aria-current={within(s, path) ? "page" : undefined}>
                    <Icon name={s.icon} />
                    {s.title}
                  </a>
                ))}
              </div>
            )
          )
        })}
      </div>
      <footer class="who">
        <span class="avatar" aria-hidden="true">
          {who.name.slice(0, 1).toUpperCase()}
        </span>
        <span class="who-name" title={who.arn}>
          {who.name}
          <small>{who.region}</small>
        </span>
        <button type="button" class="ghost" title={`Colours: ${mode}`} aria-label={`Colours: ${mode}. Switch to ${next[mode]}`} onClick={() => choice.set(next[mode])}>
          <Icon name={mode === "auto" ? "auto" : mode === "dark" ? "moon" : "sun"} />
        </button>
        <button type="button" class="ghost" title="Sign out" aria-label="Sign out" onClick={() => void signOut()}>
          <Icon name="out" />
        </button>
      </footer>
    </>
  )
}

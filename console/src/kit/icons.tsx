// Icons: strokes of one width on a grid of 20, in the colour of the text.
const paths = {
  overview: "M3 11h5V3H3zM12 17h5V9h-5zM12 6h5V3h-5zM3 17h5v-3H3z",
  function: "M4 17 9.500 7.500M8 3c2.500 0 2.800 3 4 7s1.500 7 4 7",
  logs: "M4 5h12M4 10h12M4 15h7",
  trace: "M3 5h8M6 10h8M10 15h7",
  explore: "M3 16V4M3 16h14M6 12l3-4 3 2.500L16.500 5",
  edge: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM3 10h14M10 3c2.500 2.500 2.500 11.500 0 14M10 3c-2.500 2.500-2.500 11.500 0 14",
  topic: "M10 8.500a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3zM6.500 13.500a5 5 0 0 1 0-7M13.500 6.500a5 5 0 0 1 0 7M4 16a8.500 8.500 0 0 1 0-12M16 4a8.500 8.500 0 0 1 0 12",
  schedule: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l2.500 2",
  storage: "M4 5.500C4 4 6.500 3 10 3s6 1 6 2.500S13.500 8 10 8 4 7 4 5.500zM4 5.500v9C4 16 6.500 17 10 17s6-1 6-2.500v-9M4 10c0 1.500 2.500 2.500 6 2.500s6-1 6-2.500",
  uptime: "M2.500 10h3.500l2-5 4 10 2-5h3.500",
  alert: "M10 3a5 5 0 0 0-5 5c0 4-1.500 5-1.500 5h13S15 12 15 8a5 5 0 0 0-5-5zM8.300 16a2 2 0 0 0 3.400 0",
  deploy: "M10 13V3M6.500 6.500 10 3l3.500 3.500M3.500 12.500V17h13v-4.500",
  secret: "M5 9h10v8H5zM7 9V6.500a3 3 0 0 1 6 0V9",
  audit: "M5 3h7l3 3v11H5zM12 3v3h3M7.500 10h5M7.500 13h5",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4",
  copy: "M7 7h9v10H7zM13 7V3H4v10h3",
  check: "M4 10.500 8 14.500 16 6",
  close: "M5 5l10 10M15 5 5 15",
  menu: "M3 6h14M3 10h14M3 14h14",
  sun: "M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 2v2M10 16v2M2 10h2M16 10h2M4.300 4.300l1.400 1.400M14.300 14.300l1.400 1.400M4.300 15.700l1.400-1.400M14.300 5.700l1.400-1.400",
  moon: "M16 12A7 7 0 0 1 8 4a6.500 6.500 0 1 0 8 8z",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  reload: "M16 10a6 6 0 1 1-2-4.500M16 3v4h-4",
  right: "M8 5l5 5-5 5",
  down: "M5 8l5 5 5-5",
  warn: "M10 3 2.500 16.500h15zM10 8v4M10 14.200v.300",
  play: "M6 4l10 6-10 6z",
  pause: "M7 4v12M13 4v12",
  user: "M10 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM4 17c.500-3.500 3-5 6-5s5.500 1.500 6 5",
  out: "M8 3H4v14h4M8 10h9M13.500 6.500 17 10l-3.500 3.500",
  link: "M8.500 11.500a3 3 0 0 0 4.200 0l3-3a3 3 0 0 0-4.200-4.200l-1 1M11.500 8.500a3 3 0 0 0-4.200 0l-3 3a3 3 0 0 0 4.200 4.200l1-1",
  undo: "M4 8h8a4 4 0 0 1 0 8H7M7 5 4 8l3 3",
  more: "M5 10h.010M10 10h.010M15 10h.010",
  key: "M7 9.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM9.500 10.500 16.500 3.500M13.500 6.500l2.500 2.500",
  table: "M3 4h14v12H3zM3 8h14M8 8v8",
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

// Mark is the platform's own.
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" class="mark-tile" />
      <path d="M16 6c4 5.200 7 8.600 7 12.500a7 7 0 0 1-14 0C9 14.600 12 11.200 16 6z" fill="#fff" />
      <path d="M11.500 19.500h9M12.600 22.600h6.800" class="mark-line" />
    </svg>
  )
}

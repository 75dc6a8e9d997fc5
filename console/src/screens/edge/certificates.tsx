// Certificates: for which names the edge has one, from where, and until when.
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { ago, moment } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Certificate {
  id: string
  source: string
  names: string[] | null
  notBefore: string
  notAfter: string
  issuer: string
  fingerprint: string
}

interface Status {
  acme: boolean
  directory?: string
  certificates: Certificate[] | null
  failures: { host: string; problem: string; advice?: string }[] | null
  faults?: Record<string, string>
  without: { alias: string; advice: string }[] | null
  missing: string[] | null
  advice?: string
}

const day = 86_400_000

function Left({ c }: { c: Certificate }) {
  const left = new Date(c.notAfter).getTime() - Date.now()
  return (
    <Badge tone={left < 0 ? "bad" : left < 21 * day ? "warn" : "good"} title={moment(c.notAfter)} dot>
      {left < 0 ? `over ${ago(c.notAfter)}` : `ends ${ago(c.notAfter)}`}
    </Badge>
  )
}

export function Certificates() {
  const status = useLoad("certificates", (signal) => control<Status>("DescribeCertificates", {}, signal), { still: true })
  const renew = (host: string) =>
    control("RenewCertificate", { host }).then(
      () => {
        toast(`The certificate of ${host} is ordered anew`)
        status.reload()
      },
      (e: Error) => toast(e.message, true),
    )
  return (
    <Show of={status}>
      {(s) => {
        const wrong = [
          ...(s.failures ?? []).map((f) => `${f.host}: ${f.problem}${f.advice ? `. ${f.advice}` : ""}`),
          ...Object.entries(s.faults ?? {}).map(([file, why]) => `${file}: ${why}`),
          ...(s.without ?? []).map((w) => `${w.alias} has no certificate. ${w.advice}`),
          ...(s.missing ?? []).map((m) => `${m} is named by a distribution and is not there`),
        ]
        return (
          <>
            {wrong.length > 0 && (
              <div class="failed" role="status">
                <Icon name="warn" size={18} />
                <div>
                  {wrong.map((w) => (
                    <p key={w} class="wrap">
                      {w}
                    </p>
                  ))}
                </div>
              </div>
            )}
            <Panel title="Certificates" note={s.acme ? "ordered and renewed by ACME" : "ACME is off"} flush>
              <Table
                label="Certificates"
                rows={s.certificates ?? []}
                id={(c) => c.source + c.id}
                order="end"
                empty={
                  <Empty icon="key" title="No certificates yet">
                    Put <code>NAME.crt</code> and <code>NAME.key</code> into the directory of certificates, import one by <code>aws acm import-certificate</code>, or
                    let <code>dropstack up --acme on</code> order them. Until then names end in a certificate that the platform has signed itself.
                  </Empty>
                }
                columns={[
                  { name: "names", title: "Names", grow: true, sort: (c) => c.names?.[0] ?? "", cell: (c) => <span class="wrap">{(c.names ?? []).join(", ")}</span> },
                  { name: "source", title: "From", sort: (c) => c.source, cell: (c) => c.source },
                  { name: "issuer", title: "Issuer", quiet: true, cell: (c) => <span class="wrap muted">{c.issuer}</span> },
                  { name: "end", title: "Valid", sort: (c) => c.notAfter, cell: (c) => <Left c={c} /> },
                  {
                    name: "do",
                    title: "",
                    right: true,
                    cell: (c) =>
                      c.source === "acme" ? (
                        <button type="button" class="small" onClick={() => renew(c.id)}>
                          Renew<span class="sr"> {c.id}</span>
                        </button>
                      ) : (
                        ""
                      ),
                  },
                ]}
              />
            </Panel>
          </>
        )
      }}
    </Show>
  )
}

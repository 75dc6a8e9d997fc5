package certificate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/dropstack/dropstack/internal/fault"
)

// Info describes a certificate. There is no key in it.
type Info struct {
	ID          string    `json:"id"`            // of a file its name, of what was obtained the host
	ARN         string    `json:"arn,omitempty"` // of what was imported
	Source      string    `json:"source"`        // FromFile, Imported or FromACME
	Names       []string  `json:"names"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	Fingerprint string    `json:"fingerprint"` // SHA-256
	Imported    time.Time `json:"imported,omitzero"`
}

// Wildcard is an alias that only a certificate of the operator's own can serve.
type Wildcard struct {
	Alias  string `json:"alias"`
	Advice string `json:"advice"`
}

// Status is how certificates stand.
type Status struct {
	ACME      bool              `json:"acme"` // switched on
	Directory string            `json:"directory,omitempty"`
	Email     string            `json:"email,omitempty"`
	Asks      bool              `json:"asks"` // somebody decides for names below wildcards
	List      []Info            `json:"certificates"`
	Failures  []Failure         `json:"failures"`         // of orders
	Faults    map[string]string `json:"faults,omitempty"` // of files that are not used, by name
	Without   []Wildcard        `json:"without"`          // aliases that have no certificate and get none
	Missing   []string          `json:"missing"`          // certificates that distributions name and that are not there
	Advice    string            `json:"advice,omitempty"`
}

// soon is how long before its end an operator is told of a certificate that nobody
// renews.
const soon = 21 * 24 * time.Hour

// Soon is how long before its end an operator should know of a certificate: of one
// that is renewed, when that is overdue.
func Soon(at Info) time.Duration {
	if at.Source == FromACME {
		return at.NotAfter.Sub(at.NotBefore) / 4
	}
	return soon
}

// List is every certificate of the operator's own and every one that was obtained,
// the one that ends first at the front.
func (k *Keeper) List(ctx context.Context) ([]Info, error) {
	if err := k.Refresh(ctx); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "the certificate files in %s: %w", k.Dir, err)
	}
	list := []Info{}
	for _, o := range slices.SortedFunc(slices.Values(k.own.Load().all), byEnd) {
		list = append(list, about(o))
	}
	if k.magic != nil {
		list = append(list, k.magic.list()...)
	}
	slices.SortStableFunc(list, func(a, b Info) int { return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// Status is how all of it stands.
func (k *Keeper) Status(ctx context.Context) (Status, error) {
	list, err := k.List(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Asks: k.Ask != nil, List: list, Failures: []Failure{}, Faults: k.own.Load().faults, Without: k.without(), Missing: k.missing()}
	if k.magic != nil {
		s.ACME, s.Directory, s.Email = true, k.ACME.Directory, k.ACME.Email
		s.Failures = k.magic.failures.list()
		slices.SortFunc(s.Failures, func(a, b Failure) int { return cmp.Compare(a.Host, b.Host) })
		s.Advice = "whether an authority reaches ports 80 and 443 of this machine by those names only its answer tells"
	}
	return s, nil
}

// Renew gets a new certificate for a host by ACME, due or not.
func (k *Keeper) Renew(ctx context.Context, name string) error {
	if k.magic == nil {
		return fault.Errorf(fault.Invalid, "ACME is off; start with --acme on")
	}
	if err := k.stillAllowed(ctx, name); err != nil {
		return fault.Errorf(fault.Invalid, "%w: it is no alias of a distribution that is deployed", err)
	}
	if err := k.magic.renew(ctx, name); err != nil {
		return fault.Errorf(fault.Unavailable, "%w", err)
	}
	return nil
}

// without lists aliases that clients cannot reach by HTTPS, as far as that can be
// told.
func (k *Keeper) without() []Wildcard {
	list, own := []Wildcard{}, k.own.Load()
	for _, alias := range slices.Sorted(slices.Values(k.Sites.Aliases())) {
		parent, wild := strings.CutPrefix(alias, "*.")
		site, _ := k.Sites.Site(alias)
		name := alias
		if wild {
			name = "x." + parent // any one below it
		}
		switch {
		case vouched(name) || own.find(name, site.Certificate, nil) != nil:
		case !wild && k.magic != nil:
		case wild && k.magic != nil && k.Ask != nil:
		case wild:
			list = append(list, Wildcard{alias, "a wildcard needs a certificate of your own (dropstack edge certificate import): ACME gives one by DNS-01 alone, which is not supported; or name who decides for each host below it with --tls-ask"})
		default:
			list = append(list, Wildcard{alias, "switch ACME on (--acme on), or import a certificate: dropstack edge certificate import"})
		}
	}
	return list
}

// missing lists certificates that distributions name and that are not there: their
// aliases get others, as if none was named.
func (k *Keeper) missing() []string {
	list, own := []string{}, k.own.Load()
	for _, alias := range k.Sites.Aliases() {
		if site, _ := k.Sites.Site(alias); site.Certificate != "" && own.named(site.Certificate) == nil && !slices.Contains(list, site.Certificate) {
			list = append(list, site.Certificate)
		}
	}
	slices.Sort(list)
	return list
}

// list is what was obtained.
func (m *magic) list() []Info {
	m.mu.Lock()
	names := slices.Sorted(maps.Keys(m.managed))
	m.mu.Unlock()
	var list []Info
	for _, name := range names {
		if cert := m.cached(name, nil); cert != nil {
			list = append(list, describe(cert, name, FromACME))
		}
	}
	return list
}

func about(o *owned) Info {
	info := describe(o.cert, o.id, o.source)
	info.ARN, info.Imported = o.arn, o.added
	return info
}

func describe(cert *tls.Certificate, id, source string) Info {
	at := leaf(cert)
	sum := sha256.Sum256(at.Raw)
	return Info{
		ID: id, Source: source, Names: namesOf(at), NotBefore: at.NotBefore, NotAfter: at.NotAfter,
		Issuer: issuerOf(at), Serial: fmt.Sprintf("%x", at.SerialNumber), Fingerprint: hex.EncodeToString(sum[:]),
	}
}

func issuerOf(at *x509.Certificate) string {
	return cmp.Or(at.Issuer.CommonName, strings.Join(at.Issuer.Organization, " "), at.Issuer.String())
}

// warnings is what has been said already.
type warnings struct {
	mu   sync.Mutex // guards said
	said map[string]bool
}

// once reports whether something has not been said yet.
func (w *warnings) once(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said == nil {
		w.said = map[string]bool{}
	}
	before := w.said[what]
	w.said[what] = true
	return !before
}

// warn says which certificates end soon, and which aliases have none, each once.
func (k *Keeper) warn(now time.Time) {
	for _, o := range k.own.Load().all {
		end := o.cert.Leaf.NotAfter
		left := end.Sub(now)
		for _, mark := range []time.Duration{0, 24 * time.Hour, 7 * 24 * time.Hour, soon} {
			if left > mark {
				continue
			}
			if k.warned.once(fmt.Sprint(o.source, o.id, end.Unix(), mark)) {
				k.Log.Warn("a certificate of your own ends soon or has ended; put a new one in its place", "certificate", cmp.Or(o.arn, o.id), "names", namesOf(o.cert.Leaf), "until", end)
			}
			break
		}
	}
	if k.magic == nil {
		return // all is said by the flag
	}
	for _, w := range k.without() {
		if k.warned.once("without " + w.Alias) {
			k.Log.Warn("no certificate for an alias", "alias", w.Alias, "advice", w.Advice)
		}
	}
}

var _ certmagic.Storage = (*storage)(nil)

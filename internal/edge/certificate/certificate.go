// Package certificate finds the certificate of every connection to the edge.
//
// A client says which name it has come for, and the name decides:
//
//   - the operator's own certificates come first: files NAME.crt and NAME.key of a
//     directory, which may change at any time, and what was imported (own.go);
//   - localhost, the names below it and loopback addresses are vouched for by the
//     installation's own authority;
//   - for the aliases of distributions a certificate is got by ACME when the first
//     client asks for the name, and renewed from then on (acme.go), if the operator
//     has switched that on.
//
// A name that nothing allows is refused in the handshake, and no order is made for
// it: whoever connects could choose it (allow.go). Stored, sealed, in one bucket:
//
//	imported.ID   a certificate with its key
//	acme.PATH     what certmagic keeps: accounts, keys, certificates (storage.go)
//	lock.NAME     who is at work on a name, and until when
package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/secret/store"
)

// Site is what a distribution says of one of its host names.
type Site struct {
	Alias        string // that matches: the name, or "*." and all but its first label; "": only the default distribution answers
	Certificate  string // ARN or name of one of the operator's own; "": none is named
	Minimum      string // version of TLS, as CloudFront names them
	Distribution string // its ARN
}

// Sites is what is needed of the edge.
type Sites interface {
	// Site is the distribution that answers for a host name; one that is disabled
	// does not.
	Site(name string) (Site, bool)
	// Aliases are the host names of all distributions that are enabled.
	Aliases() []string
}

// Authority vouches for names that only this machine answers to.
type Authority interface {
	Certificate(name string) (*tls.Certificate, error)
}

// Sealer keeps keys from whoever has only the data directory.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// Keeper has the certificates of the edge. It is safe for concurrent use after Open.
type Keeper struct {
	Dir    string       // of the operator's files; it need not be there
	Bucket store.Bucket // of what is imported or obtained
	Seal   Sealer
	CA     Authority
	Sites  Sites
	ACME   *ACME // nil: off
	// Ask decides for names that only a wildcard alias, or the default distribution,
	// answers to: whether a certificate may be got for the name. Without it none is.
	Ask    func(ctx context.Context, name string) (bool, error)
	Region string
	Log    *slog.Logger

	storage  *storage
	magic    *magic // nil while ACME is off
	answers  answers
	warned   warnings
	own      atomic.Pointer[ownSet]
	changing sync.Mutex    // one change of own at a time
	changed  chan struct{} // after a change

	every    time.Duration // between two looks at the files; 5 s unless set
	renewing renewal
}

// renewal is when ACME certificates are renewed, where it is not as usual.
type renewal struct {
	every time.Duration // between two looks; 10 minutes unless set
	ratio float64       // of a certificate's life that is left when it is due; a third unless set
}

// Open reads what is stored. Close must be called after it.
func (k *Keeper) Open(ctx context.Context) error {
	k.storage = &storage{bucket: k.Bucket, seal: k.Seal, lease: lease}
	k.changed, k.answers.slots = make(chan struct{}, 1), make(chan struct{}, maxAsking)
	k.own.Store(&ownSet{})
	if err := k.loadOwn(ctx); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if k.ACME != nil {
		k.magic = newMagic(k)
	}
	return nil
}

// Close ends what is under way and gives its locks back.
func (k *Keeper) Close() error {
	if k.magic != nil {
		k.magic.close()
	}
	return k.storage.close()
}

// Run takes up certificates that were obtained before, looks after files that
// change, and drops names that are not allowed any more, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	every := k.every
	if every == 0 {
		every = 5 * time.Second
	}
	var stapling sync.WaitGroup
	defer stapling.Wait()
	stapling.Go(func() { k.staple(ctx) })
	if k.magic != nil {
		k.magic.resume(ctx)
	}
	look, tidy := time.NewTicker(every), time.NewTicker(time.Hour)
	defer look.Stop()
	defer tidy.Stop()
	for {
		k.warn(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
				k.Log.Error("certificate files cannot be read", "dir", k.Dir, "err", err)
			}
		case <-tidy.C:
			if k.magic != nil {
				k.magic.tidy(ctx)
			}
		}
	}
}

// errNone says that there is no certificate for a name and none may be got.
var errNone = errors.New("no certificate")

// GetCertificate is tls.Config's. A name that nothing allows is answered with the
// alert unrecognized_name.
func (k *Keeper) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if challenge(hello) {
		if k.magic == nil {
			return nil, nil
		}
		return k.magic.challenge(hello)
	}
	cert, err := k.find(hello.Context(), nameOf(hello.ServerName, hello.Conn.LocalAddr()), hello, true)
	if errors.Is(err, errNone) {
		return nil, nil // which crypto/tls answers with that alert
	}
	return cert, err
}

// find is the certificate of a name. With obtain it is got if need be. Without hello
// any that there is will do.
func (k *Keeper) find(ctx context.Context, name string, hello *tls.ClientHelloInfo, obtain bool) (*tls.Certificate, error) {
	if name == "" {
		return nil, errNone
	}
	site, claimed := k.Sites.Site(name)
	if cert := k.own.Load().find(name, site.Certificate, hello); cert != nil {
		return cert, nil
	}
	if vouched(name) {
		return k.CA.Certificate(name)
	}
	if k.magic == nil || !claimed || !hostName.MatchString(name) {
		return nil, errNone
	}
	if cert := k.magic.cached(name, hello); cert != nil {
		return cert, nil
	}
	if !obtain {
		return nil, errNone
	}
	if err := k.allowed(ctx, name); err != nil {
		return nil, err
	}
	return k.magic.obtain(ctx, name, hello)
}

// hostName is what ACME can be asked for: more than one label, none of them a
// wildcard.
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)

// localName is a name that the installation's own authority vouches for.
var localName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*localhost$`)

// vouched reports whether the installation's own authority is the one for a name.
func vouched(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback()
	}
	return len(name) <= 253 && localName.MatchString(name)
}

// nameOf is the name that a client has come for: without one, the address that it
// has connected to.
func nameOf(sni string, local net.Addr) string {
	if name := strings.ToLower(strings.TrimSuffix(sni, ".")); name != "" {
		return name
	}
	if local == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().WithZone("").String()
}

package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"
)

// How often staples are looked at, how long a responder may take, and how much of an
// answer is read.
const (
	stapleEvery = time.Hour
	stapleTime  = 10 * time.Second
	maxStaple   = 64 << 10
)

// stapled is a certificate with its authority's word that it is not revoked.
type stapled struct {
	cert  *tls.Certificate
	renew time.Time // when a new word is asked for
	until time.Time
}

// shown is the certificate as clients get it. A word that has ended is worse than
// none.
func (o *owned) shown() *tls.Certificate {
	if s := o.staple.Load(); s != nil && time.Now().Before(s.until) {
		return s.cert
	}
	return o.cert
}

// staple asks the responders of the operator's own certificates, where they name one,
// until ctx ends. Those that were obtained are certmagic's to ask for.
func (k *Keeper) staple(ctx context.Context) {
	every := time.NewTicker(stapleEvery)
	defer every.Stop()
	for {
		for _, o := range k.own.Load().all {
			now := time.Now()
			if s := o.staple.Load(); len(o.cert.Leaf.OCSPServer) == 0 || s != nil && now.Before(s.renew) || now.Before(o.askAt) || now.After(o.cert.Leaf.NotAfter) {
				continue
			}
			next, err := ask(ctx, o.cert)
			o.askAt = now.Add(stapleEvery) // not sooner, though this loop runs after every look at the files
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && k.warned.once("staple "+o.source+o.id+err.Error()):
				k.Log.Warn("a certificate is shown without its authority's word that it is not revoked", "certificate", o.id, "names", namesOf(o.cert.Leaf), "err", err)
			case err == nil:
				o.staple.Store(next)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-k.changed:
		}
	}
}

// ask gets the word of a certificate's authority.
func ask(ctx context.Context, cert *tls.Certificate) (*stapled, error) {
	if len(cert.Certificate) < 2 {
		return nil, fmt.Errorf("the certificate of its authority is not in the file, behind its own")
	}
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		return nil, err
	}
	question, err := ocsp.CreateRequest(cert.Leaf, issuer, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stapleTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cert.Leaf.OCSPServer[0], bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxStaple))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", cert.Leaf.OCSPServer[0], resp.Status)
	}
	word, err := ocsp.ParseResponseForCert(doc, cert.Leaf, issuer)
	if err != nil {
		return nil, err
	}
	switch {
	case word.Status == ocsp.Revoked:
		return nil, fmt.Errorf("it was revoked on %s: put another in its place", word.RevokedAt.Format(time.RFC3339))
	case word.Status != ocsp.Good:
		return nil, fmt.Errorf("%s does not know it", cert.Leaf.OCSPServer[0])
	case !word.NextUpdate.After(time.Now()):
		return nil, fmt.Errorf("what %s says has ended already", cert.Leaf.OCSPServer[0])
	}
	with := *cert
	with.OCSPStaple = doc
	return &stapled{&with, word.ThisUpdate.Add(word.NextUpdate.Sub(word.ThisUpdate) / 2), word.NextUpdate}, nil
}

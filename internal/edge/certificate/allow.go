package certificate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// How long an answer to Ask counts. Names come from whoever connects, so a "no" is
// remembered too, and what is remembered is bounded.
const (
	yesLasts   = 10 * time.Minute
	noLasts    = time.Minute
	maxAnswers = 10_000
	maxAsking  = 32 // at a time; others wait
	askTime    = 5 * time.Second
)

// answers is what Ask has said lately.
type answers struct {
	asking singleflight.Group
	slots  chan struct{} // of maxAsking

	mu    sync.Mutex // guards known
	known map[string]answer
}

type answer struct {
	yes   bool
	until time.Time
}

// allowed is an error unless a certificate may be got for a name: errNone when the
// answer is no.
func (k *Keeper) allowed(ctx context.Context, name string) error {
	site, ok := k.Sites.Site(name)
	switch {
	case !ok:
		return errNone
	case site.Alias == name:
		return nil
	case k.Ask == nil: // a wildcard would take DNS-01, and a name below it is anybody's word
		return errNone
	}
	yes, err := k.ask(ctx, name)
	if err != nil {
		return fmt.Errorf("whether %s may have a certificate: %w", name, err)
	}
	if !yes {
		return errNone
	}
	return nil
}

// stillAllowed is the same for a renewal.
func (k *Keeper) stillAllowed(ctx context.Context, name string) error {
	if err := k.allowed(ctx, name); err != nil {
		return fmt.Errorf("%s is not to have a certificate: %w", name, err)
	}
	return nil
}

// claimed reports whether a name may have a certificate, as far as that is known
// without asking.
func (k *Keeper) claimed(name string) bool {
	site, ok := k.Sites.Site(name)
	return ok && (site.Alias == name || k.Ask != nil)
}

// ask asks once for all who wait for the answer.
func (k *Keeper) ask(ctx context.Context, name string) (bool, error) {
	a := &k.answers
	now := time.Now()
	a.mu.Lock()
	known, ok := a.known[name]
	a.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.yes, nil
	}
	yes, err, _ := a.asking.Do(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
			return k.Ask(ctx, name)
		case <-ctx.Done():
			return false, ctx.Err()
		}
	})
	if err != nil {
		return false, err
	}
	next := answer{yes.(bool), now.Add(noLasts)}
	if next.yes {
		next.until = now.Add(yesLasts)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil || len(a.known) >= maxAnswers {
		a.known = map[string]answer{}
	}
	a.known[name] = next
	return next.yes, nil
}

// AskURL asks a web server: GET with ?domain=NAME, where 200 is yes, and every other
// status below 500 no.
func AskURL(address string) (func(context.Context, string) (bool, error), error) {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("%q is not an address such as https://example.com/may-have", address)
	}
	client := &http.Client{
		Timeout:       askTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // no yes
	}
	return func(ctx context.Context, name string) (bool, error) {
		u := *at
		q := u.Query()
		q.Set("domain", name)
		u.RawQuery = q.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return false, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return false, err
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		if resp.StatusCode >= 500 {
			return false, fmt.Errorf("%s answers %s", at.Redacted(), resp.Status)
		}
		return resp.StatusCode == http.StatusOK, nil
	}, nil
}

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// How an issuer's keys are kept. API Gateway keeps them for two hours.
const (
	keysFresh   = 2 * time.Hour
	keysUsable  = 24 * time.Hour   // when the issuer does not answer
	keysAgain   = 10 * time.Second // between two questions, whatever tokens come
	issuerWait  = 5 * time.Second
	maxDocument = 1 << 20
)

// issuers are those that the authorizers of all APIs name, by URL: their keys
// outlive deployments.
type issuers struct {
	mu    sync.Mutex
	known map[string]*issuer
}

func (all *issuers) of(g *Gateway, url string) *issuer {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.known == nil {
		all.known = map[string]*issuer{}
	}
	one := all.known[url]
	if one == nil {
		one = &issuer{url: url, client: &http.Client{Timeout: issuerWait, Transport: g.transport()}}
		all.known[url] = one
	}
	return one
}

// issuer is an identity provider, and the keys that it signs tokens with.
type issuer struct {
	url    string
	client *http.Client
	asking singleflight.Group

	mu    sync.Mutex
	keys  *jose.JSONWebKeySet // nil: not known yet
	asked time.Time           // the last time
	got   time.Time           // the keys
	err   error               // why the last question had no answer
}

// key returns the key with an id. One that is not known makes us ask the issuer
// again, for it may be new.
func (i *issuer) key(ctx context.Context, id string) (*jose.JSONWebKey, error) {
	key, ask := i.look(id, time.Now())
	if ask {
		_, _, _ = i.asking.Do("", func() (any, error) {
			if _, still := i.look(id, time.Now()); still {
				i.refresh(context.WithoutCancel(ctx)) // others wait for it, too
			}
			return nil, nil
		})
		key, _ = i.look(id, time.Now())
	}
	if key != nil {
		return key, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return nil, i.err
	}
	return nil, errors.New("the token is signed with a key that its issuer does not have")
}

// look finds a key among those that are known, and says whether to ask for others.
func (i *issuer) look(id string, now time.Time) (key *jose.JSONWebKey, ask bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	age := now.Sub(i.got)
	if i.keys != nil && age < keysUsable {
		if found := i.keys.Key(id); len(found) > 0 && id != "" {
			key = &found[0]
		}
	}
	return key, (key == nil || age >= keysFresh) && now.Sub(i.asked) >= keysAgain
}

// refresh asks for the keys. Those that are known stay when there is no answer.
func (i *issuer) refresh(ctx context.Context) {
	keys, err := i.fetch(ctx)
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked, i.err = now, err
	if err == nil {
		i.keys, i.got = keys, now
	}
}

// fetch finds where the issuer's keys are (OpenID Connect Discovery) and reads them.
func (i *issuer) fetch(ctx context.Context) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, issuerWait)
	defer cancel()
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := i.get(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", &found); err != nil {
		return nil, fmt.Errorf("OIDC discovery endpoint communication error: %w", err)
	}
	if found.Keys == "" {
		return nil, errors.New("the OIDC discovery document has no jwks_uri")
	}
	keys := new(jose.JSONWebKeySet)
	if err := i.get(ctx, found.Keys, keys); err != nil {
		return nil, fmt.Errorf("JWKS communication error: %w", err)
	}
	return keys, nil
}

// get reads a document. Its error holds no more than the kind of what went wrong:
// clients are told it.
func (i *issuer) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errors.New("the URL is none")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := i.client.Do(req)
	if err != nil {
		return errors.New("no answer")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return errors.New("the answer ended early")
	}
	if json.Unmarshal(doc, into) != nil {
		return errors.New("the answer is not the JSON that it should be")
	}
	return nil
}

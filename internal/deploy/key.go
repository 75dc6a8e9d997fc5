package deploy

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
)

// valued gives each API key a value: the one that it comes with, else the one that it
// had before, else a new one.
func valued(old *Revision, keys []gateway.APIKey) []gateway.APIKey {
	next := slices.Clone(keys)
	for i := range next {
		k := &next[i]
		if k.Value == "" && old != nil {
			if j := slices.IndexFunc(old.APIKeys, func(was gateway.APIKey) bool { return was.ID == k.ID }); j >= 0 {
				k.Value = old.APIKeys[j].Value
			}
		}
		if k.Value == "" {
			k.Value = (rand.Text() + rand.Text())[:40] // as long as API Gateway's
		}
	}
	return next
}

// Shown is the revision as people see it: without the values of environments and
// API keys, without endpoints of subscriptions, which may hold a password, and with
// outputs that answer.
func (r *Revision) Shown(url func(host string) string) *Revision {
	if r == nil {
		return nil
	}
	shown := *r
	shown.Outputs = r.Answering(url)
	shown.Functions = slices.Clone(r.Functions)
	for i := range shown.Functions {
		f := &shown.Functions[i]
		f.Environment = maps.Clone(f.Environment)
		for name := range f.Environment {
			f.Environment[name] = hiddenValue
		}
	}
	shown.APIKeys = slices.Clone(r.APIKeys)
	for i := range shown.APIKeys {
		shown.APIKeys[i].Value = ""
	}
	shown.Subscriptions = slices.Clone(r.Subscriptions)
	for i := range shown.Subscriptions {
		if s := &shown.Subscriptions[i]; s.Endpoint != "" {
			s.Endpoint = hiddenValue
		}
	}
	shown.Monitors = slices.Clone(r.Monitors)
	for i := range shown.Monitors {
		shown.Monitors[i] = shown.Monitors[i].Shown()
	}
	return &shown
}

// keyContext binds a sealed value to its key.
func keyContext(k gateway.APIKey) []byte { return []byte("api-key " + k.Stack + "/" + k.ID) }

// sealKeys are API keys as they are stored.
func (d *Deployer) sealKeys(ctx context.Context, keys []gateway.APIKey) ([]gateway.APIKey, error) {
	if d.Sealer == nil {
		return keys, nil
	}
	stored := slices.Clone(keys)
	for i := range stored {
		k := &stored[i]
		sealed, err := d.Sealer.Seal(ctx, "", []byte(k.Value), keyContext(*k))
		if err != nil {
			return nil, fmt.Errorf("encrypt the API key %s: %w", k.Name, err)
		}
		k.Sealed, k.Value = sealed, ""
	}
	return stored, nil
}

// openKeys decrypts the API keys of a revision that was read.
func (d *Deployer) openKeys(ctx context.Context, r *Revision) error {
	for i := range r.APIKeys {
		k := &r.APIKeys[i]
		if len(k.Sealed) == 0 {
			continue
		}
		if d.Sealer == nil {
			return fault.Errorf(fault.Unavailable, "the API key %s is encrypted and there is no key", k.Name)
		}
		value, err := d.Sealer.Open(ctx, "", k.Sealed, keyContext(*k))
		if err != nil {
			return fmt.Errorf("decrypt the API key %s: %w", k.Name, err)
		}
		k.Sealed, k.Value = nil, string(value)
	}
	return nil
}

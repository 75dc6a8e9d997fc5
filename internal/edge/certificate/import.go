package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// record is what is stored of an imported certificate.
type record struct {
	Chain []byte            `json:"chain"` // PEM
	Key   []byte            `json:"key"`   // PEM
	Added time.Time         `json:"added"`
	Tags  map[string]string `json:"tags,omitempty"`
}

// ImportInput is a certificate and its key, as PEM.
type ImportInput struct {
	ARN         string `json:"arn,omitempty"` // of one that it takes the place of; "": a new one
	Certificate string `json:"certificate"`   // that of the host, and after it those that vouch for it
	Key         string `json:"key" audit:"hidden"`
}

// imports reads what was imported.
func (k *Keeper) imports(ctx context.Context) ([]*owned, error) {
	all, err := k.Bucket.Load(ctx)
	if err != nil {
		return nil, err
	}
	var list []*owned
	for _, r := range all {
		kind, parts, err := store.Parts(r.Key)
		if err != nil || kind != kindImported || len(parts) != 1 {
			continue
		}
		doc, _, err := k.storage.read(ctx, r.Key)
		if err != nil {
			return nil, err
		}
		var at record
		if err := json.Unmarshal(doc, &at); err != nil {
			return nil, fmt.Errorf("the imported certificate %s: %w", parts[0], err)
		}
		cert, err := parsePair(at.Chain, at.Key)
		if err != nil {
			return nil, fmt.Errorf("the imported certificate %s: %w", parts[0], err)
		}
		list = append(list, &owned{id: parts[0], arn: arn.Certificate(k.Region, parts[0]), source: Imported, cert: cert, added: at.Added, tags: at.Tags})
	}
	return list, nil
}

// Import stores a certificate, which is used from then on. When it returns, both are
// on the disk.
func (k *Keeper) Import(ctx context.Context, in ImportInput) (Info, error) {
	return k.put(ctx, in, nil)
}

// put is Import with tags, which stay when a certificate takes the place of another.
func (k *Keeper) put(ctx context.Context, in ImportInput, tags map[string]string) (Info, error) {
	cert, err := parsePair([]byte(in.Certificate), []byte(in.Key))
	if err != nil {
		return Info{}, err
	}
	if time.Now().After(cert.Leaf.NotAfter) {
		return Info{}, fault.Errorf(fault.Invalid, "the certificate ended on %s", cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	switch key := cert.PrivateKey.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return Info{}, fault.Errorf(fault.Invalid, "the key is RSA of %d bits; clients refuse less than 2048", key.N.BitLen())
		}
	case *ecdsa.PrivateKey, ed25519.PrivateKey:
	default:
		return Info{}, fault.Errorf(fault.Invalid, "the key is neither RSA, nor ECDSA, nor Ed25519")
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	id := uuid.NewString()
	if in.ARN != "" {
		before := k.own.Load().named(in.ARN)
		if before == nil || before.source != Imported {
			return Info{}, unknown(in.ARN)
		}
		id, tags = before.id, before.tags
	}
	now := time.Now().UTC().Truncate(time.Second)
	doc, err := json.Marshal(record{[]byte(in.Certificate), []byte(in.Key), now, tags})
	if err != nil {
		return Info{}, err
	}
	if err := k.storage.write(ctx, store.Key(kindImported, id), doc); err != nil {
		return Info{}, err
	}
	next := []*owned{{id: id, arn: arn.Certificate(k.Region, id), source: Imported, cert: cert, added: now, tags: tags}}
	for _, o := range k.imported() {
		if o.id != id {
			next = append(next, o)
		}
	}
	err = k.replace(next)
	return about(next[0]), err
}

// Remove forgets an imported certificate, by its ARN or id. Connections that use it
// go on.
func (k *Keeper) Remove(ctx context.Context, id string) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	at := k.own.Load().named(id)
	switch {
	case at == nil:
		return unknown(id)
	case at.source == FromFile:
		return fault.Errorf(fault.Invalid, "%s is a file of the operator's; remove %s.crt and %s.key from %s", id, at.id, at.id, k.Dir)
	}
	if err := k.storage.erase(ctx, store.Key(kindImported, at.id)); err != nil {
		return err
	}
	var next []*owned
	for _, o := range k.imported() {
		if o.id != at.id {
			next = append(next, o)
		}
	}
	return k.replace(next)
}

func unknown(id string) error {
	hint := "`dropstack edge certificate list` lists what there is"
	if strings.HasPrefix(id, "arn:") {
		return fault.Coded(fault.NotFound, "ResourceNotFoundException", "no certificate was imported as %s; %s", id, hint)
	}
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "no imported certificate has the id %q; %s", id, hint)
}

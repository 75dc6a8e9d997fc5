// Package kms makes keys and uses them for those whom their policies allow.
//
// The chain from the root key down to a message:
//
//	root key         HKDF
//	key version      32 random bytes (or what the spec of the key takes), sealed
//	                 under it, bound to the key's ARN and the version's number
//	message key      HKDF of the version and a random salt
//	ciphertext       AES-256-GCM; additional data are the encryption context, the
//	                 key's id and the version
//
// A new version of a key rewrites nothing: a ciphertext names the version it
// needs. A rotation of the root key rewrites the versions and nothing else. A key
// that is destroyed has its versions overwritten on the disk.
//
// Stored in the bucket "keys":
//
//	key.ID           what is known about a key, its grants too: sealed
//	material.ID.N    a version
//	alias.NAME       which key an alias means: sealed
//
// Whoever asks is the caller in the context. Permission is asked for here, not at
// the endpoint: it takes the policy of the key.
package kms

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// Limits, as AWS has them.
const (
	maxPlaintext     = 4096
	maxCiphertext    = 6144
	maxRandom        = 1024
	maxPolicy        = 32 << 10
	maxDescription   = 8192
	maxTags          = 50
	maxAliases       = 50 // of a key
	maxOnDemand      = 25 // rotations of a key
	maxGrants        = 1000
	maxConstraints   = 8 // pairs in a grant's encryption context
	minRotation      = 90
	maxRotation      = 2560
	usualRotation    = 365
	minWindow        = 7
	maxWindow        = 30
	maxAliasName     = 256
	maxContextLength = 8192
)

// Keys are the keys of the installation. Its fields are set before Load and not
// changed after; all methods are safe for concurrent use.
type Keys struct {
	Root      *root.Root
	Kept      *root.Kept   // seals what is known about keys
	Bucket    store.Bucket // "keys"
	Authority Authority
	Region    string
	Log       *slog.Logger

	versions, records *root.Sealer
	wake              chan struct{} // Run looks again
	current           atomic.Pointer[snapshot]

	change sync.Mutex // one change at a time, from reading current to storing it
}

// Authority decides who may use which key.
type Authority interface {
	// Callers returns the ARNs that the caller in the context answers to, the most
	// precise first: for a session of a role the session and the role. It is empty
	// when nobody calls.
	Callers(ctx context.Context) []string
	// AuthorizeKey returns nil if the caller may do action (such as kms:Encrypt)
	// with resource. keyPolicy is the policy of the key: it must allow the action,
	// or leave it to the caller's own policies. It is empty when resource is not a
	// key and the caller's policies alone decide.
	AuthorizeKey(ctx context.Context, action, resource, keyPolicy string, conditions map[string][]string) error
	// CheckKeyPolicy says what is wrong with a key policy.
	CheckKeyPolicy(policy string) error
}

type via struct{}

// Via marks the calls made with ctx as a service's on behalf of the caller, such
// as "ssm": policies see it as kms:ViaService.
func Via(ctx context.Context, service string) context.Context {
	return context.WithValue(ctx, via{}, service)
}

// service is a principal of AWS that uses keys for others.
func (k *Keys) service(name string) string { return name + "." + k.Region + ".amazonaws.com" }

// Handy errors. Their codes are what clients match on.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

func notFound(format string, args ...any) error {
	return fault.Coded(fault.NotFound, "NotFoundException", format, args...)
}

func unsupported(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "UnsupportedOperationException", format, args...)
}

func limit(format string, args ...any) error {
	return fault.Coded(fault.TooLarge, "LimitExceededException", format, args...)
}

func badState(k *key, doing string) error {
	return fault.Coded(fault.Conflict, "KMSInvalidStateException", "%s is in state %s, in which %s is not possible", k.ARN, k.state(), doing)
}

func (k *Keys) keyARN(id string) string { return k.arn("key/" + id) }

func (k *Keys) aliasARN(name string) string { return k.arn(name) }

func (k *Keys) arn(resource string) string {
	return arn.ARN{Partition: "aws", Service: "kms", Region: k.Region, Account: arn.Account, Resource: resource}.String()
}

// Package secret is the parameter store: values by name, with versions, labels
// and tags, the secret ones encrypted under keys of kms.
//
// A parameter with all its versions is one record, so a change of it is one
// synced write, made only over the revision that it was read at. Records are
// sealed as a whole; the value of a SecureString is encrypted under its key on
// top of that, bound to the name of its parameter. What lists need is kept in
// memory, without values.
//
// Stored in the bucket "parameters":
//
//	parameter.NAME   a parameter, sealed; NAME in base64
//
// Permission to call is asked for at the endpoint. Here it is asked for the keys
// of SecureStrings, on the caller's behalf, and for what Resolve and Environment
// read.
//
// Where we differ from AWS: GetParametersByPath leaves out parameters that a
// policy explicitly denies the caller; AWS shows them to whoever may read the
// path. Policies that only notify are refused, because nobody would be notified.
package secret

import (
	"context"
	"log/slog"
	"sync"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// Limits, as AWS has them.
const (
	maxStandard       = 4 << 10 // bytes of a value
	maxAdvanced       = 8 << 10
	maxStandardCount  = 10_000
	maxAdvancedCount  = 100_000
	maxLevels         = 15
	maxName           = 1011 // with the ARN before it
	maxVersions       = 100
	maxLabels         = 10 // of a version
	maxLabelLength    = 100
	maxDescription    = 1024
	maxPattern        = 1024
	maxPolicies       = 10
	maxTags           = 50
	maxNames          = 10 // in a request
	maxPathResults    = 10
	maxListResults    = 50
	usualListResults  = 10
	maxFilterValues   = 50
	maxHistoryResults = 50
)

// Parameters is the parameter store. Its fields are set before Load and not
// changed after; all methods are safe for concurrent use.
type Parameters struct {
	Kept      *root.Kept   // seals the records
	Bucket    store.Bucket // "parameters"
	Keys      Keys
	Authority Authority
	Region    string
	Log       *slog.Logger
	// Record is told what Resolve and Environment are about to hand out, or failed
	// to; an error keeps them from it. Other reads are recorded by the endpoint.
	// Optional.
	Record func(ctx context.Context, action string, names []string, failed error) error

	records *root.Sealer
	tokens  []byte // the key of paging tokens
	index   index
	writers [64]sync.Mutex // by the hash of a name: one writer of a parameter at a time
	wake    chan struct{}  // Run looks again
}

// Keys is what SecureStrings need of the keys.
type Keys interface {
	Encrypt(ctx context.Context, in kms.EncryptInput) (kms.EncryptOutput, error)
	Decrypt(ctx context.Context, in kms.DecryptInput) (kms.DecryptOutput, error)
	GenerateDataKey(ctx context.Context, in kms.GenerateDataKeyInput) (kms.GenerateDataKeyOutput, error)
}

// Authority decides who may read what.
type Authority interface {
	// Callers returns the ARNs that the caller in the context answers to, the most
	// precise first. It is empty when nobody calls.
	Callers(ctx context.Context) []string
	// Authorize returns nil if the caller may do action with resource.
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
	// Forbids reports whether a policy explicitly denies the caller the action:
	// whether one allows it does not matter.
	Forbids(ctx context.Context, action, resource string, conditions map[string][]string) bool
}

// Errors whose codes clients match on.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

func notFound(name string) error {
	return fault.Coded(fault.NotFound, "ParameterNotFound", "parameter %q is not found", name)
}

func noVersion(name, selector string) error {
	return fault.Coded(fault.NotFound, "ParameterVersionNotFound", "parameter %q has no version or label %q", name, selector)
}

// caller is who calls, for LastModifiedUser.
func (p *Parameters) caller(ctx context.Context) string {
	if arns := p.Authority.Callers(ctx); len(arns) > 0 {
		return arns[0]
	}
	return ""
}
